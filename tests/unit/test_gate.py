from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from harness.outcomes import Outcomes
from harness.records import TrialRecord
from reports.gating.findings import Demands, GateReport
from reports.gating.policy import Limits, Override, Policy
from reports.gating.surroundings import Surroundings, differing
from reports.gating.verdicts import Run, gate
from tests.unit.test_comparing import Kept
from tests.unit.test_ranking import trial

NEAR = [50.0, 50.5, 49.5, 50.2, 49.9]
HERE = Surroundings(facts={"processor": "EPYC", "torch": "2.13"}, cores=4)


def rounds(joules: Sequence[float], **given: Any) -> list[TrialRecord]:
    precision = str(given.pop("precision", "fp32"))
    given = {"n": 100_000} | given
    return [trial(precision, j, round=n, **given) for n, j in enumerate(joules)]


def modelled(cpu_ratio: Sequence[float], **given: Any) -> list[TrialRecord]:
    """Trials whose joules no sensor counted, with their load and memory."""
    used = [
        {"cpu_ratio": ratio, "memory_peak_bytes": 10**9 + n}
        for n, ratio in enumerate(cpu_ratio)
    ]
    found = rounds(NEAR, provenance="modelled", modelled_ratio=1.0, tier="D", **given)
    return [
        TrialRecord.model_validate(t.model_dump(by_alias=True) | {"utilization": u})
        for t, u in zip(found, used, strict=True)
    ]


def run(records: Sequence[TrialRecord], **given: Any) -> Run:
    plain = Run(records, Outcomes(), HERE)
    return plain._replace(**given)


def gated(
    old: Sequence[TrialRecord], new: Sequence[TrialRecord], **given: Any
) -> GateReport:
    policy = given.pop("policy", Policy())
    return gate(run(new), run(old), policy, **given)


@pytest.mark.parametrize(
    ("factor", "whole", "code"),
    [(1.2, "regressed", 1), (0.8, "improved", 0), (1.0, "equivalent", 0)],
)
def test_joules_decide(factor: float, whole: str, code: int) -> None:
    found = gated(rounds(NEAR), rounds([j * factor for j in NEAR]))

    (row,) = found.rows
    assert (found.verdict, found.exit_code) == (whole, code)
    assert row.metric == "energy_per_item_j"
    assert row.ratio.value == pytest.approx(factor)
    assert row.minimal_detectable_ratio is not None
    assert found.energy_checked


def test_what_is_undecided_fails_only_if_strict() -> None:
    new = rounds([40.0, 70.0, 45.0, 65.0, 50.0])

    assert gated(rounds(NEAR), new).exit_code == 0
    strict = gated(rounds(NEAR), new, demands=Demands(strict=True))
    assert (strict.verdict, strict.exit_code) == ("inconclusive", 3)


def test_too_few_rounds_are_never_green() -> None:
    found = gated(rounds(NEAR[:3]), rounds(NEAR[:3]))

    assert found.exit_code == 4
    assert found.rows[0].reason == "3 rounds of 5 (min_rounds)"


@pytest.mark.parametrize("precision", ["bf16", "int8-dynamic"])
def test_nothing_in_common_is_never_green(precision: str) -> None:
    found = gated(rounds(NEAR), rounds(NEAR, precision=precision))

    assert found.exit_code == 4
    assert {row.verdict for row in found.rows} == {"not-comparable"}


def test_a_configuration_that_the_candidate_lost_is_said() -> None:
    old = rounds(NEAR) + rounds(NEAR, precision="bf16")
    gone = rounds(NEAR, precision="bf16", status="failed", reason="killed")

    found = gated(old, rounds(NEAR) + gone, demands=Demands(strict=True))

    assert [row.reason for row in found.rows] == ["in the candidate: killed", None]
    assert found.exit_code == 3


def test_a_skip_on_both_sides_is_no_row() -> None:
    gone = rounds(NEAR, precision="bf16", status="skipped", reason="no such format")

    assert len(gated(rounds(NEAR) + gone, rounds(NEAR) + gone).rows) == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"tier": "C"}, "tiers differ: B against C"),
        ({"perimeter": ("cpu", "dram")}, "perimeters differ: cpu against cpu+dram"),
    ],
)
def test_meters_that_differ_are_not_compared(given: dict[str, Any], why: str) -> None:
    found = gated(rounds(NEAR), rounds(NEAR, **given))

    assert found.exit_code == 4
    assert found.rows[0].reason == why


