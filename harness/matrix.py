"""From a suite's axes to configurations, and to reasons for those that cannot run."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, product
from math import prod

from harness import registry
from harness.contracts import Card
from harness.errors import UsageError
from harness.noun import Noun
from harness.records import Configuration, OptionValue
from harness.scenarios import unsupported as scenario_fault
from harness.suite import Block, Suite
from harness.suite_keys import AXES

UNSUPPORTED = "workloads.runtimes:unsupported"
MAX_POINTS = 100_000
BRIEF = 40


class Skipped(Noun):
    """A configuration that cannot run here, and why."""

    configuration: Configuration
    reason: str


def expand(
    suite: Suite, only: str | None = None
) -> tuple[tuple[Configuration, ...], tuple[Skipped, ...]]:
    """Cross the axes, leave out the excluded, add the included.

    Args:
        suite: A suite whose names are all known.
        only: Pattern that a configuration's key must match, such as `bert/*`.

    Returns:
        Configurations that can run here, and those that cannot with their reason;
        each key once, in the order of the suite.

    Raises:
        UsageError: The matrix is empty, or far too large.
    """
    wanted = _wanted(suite)
    if not wanted:
        raise UsageError(f"suite {suite.name}: matrix.exclude leaves nothing to run")
    if only is not None:
        keys = list(wanted)
        wanted = {key: c for key, c in wanted.items() if registry.matches(key, only)}
        if not wanted:
            raise UsageError(
                f"--only {only} matches none of {len(keys)} configurations",
                hint=f"keys look like {keys[0]}; bench plan shows them",
            )
    device_fault = cache(_device_fault)
    runnable, skipped = [], []
    for configuration in wanted.values():
        reason = _reason(configuration, device_fault)
        if reason is None:
            runnable.append(configuration)
        else:
            skipped.append(Skipped(configuration=configuration, reason=reason))
    return tuple(runnable), tuple(skipped)


def _wanted(suite: Suite) -> dict[str, Configuration]:
    """Configurations by key, whether they can run or not; a key given twice is one."""
    _check_size(suite)
    cards = registry.cards()
    crossed = (c for c in _cross(suite.matrix, cards) if not _excluded(suite, c))
    added = (c for block in suite.includes for c in _cross(block, cards))
    return {c.key: c for c in chain(crossed, added)}


def _check_size(suite: Suite) -> None:
    """Refuse a matrix that nobody could run, before it is crossed."""
    points = 0
    for block in (suite.matrix, *suite.includes):
        lengths = [len(values) for values in block.axes.values()]
        lengths += [len(v) for given in block.options.values() for v in given.values()]
        points += prod(lengths)
    if points > MAX_POINTS:
        raise UsageError(
            f"suite {suite.name}: the matrix has {points} points, more than "
            f"{MAX_POINTS}",
            hint="shorten its axes",
        )


def _cross(block: Block, cards: Mapping[str, Card]) -> Iterator[Configuration]:
    for values in product(*(block.axes[name] for name in AXES)):
        point = dict(zip(AXES, values, strict=True))
        card = cards[point["workload"]]
        asked = block.options.get(card.name, {})
        given = {n: asked[n] for n in card.options or {} if n in asked}
        for chosen in product(*given.values()):
            options = dict(zip(given, chosen, strict=True))
            yield Configuration(
                **point,
                track=block.track,
                options=card.values(options),
                suffix=_suffix(card, options, block.track),
            )


def _suffix(card: Card, options: Mapping[str, OptionValue], track: str) -> str:
    """What sets a configuration apart from the plain one of its workload."""
    parts = []
    for name, value in options.items():
        others = {n: v for n, v in options.items() if n != name}
        if value != card.values(others)[name]:
            parts.append(f"/{name}={_brief(value)}")
    return "".join(parts) + ("/open" if track == "open" else "")


def _brief(value: OptionValue) -> str:
    """A value as a key shows it: of a path its last part, and a mark of the whole."""
    text = str(value)
    if "/" not in text and len(text) <= BRIEF:
        return text
    mark = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{text.rstrip('/').rpartition('/')[2][-BRIEF:]}~{mark}"


def _excluded(suite: Suite, configuration: Configuration) -> bool:
    return any(_matches(configuration, pattern) for pattern in suite.excludes)


def _matches(
    configuration: Configuration, pattern: Mapping[str, Sequence[str]]
) -> bool:
    return all(
        any(registry.matches(str(getattr(configuration, axis)), str(p)) for p in each)
        for axis, each in pattern.items()
    )


def _device_fault(name: str) -> str | None:
    fault: str | None = registry.create("device", registry.BACKENDS, name).unavailable()
    return fault


def _reason(
    configuration: Configuration, device_fault: Callable[[str], str | None]
) -> str | None:
    """Why a configuration cannot run here, or None."""
    card = registry.cards()[configuration.workload]
    if configuration.phase not in card.phases:
        return f"{card.name} has no phase {configuration.phase}"
    if fault := scenario_fault(configuration):
        return fault
    unsupported = registry.load(UNSUPPORTED)
    reason: str | None = unsupported(configuration)
    return card.refuse(configuration) or device_fault(configuration.device) or reason
