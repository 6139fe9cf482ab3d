"""The process behind the interface `command`: lines in and out with a time limit, and an end with all its children."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from vlmhb_models.server.family import die_with_parent, end_group

BLOCK = 1 << 16
LONGEST_LINE = 64 << 20  # bytes; more is no answer


class Ended(Exception):
    """The program has ended, or closed its stdout; the text tells how."""


class Silent(Exception):
    """The program has said nothing for too long."""


class Program:
    """Its stderr goes to ours. Raises `OSError` when it cannot be run."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        folder: Path | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process = subprocess.Popen(
            list(argv),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise OSError("no pipes")
        self._stdin, self._stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._buffer = bytearray()
        self._clock = clock
        for descriptor in (self._stdin, self._stdout):
            os.set_blocking(descriptor, False)

    def ask(self, line: bytes, *, timeout_s: float) -> bytes:
        """The next line after `line` is sent. Reads while it writes, so that neither side can block the other.

        Raises `Ended`, `Silent`."""
        left = memoryview(line)
        deadline = self._clock() + timeout_s
        while left:
            readable, writable, _ = select.select(
                [self._stdout], [self._stdin], [], max(0.0, deadline - self._clock())
            )
            if not readable and not writable:
                raise Silent(f"took no more of its question for {timeout_s:g} s")
            if readable and not self._receive():
                raise Ended(self._ending())
            if writable:
                try:
                    left = left[os.write(self._stdin, left[:BLOCK]) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise Ended(self._ending()) from None
                deadline = self._clock() + timeout_s
        return self.read(timeout_s=timeout_s)

    def read(self, *, timeout_s: float) -> bytes:
        """The next line. The time limit is for silence: every piece of a line begins it anew."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > LONGEST_LINE:
                raise Ended(f"wrote a line of more than {LONGEST_LINE} bytes")
            if not select.select([self._stdout], [], [], timeout_s)[0]:
                raise Silent(f"was silent for {timeout_s:g} s")
            if not self._receive():
                raise Ended(self._ending())
        end = self._buffer.index(b"\n")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def unread(self) -> bytes:
        """What it has written though it was not asked: some of it, of a program that never ends."""
        while len(self._buffer) < BLOCK and select.select([self._stdout], [], [], 0)[0]:
            if not self._receive():
                break
        return bytes(self._buffer)

    def kill(self) -> None:
        """Ends it and what it has started."""
        end_group(self._process.pid)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _receive(self) -> bool:
        """False at the end of its output."""
        try:
            block = os.read(self._stdout, BLOCK)
        except BlockingIOError:
            return True
        self._buffer += block
        return bool(block)

    def _ending(self) -> str:
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "closed its stdout"
        return f"ended with exit code {code}" if code >= 0 else f"was ended by signal {-code}"