def test_another_machine_is_not_compared_and_named() -> None:
    there = HERE.model_copy(update={"facts": {"processor": "Xeon", "torch": "2.13"}})
    old, new = run(rounds(NEAR)), run(rounds(NEAR), surroundings=there)

    found = gate(new, old, Policy())

    why = "processor: EPYC in the baseline, Xeon in the candidate"
    assert (found.exit_code, found.rows[0].reason) == (4, why)
    assert gate(new, old, Policy(ignore=("processor",))).exit_code == 0


def test_facts_of_one_run_alone_are_no_difference() -> None:
    more = Surroundings(facts={**HERE.facts, "frequency governor": "powersave"})

    assert differing(HERE, more) == []


def test_a_run_that_drifted_is_not_compared() -> None:
    found = gate(run(rounds(NEAR), fault="it drifted"), run(rounds(NEAR)), Policy())

    assert (found.exit_code, found.rows[0].reason) == (4, "it drifted")


def test_accuracy_comes_before_joules() -> None:
    saved = [j / 2 for j in NEAR]

    found = gated(rounds(NEAR), rounds(saved, accuracy=0.7))

    assert (found.verdict, found.exit_code) == ("improved", 5)
    assert found.rows[0].accuracy_lost
    assert found.rows[0].accuracy_delta.value == pytest.approx(-0.1)


def test_few_items_prove_no_loss_unless_they_are_the_same() -> None:
    right = np.ones(400)
    wrong = right.copy()
    wrong[:8] = 0.0
    given = {"n": 400, "baseline": 0.1}
    old = rounds(NEAR, accuracy=1.0, **given)
    new = rounds(NEAR, accuracy=0.98, **given)

    paired = gate(
        run(new, outcomes=Kept(wrong.tolist())),
        run(old, outcomes=Kept(right.tolist())),
        Policy(),
    )

    assert paired.rows[0].paired
    assert paired.exit_code == 5
    few = {"n": 40, "accuracy": 0.95}
    assert gated(rounds(NEAR, n=40, accuracy=1.0), rounds(NEAR, **few)).exit_code == 0


def test_without_accuracy_the_report_says_so() -> None:
    found = gated(rounds(NEAR, n=0), rounds(NEAR, n=0))

    assert any("accuracy NOT checked" in note for note in found.notes)


@pytest.mark.parametrize(("factor", "code"), [(1.0, 0), (1.4, 1)])
def test_without_a_sensor_named_proxies_are_gated(factor: float, code: int) -> None:
    load = [0.5, 0.502, 0.499, 0.501, 0.498]

    found = gated(modelled(load), modelled([x * factor for x in load]))

    assert {row.metric for row in found.rows} == {"cpu_per_item_s", "memory_peak_bytes"}
    assert found.exit_code == code
    assert not found.energy_checked
    assert "energy NOT checked" in found.notes[0]


def test_a_required_sensor_that_is_missing_is_exit_3() -> None:
    load = [0.5, 0.502, 0.499, 0.501, 0.498]

    found = gated(modelled(load), modelled(load), demands=Demands(require_sensor=True))

    assert found.exit_code == 3


def test_modelled_joules_alone_decide_nothing() -> None:
    old = rounds(NEAR, provenance="modelled", modelled_ratio=1.0)
    new = rounds([j * 3 for j in NEAR], provenance="modelled", modelled_ratio=1.0)

    assert gated(old, new).exit_code == 4


def test_what_is_modelled_of_a_total_is_left_out() -> None:
    old = rounds([100.0] * 5, provenance="modelled", modelled_ratio=0.5)
    new = rounds([110.0] * 5, provenance="modelled", modelled_ratio=0.5 / 1.1)

    (row,) = gated(old, new).rows

    assert (row.baseline, row.candidate) == pytest.approx((0.5, 0.6))
    assert row.verdict == "regressed"


