"""Runs of commands: what may stand in one figure, and what may be compared."""

from typing import Literal

from harness import measuring, perimeter
from harness.commands import measure
from harness.measuring import Measurement, Repetition
from harness.meter import Reading, reading_of
from harness.metering import Measured
from harness.readings import EnergyReading, Provenance
from harness.records import Doubt, Utilization
from tests.fakes import span

SLEPT = "the machine slept for 10.0 s inside the window"


def part(
    domain: str, joules: float | None, tier: Literal["B", "C"] = "B"
) -> EnergyReading:
    return EnergyReading(
        domain=domain,
        device=f"{domain}-0",
        energy_j=joules,
        method="none" if joules is None else "counter",
        source="fake",
        provenance=Provenance.MEASURED,
        tier=tier,
        update_period_s=0.1,
        updates=10,
        coverage_ratio=1.0,
        error_bound_j=1.0,
        relative_bound_j=1.0,
        inside=None,
        shared=False,
        reason="GPU is lost" if joules is None else None,
    )


def reading(*parts: EnergyReading, invalid: str | None = None) -> Reading:
    total, seen = perimeter.total(parts), Utilization()
    return reading_of("run", Measured(span(0, 12), parts, total, seen, invalid))


def run(
    gpu_j: float | None,
    *,
    code: int = 0,
    invalid: str | None = None,
    tier: Literal["B", "C"] = "B",
) -> Repetition:
    found = reading(part("gpu", gpu_j, tier), part("cpu", 100.0), invalid=invalid)
    return Repetition(code, 2.0, found)


def measured(*runs: Repetition, name: str = "a") -> Measurement:
    return Measurement((name,), runs)


def test_runs_of_the_same_parts_have_a_mean() -> None:
    found = measured(run(1000.0), run(1010.0), run(990.0)).energy_j

    assert found.value is not None
    assert found.reason is None


def test_a_gpu_that_was_lost_in_one_run_leaves_no_mean() -> None:
    found = measured(run(1000.0), run(None), run(990.0))

    assert found.energy_j.value is None
    assert "cpu (tier B) without gpu gpu-0 in run 2" in str(found.energy_j.reason)
    assert found.total.energy_j is None
    assert measuring.to_dict(found, None, 10)["energy_per_item_j"] is None


def test_a_run_of_another_tier_leaves_no_mean() -> None:
    found = measured(run(1000.0), run(1000.0, tier="C"), run(990.0)).energy_j

    assert "tier C" in str(found.reason)


def test_totals_that_miss_the_same_part_have_a_mean() -> None:
    assert measured(run(None), run(None), run(None)).energy_j.value is not None


def test_commands_of_unlike_parts_are_not_compared() -> None:
    first = measured(run(1000.0), run(1000.0), run(1000.0))
    other = measured(run(None), run(None), run(None), name="b")

    (compared,) = measuring.compare([first, other])

    assert compared.ratio.value is None
    assert compared.verdict == "inconclusive"
    assert "unlike parts" in str(compared.ratio.reason)


def test_a_command_that_failed_is_not_compared() -> None:
    failed = measured(run(4.0, code=1), name="false")

    (compared,) = measuring.compare([measured(run(1000.0)), failed])

    assert compared.ratio.value is None
    assert compared.ratio.reason == "false ended with exit code 1"


def test_doubts_are_those_of_all_runs_each_once() -> None:
    runs = [run(1000.0), run(900.0), run(1100.0)]
    late = Doubt(code="throttled", message="slowed (3%)", remedy="cool it")
    again = late.model_copy(update={"message": "slowed (7%)"})
    for number, doubt in ((1, late), (2, again)):
        kept = runs[number].reading
        runs[number] = Repetition(
            0, 2.0, Reading(**(vars(kept) | {"doubts": (*kept.doubts, doubt)}))
        )

    codes = [doubt.code for doubt in measured(*runs).doubts]

    assert codes.count("throttled") == 1
    assert len(codes) == len(set(codes))


def test_a_run_that_slept_is_the_reason_wherever_it_stands() -> None:
    found = measured(run(500.0, invalid=SLEPT), run(500.0))

    plain = measuring.to_dict(found, None, None)

    assert plain["status"] == "invalid"
    assert SLEPT in plain["reason"]
    assert plain["total"]["energy_j"] is None
    assert [row["energy_j"] for row in plain["energy"]] == [None, None]
    assert SLEPT in "".join(measure._markdown([found], None))
    assert measure._total(found) == f"total: not measured: run 1: {SLEPT}"


def test_no_joules_have_no_mean_but_a_reason() -> None:
    found = measured(Repetition(0, 2.0, reading(part("cpu", 0.0))))

    assert measure._total(found).endswith("a run of 0 J has no geometric mean")
