import json
import re
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.matrix import expand
from harness.plan import Plan, make_plan, shortest_s
from harness.suite import Suite
from tests.unit.test_suite import SOUND, load

SIMPLE = """\
schema: 1
name: mine
seed: 3
profile: quick
matrix:
  workload: [bert, cnn, rnn]
  phase: [train, infer]
  precision: [fp32, int8-dynamic]
  device: [cpu]
  batch_size: [32]
"""


def simple(folder: Path, *settings: str) -> Suite:
    return load(folder, SIMPLE, *settings)


def test_axes_are_crossed_and_the_impossible_says_why(tmp_path: Path) -> None:
    runnable, skipped = expand(simple(tmp_path))

    assert [c.key for c in runnable] == [
        "bert/train/fp32/cpu/b32",
        "bert/infer/fp32/cpu/b32",
        "bert/infer/int8-dynamic/cpu/b32",
        "cnn/train/fp32/cpu/b32",
        "cnn/infer/fp32/cpu/b32",
        "rnn/train/fp32/cpu/b32",
        "rnn/infer/fp32/cpu/b32",
        "rnn/infer/int8-dynamic/cpu/b32",
    ]
    reasons = {s.configuration.key: s.reason for s in skipped}
    assert "head" in reasons["cnn/infer/int8-dynamic/cpu/b32"]
    assert "infer only" in reasons["bert/train/int8-dynamic/cpu/b32"]


def test_a_configuration_carries_all_options_and_shows_the_unusual(
    tmp_path: Path,
) -> None:
    runnable, _ = expand(load(tmp_path, SOUND))

    by_key = {c.key: c for c in runnable}
    assert by_key["bert/infer/fp32/cpu/b8"].options["size"] == "tiny"
    small = by_key["bert/infer/fp32/cpu/b8/size=small"]
    assert small.options["size"] == "small"
    assert small.options["sequence_length"] == 32


def test_exclusions_hold_for_the_matrix_and_not_for_what_is_added(
    tmp_path: Path,
) -> None:
    keys = [c.key for c in expand(load(tmp_path, SOUND))[0]]

    assert "cnn/infer/bf16/cpu/b8" not in keys
    assert "cnn/infer/bf16/cpu/b1/open" in keys


def test_only_picks_keys_by_pattern(tmp_path: Path) -> None:
    runnable, skipped = expand(simple(tmp_path), "cnn/infer/*")

    assert [c.key for c in runnable] == ["cnn/infer/fp32/cpu/b32"]
    assert len(skipped) == 1
    with pytest.raises(UsageError, match=r"--only gpt/\* matches none of 12"):
        expand(simple(tmp_path), "gpt/*")


def test_a_matrix_without_a_point_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leaves nothing to run"):
        expand(simple(tmp_path, "matrix.exclude=[{device: '*'}]"))


def test_a_matrix_that_nobody_could_run_is_refused(tmp_path: Path) -> None:
    sizes = ",".join(map(str, range(1, 20_000)))

    with pytest.raises(UsageError, match="239988 points"):
        expand(simple(tmp_path, f"matrix.batch_size=[{sizes}]"))


def test_a_device_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    _, skipped = expand(simple(tmp_path, "matrix.device=[cuda]"))

    assert skipped
    assert all(s.reason for s in skipped)


def test_each_round_visits_every_configuration_in_its_own_order(
    tmp_path: Path,
) -> None:
    made = make_plan(simple(tmp_path, "protocol.rounds=3"))

    rounds = [[t.key for t in made.trials if t.round == n] for n in range(3)]
    assert sorted(rounds[0]) == sorted(rounds[1]) == sorted(rounds[2])
    assert len({tuple(keys) for keys in rounds}) > 1
    assert len({t.trial for t in made.trials}) == len(made.trials) == 24


def test_the_seed_decides_the_order_and_nothing_else_does(tmp_path: Path) -> None:
    first, again = make_plan(simple(tmp_path)), make_plan(simple(tmp_path))
    other = make_plan(simple(tmp_path, "seed=4"))

    assert first == again
    assert [t.key for t in first.trials] != [t.key for t in other.trials]


def test_training_is_seeded_anew_each_round(tmp_path: Path) -> None:
    made = make_plan(simple(tmp_path, "protocol.rounds=2"))

    seeds = {
        phase: {t.seed for t in made.trials if t.configuration.phase == phase}
        for phase in ("train", "infer")
    }
    assert seeds == {"train": {3, 4}, "infer": {3}}


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    made = make_plan(load(tmp_path, SOUND))

    assert Plan.model_validate_json(made.model_dump_json()) == made


def test_a_trial_is_a_file_name(tmp_path: Path) -> None:
    made = make_plan(load(tmp_path, SOUND))

    assert all("/" not in t.trial and "=" not in t.trial for t in made.trials)


PATHS = ("reviews.csv", "x/../x/ä b.csv", "hf:owner/name", "C:\\x", "x/" + "x" * 200)


