"""`bench history` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import NothingMeasured, UsageError
from harness.store import RunFolder
from tests.history_makers import run_folder


@pytest.fixture(autouse=True)
def _history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBENCH_HISTORY", str(tmp_path / "h.sqlite"))


def bench(*arguments: str | Path, code: int = 0) -> str:
    """What `bench history` prints."""
    done = CliRunner().invoke(app, ["history", *map(str, arguments)])
    if isinstance(done.exception, Exception):
        raise done.exception
    assert done.exit_code == code
    return done.stdout


def test_what_was_added_is_listed_shown_and_found(tmp_path: Path) -> None:
    with pytest.raises(NothingMeasured, match="no history yet"):
        bench("list")

    run = bench("add", run_folder(tmp_path / "run", trials=2)).split()[1]

    assert run in bench("list")
    assert json.loads(bench("list", "--json"))[0]["ok"] == 2
    assert "505 mJ" in bench("show", run)
    assert json.loads(bench("show", run, "--json"))["configurations"][0]["trials"] == 2
    assert "510 mJ" in bench("query", "--workload", "bert", "--limit", "1")
    assert json.loads(bench("query", "--status", "failed", "--json")) == []
    (counted,) = json.loads(bench("query", "--json", "--sql", "SELECT 1 AS n"))
    assert counted == {"n": 1}
    assert f"made again {run}" in bench("rebuild")


def test_a_folder_of_runs_is_added_as_far_as_it_goes(tmp_path: Path) -> None:
    run_folder(tmp_path / "runs" / "a")
    (run_folder(tmp_path / "runs" / "b") / "run.json").write_text("{}")
    RunFolder.create(tmp_path / "runs" / "c").write("plan.json", "{}")

    said = bench("add", tmp_path / "runs", code=1)

    assert said.startswith("added")
    assert said.count("\n") == 1
    with pytest.raises(NothingMeasured):
        bench("add", tmp_path / "runs" / "c")
    with pytest.raises(UsageError, match="holds no id"):
        bench("add", tmp_path / "runs" / "b")


def test_exports_have_the_types_of_the_columns(tmp_path: Path) -> None:
    bench("add", run_folder(tmp_path / "run", trials=1, precision="=cmd()"))
    parquet = tmp_path / "out.parquet"

    bench("query", "--columns", "skill,round,complete,key", "--parquet", parquet)

    kinds = [str(field.type) for field in pq.read_schema(parquet)]
    assert kinds == ["double", "int64", "bool", "string"]
    assert "'=cmd()" in bench("query", "--columns", "precision", "--csv")
    with pytest.raises(UsageError, match="cannot be written"):
        bench("query", "--parquet", tmp_path / "no" / "out.parquet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["query", "--where", "teir=B"], "did you mean 'tier'"),
        (["query", "--where", "tier"], "COLUMN=GLOB"),
        (["query", "--columns", "key,"], "no column called ''"),
        (["query", "--since", "yesterday"], "no time"),
        (["query", "--json", "--csv"], "choose one"),
        (["query", "--sql", "DROP TABLE runs"], "not authorized"),
        (["show", ""], "bench history list"),
        (["list", "--url", "mysql://host/db"], "no history in mysql"),
    ],
)
def test_bad_questions_are_sentences(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    bench("add", run_folder(tmp_path / "run"))

    with pytest.raises(UsageError) as caught:
        bench(*arguments)

    assert words in f"{caught.value.message} {caught.value.hint}"


def test_text_of_others_steers_no_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07[red]"
    path = run_folder(tmp_path / "run", suite=evil, precision=evil)

    said = bench("add", path) + bench("list") + bench("query", "--columns", "precision")

    assert "\x1b" not in said
    assert "[red]" in said


@pytest.mark.parametrize("missing", ["sqlalchemy", "psycopg"])
def test_a_library_that_is_missing_is_named_with_its_cure(missing: str) -> None:
    code = (
        "import sys, importlib.util as u\n"
        f"sys.modules[{missing!r}] = None\n"
        f"find = u.find_spec; u.find_spec = lambda n, p=None: "
        f"None if n == {missing!r} else find(n, p)\n"
        "sys.argv = ['bench', 'history', 'list', '--url', 'postgresql://h/d']\n"
        "from harness.cli import main; main()"
    )

    done: Any = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    extra = {"sqlalchemy": "history", "psycopg": "postgres"}[missing]
    assert f"pip install 'joulebench[{extra}]'" in done.stderr
    assert done.returncode == 2
