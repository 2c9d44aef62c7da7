"""A log keeps the beginning and the end of whatever a trial prints."""

import os
import threading
from pathlib import Path

from harness.logs import FIRST_BYTES, LAST_BYTES, Log


def logged(path: Path, *parts: bytes) -> None:
    source, writer = os.pipe()

    def write() -> None:
        for part in parts:
            os.write(writer, part)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    with Log(path, source) as log:
        while log.waited:
            log.take()
    thread.join()


def test_a_short_log_is_whole(tmp_path: Path) -> None:
    logged(tmp_path / "log", b"one\n", b"two\n")

    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_a_flood_is_bounded_and_its_end_is_there(tmp_path: Path) -> None:
    logged(tmp_path / "log", b"first\n", *[b"x" * 100_000] * 50, b"the error\n")

    kept = (tmp_path / "log").read_bytes()
    assert kept.startswith(b"first\n")
    assert kept.endswith(b"the error\n")
    assert b"bytes are left out" in kept
    assert len(kept) < FIRST_BYTES + 3 * LAST_BYTES


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    logged(tmp_path / "not" / "there", b"x" * 10)

    assert not (tmp_path / "not").exists()
