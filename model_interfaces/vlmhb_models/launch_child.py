"""The vendor's server as a child process: its last words kept, its whole family ended with it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from vlmhb_models.base import LoadError
from vlmhb_models.server.family import die_with_parent, end_group

KEPT_WORDS = 1 << 18  # bytes of output that a reason is looked for in
BLOCK = 1 << 16
LAST_WORDS_S = 1.0  # what is still in the pipe when the process has ended; its own children may hold it open


class Child:
    """Started in a session of its own, so that its group can be ended without ending the launcher."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._tail = bytearray()
        self._reading = asyncio.ensure_future(self._read())

    @staticmethod
    async def start(argv: Sequence[str], *, env: Mapping[str, str]) -> Child:
        """Raises `LoadError` when the program cannot be run."""
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=dict(env),
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            raise LoadError(f"{argv[0]} cannot be run: {error.strerror or error}") from error
        return Child(process)

    @property
    def output(self) -> str:
        """The end of what it has printed."""
        return self._tail.decode("utf-8", errors="replace")

    async def wait(self) -> int:
        """The exit code, negative for a signal, once it has ended; its last words are read by then."""
        code = await self._process.wait()
        await asyncio.wait([self._reading], timeout=LAST_WORDS_S)
        return code

    async def stop(self, *, grace_s: float) -> None:
        """Asks it to end, then ends all of its group."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), timeout=grace_s)
        self.kill_family()
        await self._process.wait()

    def kill_family(self) -> None:
        end_group(self._process.pid)

    async def _read(self) -> None:
        """Its output goes on to ours at once, and its end is kept."""
        stream = self._process.stdout
        while stream is not None and (block := await stream.read(BLOCK)):
            sys.stderr.buffer.write(block)
            sys.stderr.buffer.flush()
            self._tail += block
            del self._tail[:-KEPT_WORDS]
