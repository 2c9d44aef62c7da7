"""Joules of pytest-benchmark's tests: measured after its timing, kept in extra_info."""

from collections.abc import Callable
from typing import Any

from harness.pytest_plugin.fixture import Energy
from harness.pytest_plugin.options import ROUNDS
from harness.pytest_plugin.results import Result


def meter(benchmark: Any, energy: Energy) -> None:
    """Let a `benchmark` fixture measure joules after its own rounds.

    Its timing is over by then, and not disturbed; the function is called again, as
    often as the meters need.
    """
    if benchmark.disabled:
        energy.leave("pytest-benchmark is disabled (xdist, or --benchmark-disable)")
        return
    kind: Any = type(benchmark)

    class Metered(kind):  # type: ignore[misc]
        def __call__(
            self, function_to_benchmark: Callable[..., Any], *args: Any, **kwargs: Any
        ) -> Any:
            answer = super().__call__(function_to_benchmark, *args, **kwargs)
            energy(function_to_benchmark, *args, **kwargs)
            _tell(self.extra_info, energy)
            return answer

        def pedantic(self, target: Callable[..., Any], *args: Any, **named: Any) -> Any:
            answer = super().pedantic(target, *args, **named)
            _pedantic(energy, target, *args, **named)
            _tell(self.extra_info, energy)
            return answer

    benchmark.__class__ = Metered


def _pedantic(  # noqa: PLR0913, PLR0917 (the signature of pytest-benchmark's)
    energy: Energy,
    target: Callable[..., Any],
    args: Any = (),
    kwargs: Any = None,
    setup: Any = None,
    teardown: Any = None,
    rounds: int = 1,
    warmup_rounds: int = 0,
    iterations: int = 1,
) -> None:
    """As often as was asked for, in at most as many windows as we take ourselves."""
    del warmup_rounds  # it is warm
    energy.pedantic(
        target,
        args,
        kwargs,
        setup=setup,
        teardown=teardown,
        rounds=min(rounds, ROUNDS),
        iterations=iterations,
    )


def _tell(extra_info: dict[str, Any], energy: Energy) -> None:
    """Into what pytest-benchmark writes, flat, with units."""
    energy.extra_info = dict(extra_info)
    if result := energy.result:
        extra_info.update(facts(result))


def facts(result: Result) -> dict[str, Any]:
    """Joules of one call as plain values; what is not known is None with a reason."""
    return {
        "energy_j": result.energy_j,
        "energy_low_j": result.energy_low_j,
        "energy_high_j": result.energy_high_j,
        "energy_power_w": result.power_w,
        "energy_rounds": len(result.rounds),
        "energy_of": "+".join(result.perimeter) or None,
        "energy_provenance": result.provenance and str(result.provenance),
        "energy_tier": result.tier,
        "energy_reason": result.reason,
    }
