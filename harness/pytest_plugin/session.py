"""What the tests with joules of one process share: meters, options, the baseline."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from harness.pytest_plugin import rounds, storage, verdicts
from harness.pytest_plugin.fixture import Energy
from harness.pytest_plugin.limits import Limits
from harness.pytest_plugin.options import Options
from harness.pytest_plugin.results import Record, Result, Verdict
from harness.pytest_plugin.rounds import Metering


class Session:
    """Meters and baseline, from their first use to the end of the session.

    Args:
        options: What was asked for.
        start: Starts the meters, until a stack ends.
    """

    def __init__(
        self,
        options: Options,
        start: Callable[[ExitStack], Metering] = rounds.start,
    ) -> None:
        self._options, self._start = options, start
        self._stack = ExitStack()

    def start(self) -> None:
        """Start the meters, unless they run."""
        _ = self.metering

    @cached_property
    def metering(self) -> Metering:
        """The meters; started here."""
        if self._options.disabled:
            return Metering(reason="metering is off (--energy-disable)")
        return self._start(self._stack)

    def energy(self, nodeid: str, name: str, limits: Limits) -> Energy:
        """The fixture of one test."""
        return Energy(nodeid, name, limits, self._options, lambda: self.metering)

    def close(self) -> None:
        """Let the meters go."""
        self._stack.close()

    def judged(self, result: Result, limits: Limits) -> Result:
        """A result with its verdict, where one was asked for.

        Raises:
            UsageError: The baseline cannot be read, or there is none of that name.
        """
        limit = limits.max_regression_ratio
        limit = self._options.fail_ratio if limit is None else limit
        if limit is None and self._options.compare is None:
            return result
        return result.model_copy(update={"verdict": self._verdict(result, limit)})

    def _verdict(self, result: Result, limit_ratio: float | None) -> Verdict:
        if why := verdicts.unusable(result):
            return verdicts.unchecked(why, limit_ratio)
        if isinstance(self._baseline, str):
            return verdicts.unchecked(self._baseline, limit_ratio)
        path, record = self._baseline
        before = {test.nodeid: test for test in record.tests}.get(result.nodeid)
        if before is None:
            return verdicts.unchecked("the baseline has no such test", limit_ratio)
        return verdicts.judge(result, before, path.stem, limit_ratio)

    @cached_property
    def _baseline(self) -> tuple[Path, Record] | str:
        """What to compare with, or why with nothing."""
        here, name = self.metering.machine, self._options.compare or storage.LATEST
        if here is None:
            return self.metering.reason or "no meter answered"
        path = storage.find(self._options.folder, name, here)
        if isinstance(path, str):
            return path
        record = storage.read(path)
        unlike = here.unlike(record.machine) if record.machine else "it names none"
        if unlike:
            return f"{path.stem} is of another machine: {unlike}"
        return path, record


def failure(result: Result | None, limits: Limits, options: Options) -> str | None:
    """Why a test that passed otherwise fails; None where it does not."""
    if result is None:
        idle = "energy: nothing was measured: the fixture was not called"
        return None if limits == Limits(items=limits.items) else idle
    for why in (
        _accuracy(result, limits.min_accuracy),
        _regression(result),
        _sensor(result) if options.require_sensor else None,
    ):
        if why:
            return why
    return None


def _accuracy(result: Result, least: float | None) -> str | None:
    if least is None:
        return None
    if result.accuracy is None:
        return f"energy: min_accuracy={least:g}, but the test sets no energy.accuracy"
    if result.accuracy < least:
        return f"energy: accuracy {result.accuracy:.4g} is below {least:g}"
    return None


def _sensor(result: Result) -> str | None:
    if result.is_measured:
        return None
    why = result.reason or f"joules are {result.provenance} (`bench doctor`)"
    return f"energy: no sensor measured it: {why}"


def _regression(result: Result) -> str | None:
    verdict = result.verdict
    if verdict is None or verdict.outcome != "regressed":
        return None
    if verdict.limit_ratio is None:
        return None
    return (
        f"energy: {verdict.ratio:.3f} times the joules of {verdict.baseline} "
        f"[{verdict.low:.3f} ... {verdict.high:.3f}], allowed are "
        f"{1.0 + verdict.limit_ratio:.3f}"
    )
