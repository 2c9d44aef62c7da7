"""Every test session has a node of its own: it never attaches to another's meter."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.node import FOLDER_VARIABLE
from tests.nvml_stub import NvmlStub


@pytest.fixture(autouse=True, scope="session")
def own_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("node")
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(folder)
    yield folder
    if before is None:
        del os.environ[FOLDER_VARIABLE]
    else:
        os.environ[FOLDER_VARIABLE] = before


@pytest.fixture(scope="session")
def built_stub(tmp_path_factory: pytest.TempPathFactory) -> NvmlStub:
    return NvmlStub(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def nvml(built_stub: NvmlStub) -> Iterator[NvmlStub]:
    """The scripted NVML; time stands where `set_now` puts it, and flows again after."""
    yield built_stub
    built_stub.set_now(-1)
    built_stub.install(init_error=9)
