"""How the house is kept: names carry units, help is light, the wheel is clean."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness import jobs, loads, readings, records
from harness.cli import app
from harness.noun import Noun

ROOT = Path(__file__).parents[2]
UNITLESS_NUMBERS = {
    "batches", "mean_batch", "over",
    "batch_size", "tier", "schema_", "round", "seed", "items", "steps", "n", "updates",
    "wraps", "resets", "accuracy", "constant_baseline", "skill", "parameters", "rounds",
    "quantised_layers", "p50", "p90", "p99", "year", "value", "low", "high", "pue",
    "relative_error", "options", "flop_per_item", "gaps", "foreign_processes",
    "f1", "recall", "target", "rounds_min", "window_items", "window_updates",
}  # fmt: skip
UNITS = (
    "_s", "_ns", "_j", "_w", "_ratio", "_bytes", "_g", "_g_per_kwh", "_per_s", "_c",
    "_kwh", "_per_j", "_ratios",
)  # fmt: skip


def nouns() -> list[type[Noun]]:
    return [
        value
        for module in (records, readings, jobs, loads)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Noun)
        if value.__module__ == module.__name__
    ]


@pytest.mark.parametrize("noun", nouns(), ids=lambda noun: noun.__name__)
def test_every_number_says_its_unit_last(noun: type[Noun]) -> None:
    numbers = [
        name
        for name, field in noun.model_fields.items()
        if re.search(r"\b(int|float)\b", str(field.annotation))
    ]

    nameless = [n for n in numbers if n not in UNITLESS_NUMBERS]

    assert [n for n in nameless if not n.endswith(UNITS)] == []


@pytest.mark.parametrize("arguments", [["--help"], ["list", "workloads"]])
def test_light_commands_load_no_heavy_library(arguments: list[str]) -> None:
    code = (
        "import sys; from harness.cli import app\n"
        f"app({arguments!r}, standalone_mode=False)\n"
        "heavy = {'torch', 'pandas', 'transformers'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy), file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "heavy: []" in done.stderr


def commands() -> list[str]:
    import typer.main

    group = typer.main.get_group(app)
    return sorted(group.commands)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme_and_has_help(command: str) -> None:
    import typer.main

    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"bench {command}" in readme
    assert typer.main.get_group(app).commands[command].help


def test_the_first_runnable_line_is_near_the_top_of_the_readme() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert any("make bench" in line for line in lines[:15])


def test_the_wheel_holds_exactly_three_packages(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--outdir",
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")

    names = zipfile.ZipFile(wheel).namelist()

    top = {name.split("/")[0] for name in names}
    assert {t for t in top if not t.endswith(".dist-info")} == {
        "harness",
        "workloads",
        "reports",
    }
    assert "harness/configs/quick.yaml" in names
    assert "harness/configs/sites/example.yaml" in names


def test_modules_stay_small_enough_to_read() -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for room in ("harness", "workloads", "reports")
        for path in (ROOT / room).rglob("*.py")
    }

    assert {name: size for name, size in sizes.items() if size > 400} == {}
