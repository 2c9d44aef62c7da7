"""Every device family keeps the same promises, or says why it is not here."""

import subprocess
import sys

import pytest

from harness.contracts import Backend
from harness.registry import BACKENDS, create


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    made: Backend = create("device", BACKENDS, request.param)
    return made


def test_it_is_registered_under_its_name(backend: Backend) -> None:
    assert type(backend) is type(create("device", BACKENDS, backend.name))


def test_it_computes_or_says_why_not(backend: Backend) -> None:
    reason = backend.unavailable()
    if reason is not None:
        assert len(reason) > 10
        return
    import torch

    values = torch.ones(1000, device=backend.torch_device())
    backend.synchronise()

    assert float(values.sum()) == 1000
    peak = backend.memory_peak_bytes()
    assert peak is None or peak >= 4000


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_asking_for_a_device_imports_no_torch(name: str) -> None:
    code = (
        "import sys\nfrom harness.registry import BACKENDS, create\n"
        f"create('device', BACKENDS, {name!r}).unavailable()\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