def test_steps_of_the_sensor_are_no_regression() -> None:
    tiny = [0.010, 0.011, 0.010, 0.010, 0.011]

    found = gated(rounds(tiny), rounds([j * 1.5 for j in tiny]))

    assert found.rows[0].verdict == "inconclusive"
    assert found.rows[0].reason == "the difference is below the floor"


def test_overrides_apply_by_key_and_metric() -> None:
    loose = Override(key="bert/*", metric="energy*", changes={"delta": 0.5})
    other = Override(key="cnn/*", changes={"delta": 0.01})
    policy = Policy(limits=Limits(delta=0.05), overrides=(loose, other))
    new = rounds([j * 1.2 for j in NEAR])

    assert gated(rounds(NEAR), new, policy=Policy(limits=Limits(delta=0.05))).exit_code
    assert gated(rounds(NEAR), new, policy=policy).exit_code == 0
    assert policy.of("bert/infer", "memory_peak_bytes").delta == 0.05


def test_an_anchor_catches_one_percent_a_commit() -> None:
    rng = np.random.default_rng(5)

    def commit(number: int) -> list[TrialRecord]:
        spread = np.exp(rng.normal(0, 0.01, 5))
        return rounds([50 * 1.01**number * f for f in spread])

    history = [commit(number) for number in range(31)]
    anchor = run(history[0])
    rolling, pinned = [], []
    for old, new in pairwise(history):
        rolling.append(gate(run(new), run(old), Policy()).exit_code)
        found = gate(run(new), run(old), Policy(), anchor=anchor)
        pinned.append(found.exit_code)

    assert set(rolling) == {0}
    assert pinned[:5] == [0] * 5
    assert 1 in pinned[9:14]
    assert set(pinned[14:]) == {1}
    assert {row.against for row in found.rows} == {"baseline", "anchor"}


@pytest.mark.parametrize("accuracy", [None, float("nan"), 7.0])
def test_a_candidate_without_an_accuracy_is_not_green(accuracy: float | None) -> None:
    old = rounds(NEAR) + rounds(NEAR, precision="bf16")
    new = rounds(NEAR, accuracy=accuracy) + rounds(
        [j * 1.5 for j in NEAR], precision="bf16"
    )

    found = gated(old, new)

    why = {row.key.split("/")[2]: (row.verdict, row.reason) for row in found.rows}
    said = "in the candidate: no accuracy, which the baseline has"
    assert why["fp32"] == ("not-comparable", said)
    assert why["bf16"][0] == "regressed"  # what is broken hides nothing else
    assert found.exit_code == 1


@pytest.mark.parametrize("share", [float("nan"), None])
def test_an_unreadable_share_makes_no_modelled_joule_measured(
    share: float | None,
) -> None:
    old, new = (
        rounds(NEAR, provenance="modelled", modelled_ratio=share) for _ in range(2)
    )

    assert gated(old, new).exit_code == 4


def test_what_a_policy_names_in_vain_is_said() -> None:
    policy = Policy(overrides=(Override(key="bret/*"),), ignore=("troch",))

    notes = gated(rounds(NEAR), rounds(NEAR), policy=policy).notes

    assert "policy: overrides: no configuration matches 'bret/*'" in notes
    assert "policy: ignore: no fact is called 'troch'" in notes


def test_load_of_others_is_not_the_works() -> None:
    calm, busy = (
        modelled([0.4 + other + n / 1000 for n in range(5)]) for other in (0.0, 0.5)
    )
    shared = [
        t.model_copy(
            update={
                "utilization": t.utilization.model_copy(
                    update={"foreign_cpu_ratio": 0.5}
                )
            }
        )
        for t in busy
    ]

    (row,) = [r for r in gated(calm, shared).rows if r.metric == "cpu_per_item_s"]

    assert row.ratio.value == pytest.approx(1.0)
    assert gated(calm, busy).exit_code == 1


def test_rounds_side_by_side_share_their_drift() -> None:
    drifting = [50.0, 55.0, 60.0, 66.0, 72.0]
    old, new = rounds(drifting), rounds([j * 1.2 for j in drifting])
    slightly = new[:4] + rounds([*drifting[:4], drifting[4] * 1.21])[4:]

    assert gated(old, slightly).exit_code == 0
    assert gated(old, slightly, paired=True).exit_code == 1
