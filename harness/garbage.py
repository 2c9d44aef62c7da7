"""The collector of cycles, kept from walking through all records again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the collector where many records are made: they hold no cycles.

    What nothing refers to any more is freed all the same.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()  # counts what is new as old, instead of walking through it now
            gc.unfreeze()
            gc.enable()
