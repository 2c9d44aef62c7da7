"""Learning: epochs of a classifier over tensors that lie on the device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from harness.records import OptionValue
from workloads.conversion import Converted
from workloads.inference import autocast, shaped

WARMUP_RATIO = 0.1
WEIGHT_DECAY = 0.01
MOMENTUM = 0.9
LARGEST_NORM = 1.0
TEMPERATURE = 2.0
TAUGHT = 0.5
"""Share of the teacher in a student's loss; the labels have the rest."""

Options = Mapping[str, OptionValue]
Teacher = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Lesson:
    """What is learnt, and how often.

    Attributes:
        x: Inputs [n, ...] on the device.
        y: Classes [n] on the device.
        seed: Of the order of the items.
        teacher: Gives the logits that a student learns beside the labels.
    """

    x: Tensor
    y: Tensor
    epochs: int
    batch_size: int
    seed: int
    teacher: Teacher | None = None


class Training:
    """Fixed work: a number of epochs, with warm-up and linear decay of the rate.

    Attributes:
        batch: Items of a step: as asked, or all where there are fewer.
    """

    def __init__(self, converted: Converted, lesson: Lesson, options: Options) -> None:
        self.model: nn.Module = converted.resume(converted.model)
        self._autocast = converted.autocast
        self._lesson = lesson
        self.batch = min(lesson.batch_size, len(lesson.y))
        self._peak = float(options["learning_rate"])
        self._order = self._shuffle()
        self._optimizer = optimizer(self.model, options, self._peak)
        self._scaler = torch.amp.GradScaler(
            lesson.y.device.type, enabled=converted.scales_loss
        )
        self.steps = len(self._order)
        self.done = 0

    @property
    def steps_an_epoch(self) -> int:
        """Whole batches in one pass over the items."""
        return len(self._lesson.y) // self.batch

    def _shuffle(self) -> Tensor:
        """Indices [steps, batch]; what does not fill a batch is left out."""
        items = len(self._lesson.y)
        generator = torch.Generator().manual_seed(self._lesson.seed)
        whole = items - items % self.batch
        epochs = range(self._lesson.epochs)
        order = [torch.randperm(items, generator=generator)[:whole] for _ in epochs]
        return torch.cat(order).reshape(-1, self.batch).to(self._lesson.y.device)

    def warm(self) -> None:
        """One step of the same work; leaves weights, buffers and dice untouched.

        A rate of zero makes the optimiser add exactly nothing, whatever it computed.
        """
        buffers = [b.clone() for b in self.model.buffers()]
        devices = [self._lesson.y.device] if self._lesson.y.is_cuda else []
        scale = self._scaler.state_dict()
        with torch.random.fork_rng(devices):
            self._update(self._order[0], rate=0.0)
        self._scaler.load_state_dict(scale)
        self._optimizer.state.clear()
        for buffer, before in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(before)

    def step(self) -> int:
        """Next batch; returns its number of items."""
        index = self._order[self.done % self.steps]
        self._update(index, rate=self._peak * schedule(self.done, self.steps))
        self.done += 1
        return len(index)

    def _update(self, index: Tensor, *, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        x, y = shaped(self._lesson.x[index]), self._lesson.y[index]
        with autocast(y.device, self._autocast):
            loss = self._loss(x, y)
        self._optimizer.zero_grad()
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_NORM)
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def _loss(self, x: Tensor, y: Tensor) -> Tensor:
        logits = self.model(x)
        loss = cross_entropy(logits, y)
        if self._lesson.teacher is None:
            return loss
        with torch.no_grad():
            wanted = self._lesson.teacher(x)
        return (1 - TAUGHT) * loss + TAUGHT * distance(logits, wanted)


def distance(logits: Tensor, wanted: Tensor) -> Tensor:
    """Of softened answers [batch, classes]; Hinton, arXiv 1503.02531, section 2."""
    mine = log_softmax(logits / TEMPERATURE, dim=1)
    theirs = softmax(wanted / TEMPERATURE, dim=1)
    return kl_div(mine, theirs, reduction="batchmean") * TEMPERATURE**2


def optimizer(model: nn.Module, options: Options, rate: float) -> torch.optim.Optimizer:
    """AdamW or SGD with momentum over what may learn, in fused kernels."""
    learning = [p for p in model.parameters() if p.requires_grad]
    if options.get("optimizer") == "sgd":
        return torch.optim.SGD(
            learning, rate, MOMENTUM, weight_decay=WEIGHT_DECAY, fused=True
        )
    return torch.optim.AdamW(learning, rate, weight_decay=WEIGHT_DECAY, fused=True)


def schedule(step: int, steps: int) -> float:
    """Share of the peak rate: linear warm-up over a tenth, then linear decay."""
    warmup = max(1, round(steps * WARMUP_RATIO))
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (steps - step) / max(1, steps - warmup))
