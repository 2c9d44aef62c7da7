"""The pytest plugin in test suites of others, on a meter whose joules are known."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scipy.special

from harness.pytest_plugin import benchmarks, plugin, reporting, session, turns
from tests import scripted_meter

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
LOADED = (benchmarks, plugin, reporting, session, turns, scripted_meter, scipy.special)
"""A run in this process forgets what it loads: libraries cannot be loaded twice."""
CONFTEST = """
import pytest
from harness.pytest_plugin import plugin, session
from tests.scripted_meter import MACHINE, metering

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    asked = config.stash[plugin.OPTIONS]
    found = session.Session(asked, start=lambda stack: metering({}))
    config.stash[plugin.SESSION] = found
"""
STEADY = "9.9, 10.0, 10.1, 10.0, 9.9"
TEST = """
def test_work(energy):
    assert energy.pedantic(len, ([1, 2],), rounds=5, iterations=10) == 2
"""
Run = Callable[..., pytest.RunResult]


def write_distribution(folder: Path) -> Path:
    """The plugin's entry point as the built package has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = folder / f"joulebench-{project['version']}.dist-info"
    info.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: joulebench\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head)
    points = project["entry-points"]["pytest11"]
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines]) + "\n")
    return folder


@pytest.fixture
def run(
    pytester: pytest.Pytester,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Runs a test file on a meter of these joules, in this process."""
    monkeypatch.syspath_prepend(write_distribution(tmp_path_factory.mktemp("dist")))

    def running(
        test: str, joules: str, *options: str, benchmark: bool = False
    ) -> pytest.RunResult:
        pytester.makeconftest(CONFTEST.format(joules))
        pytester.makepyfile(test_it=test)
        absent = ["cacheprovider", "hypothesispytest", "anyio", "xdist"]
        absent += [] if benchmark else ["benchmark"]
        others = [f"-pno:{name}" for name in absent]
        quick = ("--energy-min-window", "0.001")
        return pytester.runpytest_inprocess(*others, *quick, *options)

    return running


def kept(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_table_says_joules_of_one_call_and_what_they_are_of(run: Run) -> None:
    done = run(TEST, STEADY)

    done.assert_outcomes(passed=1)
    done.stdout.re_match_lines(
        [
            r".*energy: 1 test.*",
            r"name +mJ / call +95 % interval .*of +vs kept",
            r"test_work +998 +988 \.\.\. 1008 .* 5 x 10 +gpu +-",
            "dram only modelled, left out: test_work",
        ]
    )


def test_a_call_returns_the_answer_and_fills_several_windows(
    run: Run, pytester: pytest.Pytester
) -> None:
    test = """
    calls = []
    def work(a, *, b):
        calls.append(a)
        return a + b
    def test_work(energy):
        assert energy(work, 1, b=2) == 3
        energy.items, energy.accuracy = 4, 0.5
        energy.extra_info["calls"] = len(calls)
    """

    run(test, STEADY, "--energy-json", "out.json").assert_outcomes(passed=1)

    (found,) = json.loads((pytester.path / "out.json").read_text())["tests"]
    assert len(found["rounds"]) == 5
    assert (found["items"], found["accuracy"]) == (4, 0.5)
    iterations = found["rounds"][0]["iterations"]
    assert found["energy_j"] * iterations == pytest.approx(9.98, abs=0.001)
    assert found["extra_info"]["calls"] > 5 * iterations
    assert iterations > 5
    assert max(r["busy_s"] for r in found["rounds"]) > 0.0002


def test_more_joules_than_allowed_fail_and_name_the_ratio(
    run: Run, pytester: pytest.Pytester
) -> None:
    test = "import pytest\n" + TEST.replace(
        "def", '@pytest.mark.energy(max_regression="10%")\ndef'
    )
    first = run(test, STEADY, "--energy-save", "base")

    more = run(test, "11.3, 11.4, 11.5, 11.4, 11.3")
    fewer = run(test, "8.1, 8.0, 8.1, 8.0, 8.1")
    same = run(test, "10.2, 10.1, 10.2, 10.1, 10.2", "--energy-compare", "1")

    first.assert_outcomes(passed=1)
    first.stdout.fnmatch_lines(["energy NOT checked: test_work: nothing is kept*"])
    more.assert_outcomes(failed=1)
    more.stdout.re_match_lines([r".*1\.14. times the joules of 0001_base \[1\.1"])
    fewer.assert_outcomes(passed=1)
    fewer.stdout.fnmatch_lines(["test_work*improved"])
    same.assert_outcomes(passed=1)
    same.stdout.fnmatch_lines(["test_work*equivalent"])
    assert "energy NOT" not in same.stdout.str()


def test_noise_is_inconclusive_and_never_fails(run: Run) -> None:
    run(TEST, "8, 12, 9, 11, 10", "--energy-save", "base").assert_outcomes(passed=1)

    done = run(
        TEST,
        "9, 14, 10, 13, 11",
        *("--energy-compare", "base", "--energy-compare-fail", "joules:10%"),
    )

    done.assert_outcomes(passed=1)
    done.stdout.re_match_lines(
        [r"inconclusive: test_work: 1\.1.*a regression is seen from 1\.\d+ on"]
    )


def test_modelled_joules_neither_pass_nor_fail_unless_a_sensor_is_required(
    run: Run,
) -> None:
    limit = ("--energy-compare-fail", "joules:10%")
    run(TEST, "10, 10.1", "--energy-save", "base")

    free = run(TEST, "20, provenance='modelled'", *limit)
    strict = run(TEST, "20, provenance='modelled'", "--energy-require-sensor")

    free.assert_outcomes(passed=1)
    free.stdout.re_match_lines(
        [
            r"test_work +~10",
            "energy NOT checked: test_work: joules are modelled, not measured",
        ],
    )
    strict.assert_outcomes(failed=1)
    strict.stdout.fnmatch_lines(["*no sensor measured it: joules are modelled*"])


def test_a_lost_meter_is_a_reason_and_never_zero(run: Run) -> None:
    done = run(TEST, "None, domain='psys', provenance='assumed'", "--energy-disable")
    lost = run(TEST, "0.0, 10.0", "--energy-compare-fail", "joules:10%")

    done.stdout.fnmatch_lines(["test_work*energy not measured: metering is off*"])
    lost.assert_outcomes(passed=1)
    lost.stdout.fnmatch_lines(
        [
            "test_work*energy not measured: *0 J has no geometric mean",
            "energy NOT checked: test_work: energy was not measured*",
        ]
    )


def test_another_machine_is_not_compared_and_the_fact_is_named(
    run: Run, pytester: pytest.Pytester
) -> None:
    other = "machine=MACHINE.model_copy(update={'facts': {'processor': 'B'}})"
    run(TEST, f"{STEADY}, {other}", "--energy-save", "base")

    same_name = run(TEST, "20", "--energy-compare", "base")
    (pytester.path / ".energy" / "box-1").rename(pytester.path / ".energy" / "box-2")
    elsewhere = run(TEST, "20", "--energy-compare", "base")

    same_name.stdout.fnmatch_lines(
        ["energy NOT checked: *0001_base is of another machine: its processor is B*"]
    )
    elsewhere.stdout.fnmatch_lines(
        ["energy NOT checked: *base is of another machine (box-2), this is box-1"]
    )


def test_worse_answers_fail_even_where_joules_fell(run: Run) -> None:
    test = """
    import pytest
    @pytest.mark.energy(min_accuracy=0.9)
    @pytest.mark.parametrize("accuracy", [0.95, 0.85, None])
    def test_work(energy, accuracy):
        energy.pedantic(len, ("a",), rounds=3)
        energy.accuracy = accuracy
    """

    done = run(test, STEADY)

    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines(
        ["*accuracy 0.85 is below 0.9*", "*the test sets no energy.accuracy*"]
    )


def test_a_limit_on_a_test_that_measures_nothing_is_not_green(run: Run) -> None:
    test = """
    import pytest
    @pytest.mark.energy(max_regression="5%")
    def test_work(energy):
        pass
    """

    done = run(test, STEADY)

    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*nothing was measured: the fixture was not called*"])


def test_only_what_passed_becomes_a_baseline(
    run: Run, pytester: pytest.Pytester
) -> None:
    test = TEST + "\ndef test_bad(energy):\n    energy(len, 'a')\n    assert False\n"

    done = run(test, STEADY, "--energy-save", "base", "--energy-autosave")

    folder = pytester.path / ".energy" / "box-1"
    names = sorted(path.name for path in folder.iterdir())
    first = json.loads((folder / names[0]).read_text())
    done.assert_outcomes(passed=1, failed=1)
    assert names[0] == "0001_base.json"
    assert names[1].startswith("0002_unversioned_")
    assert [t["name"] for t in first["tests"]] == ["test_work"]


def test_a_regression_is_never_kept_as_the_next_baseline(run: Run) -> None:
    limit = ("--energy-compare", "base", "--energy-compare-fail", "joules:10%")
    run(TEST, STEADY, "--energy-save", "base").assert_outcomes(passed=1)

    done = run(TEST, "19.9, 20.0, 20.1", *limit, "--energy-save", "worse")

    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["energy not kept as worse: no test that passed*"])


@pytest.mark.parametrize(
    ("option", "passed", "skipped"), [("--energy-only", 1, 1), ("--energy-skip", 1, 1)]
)
def test_tests_are_chosen_by_whether_they_have_joules(
    run: Run, option: str, passed: int, skipped: int
) -> None:
    done = run(TEST + "\ndef test_plain():\n    pass\n", STEADY, option, "-v")

    done.assert_outcomes(passed=passed, skipped=skipped)
    chosen = "test_work" if option == "--energy-only" else "test_plain"
    done.stdout.fnmatch_lines([f"*{chosen} PASSED*"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--energy-compare-fail", "mean:5%"], "joules:10%"),
        (["--energy-save", "a/b"], "not a name"),
        (["--energy-json", "no/such/out.json"], "mkdir"),
        (["--energy-columns", "jouls"], "joules"),
        (["--benchmark-joules"], "pytest-benchmark is not active"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_test(
    run: Run, options: list[str], said: str
) -> None:
    done = run(TEST, STEADY, *options)

    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"ERROR: *{said}*"])


def test_a_marker_with_a_typing_error_names_the_test(run: Run) -> None:
    test = "import pytest\n@pytest.mark.energy(max_regresion='5%')" + TEST

    done = run(test, STEADY)

    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: test_it.py::test_work: *max_regression*"])


def test_functions_whose_calls_do_no_work_are_refused(run: Run) -> None:
    test = """
    async def later(): pass
    def test_work(energy):
        energy(later)
    """

    run(test, STEADY).stdout.fnmatch_lines(["*asyncio.run(later(...))*"])


def test_benchmarks_have_joules_beside_their_times_by_one_option(
    run: Run, pytester: pytest.Pytester
) -> None:
    test = """
    closed = []
    def test_call(benchmark):
        benchmark.extra_info["mine"] = 1
        assert benchmark(len, "abc") == 3
    def test_pedantic(benchmark):
        assert benchmark.pedantic(
            len, setup=lambda: (("ab",), {}), teardown=closed.append, rounds=4
        ) == 2
        assert closed == ["ab"] * 8
    """
    quick = ("--benchmark-json", "b.json", "--benchmark-max-time", "0.001")

    done = run(test, STEADY, *quick, "--benchmark-joules", benchmark=True)

    found = {
        b["name"]: b
        for b in json.loads((pytester.path / "b.json").read_text())["benchmarks"]
    }
    done.assert_outcomes(passed=2)
    call, pedantic = (
        found["test_call"]["extra_info"],
        found["test_pedantic"]["extra_info"],
    )
    assert (call["mine"], call["energy_of"], call["energy_reason"]) == (1, "gpu", None)
    assert 0.0 < call["energy_j"] < 10.0
    assert pedantic["energy_j"] == pytest.approx(10.0, rel=0.02)
    assert pedantic["energy_rounds"] == 4
    assert found["test_call"]["stats"]["mean"] < 1e-4
    done.stdout.fnmatch_lines(["test_pedantic*gpu*"])


def test_without_the_option_benchmarks_are_left_alone(
    run: Run, pytester: pytest.Pytester
) -> None:
    test = "def test_call(benchmark):\n    benchmark(len, 'abc')\n"
    quick = ("--benchmark-json", "b.json", "--benchmark-max-time", "0.001")

    done = run(test, STEADY, *quick, benchmark=True)

    (found,) = json.loads((pytester.path / "b.json").read_text())["benchmarks"]
    assert found["extra_info"] == {}
    assert "energy:" not in done.stdout.str()


def test_a_disabled_benchmark_says_why_it_has_no_joules(run: Run) -> None:
    test = "def test_call(benchmark):\n    benchmark(len, 'abc')\n"
    options = ("--benchmark-joules", "--energy-compare-fail", "joules:10%")

    done = run(test, STEADY, *options, "--benchmark-disable", benchmark=True)

    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(
        [
            "test_call*energy not measured: pytest-benchmark is disabled*",
            "energy NOT checked: test_call: *",
        ]
    )


def test_junit_xml_has_the_joules_as_properties(
    run: Run, pytester: pytest.Pytester
) -> None:
    run(TEST, STEADY, "--junitxml", "out.xml")

    text = (pytester.path / "out.xml").read_text()
    assert '<property name="energy_j" value="0.99' in text


def test_a_parameter_or_a_fixture_of_the_same_name_is_the_suites_own(run: Run) -> None:
    test = """
    import pytest
    @pytest.fixture
    def own(): return 3
    @pytest.mark.parametrize("energy", [1, 2])
    def test_parameter(energy):
        assert energy in (1, 2)
    class TestOwn:
        @pytest.fixture
        def energy(self): return "mine"
        def test_fixture(self, energy):
            assert energy == "mine"
    """

    done = run(test, STEADY, "--energy-skip")

    done.assert_outcomes(passed=3)


def test_a_result_of_ones_own_making_cannot_write_to_the_terminal(
    run: Run, pytester: pytest.Pytester
) -> None:
    run(TEST, STEADY, "--energy-save", "base")
    (path,) = (pytester.path / ".energy" / "box-1").iterdir()
    record = json.loads(path.read_text())
    record["machine"]["facts"]["processor"] = "\x1b]0;gone\x07"
    path.write_text(json.dumps(record))

    done = run(TEST, STEADY, "--energy-compare", "base")

    assert "\x1b" not in done.stdout.str()
    done.stdout.fnmatch_lines(["energy NOT checked*its processor is *x1b*"])


def test_tests_of_one_name_are_told_apart_and_sorted(
    run: Run, pytester: pytest.Pytester
) -> None:
    test = """
    import pytest
    class TestA:
        def test_work(self, energy): energy.pedantic(len, ("a",), rounds=3)
    class TestB:
        def test_work(self, energy): energy.pedantic(len, ("a",), rounds=3)
    """

    done = run(test, "5, 5, 5, 2, 2, 2", "--energy-sort", "joules")

    done.stdout.re_match_lines(
        [r"test_it.py::TestB::test_work +2.00 ", r"test_it.py::TestA::test_work +5.00 "]
    )


def test_a_test_that_fails_first_and_passes_then_is_kept_once(
    run: Run, pytester: pytest.Pytester
) -> None:
    test = """
    from _pytest.runner import runtestprotocol
    def pytest_runtest_protocol(item, nextitem):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for turn in (1, 2):
            for report in runtestprotocol(item, nextitem=nextitem, log=False):
                if turn == 1 and report.failed:
                    report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
            item._initrequest()
        return True
    """
    pytester.makepyfile(again=test)
    pytester.syspathinsert()
    work = """
    turns = []
    def test_work(energy):
        energy.pedantic(len, ("a",), rounds=3)
        turns.append(1)
        assert len(turns) == 2
    """

    run(work, "5", "-p", "again", "--energy-json", "out.json")

    (found,) = json.loads((pytester.path / "out.json").read_text())["tests"]
    assert found["outcome"] == "passed"


def test_the_marker_is_told_among_the_markers(run: Run) -> None:
    done = run(TEST, STEADY, "--markers")

    done.stdout.fnmatch_lines(["@pytest.mark.energy(max_regression=None*"])


def test_a_fixture_that_is_asked_for_late_is_told_as_well(run: Run) -> None:
    test = """
    def test_work(request):
        request.getfixturevalue("energy").pedantic(len, ("a",), rounds=3)
    """

    run(test, "5").stdout.re_match_lines([r"test_work +5\.00 "])


def test_the_meters_start_before_a_time_limit_does(run: Run) -> None:
    test = "import pytest\n@pytest.mark.timeout(0.4)" + TEST

    done = run(test, "*(__import__('time').sleep(0.6) or (5.0,))")

    done.assert_outcomes(passed=1)
    done.stdout.re_match_lines([r"test_work +500 "])
