"""What the engines have in common: how they are called, fed, counted and kept quiet."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import islice
from typing import Any

from harness.contracts import Skip
from workloads.conversion import Context, parameter_count
from workloads.precisions import static_int8

NO_CALIBRATION = "there are no training batches to calibrate on"


@dataclass(frozen=True)
class Session:
    """An engine's model as a function of torch tensors, whose memory it reads.

    Attributes:
        run: Maps a batch of inputs, a numpy array, to logits [batch, classes], an array
            that it neither keeps nor uses again.
        takes_plain: Its inputs lie in the order of their dimensions; other ones are
            copied at every call.
    """

    run: Callable[[Any], Any]
    takes_plain: bool = True

    def __call__(self, batch: Any) -> Any:
        """Logits [batch, classes], float32, on the processor."""
        import torch

        return torch.from_numpy(self.run(batch.contiguous().numpy()))


@dataclass(frozen=True)
class Tally:
    """What of a graph has few bits.

    Attributes:
        sizes: Number of elements of each weight with few bits.
        weight_bytes: Bytes of all constants of the graph.
    """

    sizes: tuple[int, ...]
    weight_bytes: int

    def share(self, model: Any) -> float:
        """Share of a torch model's parameters that have few bits, at most 1."""
        return min(1.0, sum(self.sizes) / parameter_count([model]))


def mostly_float(low: int, products: int, precision: str) -> Skip | None:
    """A skip where the engine runs more layers of products in floats than not."""
    if 2 * low >= products and low:
        return None
    return Skip(
        f"{precision}: only {low} of {products} layers of products would run on few "
        "bits, the engine makes floats of the others' weights"
    )


def calibration(context: Context) -> list[Any]:
    """Training batches to find scales on: numpy arrays of the example's shape."""
    fitting = (b for b in context.calibration() if b.shape == context.example.shape)
    return [b.contiguous().numpy() for b in islice(fitting, static_int8.BATCHES)]


@contextmanager
def quiet() -> Iterator[None]:
    """Converters log, warn of their own deprecations and draw bars; none of it here."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    sink = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(sink),
            redirect_stderr(sink),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
