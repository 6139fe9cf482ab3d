"""The log of a model server: kept bounded, and what was said in it last."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MAX_LOG = 64 * 2**20  # bytes; a model that prints without end must not fill the disk
KEPT_LOG = 2**20
# What CUDA, ROCm, PyTorch, vLLM, Python and C++ say when memory has run out.
OUT_OF_MEMORY = re.compile(
    rb"out of memory|OutOfMemory|ALLOC_FAILED|No available memory for the cache blocks"
    rb"|std::bad_alloc|^MemoryError|cannot allocate memory",
    re.IGNORECASE | re.MULTILINE,
)


def bound(log: Path) -> None:
    """Cut a log that grew too long down to its end. Its writers append, so they go on behind it."""
    if log.exists() and log.stat().st_size > MAX_LOG:
        end = end_of(log)
        os.truncate(log, 0)
        with log.open("ab") as file:
            file.write(b"[the beginning was cut off]\n" + end)


@contextmanager
def bounded(logs: Sequence[Path], *, every_s: float = 0.5) -> Iterator[None]:
    """Looks from a thread of its own: a server that is kept between two inferences writes on, and nobody ticks."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(every_s):
            for log in logs:
                with suppress(
                    OSError
                ):  # a disk that is full or a log that is gone: the next look may do better
                    bound(log)

    thread = threading.Thread(target=look, name="server-logs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def end_of(log: Path, *, start: int = 0) -> bytes:
    """At most the last `KEPT_LOG` bytes, none of them before `start`; a log that was cut is taken whole."""
    try:
        with log.open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            file.seek(max(start if start <= length else 0, length - KEPT_LOG))
            return file.read(KEPT_LOG)
    except FileNotFoundError:
        return b""


def last_words(log: Path) -> str:
    """The last thing the server said, on one line; its own error line where it has one."""
    lines = [line.strip() for line in end_of(log).decode(errors="replace").splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("VHB")]
    return (told or lines or [""])[-1][:500]


def own_words(log: Path, *, start: int) -> str:
    """The error line that a server of ours has written since `start`, or nothing."""
    lines = end_of(log, start=start).decode(errors="replace").splitlines()
    return next((line.strip()[:500] for line in reversed(lines) if line.startswith("VHB")), "")


def ran_out_of_memory(log: Path, *, start: int) -> bool:
    """Whether it said so since `start`, the length of the log when it was started."""
    return OUT_OF_MEMORY.search(end_of(log, start=start)) is not None
