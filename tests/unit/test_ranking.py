import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.errors import UsageError
from harness.outcomes import Answers, Outcomes
from harness.records import Configuration, Doubt, TrialRecord
from reports.pairs import MOST_PAIRED
from reports.ranking import Ranking, rank
from reports.rows import Row


def trial(precision: str, energy_j: float | None, **given: Any) -> TrialRecord:
    """A finished trial of 100 items in 10 s, unless said otherwise."""
    asked = {
        "workload": "bert",
        "phase": "infer",
        "device": "cpu",
        "batch_size": 8,
        "precision": precision,
    }
    asked |= {k: given[k] for k in given.keys() & Configuration.model_fields.keys()}
    configuration = Configuration.model_validate(asked)
    number = given.get("round", 0)
    status = given.get("status", "ok")
    values: dict[str, Any] = {
        "trial": f"{configuration.key}#{number}",
        "key": configuration.key,
        "round": number,
        "status": status,
        "reason": given.get("reason"),
        "configuration": configuration,
    }
    if status != "ok":
        return TrialRecord.model_validate(values)
    duration_s = given.get("duration_s", 10.0)
    values["window"] = {
        "start_s": 0.0,
        "end_s": duration_s,
        "duration_s": duration_s,
        "items": given.get("items", 100),
        "steps": 1,
        "steady": True,
    }
    values["total"] = {
        "energy_j": energy_j,
        "perimeter": given.get("perimeter", ("cpu",)),
        "provenance": given.get("provenance", "measured"),
        "tier": given.get("tier", "B"),
        "complete": True,
        "error_bound_j": None,
        "modelled_ratio": given.get("modelled_ratio", 0.0),
    }
    values["quality"] = {
        "metric": "accuracy",
        "accuracy": given.get("accuracy", 0.8),
        "n": given.get("n", 1000),
        "constant_baseline": given.get("baseline", 0.1),
    }
    values["carbon"] = {"co2e_g": 0.01, "intensity_g_per_kwh": 56.0}
    return TrialRecord.model_validate(values)


def only(records: Sequence[TrialRecord], **flags: Any) -> dict[str, Row]:
    """Rows of the only group by precision and suffix."""
    (group,) = rank(records, **flags).groups
    return {r.configuration.precision + r.configuration.suffix: r for r in group.rows}


def sentence(ranking: Ranking) -> str:
    (group,) = ranking.groups
    return group.sentence


def test_accuracy_per_joule_is_correct_items_per_joule() -> None:
    rows = only([trial("fp32", 50.0, accuracy=0.8)])

    assert rows["fp32"].accuracy_per_j.value == pytest.approx(0.8 * 100 / 50)
    assert rows["fp32"].edp_j_s == pytest.approx(0.5 * 0.1)
    assert rows["fp32"].place == 1


def test_training_is_quality_reached_per_joule_of_the_whole() -> None:
    rows = only([trial("fp32", 50.0, phase="train")])

    assert rows["fp32"].accuracy_per_j.value == pytest.approx(0.8 / 50)


def test_a_constant_predictor_is_never_ranked() -> None:
    cheap = trial("int8", 1e-6, accuracy=0.5, baseline=0.5, track="open")
    honest = trial("fp32", 50.0, accuracy=0.6, baseline=0.5, track="open")

    rows = only([cheap, honest], absolute=0.5)

    assert rows["int8"].place is None
    assert rows["int8"].reason == "no better than a constant answer"
    assert rows["fp32"].place == 1


def test_a_constant_reference_lets_nobody_through() -> None:
    records = [trial("fp32", 50.0, accuracy=0.1), trial("int8", 1.0, accuracy=0.2)]

    assert {row.place for row in only(records).values()} == {None}


def test_without_a_constant_baseline_nobody_is_ranked() -> None:
    rows = only([trial("fp32", 50.0, baseline=None)])

    assert rows["fp32"].place is None
    assert "baseline" in (rows["fp32"].reason or "")


