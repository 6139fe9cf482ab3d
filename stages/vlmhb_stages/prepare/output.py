"""Writes the records of prepare: one canonical JSON object a line, on disk when closed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from vlmhb_stages.contracts import Record


def sync_file(stream: IO[Any]) -> None:
    """Until this returns, a power loss may still take the bytes away."""
    stream.flush()
    os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fresh_folder(folder: Path) -> Path:
    """An empty folder: what an earlier, killed attempt left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# Many programs take these for line ends, so inside a line they are written as JSON escapes.
LINE_ENDS = {ord(char): f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"}


def canonical(data: Mapping[str, Any]) -> str:
    """One line; equal data give equal bytes."""
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.translate(LINE_ENDS)


class RecordFile:
    """Appends records; use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("w", encoding="utf-8", newline="\n")
        self._folder = path.parent

    def write(self, record: Record) -> None:
        self._stream.write(canonical(record.model_dump(mode="json", exclude_none=True)) + "\n")

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(self, *_: object) -> None:
        with self._stream:
            sync_file(self._stream)
        sync_folder(self._folder)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(canonical(data) + "\n")
        sync_file(stream)
