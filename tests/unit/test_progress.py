"""What a person sees while waiting."""

from io import StringIO

from rich.console import Console

from harness.progress import ProgressDisplay, left
from tests.makers import record


def display(*, terminal: bool) -> tuple[ProgressDisplay, StringIO, list[float]]:
    stream = StringIO()
    time_s = [0.0]
    console = Console(
        file=stream, force_terminal=terminal, width=120, color_system=None
    )
    shown = ProgressDisplay(console, estimate_s=300.0, now_s=lambda: time_s[0])
    return shown, stream, time_s


def test_a_pipe_gets_plain_lines_and_no_cursor_tricks() -> None:
    shown, stream, _ = display(terminal=False)

    shown.run_started(30, 0)
    shown.trial_started("bert/infer/fp32/cpu/b32", 0)
    shown.stage("window", 0.5, 12.0)
    shown.run_finished()

    assert "\x1b" not in stream.getvalue()
    assert "[1/30]  bert/infer/fp32/cpu/b32 round 1" in stream.getvalue()


def test_a_terminal_sees_stage_watts_and_time_left() -> None:
    shown, stream, time_s = display(terminal=True)

    shown.run_started(30, 0)
    shown.trial_started("cnn/train/fp32/cpu/b32", 1)
    time_s[0] = 60.0
    shown.stage("window", 0.5, 12.34)
    shown.run_finished()

    assert "window  50%  12.3 W  4:00 left" in stream.getvalue()


def test_a_failure_is_said_at_once_with_its_reason() -> None:
    shown, stream, _ = display(terminal=False)

    shown.trial_finished(record("r0-000"))

    assert "failed: killed" in stream.getvalue()


def test_trials_that_run_again_take_no_negative_time() -> None:
    shown, stream, time_s = display(terminal=False)

    shown.run_started(3, 0)
    for number in range(4):
        time_s[0] += 60.0
        shown.trial_finished(record(f"r0-00{number}"))
    shown.trial_started("cnn/train/fp32/cpu/b32", 0)

    assert "0:00 left" in stream.getvalue()
    assert "-" not in stream.getvalue().rpartition("starting")[2]


def test_time_left_reads_as_minutes_and_seconds() -> None:
    assert left(125.4) == "2:05"
