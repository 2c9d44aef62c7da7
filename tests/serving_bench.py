"""A workload that answers queries in simulated time, and the bench it runs on."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.bench import Bench
from harness.contracts import Effort, Setting, Skip
from harness.jobs import Job, Protocol
from harness.records import Configuration, Doubt, ModelFacts, Phase, Quality
from tests.fakes import FakeClock


class LateClock(FakeClock):
    """A sleep that overshoots, as a system's timer does."""

    def __init__(self, late_s: float = 0.0) -> None:
        super().__init__(now_ns=5_000_000_000)
        self.late_s = late_s
        self.slept_s = 0.0

    def sleep(self, duration_s: float) -> None:
        self.slept_s += duration_s
        self.advance(duration_s + self.late_s)


class Backend:
    name = "cpu"
    asynchronous = False

    def __init__(self) -> None:
        self.waited = 0

    def unavailable(self) -> str | None:
        return None

    def torch_device(self) -> str:
        return "cpu"

    def synchronise(self) -> None:
        self.waited += 1

    def memory_peak_bytes(self) -> int | None:
        return None


class Meter:
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    def edge(self, *, aligned: bool = False) -> int:
        return self.clock.now_ns()

    def unsteady(self, since_ns: int) -> list[str]:
        return []

    def updates(self, since_ns: int) -> int | None:
        return None


class Server:
    """A step of k items takes `base_s + k * item_s`."""

    def __init__(self, clock: FakeClock, base_s: float, item_s: float = 0.0) -> None:
        self.clock = clock
        self.base_s = base_s
        self.item_s = item_s
        self.asked: list[int] = []
        self.forgot_after: list[int] = []

    def answer(self, items: int) -> None:
        self.asked.append(items)
        self.clock.advance(self.base_s + items * self.item_s)

    def forget(self) -> None:
        self.forgot_after.append(len(self.asked))

    def prepare(self, setting: Setting) -> Skip | None:
        return None

    def convert(self) -> Skip | None:
        return None

    def total_steps(self) -> int | None:
        return None

    def warm(self) -> None:
        self.clock.advance(self.base_s)

    def step(self) -> int:
        raise AssertionError("a scenario of queries asks for items")

    def exam_due(self) -> bool:
        return False

    def examine(self) -> bool:
        return False

    def evaluate(self) -> tuple[Quality, Mapping[str, Any]]:
        return Quality(metric="accuracy", accuracy=1.0, n=1, in_window=True), {}

    def facts(self) -> ModelFacts:
        return ModelFacts(parameters=1, weight_bytes=1)

    def effort(self) -> Effort:
        return Effort()

    def doubts(self) -> Sequence[Doubt]:
        return ()


def bench_of(base_s: float, item_s: float = 0.0, late_s: float = 0.0) -> Bench:
    clock = LateClock(late_s)
    server = Server(clock, base_s, item_s)
    return Bench(server, Backend(), Meter(clock), clock, lambda *_: None)


def server_of(bench: Bench) -> Server:
    assert isinstance(bench.workload, Server)
    return bench.workload


def job_of(
    scenario: str, batch_size: int = 1, window_s: float = 4.0, **settings: object
) -> Job:
    return Job(
        trial="t",
        configuration=Configuration(
            workload="w",
            phase=Phase.INFER,
            precision="fp32",
            device="cpu",
            batch_size=batch_size,
            scenario=scenario,
        ),
        protocol=Protocol(
            window_min_s=window_s, idle_s=1.0, scenario={scenario: settings}
        ),
        seed=3,
        folder="unused",
    )
