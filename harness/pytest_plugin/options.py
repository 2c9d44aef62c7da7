"""The plugin's options, and what is refused before any test runs."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.near import nearest
from harness.pytest_plugin import limits

NAME = re.compile(r"[\w.+-]+")
COLUMNS = ("joules", "interval", "item", "power", "time", "rounds", "of", "ratio")
SORTS = ("name", "joules", "power", "time")
ROUNDS = 5
MIN_WINDOW_S = 1.0
FOLDER = ".energy"


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line.

    Attributes:
        rounds: Windows a test; None for what the meters make worth while.
        compare: What to compare with: a number, a name, a file, or `latest`.
        fail_ratio: More joules than this above the baseline's fail; None for no limit.
        json_path: File for everything that was measured.
        folder: Where results are kept, one folder a machine.
    """

    only: bool
    skip: bool
    disabled: bool
    require_sensor: bool
    rounds: int | None
    min_window_s: float
    save: str | None
    autosave: bool
    compare: str | None
    fail_ratio: float | None
    json_path: Path | None
    folder: Path
    columns: tuple[str, ...]
    sort: str
    benchmark: bool


def add(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("energy", "joules of tests (joulebench)")
    add = group.addoption
    add("--energy-only", action="store_true", help="run only tests with joules")
    add("--energy-skip", action="store_true", help="skip tests with joules")
    add(
        "--energy-disable",
        action="store_true",
        help="call what would be measured once, without meters",
    )
    add(
        "--energy-require-sensor",
        action="store_true",
        help="fail tests whose joules no instrument measured",
    )
    add(
        "--energy-rounds",
        metavar="N",
        type=_count,
        help=f"windows a test (default: {ROUNDS}; 1 where joules are only modelled)",
    )
    add(
        "--energy-min-window",
        metavar="SECONDS",
        type=_seconds,
        default=MIN_WINDOW_S,
        help="least length of a window (default: 1; longer where meters are slow)",
    )
    _add_comparing(group)
    _add_output(group)


def _add_comparing(group: pytest.OptionGroup) -> None:
    add = group.addoption
    add("--energy-save", metavar="NAME", help="keep the results as NNNN_NAME")
    add(
        "--energy-autosave",
        action="store_true",
        help="keep the results under commit and time",
    )
    add(
        "--energy-compare",
        metavar="NAME",
        help="compare with kept results: a name, a number, a file, or `latest`",
    )
    add(
        "--energy-compare-fail",
        metavar="joules:PERCENT",
        help="fail tests that need more joules than so, beyond noise: joules:10%%",
    )
    add(
        "--energy-storage",
        metavar="DIR",
        help=f"where results are kept (default: {FOLDER} in the root folder)",
    )


def _add_output(group: pytest.OptionGroup) -> None:
    add = group.addoption
    add("--energy-json", metavar="FILE", help="write all that was measured")
    add(
        "--energy-columns",
        metavar="LIST",
        default=",".join(COLUMNS),
        help=f"of the table: {', '.join(COLUMNS)}",
    )
    add(
        "--energy-sort",
        metavar="COLUMN",
        choices=SORTS,
        default="name",
        help=f"of the table: {', '.join(SORTS)} (default: name)",
    )
    add(
        "--benchmark-joules",
        action="store_true",
        help="joules of pytest-benchmark's tests, too, in their extra_info",
    )


def of(config: pytest.Config) -> Options:
    """What was asked for.

    Raises:
        UsageError: It cannot be done.
    """
    asked = config.option
    _check_names(asked.energy_save, asked.energy_compare)
    fail = asked.energy_compare_fail
    json_path = _target(config, asked.energy_json)
    if asked.benchmark_joules and not config.pluginmanager.hasplugin("benchmark"):
        raise UsageError(
            "--benchmark-joules: pytest-benchmark is not active",
            hint="pip install pytest-benchmark, or the fixture `energy`",
        )
    return Options(
        only=asked.energy_only,
        skip=asked.energy_skip,
        disabled=asked.energy_disable,
        require_sensor=asked.energy_require_sensor,
        rounds=asked.energy_rounds,
        min_window_s=asked.energy_min_window,
        save=asked.energy_save,
        autosave=asked.energy_autosave,
        compare=asked.energy_compare,
        fail_ratio=None if fail is None else limits.of_option(fail),
        json_path=json_path,
        folder=_under(config, asked.energy_storage or str(config.rootpath / FOLDER)),
        columns=_columns(asked.energy_columns),
        sort=asked.energy_sort,
        benchmark=asked.benchmark_joules,
    )


def _check_names(save: str | None, compare: str | None) -> None:
    if save is not None and not NAME.fullmatch(save):
        raise UsageError(
            f"--energy-save {save}: not a name",
            hint="letters, digits, dots, dashes and underscores",
        )
    if compare is not None and not compare:
        raise UsageError("--energy-compare: no name", hint="--energy-compare latest")


def _target(config: pytest.Config, text: str | None) -> Path | None:
    if text is None:
        return None
    path = _under(config, text)
    if not path.parent.is_dir():
        raise UsageError(
            f"--energy-json {text}: there is no folder {path.parent}",
            hint=f"mkdir {path.parent}",
        )
    return path


def _under(config: pytest.Config, text: str) -> Path:
    return config.invocation_params.dir / Path(text).expanduser()


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    _check_columns(names)
    return names


def _check_columns(names: Sequence[str]) -> None:
    for name in names:
        if name not in COLUMNS:
            raise UsageError(
                f"--energy-columns: unknown {name!r}{nearest(name, list(COLUMNS))}",
                hint=f"known: {', '.join(COLUMNS)}",
            )


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a length of time")
    return value
