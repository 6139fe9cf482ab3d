"""Content hashes of files and trees, memoised by size, inode and times so that a second look is cheap."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb.store.files import read_json, write_atomic

CHUNK_BYTES = 1 << 20


def canonical_json(value: Any) -> bytes:
    """One byte string per value: sorted keys, no blanks, UTF-8 (RFC 8785 for the values that we use).

    A file name that is not UTF-8 goes in as the bytes that it has on disk."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # half of a pair, which nothing of ours writes: equal to no hash that was kept
        return text.encode(errors="surrogatepass")


def sha256_json(value: Any) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def sha256_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class TreeHash:
    """`files` maps each relative path to its sha256; `sha256` is over that mapping. `size` in bytes."""

    sha256: str
    files: dict[str, str]
    size: int


class HashMemo:
    """Remembers the hash of a file for as long as its size, inode, mtime and ctime stay the same.

    ctime cannot be set back by ordinary means, so an edit that restores the mtime is seen too. One small
    JSON file per tree, replaced atomically: concurrent runs can only lose a memo, never corrupt one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tree(self, root: Path, *, names: Sequence[str] | None = None, links: bool = True) -> TreeHash:
        """Hash of a folder's regular files, or of a single file; of those `names` alone that there are, where they are
        given. Without `links` none is followed: where it leads to counts, not what is there."""
        memo_path = self._folder / f"{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:32]}.json"
        known: dict[str, list[Any]] = read_json(memo_path) or {}
        seen: dict[str, list[Any]] = {}
        size = 0
        for relative, path in iter_files(root, links=links) if names is None else _named(root, names):
            try:
                stat = path.stat(follow_symlinks=links)
                key = [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]
                entry = known.get(relative)
                digest = entry[4] if entry and entry[:4] == key else _digest(path, links=links)
            except FileNotFoundError:
                continue  # gone since the folder was listed
            seen[relative] = [*key, digest]
            size += stat.st_size
        memo = seen if names is None else {**known, **seen}
        if memo != known:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(memo_path, json.dumps(memo).encode())
        files = {name: entry[4] for name, entry in seen.items()}
        return TreeHash(sha256=sha256_json(files), files=files, size=size)


def _digest(path: Path, *, links: bool) -> str:
    if not links and path.is_symlink():
        return hashlib.sha256(b"link to " + os.fsencode(path.readlink())).hexdigest()
    return sha256_file(path)


def iter_files(root: Path, *, links: bool = True) -> Iterator[tuple[str, Path]]:
    """(relative name, path) of every regular file below `root`, sorted; a file yields itself as its name.

    Links to folders are followed, except back to one that holds them; without `links` each is one of the files.
    Raises `PermissionError` for a folder that cannot be listed: what is in it would silently be no part of the
    identity."""
    if root.is_file():
        yield root.name, root
        return
    for folder, folders, files in os.walk(root, followlinks=links, onerror=_no_entry):
        linked = [] if links else [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not _leads_back(Path(folder, name)))
        for name in sorted([*files, *linked]):
            path = Path(folder, name)
            if path.is_file() or (not links and path.is_symlink()):
                yield path.relative_to(root).as_posix(), path


def _named(root: Path, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    return ((name, root / name) for name in names if (root / name).is_file())


def _no_entry(error: OSError) -> None:
    if isinstance(error, PermissionError):
        raise error


def _leads_back(path: Path) -> bool:
    return path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve())
