"""What a person sees while a run goes on: one live line, or plain lines in a pipe."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.contracts import Observer
from harness.records import TrialRecord

REFRESH_S = 0.5


class ProgressDisplay(Observer):
    """Shows trial, stage, watts and time left on standard error."""

    def __init__(
        self,
        console: Console,
        estimate_s: float,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        self._console = console
        self._now_s = now_s or time.monotonic
        self._estimate_s = estimate_s
        self._started_s = self._now_s()
        self._shown_s = 0.0
        self._trials = self._done = self._skipped = 0
        self._what = ""
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, auto_refresh=False, transient=True)

    def run_started(self, trials: int, done: int) -> None:
        """Remember how much there is to do."""
        self._trials, self._done, self._skipped = trials, done, done
        if self._live:
            self._live.start()
        elif done:
            self._say(f"resuming: {done} of {trials} trials are done")

    def preparing(self, what: str) -> None:
        """Say what is made ready."""
        self._what = what
        self._show("preparing", 0.0, None, force=True)

    def trial_started(self, key: str, round_number: int) -> None:
        """Name the trial."""
        self._what = f"{key} round {round_number + 1}"
        self._show("starting", 0.0, None, force=True)

    def stage(self, name: str, fraction: float, power_w: float | None) -> None:
        """Move the live line; a pipe gets no line for this."""
        if self._live:
            self._show(name, fraction, power_w)

    def trial_finished(self, record: TrialRecord) -> None:
        """One plain line a trial where there is no live display."""
        self._done += 1
        if record.status != "ok":
            self._say(f"{record.key}: {record.status}: {record.reason}")
        elif not self._live:
            self._say(summary(record))

    def left_out(self, trials: int, reason: str) -> None:
        """Say that the plan was not used up, and why."""
        self._say(f"{trials} planned trials were not needed: {reason}")

    def run_finished(self) -> None:
        """Erase the live line."""
        if self._live:
            self._live.stop()

    def _show(
        self,
        stage: str,
        fraction: float,
        power_w: float | None,
        *,
        force: bool = False,
    ) -> None:
        now_s = self._now_s()
        if not force and now_s - self._shown_s < REFRESH_S:
            return
        self._shown_s = now_s
        text = self._line(stage, fraction, power_w)
        if self._live:
            self._live.update(Text(text), refresh=True)
        else:
            self._say(text)

    def _line(self, stage: str, fraction: float, power_w: float | None) -> str:
        place = f"[{min(self._done + 1, self._trials)}/{self._trials}]"
        parts = [place, self._what, stage]
        if fraction:
            parts.append(f"{fraction:.0%}")
        if power_w is not None:
            parts.append(f"{power_w:.1f} W")
        parts.append(f"{left(self._left_s())} left")
        return "  ".join(parts)

    def _left_s(self) -> float:
        """Time left in seconds: by plan at first, by experience later."""
        ran = self._done - self._skipped
        if ran < 3:
            return max(0.0, self._estimate_s - (self._now_s() - self._started_s))
        per_trial_s = (self._now_s() - self._started_s) / ran
        return per_trial_s * max(0, self._trials - self._done)  # some run again

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


def left(duration_s: float) -> str:
    """Minutes and seconds, such as `2:05`."""
    minutes, rest = divmod(round(duration_s), 60)
    return f"{minutes}:{rest:02d}"


def summary(record: TrialRecord) -> str:
    """One line for a finished trial."""
    parts = [f"{record.key} round {record.round + 1}"]
    if record.quality and record.quality.accuracy is not None:
        parts.append(f"{record.quality.metric} {record.quality.accuracy:.3f}")
    if record.total and record.total.energy_j is not None and record.window:
        sign = "" if record.total.provenance == "measured" else "~"
        parts.append(f"{sign}{record.total.energy_j:.3g} J")
        parts.append(f"{record.window.items} items")
        parts.append(f"{record.window.duration_s:.1f} s")
    return "  ".join(parts)
