"""The response cache: answers that outlive their artifacts, and interrupted runs, and are shared between workspaces.

One file per model identity, `<first 24 digits>.jsonl`, of records as in `predictions.jsonl`. Only answers that the same
request would get again are in it: `ok`, of the model asked, to the request as it was meant. Append-only; a reader
may see it grow.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError
from vlmhb_stages.contracts import Prediction

from vlmhb.store.locks import ArtifactLock

FOLDER_ENV = "VLMHB_RESPONSE_CACHE"
MAX_BYTES = 1 << 30  # read by each driver of the model that has something to ask: a few seconds
ORIGIN = "cache:"  # before the fingerprint of the artifact that an answer comes from
_DIGITS = 24
_ANSWERED = re.compile(rb'\{"sample_id":"(?:[^"\\]|\\.)*","request_hash":"([0-9a-f]{64})","status":"ok"')


@dataclass(frozen=True, kw_only=True)
class ResponseCache:
    """`folder` need not exist. `max_bytes` of all files together: beyond, those longest unused are removed."""

    folder: Path
    max_bytes: int = MAX_BYTES

    @staticmethod
    def of(workspace: Path, *, env: Mapping[str, str]) -> ResponseCache:
        """The one that `VLMHB_RESPONSE_CACHE` names, which several workspaces may share, else the workspace's own."""
        named = env.get(FOLDER_ENV)
        folder = Path(named).expanduser().absolute() if named else workspace / "cache" / "responses"
        return ResponseCache(folder=folder)

    def file(self, model_identity: str) -> Path:
        return self.folder / f"{model_identity[:_DIGITS]}.jsonl"

    def use(self, model_identity: str) -> Path | None:
        """The file of that model, if there is one; it counts as used now."""
        path = self.file(model_identity)
        if not _is_plain(path):
            return None
        try:
            os.utime(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:  # somebody else's: it can be read all the same
            return path if os.access(path, os.R_OK) else None
        return path

    def add(self, predictions: Path, *, fingerprint: str, model_identity: str) -> int:
        """The new answers in `predictions`, whole lines of an artifact sealed or not; how many they were.

        Raises `OSError` where the folder cannot be written."""
        if not predictions.exists():
            return 0
        path = self.file(model_identity)
        self.folder.mkdir(parents=True, exist_ok=True)
        with ArtifactLock(path.with_suffix(".lock")):
            added = 0
            with _appended(path) as file:
                _cut_torn_tail(path)
                known = set(_hashes(path))
                for record in _new(predictions, known=known):
                    line = record.model_copy(update={"imported_from": f"{ORIGIN}{fingerprint}"})
                    file.write(line.model_dump_json().encode() + b"\n")
                    added += 1
                with suppress(PermissionError):  # somebody else's file
                    os.fchmod(file.fileno(), 0o644)  # containers of root read it as nobody
            if not path.stat().st_size:
                path.unlink()
            self._shrink(newest=path)
        return added

    def _shrink(self, *, newest: Path) -> None:
        """Remove whole files, the longest unused first; the one just written last of all."""
        files = []
        for path in self.folder.glob("*.jsonl"):
            with suppress(FileNotFoundError):
                stat = path.stat()
                files.append((path == newest, stat.st_mtime, stat.st_size, path))
        left = sum(size for _, _, size, _ in files)
        for _, _, size, path in sorted(files):
            if left <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            left -= size


def _is_plain(path: Path) -> bool:
    """Others may write in a shared folder: nobody's link leads us to another file, and no pipe holds us up."""
    return path.is_file() and not path.is_symlink()


def _appended(path: Path) -> BinaryIO:
    """Raises `OSError` for what is no plain file, before anything of it is touched."""
    if path.exists() and not _is_plain(path):
        raise FileExistsError(errno.EEXIST, f"{path.name} is not a plain file")
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o644), "ab")


def _hashes(path: Path) -> Iterator[bytes]:
    """Digests of the requests whose answers are there: 32 bytes each."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            found = _ANSWERED.match(line)
            if found is not None:
                yield bytes.fromhex(found[1].decode())


def _new(predictions: Path, *, known: set[bytes]) -> Iterator[Prediction]:
    """Lines that begin as an answer and are not known are read in full; a torn one is passed over."""
    with predictions.open("rb") as file:
        for line in file:
            found = _ANSWERED.match(line)
            if found is None or (digest := bytes.fromhex(found[1].decode())) in known:
                continue
            try:
                record = Prediction.model_validate_json(line)
            except ValidationError:
                continue
            if _may_be_shared(record):
                known.add(digest)
                yield record


def _may_be_shared(record: Prediction) -> bool:
    """It was asked for by that very artifact, answered by the model asked, and as it was meant. An empty text may be
    right, but is what a broken server says to everything: it is worth another request."""
    return (
        record.imported_from is None and record.fallback is None and not record.adjusted and bool(record.text)
    )


def _cut_torn_tail(path: Path) -> None:
    """What a writer that was killed has left of its last line."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = size
        while at > 0:
            start = max(0, at - (1 << 16))
            file.seek(start)
            newline = file.read(at - start).rfind(b"\n")
            if newline >= 0:
                at = start + newline + 1
                break
            at = start
    if at < size:
        os.truncate(path, at)
