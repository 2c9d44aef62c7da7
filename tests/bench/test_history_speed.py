"""How long the history takes over 100,000 trials; `make figures` runs it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from harness.history.database import opened
from harness.history.index import add
from harness.history.places import place
from harness.history.reading import Asked, runs, trials
from tests.history_makers import postgres, postgres_programs, run_folder

pytestmark = pytest.mark.slow
FOLDERS = 100
TRIALS = 1000
WORKLOADS = ("bert", "cnn", "rnn")
PRECISIONS = ("fp32", "bf16", "int8-dynamic", "int8-static")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("runs")
    return [
        run_folder(
            home / f"r{number:03d}",
            trials=TRIALS,
            day=1 + number % 28,
            workload=WORKLOADS[number % 3],
            precision=PRECISIONS[number % 4],
        )
        for number in range(FOLDERS)
    ]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    if request.param == "sqlite":
        where = place(str(tmp_path_factory.mktemp("data") / "history.sqlite"))
        with opened(where, writing=True) as engine:
            yield engine
        return
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL's initdb is not installed (Debian: postgresql)")
    with postgres(programs) as url, opened(place(url), writing=True) as engine:
        yield engine


def add_all(engine: Engine, folders: list[Path]) -> None:
    for path in folders:
        with engine.begin() as connection:
            add(connection, path)


@pytest.mark.benchmark(group="100,000 trials added")
def test_adding(benchmark: Any, engine: Engine, folders: list[Path]) -> None:
    benchmark.pedantic(lambda: add_all(engine, folders), rounds=1)


@pytest.mark.benchmark(group="100,000 trials asked")
@pytest.mark.parametrize(
    "asked",
    [
        Asked(limit=20),
        Asked(globs={"workload": "bert", "precision": "int8-*"}, since="2026-11-20"),
        Asked(globs={"status": "failed"}),
    ],
    ids=["newest", "filtered", "nothing matches"],
)
def test_asking(
    benchmark: Any, engine: Engine, folders: list[Path], asked: Asked
) -> None:
    add_all(engine, folders[:1])

    def ask() -> int:
        with engine.begin() as connection:
            return len(trials(connection, asked))

    benchmark(ask)


@pytest.mark.benchmark(group="100,000 trials asked")
def test_listing(benchmark: Any, engine: Engine) -> None:
    def ask() -> int:
        with engine.begin() as connection:
            return len(runs(connection))

    assert benchmark(ask) == FOLDERS
