"""Streams and signals: what a measured command did is told whatever becomes of ours."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli import _takes_debug

BENCH = [sys.executable, "-P", "-m", "harness"]
FAILING = "measure -- sh -c 'exit 7'"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell in which `bench` is ours."""
    begin = " ".join(f"{name}={value}" for name, value in environment.items())
    return subprocess.run(
        ["sh", "-c", line.replace("bench", f"{begin} {' '.join(BENCH)}")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (">/dev/full", "standard output cannot be written: No space left"),
        (">/dev/full 2>/dev/full", ""),
        (">&-", "standard output cannot be written: Bad file descriptor"),
    ],
)
@pytest.mark.parametrize("option", ["", "--json"])
def test_a_result_that_cannot_be_written_is_said_and_the_exit_code_stays(
    end: str, words: str, option: str
) -> None:
    done = shell(f"bench {FAILING} {end}".replace("measure", f"measure {option}"))

    assert done.returncode == 7
    assert words in done.stderr
    assert "fault of joulebench" not in done.stderr


def test_a_command_that_writes_nowhere_exits_1_with_a_sentence() -> None:
    done = shell("bench list probes > /dev/full")

    assert done.returncode == 1
    assert done.stderr == (
        "error: standard output cannot be written: No space left on device\n"
    )


def test_a_reader_that_has_gone_costs_neither_exit_code_nor_words() -> None:
    done = shell(f"(bench {FAILING}; echo $? >&2) | true")

    assert done.stderr.split() == ["7"]


def test_closed_streams_get_no_file_of_ours(tmp_path: Path) -> None:
    said = tmp_path / "said"

    done = shell(
        f"bench measure --export-json {said} -- sh -c 'echo x >&2; exit 7' <&- >&- 2>&-"
    )

    assert done.returncode == 7
    assert said.exists()


def test_an_alphabet_without_our_letters_is_written_all_the_same() -> None:
    done = shell(f"bench {FAILING}", PYTHONIOENCODING="ascii")

    assert done.returncode == 7
    assert "fault" not in done.stderr
    assert "\\xb1" in done.stdout


@pytest.mark.parametrize(
    ("words", "left", "found"),
    [
        (["bench", "list", "--debug"], ["bench", "list"], True),
        (["bench", "measure", "--debug", "--", "a", "--debug"],
         ["bench", "measure", "--", "a", "--debug"], True),
        (["bench", "measure", "--", "a", "--debug"],
         ["bench", "measure", "--", "a", "--debug"], False),
    ],
)  # fmt: skip
def test_the_words_of_the_measured_command_are_its_own(
    words: list[str], left: list[str], *, found: bool
) -> None:
    assert _takes_debug(words) is found
    assert words == left


def test_a_request_to_end_goes_on_to_the_command(tmp_path: Path) -> None:
    started = tmp_path / "started"
    command = ["sh", "-c", f"echo $$ > {started}; exec sleep 60"]
    process = subprocess.Popen(
        [*BENCH, "measure", "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    while not started.exists() or not started.read_text():
        time.sleep(0.05)
    pid = int(started.read_text())

    process.send_signal(signal.SIGTERM)
    shown, _ = process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGTERM
    assert "exit code: 143" in shown
    assert not Path(f"/proc/{pid}").exists()


def test_a_meter_process_whose_starter_has_gone_ends_in_silence() -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "harness.meter_process", "host"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()
    assert process.stderr is not None

    assert process.stderr.read() == b""
    assert process.wait(30) == 0
    process.stderr.close()
