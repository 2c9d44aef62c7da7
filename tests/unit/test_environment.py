from pathlib import Path

import pytest

from harness.environment import governor


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([], None),
        (["powersave", "powersave"], "powersave"),
        (["powersave", "performance"], "performance + powersave"),
    ],
)
def test_the_governor_of_all_cores(
    tmp_path: Path, told: list[str], expected: str | None
) -> None:
    for number, word in enumerate(told):
        folder = tmp_path / f"cpu{number}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{word}\n")

    assert governor(tmp_path) == expected
