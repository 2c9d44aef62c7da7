"""Whatever a file holds, a reader says so in a sentence and never falls over."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.matrix import expand
from harness.suite import load_suite
from tests.unit.test_suite import SOUND

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
QUIET = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def leaves(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of all mapping keys, at any depth."""
    if not isinstance(value, dict):
        return []
    found = []
    for key, inner in value.items():
        found += [(*path, key), *leaves(inner, (*path, key))]
    return found


def read(folder: Path, content: bytes) -> None:
    path = folder / "suite.yaml"
    path.write_bytes(content)
    try:
        expand(load_suite(str(path)))
    except UsageError as error:
        assert error.message.startswith((str(path), "suite "))  # noqa: PT017


@QUIET
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_sentence(tmp_path: Path, content: bytes) -> None:
    read(tmp_path, content)


@QUIET
@given(text=st.text(max_size=200))
def test_any_text_is_a_sentence(tmp_path: Path, text: str) -> None:
    read(tmp_path, text.encode("utf-8", "surrogatepass"))


@QUIET
@given(at=st.sampled_from(leaves(yaml.safe_load(SOUND))), value=PLAIN)
def test_any_value_at_any_key_is_read_or_a_sentence(
    tmp_path: Path, at: tuple[str, ...], value: object
) -> None:
    data = yaml.safe_load(SOUND)
    parent = data
    for key in at[:-1]:
        parent = parent[key]
    parent[at[-1]] = value

    read(tmp_path, yaml.safe_dump(data).encode())


def test_a_cut_file_is_read_or_a_sentence(tmp_path: Path) -> None:
    for length in range(0, len(SOUND), 7):
        read(tmp_path, SOUND[:length].encode())


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_a_suite_survives_its_own_yaml(tmp_path: Path, seed: int) -> None:
    data = yaml.safe_load(SOUND) | {"seed": seed}
    path = tmp_path / "suite.yaml"
    path.write_text(yaml.safe_dump(data))

    assert load_suite(str(path)).seed == seed
