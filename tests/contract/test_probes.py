"""Every meter keeps the same promises, whether its hardware is here or not."""

import math
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import pytest

from harness.contracts import Probe
from harness.errors import ProbeUnavailable
from harness.readings import Channel
from harness.registry import PROBES, create

VENDORS = ("torch", "pynvml", "codecarbon", "pandas")


@pytest.fixture(params=sorted(PROBES))
def probe(request: pytest.FixtureRequest) -> Iterator[Probe]:
    made: Probe = create("probe", PROBES, request.param)
    yield made
    made.close()


def opened(probe: Probe) -> Sequence[Channel]:
    """Channels, or none with a cure where the source is not here."""
    try:
        return probe.open()
    except ProbeUnavailable:
        return ()


def test_it_opens_or_says_what_would_cure_it(probe: Probe) -> None:
    if opened(probe):
        return
    with pytest.raises(ProbeUnavailable) as caught:
        probe.open()

    assert caught.value.message
    assert caught.value.hint


def test_it_is_registered_under_its_name(probe: Probe) -> None:
    assert type(probe) is type(create("probe", PROBES, probe.name))


def test_it_may_be_closed_before_it_was_opened_and_twice(probe: Probe) -> None:
    probe.close()
    opened(probe)
    probe.close()
    probe.close()


def test_it_reads_exactly_the_channels_that_it_described(probe: Probe) -> None:
    channels = opened(probe)
    if not channels:
        return

    values = probe.read()

    names = [channel.name for channel in channels]
    assert len(set(names)) == len(names)
    assert set(values) == set(names)
    assert all(value is None or math.isfinite(value) for value in values.values())


def test_its_counters_only_grow(probe: Probe) -> None:
    counters = [c.name for c in opened(probe) if c.kind == "counter"]
    if not counters:
        return
    first = probe.read()
    time.sleep(0.12)

    second = probe.read()

    for name in counters:
        before, after = first[name], second[name]
        assert before is not None
        assert after is not None
        assert after >= before


def test_joules_and_watts_say_where_they_come_from(probe: Probe) -> None:
    for channel in opened(probe):
        if channel.quantity in ("energy_j", "power_w"):
            assert channel.tier
            assert channel.source
            assert (channel.provenance == "measured") == (channel.tier in "ABC")


def test_meters_are_imported_without_their_vendors() -> None:
    modules = sorted({target.partition(":")[0] for target in PROBES.values()})
    code = (
        f"import sys, {', '.join(modules)}\n"
        f"sys.exit(', '.join({set(VENDORS)!r} & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
