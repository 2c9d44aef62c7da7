"""The fixture `energy`: calls a function, and knows the joules of a call."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import UsageError
from harness.pytest_plugin import rounds as windows
from harness.pytest_plugin.limits import Limits
from harness.pytest_plugin.options import ROUNDS, Options
from harness.pytest_plugin.results import Result

if TYPE_CHECKING:
    from harness.pytest_plugin.rounds import Metering, Setup

T = TypeVar("T")


class Energy:
    """Joules of one function of one test.

    Attributes:
        items: Items that one call works on; joules are told by item, too.
        accuracy: How good the answers are, in [0, 1]; kept, and held against the
            marker's `min_accuracy`.
        extra_info: Anything else to keep with the result.
    """

    def __init__(
        self,
        nodeid: str,
        name: str,
        limits: Limits,
        options: Options,
        metering: "Callable[[], Metering]",
    ) -> None:
        self._nodeid, self._name = nodeid, name
        self._options, self._metering = options, metering
        self._result: Result | None = None
        self.limits = limits
        self.items = limits.items
        self.accuracy: float | None = None
        self.extra_info: dict[str, Any] = {}

    def __call__(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call the function until the meters have seen enough; its last answer.

        Raises:
            UsageError: It was called before in this test, or does no work when called.
        """
        calls = windows.Calls(function, args, kwargs)
        self._measure(calls, self._options.rounds, None)
        answer: T = calls.answer
        return answer

    def pedantic(  # noqa: PLR0913 (the signature of pytest-benchmark's)
        self,
        target: Callable[..., T],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        setup: "Setup | None" = None,
        teardown: Callable[..., Any] | None = None,
        rounds: int = 1,
        iterations: int = 1,
        warmup_rounds: int = 0,
        items: int | None = None,
    ) -> T:
        """Call the function exactly so often; its last answer.

        Args:
            target: The function.
            args: Its arguments.
            kwargs: Those with a name.
            setup: Called before each round, outside the window; it may return
                (args, kwargs).
            teardown: Called after each round with the arguments, outside, too.
            rounds: Windows, positive.
            iterations: Calls in each, positive; 1 with `setup`.
            warmup_rounds: Rounds before, without joules.
            items: Items that one call works on.

        Raises:
            UsageError: It was called before in this test, or a number cannot be.
        """
        counts = {"rounds": rounds, "iterations": iterations}
        for name, count in counts.items():
            if count < 1:
                raise UsageError(f"energy.pedantic: {name}={count} is less than 1")
        if setup and iterations > 1:
            raise UsageError("energy.pedantic: setup goes with iterations=1 only")
        self.items = items or self.items
        calls = windows.Calls(target, args, kwargs, setup, teardown)
        if self._metering().meter:
            for _ in range(warmup_rounds):
                calls.prepare()
                calls.run(iterations)
                calls.finish()
        self._measure(calls, rounds, iterations)
        answer: T = calls.answer
        return answer

    def leave(self, reason: str) -> None:
        """Say why there is nothing to measure."""
        self._result = Result(nodeid=self._nodeid, name=self._name, reason=reason)

    def _measure(
        self, calls: windows.Calls, rounds: int | None, iterations: int | None
    ) -> None:
        if self._result is not None:
            raise UsageError(
                f"{self._nodeid}: `energy` measures one function a test: write "
                "another test for another function"
            )
        metering = self._metering()
        if metering.meter is None:
            calls.prepare()
            duration_s = calls.run(1)
            calls.finish()
            self._result = Result(
                nodeid=self._nodeid,
                name=self._name,
                duration_s=duration_s,
                reason=metering.reason,
            )
            return
        least_s = metering.window_s(self._options.min_window_s)
        count = iterations or windows.calibrate(calls, least_s)
        number = rounds or (1 if metering.slowest_s is None else ROUNDS)
        found = windows.measure(metering, self._name, calls, number, count)
        self._result = windows.result(self._nodeid, self._name, found, count)

    @property
    def result(self) -> Result | None:
        """What was measured; None until then.

        Raises:
            UsageError: `items` or `accuracy` are no such numbers.
        """
        if self._result is None:
            return None
        self._check()
        return self._result.model_copy(
            update={
                "items": self.items,
                "accuracy": None if self.accuracy is None else float(self.accuracy),
                "extra_info": json.loads(json.dumps(self.extra_info, default=str)),
            }
        )

    def _check(self) -> None:
        items: Any = self.items
        if items is not None and (int(items) != items or items < 1):
            raise UsageError(f"{self._nodeid}: energy.items={items!r} is no count")
        if self.accuracy is not None and not 0.0 <= float(self.accuracy) <= 1.0:
            raise UsageError(
                f"{self._nodeid}: energy.accuracy={self.accuracy!r} is not in [0, 1]"
            )
