"""The pytest plugin in processes of its own, on counters: a scripted GPU."""

import json
import os
import sys
import time
from collections.abc import Callable
from itertools import combinations

import pytest

from tests.nvml_stub import Gpu, NvmlStub, has_compiler
from tests.system.test_pytest_plugin import ROOT, write_distribution

pytest_plugins = ["pytester"]
needs_stub = pytest.mark.skipif(not has_compiler(), reason="gcc builds the stub")
OTHERS = [f"-pno:{name}" for name in ("cacheprovider", "hypothesispytest", "anyio")]
Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(
    pytester: pytest.Pytester,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """`python -m pytest` in a folder whose `reports` and `workloads` are not ours."""
    found = write_distribution(tmp_path_factory.mktemp("dist"))
    monkeypatch.setenv("PYTHONPATH", f"{found}{os.pathsep}{ROOT}")
    for name in ("reports", "workloads"):
        package = pytester.mkpydir(name)
        (package / "__init__.py").write_text("raise RuntimeError('it is not ours')\n")

    def running(*options: str) -> pytest.RunResult:
        command = [sys.executable, "-m", "pytest", *OTHERS, *options]
        return pytester.run(*command, timeout=120)

    return running


def script(stub: NvmlStub, monkeypatch: pytest.MonkeyPatch, power_w: float) -> None:
    gpu = Gpu(curve=((0.0, power_w),), counter_period_s=0.02)
    found = stub.environment([gpu], origin_ns=time.monotonic_ns())
    for name, value in found.items():
        monkeypatch.setenv(name, value)


@needs_stub
def test_more_joules_at_equal_time_fail_and_times_do_not_show_it(
    run: Run,
    pytester: pytest.Pytester,
    built_stub: NvmlStub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytester.makepyfile(
        test_work="""
        import time
        def test_work(benchmark):
            benchmark.pedantic(time.sleep, (0.3,), rounds=4)
        """
    )
    options = ("--benchmark-joules", "--benchmark-json", "b.json")
    stats, joules = [], []

    outcomes = []
    for power_w, more in (
        (200.0, ("--energy-save", "base")),
        (240.0, ("--energy-compare", "base", "--energy-compare-fail", "joules:8%")),
    ):
        script(built_stub, monkeypatch, power_w)
        outcomes.append(run(*options, *more))
        (found,) = json.loads((pytester.path / "b.json").read_text())["benchmarks"]
        stats.append(found["stats"]["median"])
        joules.append(found["extra_info"]["energy_j"])

    before, after = outcomes
    before.assert_outcomes(passed=1)
    after.assert_outcomes(failed=1)
    after.stdout.re_match_lines([r".*1\.[12]\d+ times the joules of 0001_base"])
    assert stats[1] / stats[0] == pytest.approx(1.0, abs=0.06)
    assert joules[1] / joules[0] == pytest.approx(1.2, abs=0.06)
    (kept,) = (pytester.path / ".energy").glob("*/0001_base.json")
    record = json.loads(kept.read_text())
    assert "nvml.total_energy" in record["machine"]["facts"]["meters"]
    (test,) = record["tests"]
    assert (test["perimeter"], test["provenance"]) == (["gpu"], "measured")
    for each in test["rounds"]:
        assert each["energy_j"] == pytest.approx(200.0 * each["window_s"], rel=0.02)


@needs_stub
def test_workers_of_xdist_are_metered_one_at_a_time_and_keep_quiet(
    run: Run,
    pytester: pytest.Pytester,
    built_stub: NvmlStub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script(built_stub, monkeypatch, 200.0)
    test = """
    import os, time
    def work(kind):
        started = time.monotonic()
        time.sleep(0.15)
        with open(os.environ["SPANS"], "a") as file:
            file.write(f"{{kind}} {{started}} {{time.monotonic()}} {{os.getpid()}}\\n")
    def test_metered_{0}(energy):
        energy.pedantic(work, ("metered",), rounds=3)
    def test_plain_{0}():
        work("plain")
    def test_another_{0}():
        work("plain")
    """
    spans = pytester.path / "spans"
    monkeypatch.setenv("SPANS", str(spans))
    pytester.makepyfile(test_a=test.format("a"), test_b=test.format("b"))

    done = run("-n2", "--dist=loadfile", "--energy-json", "out.json")

    done.assert_outcomes(passed=6)
    rows = [line.split() for line in spans.read_text().splitlines()]
    assert len({pid for *_, pid in rows}) == 2
    for one, other in combinations(rows, 2):
        if "metered" in (one[0], other[0]):
            first, second = sorted([one, other], key=lambda row: float(row[1]))
            assert float(first[2]) <= float(second[1])
    tests = json.loads((pytester.path / "out.json").read_text())["tests"]
    assert {t["name"] for t in tests} == {"test_metered_a", "test_metered_b"}
    assert all(t["provenance"] == "measured" for t in tests)
    assert all(t["power_w"] == pytest.approx(200.0, rel=0.03) for t in tests)


def test_a_suite_without_joules_pays_for_no_library(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        """
        import sys
        def pytest_unconfigure():
            heavy = {"torch", "pandas", "numpy", "pydantic", "scipy", "rich"}
            ours = {n for n in sys.modules if n.startswith("harness.")}
            print("loaded:", sorted(heavy & set(sys.modules)), sorted(ours))
        """
    )
    pytester.makepyfile(test_plain="def test_plain():\n    pass\n")

    done = run("-pno:benchmark", "-s")

    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(
        ["*plugins: *joulebench*", "loaded: [[]] *plugin.plugin*"]
    )
    assert "session" not in done.stdout.lines[-1]
