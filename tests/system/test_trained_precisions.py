"""The trained small models at each precision and run time: who passes, and who not."""

from typing import Any

import pytest

from harness.contracts import Setting, Skip
from harness.records import Configuration, Phase
from harness.registry import cards, load
from workloads.runtimes import unsupported
from workloads.sources import cache_dir

RUIN = {"prune-90", "prune-50"}
LOSES = {("cnn", "int8-static", "openvino"): 0.1}
CASES = [
    (workload, precision, runtime)
    for workload in ("bert", "cnn", "rnn")
    for precision in (
        "bf16",
        "int8-dynamic",
        "int8-static",
        "int8-weight",
        "int4-weight",
        "prune-50",
        "prune-90",
    )
    for runtime in ("eager", "compile", "onnxruntime", "openvino")
    if not (precision in RUIN and runtime != "eager")
]


def accuracy(workload: str, precision: str, runtime: str = "eager") -> Any:
    card = cards()[workload]
    asked = Configuration(
        workload=workload,
        phase=Phase.INFER,
        precision=precision,
        device="cpu",
        batch_size=50,
        runtime=runtime,
        options=card.values({}),
    )
    if reason := unsupported(asked):
        return Skip(reason)
    found = load(card.load)()
    skip = found.prepare(Setting(asked, "cpu", 1, cache_dir())) or found.convert()
    if skip:
        return skip
    quality, _ = found.evaluate()
    assert quality.n >= 990
    return quality.accuracy


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("workload", "precision", "runtime"), CASES)
def test_accuracy_stays_within_the_gate(
    workload: str, precision: str, runtime: str
) -> None:
    reference = accuracy(workload, "fp32")
    found = accuracy(workload, precision, runtime)
    if isinstance(found, Skip):
        assert found.reason
    elif precision in RUIN:
        assert 0 <= found <= 1
    else:
        lost = LOSES.get((workload, precision, runtime), 0.01)
        assert found >= reference - lost * reference
