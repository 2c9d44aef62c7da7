"""The protocol of a suite: profiles, keys with their faults, and what is official."""

from pathlib import Path

import pytest

from harness import checks
from harness.errors import UsageError
from harness.jobs import Protocol
from harness.plan import make_plan
from harness.protocol_keys import PROFILES
from harness.records import Before, MeterCost
from tests.unit.test_plan import simple
from tests.unit.test_schedule import done, plan

OFFICIAL = "profile=official"


def protocol(folder: Path, *settings: str) -> Protocol:
    return simple(folder, *(f"protocol.{s}" for s in settings)).protocol


def test_every_key_arrives(tmp_path: Path) -> None:
    made = protocol(
        tmp_path,
        "rounds={min: 4, max: 12, target_ci: 2.5%}",
        "window={min: 2 s, items: 50, min_updates: 20, max: 1 min}",
        "cooldown={max: 40 s, band: 2.5 C}",
        "load={wait: 7 s, max: 10%}",
        "on_oom=skip",
        "control=rnn",
    )

    assert (made.rounds_min, made.rounds, made.target_ci_ratio) == (4, 12, 0.025)
    assert (made.window_items, made.window_updates, made.window_max_s) == (50, 20, 60)
    assert (made.cooldown_max_s, made.cooldown_band_c) == (40.0, 2.5)
    assert (made.load_wait_s, made.load_max_ratio) == (7.0, 0.1)
    assert (made.on_oom, made.control) == ("skip", "rnn")


def test_a_plain_number_of_rounds_is_fixed(tmp_path: Path) -> None:
    made = protocol(tmp_path, "rounds=4")

    assert (made.rounds, made.target_ci_ratio) == (4, None)
    assert protocol(tmp_path, "control=true").control == "cnn"
    assert protocol(tmp_path, "control=false").control is None


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rounds={min: 5, max: 3}", "protocol.rounds: min 5 is more than max 3"),
        ("rounds={target_ci: 3}", "3 is not a share such as '3%'"),
        ("rounds={target_ci: 0%}", "must be above 0 %"),
        ("window={min: 9 s, max: 3 s}", "protocol.window: min 9 s is longer"),
        ("warmup={min: 9 s, max: 3 s}", "protocol.warmup: min 9 s is longer"),
        ("cooldown={band: 3 K}", "unknown unit 'K'"),
        ("on_oom=halve", "did you mean 'halve_batch'"),
        ("control=gpt", "unknown 'gpt'"),
    ],
)
def test_a_fault_names_its_key_and_cure(
    tmp_path: Path, setting: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        protocol(tmp_path, setting)

    assert message in caught.value.message


def test_official_is_what_its_profile_says_or_stricter(tmp_path: Path) -> None:
    plain = make_plan(simple(tmp_path, OFFICIAL))
    stricter = make_plan(simple(tmp_path, OFFICIAL, "protocol.rounds=7"))

    assert plain.official
    assert stricter.official
    assert not make_plan(simple(tmp_path)).official
    assert PROFILES["official"].window_min_s == checks.PUBLISHABLE_S


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("window.min=59 s", "window.min"),
        ("rounds=4", "rounds"),
        ("rounds={min: 3, max: 10, target_ci: 3%}", "rounds"),
        ("idle=29 s", "idle"),
        ("control=false", "control"),
        ("load.max=50%", "load.max"),
    ],
)
def test_what_is_weaker_is_not_official_and_says_so(
    tmp_path: Path, setting: str, key: str
) -> None:
    made = make_plan(simple(tmp_path, OFFICIAL, f"protocol.{setting}"))

    assert not made.official
    assert made.weakened == (key,)
    (doubt,) = checks.not_official(made.weakened)
    assert key in doubt.message


def test_a_quick_run_is_not_nagged(tmp_path: Path) -> None:
    assert make_plan(simple(tmp_path)).weakened == ()
    assert list(checks.not_official(())) == []


@pytest.mark.parametrize(
    ("update", "code"),
    [
        ({"official": True}, "not-publishable"),
        ({"before": Before(unmet=("it was warm",))}, "not-quiet"),
        ({"meter": MeterCost(energy_ratio=0.006)}, "meter-energy"),
    ],
)
def test_each_new_doubt_has_its_cause(
    tmp_path: Path, update: dict[str, object], code: str
) -> None:
    sound = done(plan(tmp_path).trials[0])

    codes = [d.code for d in checks.doubts(sound, Protocol())]
    found = [d.code for d in checks.doubts(sound.model_copy(update=update), Protocol())]

    assert code not in codes
    assert code in found
