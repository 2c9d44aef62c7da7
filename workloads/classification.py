"""Train or apply a classifier: the loop that bert, cnn and rnn share.

A family says what its data and model are (`Recipe`); this says how they are run.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from harness.contracts import Card, Setting, Skip
from harness.records import Doubt, ModelFacts, OptionValue, Phase, Quality
from workloads.cards import options_of
from workloads.datasets import Split
from workloads.precision import (
    PRECISIONS,
    Context,
    Converted,
    parameter_count,
    weight_bytes,
)
from workloads.weights import load_or_train, weights_path

REFERENCE_SEED = 0
REFERENCE_BATCH = 32
WARMUP_RATIO = 0.1
WEIGHT_DECAY = 0.01
LARGEST_NORM = 1.0

Options = Mapping[str, OptionValue]


@dataclass(frozen=True)
class Recipe:
    """What makes a family.

    Attributes:
        load: Data for some options and a cache folder.
        build: Untrained model for some options and a number of classes; maps a
            batch of inputs to logits [batch, classes].
    """

    card: Card
    load: Callable[[Options, Path], Split]
    build: Callable[[Options, int], nn.Module]


class Training:
    """Fixed work: some epochs of AdamW over tensors that lie on the device."""

    def __init__(
        self,
        converted: Converted,
        data: tuple[Tensor, Tensor],
        options: Options,
        batch_size: int,
        seed: int,
    ) -> None:
        self.model: nn.Module = converted.model.train()
        self._autocast = converted.autocast
        self._x, self._y = data
        self._batch = min(batch_size, len(self._y))
        self._peak = float(options["learning_rate"])
        self._order = self._shuffle(int(options["epochs"]), seed)
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=self._peak, weight_decay=WEIGHT_DECAY
        )
        self.steps = len(self._order)
        self._done = 0

    def _shuffle(self, epochs: int, seed: int) -> Tensor:
        """Indices [steps, batch]; what does not fill a batch is left out."""
        generator = torch.Generator().manual_seed(seed)
        n = len(self._y) - len(self._y) % self._batch
        epoch = [
            torch.randperm(len(self._y), generator=generator) for _ in [0] * epochs
        ]
        chosen = torch.cat([order[:n] for order in epoch])
        return chosen.reshape(-1, self._batch).to(self._y.device)

    def warm(self) -> None:
        """One step of the same work; leaves weights, buffers and dice untouched.

        A rate of zero makes AdamW add exactly nothing, whatever it computed.
        """
        buffers = [b.clone() for b in self.model.buffers()]
        devices = [self._y.device] if self._y.is_cuda else []
        with torch.random.fork_rng(devices):
            self._update(self._order[0], rate=0.0)
        self._optimizer.state.clear()
        for buffer, before in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(before)

    def step(self) -> int:
        """Next batch; returns its number of items."""
        index = self._order[self._done % self.steps]
        self._update(index, rate=self._peak * schedule(self._done, self.steps))
        self._done += 1
        return len(index)

    def _update(self, index: Tensor, *, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with autocast(self._y.device, self._autocast):
            loss = cross_entropy(self.model(self._x[index]), self._y[index])
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_NORM)
        self._optimizer.step()


class Inference:
    """Open work: batch after batch of the test set in a fixed order, round and round.

    Attributes:
        answers: [items + padding] class given to each item, -1 before it has one.
    """

    def __init__(
        self, model: nn.Module, x: Tensor, batch_size: int, autocast_dtype: Any = None
    ) -> None:
        self.model = model.eval()
        self._items = len(x)
        self._batch = batch_size
        self._autocast = autocast_dtype
        padding = -len(x) % batch_size
        filled = torch.arange(len(x) + padding, device=x.device) % len(x)
        self._x = x[filled]  # whole batches only: the last one begins anew
        self.answers = torch.full((len(filled),), -1, device=x.device)
        self._start = 0

    def warm(self) -> None:
        """The batch that comes next, its answers thrown away."""
        self._apply(self._start)

    def step(self) -> int:
        """Answer the next batch; returns its number of items."""
        start, stop = self._start, self._start + self._batch
        self.answers[start:stop] = self._apply(start)
        self._start = stop % len(self._x)
        return self._batch

    def finish(self) -> bool:
        """Answer what is left; whether nothing was."""
        missing = (self.answers[: self._items] < 0).any().item()
        for start in range(0, len(self._x), self._batch):
            stop = start + self._batch
            if (self.answers[start:stop] < 0).any().item():
                self.answers[start:stop] = self._apply(start)
        return not missing

    def _apply(self, start: int) -> Tensor:
        """Classes [batch] of the batch that begins at an item."""
        batch = self._x[start : start + self._batch]
        with torch.inference_mode(), autocast(batch.device, self._autocast):
            logits: Tensor = self.model(batch)
        return logits.argmax(1)


class Classification:
    """Satisfies `harness.contracts.Workload` for the classifier of a recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def prepare(self, setting: Setting) -> Skip | None:
        """Load data and weights, convert the model, put tensors on the device."""
        cap_threads()
        configuration = setting.configuration
        options = options_of(self._recipe.card, configuration)
        self._split = self._recipe.load(options, setting.cache)
        weights_sha256 = None
        if configuration.phase == Phase.TRAIN:
            model = self._untrained(options, setting.seed, setting.device)
        else:
            model, weights_sha256 = self._trained(options, setting)
        parameters, before = parameter_count([model]), weight_bytes(model)
        context = Context(
            configuration.phase, configuration.workload, setting.device.split(":")[0]
        )
        converted = PRECISIONS[configuration.precision].convert(model, context)
        if isinstance(converted, Skip):
            return converted
        self._doubts = converted.doubts
        self._loop = self._start(converted, options, setting)
        self._facts = ModelFacts(
            parameters=parameters,
            weight_bytes=weight_bytes(converted.model),
            original_weight_bytes=before,
            quantised_ratio=converted.parameters_ratio,
            quantised_layers=converted.layers,
            scheme=converted.scheme,
            weights_sha256=weights_sha256,
        )
        return None

    def _start(
        self, converted: Converted, options: Options, setting: Setting
    ) -> Training | Inference:
        batch_size = setting.configuration.batch_size
        self._x_test = tensor(self._split.x_test, setting.device, converted.input_dtype)
        self._autocast = converted.autocast
        if setting.configuration.phase == Phase.TRAIN:
            data = _training_data(self._split, setting.device)
            return Training(converted, data, options, batch_size, setting.seed)
        return Inference(converted.model, self._x_test, batch_size, converted.autocast)

    def _untrained(self, options: Options, seed: int, device: str) -> nn.Module:
        torch.manual_seed(seed)
        classes = int(self._split.y_train.max()) + 1
        return self._recipe.build(options, classes).to(device)

    def _trained(self, options: Options, setting: Setting) -> tuple[nn.Module, str]:
        """The fp32 reference model and the digest of its weights."""
        model = self._untrained(options, REFERENCE_SEED, setting.device)

        def train() -> dict[str, Tensor]:
            data = _training_data(self._split, setting.device)
            training = Training(
                Converted(model), data, options, REFERENCE_BATCH, REFERENCE_SEED
            )
            for _ in range(training.steps):
                training.step()
            state = model.state_dict().items()
            return {name: t.detach().cpu().contiguous() for name, t in state}

        path = weights_path(self._recipe.card, setting.configuration, setting.cache)
        state, digest = load_or_train(path, train)
        model.load_state_dict(state)
        return model.eval().requires_grad_(requires_grad=False), digest

    def total_steps(self) -> int | None:
        """Steps of all epochs in training; None in inference."""
        return self._loop.steps if isinstance(self._loop, Training) else None

    def warm(self) -> None:
        """One step without a trace."""
        self._loop.warm()

    def step(self) -> int:
        """One batch; returns its number of items."""
        return self._loop.step()

    def evaluate(self) -> tuple[Quality, Mapping[str, Any]]:
        """Accuracy on the held-out items, with `correct` [n] and `answer` [n]."""
        in_window = False
        if isinstance(self._loop, Training):
            batch = min(256, len(self._x_test))
            loop = Inference(self._loop.model, self._x_test, batch, self._autocast)
            loop.finish()
        else:
            loop = self._loop
            in_window = loop.finish()
        answer = loop.answers[: len(self._x_test)].cpu().numpy()
        return score(answer, self._split, in_window=in_window)

    def facts(self) -> ModelFacts:
        """What model really ran."""
        return self._facts

    def doubts(self) -> Sequence[Doubt]:
        """Emulated or uncompiled arithmetic, where the precision knows of it."""
        return self._doubts


