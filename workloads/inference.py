"""Answering: batch after batch of the held-out items, round and round."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

Answering = Callable[[Tensor], Tensor]
"""Maps a batch of inputs to logits [batch, classes]: a module, or an engine."""


class Inference:
    """Open work: batches of the test set in a fixed order.

    Attributes:
        answers: [items + padding] class given to each item, -1 before it has one.
    """

    def __init__(
        self, model: Answering, x: Tensor, batch_size: int, autocast_dtype: Any = None
    ) -> None:
        self._model = model
        self._x = x
        self._items = len(x)
        self._batch = batch_size
        self._autocast = autocast_dtype
        padding = -len(x) % batch_size
        filled = torch.arange(len(x) + padding, device=x.device) % len(x)
        inputs = x[filled]  # whole batches only: the last one begins anew
        is_engine = getattr(model, "takes_plain", False)
        self._laid_out = Tensor.contiguous if is_engine else shaped
        self._batches = [
            self._laid_out(inputs[start : start + batch_size])
            for start in range(0, len(inputs), batch_size)
        ]
        self.answers = torch.full((len(filled),), -1, device=x.device)
        self._next = 0
        self._query = 0

    def warm(self) -> None:
        """The batch that comes next, its answers thrown away."""
        self._apply(self._next)

    def step(self) -> int:
        """Answer the next batch; returns its number of items."""
        self._answer(self._next)
        self._next = (self._next + 1) % len(self._batches)
        return self._batch

    def finish(self) -> bool:
        """Answer what is left; whether nothing was."""
        missing = self.answers[: self._items] < 0
        given = self.answers[: self._items].clone()
        for index in range(len(self._batches)):
            if missing[self._places(index)].any().item():
                self._answer(index)
        self.answers[: self._items] = torch.where(
            missing, self.answers[: self._items], given
        )
        return not missing.any().item()

    def answer(self, items: int, *, whole: bool) -> None:
        """Answer the next few items, at most a batch.

        Args:
            items: How many.
            whole: The model takes whole batches only: fill it up with the items that
                follow, whose answers are thrown away.
        """
        first = self._query
        rows = self._rows[first : first + (self._batch if whole else items)]
        places = torch.arange(first, first + items, device=rows.device) % self._items
        self.answers[places] = self._classes(rows)[:items]
        self._query = (first + items) % self._items

    @cached_property
    def _rows(self) -> Tensor:
        """Inputs [items + batch, ...], so that a batch may begin anywhere."""
        count = torch.arange(self._items + self._batch, device=self._x.device)
        return self._laid_out(self._x[count % self._items])

    def forget(self) -> None:
        """As if nothing had been answered yet."""
        self.answers.fill_(-1)
        self._next = self._query = 0

    def _answer(self, index: int) -> None:
        self.answers[self._places(index)] = self._apply(index)

    def _places(self, index: int) -> slice:
        return slice(index * self._batch, (index + 1) * self._batch)

    def _apply(self, index: int) -> Tensor:
        """Classes [batch] of a batch."""
        return self._classes(self._batches[index])

    def _classes(self, batch: Tensor) -> Tensor:
        with torch.inference_mode(), autocast(batch.device, self._autocast):
            logits = self._model(batch)
        return logits.argmax(1)


def shaped(batch: Tensor) -> Tensor:
    """Images [batch, c, h, w] with their channels last, which convolutions prefer."""
    if batch.dim() == 4:
        return batch.contiguous(memory_format=torch.channels_last)
    return batch.contiguous()


def channels_last(model: nn.Module) -> nn.Module:
    """The model with the weights of its convolutions laid out like `shaped` inputs."""
    if any(isinstance(module, nn.Conv2d) for module in model.modules()):
        return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def autocast(device: torch.device, dtype: Any) -> AbstractContextManager[Any]:
    """Mixed precision, or nothing at all where there is no dtype."""
    return torch.autocast(device.type, dtype=dtype) if dtype else nullcontext()
