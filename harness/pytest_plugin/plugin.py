"""The hooks of the pytest plugin; what measures is loaded with the first test of it.

Every pytest of an environment imports this module: it stays light.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import BenchError
from harness.pytest_plugin import limits, options
from harness.pytest_plugin.limits import Limits
from harness.pytest_plugin.options import Options

if TYPE_CHECKING:
    from harness.pytest_plugin.fixture import Energy
    from harness.pytest_plugin.results import Machine, Result
    from harness.pytest_plugin.session import Session

FIXTURE, BENCHMARK = "energy", "benchmark"
BENCHMARK_MODULE = "pytest_benchmark."
MARKER = (
    "energy(max_regression=None, min_accuracy=None, items=None): fail where a call "
    'needs so many more joules than the kept result ("10%"), beyond noise, or answers '
    "worse than min_accuracy"
)
PAYLOAD = "joulebench_energy"
"""A report carries what was measured under this name, from worker to controller."""

OPTIONS = pytest.StashKey[Options]()
SESSION = pytest.StashKey["Session"]()
HAS_ENERGY = pytest.StashKey[bool]()
LIMITS = pytest.StashKey[Limits]()
ENERGY = pytest.StashKey["Energy"]()
PAYLOADS = pytest.StashKey[dict[str, Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and refuse what cannot be done."""
    config.addinivalue_line("markers", MARKER)
    try:
        config.stash[OPTIONS] = options.of(config)
    except BenchError as error:
        raise pytest.UsageError(error.told()) from error
    config.stash[HAS_ENERGY] = False
    if not _is_worker(config):
        config.pluginmanager.register(Collector(config), "joulebench-collector")
    if config.stash[OPTIONS].benchmark:
        config.pluginmanager.register(BenchmarkJoules(), "joulebench-benchmark")


@pytest.fixture
def energy(request: pytest.FixtureRequest) -> "Energy":
    """Measures the joules of one call of a function: `energy(function, *args)`."""
    return _energy(request.node)


def _energy(item: pytest.Item) -> "Energy":
    session = _session(item.config)
    asked = item.stash.get(LIMITS, Limits())
    item.stash[ENERGY] = session.energy(item.nodeid, item.name, asked)
    return item.stash[ENERGY]


def _session(config: pytest.Config) -> "Session":
    if SESSION not in config.stash:
        module = import_module("harness.pytest_plugin.session")
        config.stash[SESSION] = module.Session(config.stash[OPTIONS])
    return config.stash[SESSION]


class BenchmarkJoules:
    """Joules of pytest-benchmark's fixture, too."""

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """Have the fixture `benchmark` measured, unless the test does so itself."""
        made = yield
        item = request.node
        if fixturedef.argname != BENCHMARK:
            return made
        is_theirs = _origin(item, BENCHMARK).startswith(BENCHMARK_MODULE)
        if is_theirs and _origin(item, FIXTURE) != __name__:
            module = import_module("harness.pytest_plugin.benchmarks")
            module.meter(made, _energy(item))
        return made


def _is_energy(item: pytest.Item, asked: Options) -> bool:
    """Whether it uses our fixture, not a parameter or a fixture of the same name."""
    return _origin(item, FIXTURE) == __name__ or (
        asked.benchmark and _origin(item, BENCHMARK).startswith(BENCHMARK_MODULE)
    )


def _origin(item: pytest.Item, fixture: str) -> str:
    """The module of the fixture that a test gets under a name."""
    info: Any = getattr(item, "_fixtureinfo", None)
    found = info.name2fixturedefs.get(fixture) if info else None
    return str(found[-1].func.__module__) if found else ""


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Read the markers, and skip what was not asked for."""
    asked = config.stash[OPTIONS]
    for item in items:
        is_energy = _is_energy(item, asked)
        config.stash[HAS_ENERGY] |= is_energy
        if asked.only and not is_energy:
            item.add_marker(pytest.mark.skip(reason="no joules (--energy-only)"))
        if asked.skip and is_energy:
            item.add_marker(pytest.mark.skip(reason="joules (--energy-skip)"))
        if is_energy and (marker := item.get_closest_marker(FIXTURE)):
            try:
                item.stash[LIMITS] = limits.of_marker(
                    marker.args, marker.kwargs, item.nodeid
                )
            except BenchError as error:
                raise pytest.UsageError(error.told()) from error


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test with joules has the node alone; the time that it waits is not its own.

    Nor is the start of the meters: a time limit of the test begins below this hook.
    """
    with _turn(item):
        return (yield)


def _turn(item: pytest.Item) -> AbstractContextManager[None]:
    asked = item.config.stash[OPTIONS]
    if asked.disabled or asked.skip or not item.config.stash[HAS_ENERGY]:
        return nullcontext()
    turns = import_module("harness.pytest_plugin.turns")
    chosen = turns.beside if _is_worker(item.config) else nullcontext
    if _is_energy(item, asked) and not item.get_closest_marker("skip"):
        _session(item.config).start()
        chosen = turns.alone
    turn: AbstractContextManager[None] = chosen()
    return turn


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Hold a test that passed against its limits."""
    if PAYLOADS in item.stash:  # it runs again
        del item.stash[PAYLOADS]
    yield
    if ENERGY in item.stash or _is_energy(item, item.config.stash[OPTIONS]):
        _check(item)


def _check(item: pytest.Item) -> None:
    config, measured = item.config, item.stash.get(ENERGY, None)
    session, asked = _session(config), item.stash.get(LIMITS, Limits())
    failure = import_module("harness.pytest_plugin.session").failure
    try:
        result = measured.result if measured else None
        if result:
            result = session.judged(result, asked)
            _carry(item, result, session.metering.machine)
    except BenchError as error:
        pytest.fail(f"energy: {error.told()}", pytrace=False)
    if why := failure(result, asked, config.stash[OPTIONS]):
        pytest.fail(why, pytrace=False)


def _carry(item: pytest.Item, result: "Result", machine: "Machine | None") -> None:
    """For the report, and as properties of JUnit's XML."""
    item.stash[PAYLOADS] = {
        "result": result.model_dump(mode="json"),
        "machine": machine and machine.model_dump(mode="json"),
    }
    item.user_properties += [
        (name, value)
        for name, value in (
            ("energy_j", result.energy_j),
            ("energy_provenance", result.provenance and str(result.provenance)),
            ("energy_reason", result.reason),
        )
        if value is not None
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report carry what was measured."""
    report = yield
    if call.when == "call" and (payload := item.stash.get(PAYLOADS, None)):
        setattr(report, PAYLOAD, payload)
    return report


class Collector:
    """Where reports arrive: this process, or the controller of pytest-xdist."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: list[dict[str, Any]] = []
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what the test's report carries."""
        if payload := getattr(report, PAYLOAD, None):
            self._told.append({**payload, "outcome": report.outcome})

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files."""
        asked = self._config.stash[OPTIONS]
        wanted = asked.json_path or asked.save or asked.autosave
        if wanted and not self._config.option.collectonly:
            try:
                self._lines = self._report().write(asked, self._config.rootpath)
            except OSError as error:
                self._lines = [f"energy NOT written: {error}"]
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the table, and where the files are."""
        if self._told:
            self._report().show(terminalreporter, self._config.stash[OPTIONS])
        for line in self._lines:
            terminalreporter.write_line(line)

    def _report(self) -> Any:
        return import_module("harness.pytest_plugin.reporting").Report(self._told)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let the meters go."""
    if session := config.stash.get(SESSION, None):
        session.close()
