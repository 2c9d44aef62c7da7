from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.errors import UsageError
from harness.protocol_keys import PROFILES
from harness.suite import DEFAULTS, Suite, bundled_configs, load_suite, suite_schema
from harness.suite_keys import AXES, DEFAULT_AXES

SOUND = """\
schema: 1
name: mine
seed: 3
profile: quick
protocol:
  rounds: 4
  warmup: {min: 500 ms, max: 2 min}
  window: {min: 1.5 s}
  idle: 0 s
  timeout: 1 h
matrix:
  workload: [bert, cnn]
  phase: infer
  precision: [fp32, bf16]
  device: [cpu]
  batch_size: [8, 32]
  options:
    bert: {size: [tiny, small]}
  exclude: [{workload: cnn, precision: b*}]
  include: [{workload: cnn, precision: [bf16], batch_size: 1, track: open}]
quality: {floor: 97.5% of reference, absolute: 0.7}
site: {place: DEU, pue: 1.2}
"""


def write(folder: Path, text: str | bytes) -> str:
    path = folder / "suite.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def load(folder: Path, text: str | bytes, *settings: str) -> Suite:
    return load_suite(write(folder, text), settings)


def faults(folder: Path, text: str | bytes, *settings: str) -> list[str]:
    """Lines of the message without the folder's name."""
    with pytest.raises(UsageError) as caught:
        load(folder, text, *settings)
    return caught.value.message.replace(f"{folder}/", "").splitlines()


@pytest.mark.parametrize(("given", "meant"), [("on", "on"), ("no", "off")])
def test_a_switch_needs_no_quotes(tmp_path: Path, given: str, meant: str) -> None:
    text = SOUND.replace("size: [tiny, small]", f"checkpointing: {given}")

    assert load(tmp_path, text).matrix.options["bert"]["checkpointing"] == (meant,)


def test_a_sound_file_is_read_to_its_last_key(tmp_path: Path) -> None:
    suite = load(tmp_path, SOUND)

    assert (suite.name, suite.seed, suite.profile) == ("mine", 3, "quick")
    assert suite.protocol.rounds == 4
    assert suite.protocol.warmup_min_s == 0.5
    assert suite.protocol.warmup_max_s == 120.0
    assert suite.protocol.window_min_s == 1.5
    assert suite.protocol.idle_s == 0.0
    assert suite.protocol.timeout_s == 3600.0
    assert suite.matrix.axes["phase"] == ("infer",)
    assert suite.matrix.options == {"bert": {"size": ("tiny", "small")}}
    assert suite.excludes == ({"workload": ("cnn",), "precision": ("b*",)},)
    assert suite.includes[0].track == "open"
    assert suite.includes[0].axes["device"] == ("cpu",)
    assert suite.quality.relative == 0.975
    assert suite.quality.absolute == 0.7
    assert (suite.site.place, suite.site.pue) == ("DEU", 1.2)
    assert suite.text == SOUND


def test_the_profile_gives_what_the_protocol_leaves_open(tmp_path: Path) -> None:
    text = SOUND.replace("profile: quick", "profile: official")

    suite = load(tmp_path, text.replace("  rounds: 4\n", ""))

    assert suite.protocol.rounds == DEFAULTS["official"].rounds
    assert suite.protocol.window_min_s == 1.5
    assert set(DEFAULTS) == set(PROFILES)