def test_a_text_is_brief_in_a_key_and_harmless_in_a_file_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("x", "hf:owner"):
        Path(folder).mkdir()
    for path in PATHS:
        Path(path).touch()
    suite = simple(tmp_path, f"matrix.options.bert.data={json.dumps(PATHS)}")

    made = make_plan(suite, "bert/infer/fp32/*")

    keys = [t.key.partition("/data=")[2] for t in made.trials]
    assert "reviews.csv" in keys
    assert any(re.fullmatch(r"ä b\.csv~[0-9a-f]{6}", key) for key in keys)
    assert any(re.fullmatch(r"name~[0-9a-f]{6}", key) for key in keys)
    assert len(set(keys)) == len(PATHS)
    assert max(map(len, keys)) <= 47
    assert {t.configuration.options["data"] for t in made.trials} == set(PATHS)
    names = [t.trial for t in made.trials]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9._,-]{1,120}", name)
        assert ".." not in name


def test_a_default_follows_what_goes_with_it(tmp_path: Path) -> None:
    sizes = "matrix.options.bert.size=[tiny, base]"
    runnable, _ = expand(simple(tmp_path, sizes), "bert/infer/fp32/*")

    rates = {c.options["size"]: c.options["learning_rate"] for c in runnable}
    assert rates == {"tiny": 1e-3, "base": 1e-4}
    assert [c.suffix for c in runnable] == ["", "/size=base"]
    given = "matrix.options.bert.learning_rate=[0.001, 0.0001]"
    runnable, _ = expand(simple(tmp_path, sizes, given), "bert/infer/fp32/*")
    assert sorted(c.suffix for c in runnable) == [
        "",
        "/learning_rate=0.0001",
        "/size=base",
        "/size=base/learning_rate=0.001",
    ]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("bert.checkpoint=minilm-l6", "bert.size=small"), "size of its own"),
        (("bert.text_column=x",), "`data`, which is not given"),
        (("rnn.label_column=x",), "`data`, which is not given"),
        (("cnn.pretrained=imagenet",), "no package ships ImageNet weights of tiny"),
        (("bert.target=0.7",), "target=0.7 is of training"),
        (("bert.checkpointing=on",), "checkpointing=on is of training"),
        (("bert.checkpoint=minilm-l6", "bert.tune=lora"), "tune=lora is of training"),
    ],
)
def test_options_that_do_not_go_together_are_skipped(
    tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    workload = options[0].partition(".")[0]
    settings = [f"matrix.options.{option}" for option in options]

    runnable, skipped = expand(simple(tmp_path, *settings), f"{workload}/infer/fp32/*")

    assert runnable == ()
    assert reason in skipped[0].reason


@pytest.mark.parametrize("option", ["bert.tune=lora", "cnn.tune=head"])
def test_a_part_of_a_model_from_scratch_is_not_trained(
    tmp_path: Path, option: str
) -> None:
    setting = f"matrix.options.{option}"
    pattern = f"{option.partition('.')[0]}/train/fp32/*"

    runnable, skipped = expand(simple(tmp_path, setting), pattern)

    assert runnable == ()
    assert "starts from scratch" in skipped[0].reason


def test_the_least_duration_counts_windows_and_quiet(tmp_path: Path) -> None:
    made = make_plan(simple(tmp_path, "protocol.rounds=1", "protocol.idle=2 s"))

    quiet_s = len(made.trials) * (2 * 2.0 + made.protocol.warmup_min_s)
    assert shortest_s(made) == quiet_s + 5 * made.protocol.window_min_s


def test_scenarios_are_crossed_with_inference_alone(tmp_path: Path) -> None:
    setting = "matrix.scenario=[offline, server, load-curve, single-stream]"
    suite = simple(tmp_path, setting, "matrix.workload=[bert]")

    runnable, skipped = expand(suite)

    assert [c.key for c in runnable if c.precision == "fp32"] == [
        "bert/train/fp32/cpu/b32",
        "bert/infer/fp32/cpu/b32",
        "bert/infer/fp32/cpu/b32/server",
        "bert/infer/fp32/cpu/b32/load-curve",
    ]
    reasons = {s.configuration.key: s.reason for s in skipped}
    assert "of inference" in reasons["bert/train/fp32/cpu/b32/server"]
    assert "batch_size 1" in reasons["bert/infer/fp32/cpu/b32/single-stream"]
    only, _ = expand(suite, "*/load-curve")
    assert {c.scenario for c in only} == {"load-curve"}
    offline = shortest_s(make_plan(simple(tmp_path, "matrix.workload=[bert]")))
    assert shortest_s(make_plan(suite)) > 5 * offline


def test_scenarios_can_be_excluded_by_pattern(tmp_path: Path) -> None:
    runnable, _ = expand(
        simple(
            tmp_path,
            "matrix.scenario=[offline, server, load-curve]",
            "matrix.exclude=[{scenario: load-*}]",
        )
    )

    assert {c.scenario for c in runnable} == {"offline", "server"}