@pytest.mark.parametrize("joules", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_joules_that_are_missing_or_zero_are_never_a_score(
    joules: float | None,
) -> None:
    rows = only([trial("fp32", 50.0), trial("int8", joules)])

    assert rows["int8"].place is None
    assert rows["int8"].accuracy_per_j.value is None
    assert rows["int8"].reason
    assert rows["fp32"].place == 1


@pytest.mark.parametrize("given", [{"items": 0}, {"n": 0}, {"accuracy": None}])
def test_truncated_work_is_never_ranked(given: dict[str, Any]) -> None:
    rows = only([trial("fp32", 50.0), trial("int8", 1.0, **given)])

    assert rows["int8"].place is None
    assert rows["int8"].reason


def test_what_misses_the_floor_is_listed_and_not_ranked() -> None:
    rows = only([trial("fp32", 50.0), trial("int4", 1.0, accuracy=0.7)])

    assert rows["int4"].verdict == "fail"
    assert rows["int4"].reason == "accuracy 0.700 is below 99 % of fp32's 0.800"
    assert rows["int4"].place is None
    assert not rows["int4"].on_frontier


def test_exactly_the_floor_passes_unproven() -> None:
    rows = only([trial("fp32", 50.0), trial("int8", 1.0, accuracy=0.8 * 0.99)])

    assert rows["int8"].verdict == "pass~"
    assert rows["int8"].eligible


def test_without_a_reference_nothing_is_ranked() -> None:
    rows = only([trial("int8", 1.0)])

    assert rows["int8"].place is None
    assert "no reference" in (rows["int8"].reason or "")


@pytest.mark.parametrize(
    "other",
    [{"perimeter": ("cpu", "dram")}, {"tier": "D"}, {"device": "cuda"}],
)
def test_different_meters_and_devices_are_never_one_ranking(
    other: dict[str, Any],
) -> None:
    records = [trial("fp32", 50.0), trial("int8", 1.0, **other)]

    assert len(rank(records).groups) == 2
    assert len(rank(records, allow_mixed=True).groups) == 1


def test_failed_and_skipped_trials_are_rows_with_their_reason() -> None:
    left_out = trial("fp8", None, status="skipped").configuration
    records = [trial("fp32", 50.0), trial("int8", None, status="failed", reason="boom")]

    rows = only(records, skips=[(left_out, "torchao is not installed")])

    assert (rows["int8"].verdict, rows["int8"].reason) == ("failed", "boom")
    assert rows["fp8"].reason == "torchao is not installed"
    assert rows["fp8"].verdict == "skipped"


def test_a_round_that_failed_leaves_the_others_and_is_named() -> None:
    broken = trial("fp32", None, status="failed", reason="killed", round=1)

    row = only([trial("fp32", 50.0), broken])["fp32"]

    assert row.place == 1
    assert row.notes == ("1 of 2 trials left out: killed",)


def test_two_copies_tie() -> None:
    copies = [trial("bf16", 40.0, suffix=f"-{x}") for x in "ab"]

    rows = only([trial("fp32", 50.0), *copies])

    assert rows["bf16-a"].place == rows["bf16-b"].place == 1
    assert rows["fp32"].place == 3


def test_fewer_than_three_rounds_are_estimates() -> None:
    (group,) = rank([trial("fp32", 50.0 + n, round=n) for n in range(2)]).groups

    assert group.rows[0].rank_low is None
    assert group.rows[0].energy_per_item_j.low is None
    assert group.rows[0].rank is None
    assert group.rows[0].place == 1
    note = group.notes[0]
    assert note.startswith("fewer than three rounds: estimates, no ranks")
    assert note.endswith("differ by 2 %")


def test_models_of_other_weights_are_other_groups_in_the_closed_track() -> None:
    records = [
        trial("fp32", 50.0, options={"size": "base"}, suffix="/size=base"),
        trial("bf16", 30.0, options={"size": "base"}, suffix="/size=base"),
        trial("fp32", 5.0, options={"size": "tiny"}),
    ]

    groups = {group.variant: group for group in rank(records).groups}

    assert set(groups) == {"", "/size=base"}
    assert groups["/size=base"].title == "bert infer on cpu, size=base"
    assert [row.reference for row in groups["/size=base"].rows] == [
        "bert/infer/fp32/cpu/b8/size=base"
    ] * 2


def test_three_rounds_give_a_rank_interval() -> None:
    near = [trial("fp32", 50.0 + n, round=n) for n in range(3)]
    same = [trial("bf16", 49.5 + n, round=n) for n in range(3)]
    far = [trial("int8", 10.0 + n / 10, round=n) for n in range(3)]

    rows = only([*near, *same, *far])

    assert [(r.rank, r.rank_low, r.rank_high) for r in rows.values()] == [
        (1, 1, 1),
        (2, 2, 3),
        (2, 2, 3),
    ]


def test_halving_the_clock_at_equal_joules_gains_nothing() -> None:
    rows = only([trial("fp32", 50.0), trial("bf16", 50.0, duration_s=20.0)])

    assert rows["fp32"].place == rows["bf16"].place == 1


def test_the_sentence_names_the_compression_that_cost_energy() -> None:
    text = sentence(rank([trial("fp32", 10.0), trial("bf16", 83.0)]))

    assert text.startswith(
        "fp32 is estimated best by accuracy per joule at 100 mJ per item"
    )
    assert "bf16 used 8.3 times the energy of fp32 at the same accuracy." in text
    assert "All of its energy was measured." in text


@pytest.mark.parametrize(("second_j", "words"), [(30.0, ""), (12.0, "is not settled")])
def test_a_lead_within_the_spread_of_two_rounds_is_not_settled(
    second_j: float, words: str
) -> None:
    twice = [trial("fp32", joules, round=n) for n, joules in enumerate((9.0, 12.0))]
    others = [trial("bf16", second_j, round=n) for n in range(2)]

    text = sentence(rank([*twice, *others]))

    assert ("not settled" in text) == bool(words)
    if words:
        assert "over bf16 is not settled: 15.5 %, while rounds differ by 33.3 %" in text


def test_a_lead_within_the_intervals_is_not_settled() -> None:
    near = [trial("fp32", 9.0 + n, round=n) for n in range(3)]
    same = [trial("bf16", 11.5 - n, round=n) for n in range(3)]
    far = [trial("int8", 90.0 + n / 10, round=n) for n in range(3)]

    assert "No difference is shown from bf16." in sentence(rank([*near, *same, *far]))
    assert "No difference" not in sentence(rank([*near, *far]))


def test_the_sentence_says_how_much_was_modelled() -> None:
    best = trial("int8", 5.0, provenance="modelled", modelled_ratio=0.25)

    text = sentence(rank([trial("fp32", 10.0), best]))

    assert "25 % of its energy was modelled." in text
    assert "int8 keeps the accuracy is estimated, not proven." in text


def test_an_unknown_metric_is_refused_with_the_choices() -> None:
    with pytest.raises(UsageError, match="speed") as caught:
        rank([], by="speed")

    assert "accuracy_per_j" in caught.value.hint


def test_nothing_measured_is_an_empty_ranking() -> None:
    assert rank([]).groups == ()


def test_the_energy_of_few_items_does_not_hide_in_the_total() -> None:
    rows = only([trial("fp32", 50.0), trial("bf16", 10.0, items=10)])

    assert rows["fp32"].place == 1
    assert rows["bf16"].place == 2


def test_the_mobilenet_front_comes_out_as_mlperf_printed_it() -> None:
    printed = {  # MLPerf Inference v5.1 open: accuracy, images/s, W, J/image, acc/J
        "-128": (0.66604, 220.5, 34.18, 0.155, 4.30),
        "-160": (0.69106, 153.0, 34.10, 0.223, 3.10),
        "-192": (0.70626, 107.7, 33.87, 0.314, 2.25),
        "-224": (0.71678, 83.5, 27.47, 0.329, 2.18),
    }
    records = [
        trial(
            "fp32",
            watts * 100,
            duration_s=100.0,
            items=round(speed * 100),
            accuracy=accuracy,
            baseline=0.001,
            suffix=size,
            track="open",
            tier="A",
        )
        for size, (accuracy, speed, watts, _, _) in printed.items()
    ]

    rows = only(records, absolute=0.6)

    assert list(rows) == ["fp32-128", "fp32-160", "fp32-192", "fp32-224"]
    for row, (_, _, _, joules, score) in zip(
        rows.values(), printed.values(), strict=True
    ):
        assert row.energy_per_item_j.value == pytest.approx(joules, abs=6e-4)
        assert row.accuracy_per_j.value == pytest.approx(score, abs=6e-3)
    assert all(row.on_frontier for row in rows.values())
    extra = [row.j_per_extra_correct for row in rows.values()][1:]
    assert extra == pytest.approx([2.7, 6.0, 1.4], abs=0.05)
    assert [row.on_hull for row in rows.values()] == [True, True, False, True]


def test_a_doubt_counts_the_trials_that_raised_it() -> None:
    doubt = Doubt(code="short-window", message="too short", remedy="go on longer")
    twice = trial("fp32", 50.0).model_copy(update={"doubts": (doubt, doubt)})
    once = trial("int8", 40.0).model_copy(update={"doubts": (doubt,)})

    (counted,) = rank([twice, once]).doubts

    assert (counted.count, counted.remedy) == (2, "go on longer")


def test_the_reference_is_the_plain_fp32_of_the_same_batch_size() -> None:
    records = [
        trial("fp32", 50.0, accuracy=0.9, batch_size=1),
        trial("fp32", 50.0, accuracy=0.8, batch_size=8),
        trial("fp32", 50.0, accuracy=0.95, batch_size=8, suffix="-tuned"),
        trial("int8", 10.0, accuracy=0.8, batch_size=8),
        trial("bf16", 10.0, accuracy=0.8, batch_size=1),
    ]

    (group,) = rank(records).groups

    rows = {row.key: row for row in group.rows}
    assert rows["bert/infer/int8/cpu/b8"].verdict == "pass~"
    assert rows["bert/infer/int8/cpu/b8"].reference == "bert/infer/fp32/cpu/b8"
    assert rows["bert/infer/bf16/cpu/b1"].verdict == "fail"


def test_the_open_track_is_held_to_the_absolute_floor() -> None:
    small = trial("distilled", 5.0, accuracy=0.7, track="open")

    assert only([small], absolute=0.6)["distilled"].place == 1
    assert only([small], absolute=0.75)["distilled"].verdict == "fail"
    assert only([small])["distilled"].verdict == "ungated"


def test_an_absolute_floor_does_not_loosen_the_closed_track() -> None:
    rows = only([trial("fp32", 50.0), trial("int4", 1.0, accuracy=0.7)], absolute=0.5)

    assert rows["int4"].verdict == "fail"


def test_skill_of_zero_is_a_guess_even_without_a_baseline() -> None:
    guess = trial("fp32", 50.0, baseline=None)
    assert guess.quality is not None
    answers = guess.quality.model_copy(update={"skill": 0.0})

    rows = only([guess.model_copy(update={"quality": answers})])

    assert rows["fp32"].verdict == "fail"
    assert rows["fp32"].place is None


def converted(record: TrialRecord, joules: float) -> TrialRecord:
    setup = {"duration_s": 2.0, "energy_j": joules + 5, "convert_energy_j": joules}
    return TrialRecord.model_validate(
        record.model_dump(by_alias=True) | {"setup": setup}
    )


def test_a_conversion_pays_after_so_many_items() -> None:
    slow, quick = converted(trial("fp32", 100.0), 1.0), trial("bf16", 50.0)
    rows = only([slow, converted(quick, 51.0)])
    assert rows["bf16"].break_even_items == pytest.approx(50 / 0.5)
    assert rows["fp32"].break_even_items is None


def test_a_conversion_that_saves_nothing_never_pays() -> None:
    rows = only(
        [converted(trial("fp32", 100.0), 1.0), converted(trial("bf16", 120.0), 9.0)]
    )
    assert rows["bf16"].break_even_items is None


def test_the_plainest_fp32_is_the_reference_and_other_run_times_are_rows() -> None:
    records = [
        trial("fp32", 100.0),
        trial("fp32", 60.0, runtime="compile"),
        trial("bf16", 80.0, runtime="compile"),
    ]
    (group,) = rank(records).groups
    by_key = {row.key: row for row in group.rows}
    reference = "bert/infer/fp32/cpu/b8"
    assert {row.reference for row in group.rows} == {reference}
    assert by_key[f"{reference}/compile"].energy_vs_reference == pytest.approx(0.6)
    assert group.rows[0].key == f"{reference}/compile"
    assert "fp32 compile is estimated best" in group.sentence


def test_a_training_that_missed_its_target_has_no_rank() -> None:
    missed = trial("bf16", 50.0, phase="train", accuracy=0.79)
    quality = missed.quality
    assert quality is not None
    missed = missed.model_copy(
        update={"quality": quality.model_copy(update={"target": 0.8})}
    )
    rows = only([trial("fp32", 100.0, phase="train"), missed])
    assert rows["bf16"].verdict == "fail"
    assert "did not reach the target" in (rows["bf16"].reason or "")


class Paired(Outcomes):
    """Answers by precision, the same in each round."""

    def __init__(self, **correct: Sequence[float]) -> None:
        super().__init__()
        self._correct = correct

    def read(self, record: TrialRecord) -> Answers | None:
        correct = self._correct.get(record.configuration.precision)
        if correct is None:
            return None
        return Answers(np.arange(len(correct)), np.array(correct), None)


RIGHT = [1.0] * 800 + [0.0] * 200


def test_the_same_answers_pass_and_as_many_unpaired_ones_cannot_prove_it() -> None:
    records = [trial("fp32", 50.0), trial("bf16", 20.0)]

    paired = only(records, outcomes=Paired(fp32=RIGHT, bf16=RIGHT))
    alone = only(records)

    assert paired["bf16"].verdict == "pass"
    assert alone["bf16"].verdict == "pass~"
    assert alone["bf16"].place == 1


def test_the_note_says_whose_gate_compares_counts() -> None:
    records = [trial(name, 50.0) for name in ("fp32", "bf16", "int8")]

    (group,) = rank(records, outcomes=Paired(fp32=RIGHT, bf16=RIGHT)).groups

    assert group.notes[-1].startswith("1 of 2 configurations kept no answers")


def test_rounds_pair_where_all_moved_together() -> None:
    drift = [0.0, 5.0, 10.0, 15.0]
    slow = [trial("fp32", 50.0 + d, round=n) for n, d in enumerate(drift)]
    quick = [trial("bf16", 49.0 + d, round=n) for n, d in enumerate(drift)]
    other = [trial("bf16", 49.0 + d, round=n + 9) for n, d in enumerate(drift)]

    together = only([*slow, *quick], by="energy")
    apart = only([*slow, *other], by="energy")

    assert (together["bf16"].rank, together["fp32"].rank) == (1, 2)
    assert (apart["bf16"].rank, apart["fp32"].rank) == (1, 1)


def test_the_fewest_joules_for_an_accuracy_climb_with_it() -> None:
    def three(name: str, joules: float, accuracy: float) -> list[TrialRecord]:
        return [
            trial(name, joules + n / 100, accuracy=accuracy, round=n) for n in range(3)
        ]

    records = [
        *three("fp32", 50.0, 0.8),
        *three("int8", 10.0, 0.795),
        *three("bf16", 60.0, 0.798),
    ]

    (group,) = rank(records).groups

    assert [step.key.split("/")[2] for step in group.required] == ["int8", "fp32"]
    assert group.required[1].j_per_extra_correct == pytest.approx(0.4 / 0.005, rel=0.01)
    assert all(0 <= (step.frontier_ratio or 0) <= 1 for step in group.required)
    assert group.required[0].frontier_ratio == 1.0


def test_across_groups_there_are_ratios_of_complete_sets_only() -> None:
    records = [
        trial("fp32", 50.0),
        trial("bf16", 25.0),
        trial("int8", 5.0),
        trial("fp32", 50.0, workload="cnn"),
        trial("bf16", 100.0, workload="cnn"),
    ]

    found = {ratio.name: ratio for ratio in rank(records).across}

    assert set(found) == {"fp32 b8", "bf16 b8"}
    assert found["bf16 b8"].energy_vs_reference == pytest.approx(1.0)
    assert found["bf16 b8"].groups == 2


def test_more_than_can_be_paired_are_told_apart_by_simultaneous_intervals() -> None:
    many = MOST_PAIRED + 1
    records = [
        trial("fp32" if not k else f"p{k}", 50.0 * 1.001**k + n / 1000, round=n)
        for k in range(many)
        for n in range(3)
    ]

    (group,) = rank(records, by="energy").groups

    assert any("simultaneous" in note for note in group.notes)
    assert all(r.rank_low <= r.rank <= r.rank_high for r in group.rows if r.rank_low)  # type: ignore[operator]
    assert group.rows[0].rank == 1
    assert (group.rows[-1].rank or 0) > 1


def test_an_accuracy_of_nearly_nothing_has_an_interval_in_floats() -> None:
    nearly = [2e-167, 3e-196, 3e-303]
    trials = [
        trial("fp32", 1.0, round=number, accuracy=accuracy, baseline=0.0, n=1)
        for number, accuracy in enumerate(nearly)
    ]

    ratio = only(trials)["fp32"].accuracy_per_j

    assert ratio.value == pytest.approx(nearly[0] / 3)
    assert all(math.isfinite(bound) for bound in (ratio.low, ratio.high) if bound)
