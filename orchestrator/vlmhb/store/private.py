"""Private folders outside the workspace: sockets and secrets. Gone when their owner is, however it ended."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vlmhb.store.locks import process_start


def make_private(base: Path, *, stem: str) -> Path:
    """A new 0700 folder in `base`; its name tells its owner. Those that dead processes left behind go too."""
    _sweep(base, stem=stem)
    return Path(tempfile.mkdtemp(prefix=f"{stem}{_owner(os.getpid())}-", dir=base))


@contextmanager
def private_folder(base: Path, *, stem: str) -> Iterator[Path]:
    """As `make_private`, and gone at the end."""
    folder = make_private(base, stem=stem)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(base: Path, *, stem: str) -> None:
    for folder in base.glob(f"{stem}{_namespace()}-*"):
        pid = folder.name.removeprefix(stem).split("-")[1]
        if not folder.name.startswith(f"{stem}{_owner(int(pid))}-"):
            shutil.rmtree(folder, ignore_errors=True)


def _owner(pid: int) -> str:
    return f"{_namespace()}-{pid}-{process_start(pid)}"


def _namespace() -> int:
    """Process numbers mean something in one namespace only; another container may share this very /tmp."""
    return Path("/proc/self/ns/pid").stat().st_ino