def score(
    answer: np.ndarray[Any, Any], split: Split, *, in_window: bool
) -> tuple[Quality, Mapping[str, Any]]:
    """Quality of answers [n] against the majority class of the training data."""
    correct = answer == split.y_test
    majority = np.bincount(split.y_train).argmax()
    baseline = float((split.y_test == majority).mean())
    accuracy = float(correct.mean())
    skill = (accuracy - baseline) / (1 - baseline) if baseline < 1 else None
    quality = Quality(
        metric="accuracy",
        accuracy=accuracy,
        n=len(correct),
        constant_baseline=baseline,
        skill=skill,
        in_window=in_window,
    )
    return quality, {"correct": correct, "answer": answer}


def schedule(step: int, steps: int) -> float:
    """Share of the peak rate: linear warm-up over a tenth, then linear decay."""
    warmup = max(1, round(steps * WARMUP_RATIO))
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (steps - step) / max(1, steps - warmup))


def autocast(device: torch.device, dtype: Any) -> AbstractContextManager[Any]:
    """Mixed precision, or nothing at all where there is no dtype."""
    return torch.autocast(device.type, dtype=dtype) if dtype else nullcontext()


def tensor(array: np.ndarray[Any, Any], device: str, dtype: Any = None) -> Tensor:
    """An array on the device; floats in the dtype where one is given."""
    made = torch.from_numpy(array).to(device)
    return made.to(dtype) if dtype and made.is_floating_point() else made


def cap_threads() -> None:
    """No more threads than processors this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    limit = usable or os.cpu_count() or 1
    if torch.get_num_threads() > limit:
        torch.set_num_threads(limit)


def _training_data(split: Split, device: str) -> tuple[Tensor, Tensor]:
    return tensor(split.x_train, device), tensor(split.y_train, device)
