"""Shows a driver that its host lives: a file that changes every few seconds, for as long as this process runs."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vlmhb_stages.contracts import Record
from vlmhb_stages.specs import InferSpec

from vlmhb.engines.base import Mount
from vlmhb.execution.session import Session
from vlmhb.store.artifacts import own_by
from vlmhb.store.private import private_folder

ALIVE = "alive"
FOLDERS = "vlmhb-host-"
EVERY_S = 5.0
_WIDTH = 20  # bytes of the file, always: it is overwritten in place, for which even a full disk has room


@contextmanager
def heartbeat(session: Session, spec: Record, *, every_s: float = EVERY_S) -> Iterator[tuple[Mount, ...]]:
    """What is to be mounted; nothing for a stage that does not look."""
    if not isinstance(spec, InferSpec) or spec.host is None:
        yield ()
        return
    with private_folder(Path(tempfile.gettempdir()), stem=FOLDERS) as folder:
        own_by(folder, user=session.user)
        with _beating(folder / ALIVE, every_s=every_s):
            yield (Mount(source=folder, target=spec.host.folder),)


@contextmanager
def _beating(path: Path, *, every_s: float) -> Iterator[None]:
    """A thread of its own: it beats while the host waits for an engine, a lock or a disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    ended = threading.Event()

    def beat() -> None:
        count = 0
        while not ended.wait(every_s if count else 0.0):
            count += 1
            os.pwrite(descriptor, f"{count}\n".rjust(_WIDTH).encode(), 0)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        os.close(descriptor)
