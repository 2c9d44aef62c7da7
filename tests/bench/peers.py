"""Ours, Zeus and CodeCarbon on the same scripted GPUs: errors, time and cost.

python -m tests.bench.peers --zeus-python PYTHON [--phases 12] [--output FILE]

The GPUs are those of the stub NVML (tests/nvml_stub.py), so that the true joules of any
interval are known. Every tool is a process of its own and measures every GPU at once.
The work of a window lies between the return of begin and the call of end, and a tool's
error is (its joules - true joules of its interval) / true joules. The interval of Zeus
and of CodeCarbon, which state none, is that of the work; ours is the window that the
record states, which ends with the tick after the work. A second row gives our joules
scaled to the work: those of the window times the share of it that is work. Each GPU
with a counter has a meter of ours to itself, as a job on one GPU does; another row is
for one meter of all eight, whose edges cannot lie on the ticks of all.

Zeus polls GPUs without a counter in busy loops that would take the processor from the
others, so its polled GPUs have a pass of their own, with the same phases.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import psutil

from harness.node import FOLDER_VARIABLE
from tests.bench.peer_tables import Call, Cost, Result, document
from tests.nvml_stub import HOPPER, Gpu, NvmlStub, Points

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "docs" / "measured" / "peers.md"
WORKERS = "tests.bench.peer_workers"
WINDOWS_S = (0.5, 2.0, 5.0, 20.0)
SEED = 20_261_124
PASCAL = 4
SCALED = "joulebench, scaled to the work"
TOGETHER = "joulebench, 8 GPUs at once"
IMPORTS = {
    "joulebench": "from harness import Meter",
    "zeus": "from zeus.monitor import ZeusMonitor",
    "codecarbon": "from codecarbon import OfflineEmissionsTracker",
}
NOTE = """\
Counters and power change each 100 ms, at a phase of each GPU's own; a reading of power
is the mean of the 100 ms before its tick, the best that a GPU without a counter offers.
Powers: constant 200 W; steps, 100 W for 3.7 s and 300 W for 3.6 s; square, 100 W for
120 ms and 300 W for 130 ms; noise, 100 to 300 W anew each 50 ms."""


def noise(chance: random.Random) -> Points:
    return tuple(
        (number * 0.05, chance.uniform(100.0, 300.0)) for number in range(3000)
    )


CURVES: dict[str, tuple[Points, float]] = {
    "constant": (((0.0, 200.0),), 0.0),
    "steps": (((0.0, 100.0), (3.7, 300.0)), 7.3),
    "square": (((0.0, 100.0), (0.12, 300.0)), 0.25),
    "noise": (noise(random.Random(SEED)), 150.0),
}


@contextmanager
def scripted() -> Iterator[tuple[Sequence[Gpu], dict[str, str]]]:
    """Eight GPUs, and the environment in which every tool finds them."""
    gpus = [
        Gpu(
            uuid=f"GPU-0000000{index}-0000-0000-0000-000000000000",
            curve=curve,
            repeat_s=repeat_s,
            counter=counter,
            # Zeus does not ask for a counter: it infers one from the generation.
            architecture=HOPPER if counter else PASCAL,
            counter_phase_s=0.011 * index,
            power_phase_s=0.013 * index,
            active_s=0.1,
            usage_average=False,
        )
        for index, (counter, (curve, repeat_s)) in enumerate(
            (counter, curve) for counter in (True, False) for curve in CURVES.values()
        )
    ]
    with TemporaryDirectory(prefix="peers-") as name:
        folder = Path(name)
        command = folder / "nvidia-smi"  # CodeCarbon looks for NVML where it runs
        command.write_text("#!/bin/sh\n")
        command.chmod(0o755)
        found = NvmlStub(folder).environment(gpus)
        path = f"{folder}:{os.environ['PATH']}"
        yield gpus, {**os.environ, **found, "PATH": path}


@dataclass(frozen=True)
class Bench:
    """Where everything is.

    Attributes:
        gpus: Scripted GPUs: first those with a counter, then those without.
        environment: What makes a process see them.
        zeus_python: Interpreter of the environment that has Zeus.
    """

    gpus: Sequence[Gpu]
    environment: dict[str, str]
    zeus_python: str

    def indexes(self, *, counter: bool) -> list[str]:
        half = len(self.gpus) // 2
        return [str(i) for i in (range(half) if counter else range(half, 2 * half))]


class Worker:
    """One tool in its process."""

    def __init__(
        self,
        bench: Bench,
        python: str,
        module: str,
        *words: str,
        visible: Sequence[Gpu] = (),
    ) -> None:
        uuids = ",".join(gpu.uuid for gpu in visible)
        shown = {"CUDA_VISIBLE_DEVICES": uuids} if visible else {}
        node = TemporaryDirectory(prefix="peers-")  # a meter process of its own
        self.node = node
        self.process = subprocess.Popen(
            [python, "-m", f"{WORKERS}.{module}", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**bench.environment, FOLDER_VARIABLE: node.name, **shown},
            cwd=ROOT,
            text=True,
        )
        self.open_s: float | None = None

    def __enter__(self) -> Self:
        self.open_s = self.answer()["open_s"]
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait(30.0)
        self.node.cleanup()

    def tell(self, operation: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(operation + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended: {self.process.args!r}")
        said: dict[str, Any] = json.loads(line)
        return said

    def cpu_s(self) -> float:
        """Processor seconds of it and of all that it started."""
        head = psutil.Process(self.process.pid)
        every = (head, *head.children(recursive=True))
        return sum(sum(process.cpu_times()[:4]) for process in every)


def workers(bench: Bench, *, polled: bool) -> dict[str, Worker]:
    """The tools of one pass by name; polled is Zeus on GPUs without a counter."""
    if polled:
        indexes = bench.indexes(counter=False)
        return {"zeus": Worker(bench, bench.zeus_python, "with_zeus", *indexes)}
    counted = bench.indexes(counter=True)
    every = counted + bench.indexes(counter=False)
    half = len(bench.gpus) // 2
    alone = [[gpu] for gpu in bench.gpus[:half]] + [list(bench.gpus[half:])]
    ours = {
        f"joulebench#{number}": Worker(bench, sys.executable, "with_ours", visible=gpus)
        for number, gpus in enumerate(alone)
    }
    return {
        **ours,
        TOGETHER: Worker(bench, sys.executable, "with_ours"),
        "joulebench, unaligned": Worker(
            bench, sys.executable, "with_ours", "unaligned"
        ),
        "codecarbon": Worker(bench, sys.executable, "with_codecarbon", "15", *every),
        "zeus": Worker(bench, bench.zeus_python, "with_zeus", *counted),
    }


def measure(
    bench: Bench, phases: int, windows_s: Sequence[float]
) -> tuple[list[Result], list[Call]]:
    """Every tool over every window, both passes."""
    results: list[Result] = []
    calls: list[Call] = []
    for polled in (False, True):
        chance = random.Random(SEED)
        with ExitStack() as stack:
            tools = {
                name: stack.enter_context(worker)
                for name, worker in workers(bench, polled=polled).items()
            }
            for number in range(phases):
                sys.stderr.write(f"\rpass {polled + 1}/2, phase {number + 1}/{phases}")
                for window_s in windows_s:
                    time.sleep(chance.uniform(0.05, 0.55))
                    # A whole number of ticks would be read right at any phase.
                    length_s = window_s + chance.uniform(0.0, 0.1)
                    said = one_window(tools, length_s)
                    results += judged(bench, window_s, said)
                    calls += timed(said)
    sys.stderr.write("\n")
    return results, calls


def one_window(tools: dict[str, Worker], window_s: float) -> dict[str, Any]:
    """What every tool said of one window, with the instants of both calls."""
    for worker in tools.values():
        worker.tell("begin")
    begun = {name: worker.answer() for name, worker in tools.items()}
    time.sleep(window_s)
    for worker in tools.values():
        worker.tell("end")
    ended = {name: worker.answer() for name, worker in tools.items()}
    return {name: (begun[name], ended[name]) for name in tools}


def judged(bench: Bench, window_s: float, said: dict[str, Any]) -> Iterator[Result]:
    """Errors of all tools over one window."""
    for worker, (begun, ended) in said.items():
        name = worker.partition("#")[0]
        work = (begun["returned_ns"], ended["called_ns"])
        for index, gpu in enumerate(bench.gpus):
            one = ended["said"].get(str(index)) or ended["said"].get(gpu.uuid)
            if one is None:
                continue
            curve = list(CURVES)[index % len(CURVES)]
            counter = index < len(CURVES)
            own = (one["start_ns"] or work[0], one["end_ns"] or work[1])
            error = relative_error(gpu, one["joules"], own)
            yield Result(name, curve, counter, window_s, error)
            if name == "joulebench":
                share = (work[1] - work[0]) / (own[1] - own[0])
                joules = None if one["joules"] is None else one["joules"] * share
                error = relative_error(gpu, joules, work)
                yield Result(SCALED, curve, counter, window_s, error)


def relative_error(
    gpu: Gpu, joules: float | None, interval: tuple[int, int]
) -> float | None:
    if joules is None:
        return None
    true_j = gpu.energy_j(interval[0] / 1e9, interval[1] / 1e9)
    return (joules - true_j) / true_j


def timed(said: dict[str, Any]) -> Iterator[Call]:
    """How long the calls of one window took."""
    for worker, replies in said.items():
        name = worker.partition("#")[0]
        for what, reply in zip(("begin", "end"), replies, strict=True):
            duration_ns = reply["returned_ns"] - reply["called_ns"]
            yield Call(name, what, duration_ns / 1e9)


def costs(bench: Bench, duration_s: float) -> Iterator[Cost]:
    """What each tool uses when it meters alone."""
    counted, others = bench.indexes(counter=True), bench.indexes(counter=False)
    python, zeus = sys.executable, bench.zeus_python
    cases = (
        ("joulebench", "10 Hz, 8 GPUs", (python, "with_ours")),
        ("zeus", "4 counters at both ends", (zeus, "with_zeus", *counted)),
        ("zeus", "4 GPUs without counter", (zeus, "with_zeus", *others)),
        ("codecarbon", "its 15 s, 8 GPUs", (python, "with_codecarbon", "15")),
        ("codecarbon", "10 Hz, 8 GPUs", (python, "with_codecarbon", "0.1")),
    )
    for tool, how, (interpreter, module, *words) in cases:
        sys.stderr.write(f"cost of {tool}, {how}\n")
        with Worker(bench, interpreter, module, *words) as worker:
            worker.tell("begin")
            worker.answer()
            before_s = worker.cpu_s()
            time.sleep(duration_s)
            used_s = worker.cpu_s() - before_s
            worker.tell("end")
            worker.answer()
            yield Cost(tool, how, used_s * 60.0 / duration_s, worker.open_s or 0.0)


def import_s(bench: Bench, tool: str) -> float:
    """Seconds that the import takes in a fresh interpreter, the median of five."""
    python = bench.zeus_python if tool == "zeus" else sys.executable
    code = (
        "import time; started = time.perf_counter(); "
        f"{IMPORTS[tool]}; print(time.perf_counter() - started)"
    )
    command = [python, "-c", code]
    said = [
        subprocess.run(
            command, env=bench.environment, cwd=ROOT, check=True, capture_output=True
        )
        for _ in range(5)
    ]
    return statistics.median(float(done.stdout.split()[-1]) for done in said)


def tools(zeus_python: str) -> str:
    """Names and versions of all three."""
    code = "from importlib.metadata import version; print(version('zeus'))"
    done = subprocess.run(
        [zeus_python, "-c", code], check=True, capture_output=True, text=True
    )
    ours, carbon = version("joulebench"), version("codecarbon")
    return f"joulebench {ours}, Zeus {done.stdout.strip()}, CodeCarbon {carbon}"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--zeus-python", default=sys.executable)
    parser.add_argument("--phases", type=int, default=12)
    parser.add_argument("--windows", type=float, nargs="+", default=WINDOWS_S)
    parser.add_argument("--cost-s", type=float, default=20.0)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    return parser.parse_args()


def main() -> None:
    """Measure and write the page."""
    wanted = options()
    with scripted() as (gpus, environment):
        bench = Bench(gpus, environment, wanted.zeus_python)
        results, calls = measure(bench, wanted.phases, wanted.windows)
        spent = list(costs(bench, wanted.cost_s))
        imports_s = {tool: import_s(bench, tool) for tool in IMPORTS}
    facts = {
        "tools": tools(wanted.zeus_python),
        "phases": str(wanted.phases),
        "note": NOTE,
    }
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    wanted.output.write_text(document(facts, results, calls, spent, imports_s))
    sys.stderr.write(f"written to {wanted.output}\n")


if __name__ == "__main__":
    main()