def test_every_fault_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    text = (
        "schema: 2\nname: a/b\nsed: 7\nprofile: fast\n"
        "protocol:\n  window: {min: 10}\n  idle: 5 sec\n  rounds: 0\n"
        "matrix:\n  workload: [bert, bret]\n  phase: [infer, infer]\n"
        "  precision: [fp32, int8-dinamic]\n  device: []\n  batch_size: [0, x, 2.5]\n"
        "  options: {bert: {size: huge, sequence_length: two}, cnn: {modle: tiny}}\n"
        "  exclude: [{precision: int9-*}, {phse: train}]\n"
        "quality: {floor: 0.9}\nsite: {place: FRN, pue: 0.9}\n"
    )

    found = faults(tmp_path, text)

    for start, words in (
        ("suite.yaml:1: schema: 2 is not known", "reads 1"),
        ("suite.yaml:2: name: 'a/b' cannot name a folder", ""),
        ("suite.yaml:3: sed: unknown key", "did you mean 'seed'?"),
        ("suite.yaml:4: profile: unknown 'fast'", "known: quick, standard"),
        ("suite.yaml:6: protocol.window.min: 10 has no unit", "write '10 s'"),
        ("suite.yaml:7: protocol.idle: unknown unit 'sec'", "use ms, s, min, h"),
        ("suite.yaml:8: protocol.rounds: 0 must be between 1 and 1000", ""),
        ("suite.yaml:10: matrix.workload[1]: unknown 'bret'", "did you mean 'bert'?"),
        ("suite.yaml:11: matrix.phase[1]: 'infer' is given twice", ""),
        ("suite.yaml:12: matrix.precision[1]: unknown", "did you mean 'int8-dynamic'?"),
        ("suite.yaml:13: matrix.device: empty; nothing would run", ""),
        ("suite.yaml:14: matrix.batch_size[0]: 0 must be between 1 and", ""),
        ("suite.yaml:14: matrix.batch_size[1]: 'x' is not a whole number", ""),
        ("suite.yaml:14: matrix.batch_size[2]: 2.5 is not a whole number", ""),
        ("suite.yaml:15: matrix.options.bert.size: unknown 'huge'", "tiny, small"),
        ("suite.yaml:15: matrix.options.bert.sequence_length: 'two' is not", ""),
        ("suite.yaml:15: matrix.options.cnn.modle: unknown key", "'model'"),
        ("suite.yaml:16: matrix.exclude[0].precision: 'int9-*' matches nothing", ""),
        ("suite.yaml:16: matrix.exclude[1].phse: unknown key", "'phase'"),
        ("suite.yaml:17: quality.floor: 0.9 is not a share", "99% of reference"),
        ("suite.yaml:18: site.place: unknown 'FRN'", "did you mean"),
        ("suite.yaml:18: site.pue: 0.9 must be between 1 and 10", ""),
    ):
        assert any(f.startswith(start) and words in f for f in found), (start, found)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("5", "5 is not a text; put it in quotes"),
        ('"a\\nb"', "holds characters that cannot be printed"),
        ('"a\\0b"', "holds characters that cannot be printed"),
        ("x" * 4097, "longer than 4096"),
        ("[a.csv, a.csv]", "given twice"),
    ],
)
def test_a_text_must_be_plain(tmp_path: Path, value: str, words: str) -> None:
    text = SOUND.replace("{size: [tiny, small]}", f"{{data: {value}}}")

    (fault,) = faults(tmp_path, text)

    assert words in fault
    assert "matrix.options.bert.data" in fault


