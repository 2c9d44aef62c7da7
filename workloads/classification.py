"""A classifier under measurement: what bert, cnn and rnn share.

A family says what its data and model are (`Recipe`); this brings them into a precision
and a run time, and says how well the answers were.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score, recall_score
from torch import Tensor, nn

from harness.contracts import Card, Effort, Setting, Skip
from harness.records import (
    PLAIN_SCENARIO,
    Configuration,
    Doubt,
    ModelFacts,
    OptionValue,
    Phase,
    Quality,
)
from workloads.cards import options_of
from workloads.conversion import (
    PRECISIONS,
    Context,
    Converted,
    parameter_count,
    weight_bytes,
)
from workloads.datasets import Split
from workloads.inference import Inference, channels_last, shaped
from workloads.peaks import TRAIN_OVER_INFER, flop_per_item, peak_flop_per_s
from workloads.runtimes import RUNTIMES, unsupported
from workloads.training import Lesson, Training
from workloads.tuning import tuned
from workloads.weights import load_or_train, weights_path

REFERENCE_SEED = 0
REFERENCE_BATCH = 32
EXAM_BATCH = 256
EXAMS_AN_EPOCH = 4

Options = Mapping[str, OptionValue]


@dataclass(frozen=True)
class Recipe:
    """What makes a family.

    Attributes:
        load: Data for some options and a cache folder.
        build: Untrained model for some options and a number of classes; maps a
            batch of inputs to logits [batch, classes].
        student: The same at half the size, for distillation.
    """

    card: Card
    load: Callable[[Options, Path], Split]
    build: Callable[[Options, int], nn.Module]
    student: Callable[[Options, int], nn.Module]


class Classification:
    """Satisfies `harness.contracts.Workload` for the classifier of a recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def prepare(self, setting: Setting) -> Skip | None:
        """Load data and the fp32 model: trained for `infer`, untrained for `train`."""
        cap_threads()
        if reason := unsupported(setting.configuration):
            return Skip(reason)  # the plan may be another machine's
        self._setting = setting
        self._options = options_of(self._recipe.card, setting.configuration)
        self._split = self._recipe.load(self._options, setting.cache)
        self._x_test = tensor(self._split.x_test, setting.device)
        self._digest: str | None = None
        self._school = School(self._recipe, self._options, setting, self._split)
        if setting.configuration.phase == Phase.TRAIN:
            model = tuned(self._school.untrained(setting.seed), self._options)
            if isinstance(model, Skip):
                return model
            self._model = model
        else:
            self._model, self._digest = self._school.reference()
        return None

    def convert(self) -> Skip | None:
        """Precision and run time, up to the first step, which does the compiling."""
        configuration = self._setting.configuration
        model, batch = self._model, configuration.batch_size
        before, parameters = weight_bytes(model), parameter_count([model])
        example = self._x_test[torch.arange(batch) % len(self._x_test)]
        self._flop = flop_per_item(model, example[:1])
        context = Context(
            configuration.phase,
            configuration.workload,
            self._setting.device.split(":")[0],
            configuration.runtime,
            shaped(example),
            lambda: self._school.batches(batch),
            self._school,
        )
        runtime = RUNTIMES[configuration.runtime]
        converted = runtime.convert(model, configuration.precision, context)
        if isinstance(converted, Skip):
            return converted
        self._converted = converted
        if PRECISIONS[configuration.precision].track == "open":
            ran = converted.model  # another model than the reference
            is_module = isinstance(ran, nn.Module)
            self._flop = flop_per_item(ran, example[:1]) if is_module else None
        self._loop = self._start()
        self._loop.warm()
        self._facts = ModelFacts(
            parameters=parameters,
            weight_bytes=converted.weight_bytes or weight_bytes(converted.model),
            original_weight_bytes=before,
            quantised_ratio=converted.parameters_ratio,
            quantised_layers=converted.layers,
            scheme=converted.scheme,
            weights_sha256=self._digest,
        )
        return None

    def _start(self) -> Training | Inference:
        configuration, converted = self._setting.configuration, self._converted
        if configuration.phase == Phase.TRAIN:
            lesson = self._school.lesson(
                int(self._options["epochs"]),
                configuration.batch_size,
                self._setting.seed,
            )
            return Training(converted, lesson, self._options)
        return self._answering(converted.model, configuration.batch_size)

    def _answering(self, model: Any, batch_size: int) -> Inference:
        x = cast(self._x_test, self._converted.input_dtype)
        return Inference(model, x, batch_size, self._converted.autocast)

    def total_steps(self) -> int | None:
        """Steps of all epochs in training; None in inference."""
        return self._loop.steps if isinstance(self._loop, Training) else None

    def warm(self) -> None:
        """One step without a trace."""
        self._loop.warm()

    def step(self) -> int:
        """One batch; returns its number of items."""
        return self._loop.step()

    def answer(self, items: int) -> None:
        """Answer the next few items of an inference in one step."""
        if isinstance(self._loop, Inference):
            self._loop.answer(items, whole=not self._converted.any_batch)

    def forget(self) -> None:
        """As if no item had been answered yet."""
        if isinstance(self._loop, Inference):
            self._loop.forget()

    def exam_due(self) -> bool:
        """A few times an epoch, in a training that has a target."""
        if not isinstance(self._loop, Training) or not self._target():
            return False
        every = max(1, self._loop.steps_an_epoch // EXAMS_AN_EPOCH)
        return self._loop.done % every == 0

    def examine(self) -> bool:
        """Whether the held-out accuracy has reached the target."""
        quality, _ = self.evaluate()
        return (quality.accuracy or 0.0) >= self._target()

    def _target(self) -> float:
        return float(self._options.get("target", 0.0))

    def evaluate(self) -> tuple[Quality, Mapping[str, Any]]:
        """Accuracy on the held-out items, with what each of them was answered."""
        in_window = False
        if isinstance(self._loop, Training):
            loop = self._examined(self._loop)
        else:
            loop = self._loop
            in_window = loop.finish()
        answer = loop.answers[: len(self._x_test)].cpu().numpy()
        quality, arrays = score(answer, self._split, in_window=in_window)
        if isinstance(self._loop, Training) and self._target():
            quality = quality.model_copy(update={"target": self._target()})
        return quality, arrays

    def _examined(self, training: Training) -> Inference:
        """The trained model answering; it goes on learning where it left off."""
        model = self._converted.examinee(training.model)
        loop = self._answering(model, min(EXAM_BATCH, len(self._x_test)))
        loop.finish()
        self._converted.resume(training.model)
        return loop

    def facts(self) -> ModelFacts:
        """What model really ran."""
        return self._facts

    def effort(self) -> Effort:
        """Operations an item, and the peak of the device at this precision."""
        device = self._setting.device
        peak, source = peak_flop_per_s(device, self._converted.peak)
        is_training = self._setting.configuration.phase == Phase.TRAIN
        tune = str(self._options.get("tune", "all"))
        factor = TRAIN_OVER_INFER[tune] if is_training else 1.0
        flop = self._flop * factor if self._flop else None
        return Effort(flop_per_item=flop, peak_flop_per_s=peak, source=source)

    def doubts(self) -> Sequence[Doubt]:
        """Emulated or uncompiled arithmetic, and batches of another size than asked."""
        asked, converted = self._setting.configuration, self._converted
        if isinstance(self._loop, Training) and self._loop.batch < asked.batch_size:
            return (*converted.doubts, _smaller(asked, self._loop.batch))
        padded = asked.scenario != PLAIN_SCENARIO and asked.batch_size > 1
        if not padded or converted.any_batch:
            return converted.doubts
        return (*converted.doubts, _padded(asked))


def _padded(asked: Configuration) -> Doubt:
    return Doubt(
        code="padded",
        message=f"{asked.precision} on {asked.runtime} takes batches of "
        f"{asked.batch_size} alone: fewer queries were filled up with others and cost "
        "as much as a whole batch",
        remedy="batch_size 1, or a run time that takes any size (eager)",
    )


def _smaller(asked: Configuration, items: int) -> Doubt:
    return Doubt(
        code="small-data",
        message=f"batches of {asked.batch_size} were asked for, but there are {items} "
        "items to learn from: each step had all of them",
        remedy=f"batch_size {items} or less, or more data",
    )


class School:
    """The models of one configuration, and the data that they learn from.

    Satisfies `workloads.conversion.Coach`.
    """

    def __init__(
        self, recipe: Recipe, options: Options, setting: Setting, split: Split
    ) -> None:
        self._recipe = recipe
        self._options = options
        self._setting = setting
        self._split = split
        self._classes = int(split.y_train.max()) + 1

    def untrained(self, seed: int) -> nn.Module:
        """A model of the asked size."""
        torch.manual_seed(seed)
        model = self._recipe.build(self._options, self._classes)
        return channels_last(model.to(self._setting.device))

    def student(self) -> nn.Module:
        """A model of half the size."""
        torch.manual_seed(REFERENCE_SEED)
        model = self._recipe.student(self._options, self._classes)
        return channels_last(model.to(self._setting.device))

    def reference(self) -> tuple[nn.Module, str]:
        """The trained fp32 model and the digest of its weights."""
        model = self.untrained(REFERENCE_SEED)
        return self._learnt(model, int(self._options["epochs"]), None, "")

    def taught(self, model: nn.Module, *, epochs: int, teacher: nn.Module) -> nn.Module:
        """The model after some epochs, or as the cache has it."""
        variant = self._setting.configuration.precision
        return self._learnt(model, epochs, teacher, variant)[0]

    def _learnt(
        self, model: nn.Module, epochs: int, teacher: nn.Module | None, variant: str
    ) -> tuple[nn.Module, str]:
        def train() -> dict[str, Tensor]:
            lesson = self.lesson(epochs, REFERENCE_BATCH, REFERENCE_SEED, teacher)
            training = Training(Converted(model), lesson, self._options)
            for _ in range(training.steps):
                training.step()
            state = model.state_dict().items()
            return {name: t.detach().cpu().contiguous() for name, t in state}

        configuration, cache = self._setting.configuration, self._setting.cache
        path = weights_path(self._recipe.card, configuration, cache, variant)
        state, digest = load_or_train(path, train)
        model.load_state_dict(state)
        return model.eval().requires_grad_(requires_grad=False), digest

    def lesson(
        self, epochs: int, batch_size: int, seed: int, teacher: Any = None
    ) -> Lesson:
        """The training data, for some epochs."""
        device = self._setting.device
        x, y = tensor(self._split.x_train, device), tensor(self._split.y_train, device)
        return Lesson(x, y, epochs, batch_size, seed, teacher)

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """Whole batches of training inputs, in the order of the data.

        Where they do not fill one, it takes some of them again.
        """
        x = tensor(self._split.x_train, self._setting.device)
        if len(x) < batch_size:
            yield shaped(x[torch.arange(batch_size) % len(x)])
        for start in range(0, len(x) - batch_size + 1, batch_size):
            yield shaped(x[start : start + batch_size])


def score(
    answer: np.ndarray[Any, Any], split: Split, *, in_window: bool
) -> tuple[Quality, Mapping[str, Any]]:
    """Quality of answers [n] against the majority class of the training data.

    The arrays pair the items of one trial with those of another: `item` [n] is the
    index into the test set, `truth` [n] what the answer should have been.
    """
    truth = split.y_test
    correct = answer == truth
    majority = np.bincount(split.y_train).argmax()
    baseline = float((truth == majority).mean())
    accuracy = float(correct.mean())
    skill = (accuracy - baseline) / (1 - baseline) if baseline < 1 else None
    quality = Quality(
        metric="accuracy",
        accuracy=accuracy,
        n=len(correct),
        constant_baseline=baseline,
        skill=skill,
        in_window=in_window,
        f1=float(f1_score(truth, answer, average="macro", zero_division=0)),
        recall=float(recall_score(truth, answer, average="macro", zero_division=0)),
    )
    return quality, {
        "correct": correct,
        "answer": answer,
        "item": np.arange(len(correct), dtype=np.int32),
        "truth": truth,
    }


def tensor(array: np.ndarray[Any, Any], device: str) -> Tensor:
    """An array on the device."""
    return torch.from_numpy(array).to(device)


def cast(x: Tensor, dtype: Any) -> Tensor:
    """Floats in the dtype where one is given; token ids as they are."""
    return x.to(dtype) if dtype and x.is_floating_point() else x


def cap_threads() -> None:
    """No more threads than processors this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    limit = usable or os.cpu_count() or 1
    if torch.get_num_threads() > limit:
        torch.set_num_threads(limit)
