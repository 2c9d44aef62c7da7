"""A workload as a user's own package would add it, which can go wrong on demand."""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.contracts import Card, Effort, Option, Setting, Skip
from harness.errors import BenchError
from harness.records import Doubt, ModelFacts, Quality

CARD = Card(
    name="trouble",
    about="nearest mean of two clouds, or a failure on demand",
    load="trouble_workload:Trouble",
    dataset="none",
    metric="accuracy",
    floor=0.9,
    phases=("infer",),
    options={
        "what": Option(
            default="work",
            about="what happens in the window",
            choices=(
                "work",
                "raise",
                "explain",
                "exit",
                "kill",
                "hang",
                "skip",
                "print",
                "hungry",
                "greedy",
                "fork",
                "flood",
                "nan",
                "flaky",
            ),
        ),
    },
    preload=(),
)


class Trouble:
    """Points around (-1, -1) and (1, 1); a class is the nearer mean."""

    def prepare(self, setting: Setting) -> Skip | None:
        self._what = str(setting.configuration.options["what"])
        if self._what == "skip":
            return Skip("asked to skip")
        generator = np.random.default_rng(setting.seed)
        self._labels = generator.integers(0, 2, 200)
        centres = self._labels[:, None] * 2 - 1
        self._points = centres + generator.normal(size=(200, 2)) / 2
        self._batch = setting.configuration.batch_size
        return None

    def convert(self) -> Skip | None:
        return None

    def total_steps(self) -> int | None:
        return None

    def exam_due(self) -> bool:
        return False

    def examine(self) -> bool:
        return False

    def effort(self) -> Effort:
        return Effort()

    def warm(self) -> None:
        time.sleep(0.001)

    def step(self) -> int:
        actions: dict[str, Callable[[], object]] = {
            "raise": _raise,
            "explain": _explain,
            "exit": lambda: os._exit(3),
            "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
            "hang": lambda: time.sleep(600),
            "hungry": lambda: _hungry(self._batch),
            "greedy": lambda: bytearray(1 << 60),
            "fork": _fork_and_hang,
            "flood": _flood,
            "flaky": _fail_once,
            "print": lambda: print('{"event": "outcome"}', flush=True),  # noqa: T201
        }
        actions.get(self._what, lambda: None)()
        time.sleep(0.001)
        return self._batch

    def answer(self, items: int) -> None:
        time.sleep(0.001)

    def forget(self) -> None:
        return None

    def evaluate(self) -> tuple[Quality, Mapping[str, Any]]:
        correct = (self._points.sum(axis=1) > 0) == self._labels
        quality = Quality(
            metric="accuracy",
            accuracy=float("nan" if self._what == "nan" else correct.mean()),
            n=len(correct),
            constant_baseline=max(self._labels.mean(), 1 - self._labels.mean()),
            skill=0.9,
            in_window=True,
        )
        return quality, {"correct": correct}

    def facts(self) -> ModelFacts:
        return ModelFacts(parameters=4, weight_bytes=32)

    def doubts(self) -> Sequence[Doubt]:
        return ()


def _raise() -> None:
    sys.stderr.write("a line for the log\n")
    raise ValueError("asked to fail\nin two lines")


def _explain() -> None:
    raise BenchError("the disk is on fire", hint="call someone")


def _hungry(batch: int) -> None:
    if batch > 1:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")


def _fork_and_hang() -> None:
    if os.fork() == 0:
        time.sleep(600)
    time.sleep(600)


def _flood() -> None:
    for _ in range(200):
        sys.stdout.write("x" * 99_999 + "\n")
    sys.stdout.flush()


def _fail_once() -> None:
    marker = Path(os.environ["TROUBLE_MARKER"])
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