def test_numbers_have_an_upper_end(tmp_path: Path) -> None:
    found = faults(tmp_path, SOUND, "matrix.options.cnn.image_size=4096")

    assert "4096 must be between 28 and 1024" in found[0]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "suite.yaml:1: empty"),
        ("# only a comment\n", "suite.yaml:1: empty"),
        ("null\n", "suite.yaml:1: must be a mapping, not nothing"),
        ("- a\n- b\n", "suite.yaml:1: must be a mapping, not ['a', 'b']"),
        ("just words\n", "suite.yaml:1: must be a mapping, not 'just words'"),
        ("a: [1\nb: 2\n", "suite.yaml:2: not YAML"),
        ("a: &x 1\nb: *x\n", "suite.yaml:1: anchors and aliases are refused"),
        ("a: 1\n---\nb: 2\n", "suite.yaml:2: several documents"),
        ("[" * 100 + "]" * 100, "suite.yaml:1: nested deeper than 20"),
        ("\ta: 1\n", "suite.yaml:1: not YAML"),
        ("schema: 1\n".encode("utf-16"), "suite.yaml:1: UTF-16 or binary"),
        (b"PK\x03\x04\x00\x00", "suite.yaml:1: UTF-16 or binary"),
        (b"name: caf\xe9\n", "suite.yaml:1: not UTF-8 text"),
        (b"a: 1\nb: \x07\n", "suite.yaml:2: not YAML"),
        ("a: " + "x" * (1 << 20), "suite.yaml: larger than 1 MiB"),
    ],
)
def test_what_is_no_suite_is_one_sentence(
    tmp_path: Path, text: str | bytes, start: str
) -> None:
    (found,) = [f for f in faults(tmp_path, text) if "is missing" not in f]

    assert found.startswith(start)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("name: !!python/object/apply:os.system [true]", "tag"),
        ("name: !!python/name:os.system ''", "tag"),
        ("name: !env HOME", "tag !env is refused"),
        ("seed: !!binary aGk=", "tag"),
        ("seed: 2026-01-01", "tag !!timestamp is refused"),
        ("1: x", "a key must be a plain word"),
        ("? [a, b]\n: x", "a key must be a plain word"),
        ("<<: {a: 1}", "a key must be a plain word"),
        ("name: again", "given twice"),
        ("seed: .nan", "is not a whole number"),
        ("seed: true", "True is not a whole number"),
        ("seed: 99999999999999999999", "must be between"),
        ("seed:", "nothing is not a whole number"),
        ("site: FRA", "must be a mapping, not 'FRA'"),
        ("matrix: {}", "given twice"),
    ],
)
def test_values_that_smuggle_or_mislead_are_refused(
    tmp_path: Path, line: str, words: str
) -> None:
    text = SOUND.replace("seed: 3\n", "") if line.startswith("seed") else SOUND

    found = faults(tmp_path, text.replace("site: {place: DEU, pue: 1.2}\n", "") + line)

    assert any(words in each for each in found), found


def test_missing_keys_are_named_together(tmp_path: Path) -> None:
    found = faults(tmp_path, "profile: quick\n")

    assert found == [
        "suite.yaml:1: key 'schema' is missing",
        "suite.yaml:1: key 'name' is missing",
        "suite.yaml:1: key 'matrix' is missing",
    ]


def test_a_warm_up_that_must_outlast_its_end_is_a_fault(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, SOUND, "protocol.warmup.max=100 ms")

    assert "protocol.warmup: min 0.5 s is longer than max 0.1 s" in found


def test_options_of_a_workload_that_never_runs_are_a_fault(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, SOUND.replace("bert: {size", "rnn: {size"))

    assert found.startswith("suite.yaml:18: matrix.options.rnn: the matrix runs no")


def test_an_exclusion_of_everything_is_a_fault(tmp_path: Path) -> None:
    text = SOUND.replace("[{workload: cnn, precision: b*}]", "[{}]")

    assert faults(tmp_path, text) == [
        "suite.yaml:19: matrix.exclude[0]: empty; it would exclude everything"
    ]


def test_settings_override_and_are_remembered(tmp_path: Path) -> None:
    settings = ("matrix.device=[cuda]", "protocol.window.min=9 s", "site={place: USA}")

    suite = load(tmp_path, SOUND, *settings)

    assert suite.matrix.axes["device"] == ("cuda",)
    assert suite.protocol.window_min_s == 9.0
    assert suite.site.place == "USA"
    assert suite.settings == settings


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("matrix.device=[cudda]", "--set matrix.device=[cudda]: matrix.device[0]"),
        ("seed", "write it as key=value"),
        ("=1", "write it as key=value"),
        ("name.x=1", "its parent is not a mapping"),
        ("seed=[1", "not YAML"),
        ("seed=", "empty"),
        ("sed=1", "sed: unknown key (did you mean 'seed'?)"),
    ],
)
def test_a_setting_at_fault_names_itself(
    tmp_path: Path, setting: str, words: str
) -> None:
    assert any(words in each for each in faults(tmp_path, SOUND, setting))


def test_paths_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    for reference, words in (
        (str(tmp_path), "not a regular file"),
        (str(tmp_path / "none.yaml"), "No such file"),
        ("quik", "did you mean 'quick'?"),
        ("a\0b.yaml", "null"),
        ("x" * 5000, "no suite"),
    ):
        with pytest.raises(UsageError, match=words.replace("?", r"\?")):
            load_suite(reference)


@pytest.mark.parametrize(
    "path", sorted(bundled_configs().glob("*.yaml")), ids=lambda p: p.stem
)
def test_a_bundled_suite_is_sound_and_says_what_it_is(path: Path) -> None:
    suite = load_suite(path.stem)

    assert suite.name == path.stem
    assert suite.text.startswith("# ")
    assert suite.text.splitlines()[0].endswith(".")


def test_the_schema_knows_what_the_reader_knows() -> None:
    schema: dict[str, Any] = suite_schema()
    matrix = schema["properties"]["matrix"]
    given = yaml.safe_load(SOUND)

    assert set(given) == set(schema["properties"])
    assert schema["required"] == ["schema", "name", "matrix"]
    assert set(matrix["required"]) == set(AXES) - set(DEFAULT_AXES)
    assert schema["additionalProperties"] is False
    one, many = matrix["properties"]["precision"]["anyOf"]
    assert "int8-dynamic" in one["enum"]
    assert many == {"type": "array", "items": one, "minItems": 1}


SCENARIOS = SOUND.replace(
    "  timeout: 1 h\n",
    "  timeout: 1 h\n  scenario:\n"
    "    server: {latency: 20 ms, percentile: 90, rate_per_s: search, seed: 4}\n"
    "    load-curve: {levels: [0, 12.5, 100]}\n",
).replace("  device: [cpu]\n", "  device: [cpu]\n  scenario: [offline, server]\n", 1)


def test_scenarios_are_an_axis_with_settings_of_their_own(tmp_path: Path) -> None:
    suite = load(tmp_path, SCENARIOS)

    assert suite.matrix.axes["scenario"] == ("offline", "server")
    assert suite.protocol.scenario == {
        "server": {
            "latency": 0.02,
            "percentile": 0.9,
            "rate_per_s": None,
            "seed": 4,
        },
        "load-curve": {"levels": (0.0, 0.125, 1.0)},
    }
    assert load(tmp_path, SOUND).matrix.axes["scenario"] == ("offline",)


def test_faulty_scenarios_are_named_with_their_path(tmp_path: Path) -> None:
    text = SCENARIOS.replace("20 ms", "0 s").replace("90", "30").replace("12.5", "120")
    text = text.replace("search", "serch").replace("offline, server", "offlin")

    found = "\n".join(faults(tmp_path, text))

    for path in ("latency", "percentile", "rate_per_s"):
        assert f"protocol.scenario.server.{path}" in found
    assert "protocol.scenario.load-curve.levels[1]" in found
    assert "matrix.scenario" in found
    assert "offline" in found


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ("{intensity: uk-carbon-intensity}", "site: key 'place' is missing"),
        ("{place: GBR, intensity: ukcarbon}", "site.intensity: unknown 'ukcarbon'"),
        ("{place: GBR, intensity: watttime}", "site.intensity: unknown 'watttime'"),
        ("{place: GBR, fallback: yearly-mean}", "site.fallback: means nothing"),
        ("{place: GBR, zone: GB}", "site.zone: means nothing"),
        (
            "{place: GBR, intensity: electricity-maps, zone: 'http://x'}",
            "site.zone: 'http://x' is no zone",
        ),
        (
            "{place: GBR, intensity: electricity-maps, marginal: watttime, zone: A}",
            "site.marginal: only one live source",
        ),
    ],
)
def test_live_sources_of_a_site_fit_together(
    tmp_path: Path, site: str, words: str
) -> None:
    text = SOUND.replace("site: {place: DEU, pue: 1.2}", f"site: {site}")

    assert words in "\n".join(faults(tmp_path, text))
