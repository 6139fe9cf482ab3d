"""Cuts a JSON file into the texts of its records: JSON lines, an array, or an array inside an object.

A large array is read piece by piece: what is held is one record and one piece.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from vlmhb_benchmarks.loaders.base import LoaderError
from vlmhb_benchmarks.loaders.csvfile import read_lines

PIECE = 1 << 20  # characters
MAX_RECORD = 1 << 28  # characters; a torn file is not read on to its end
MAX_HEAD = 1 << 16  # characters of a first line that may be a whole record
DECODER = json.JSONDecoder()


@dataclass(frozen=True, kw_only=True)
class JsonText:
    """The text of one record and the 1-based line at which it begins."""

    text: str
    row: int


def records(path: Path, *, name: str, member: str | None) -> Iterator[JsonText]:
    """`member`: the name of the array where the file is one object; default `data`. Raises `LoaderError`."""
    head = _head(path, name=name)
    if member is None and not _is_document(path, head=head):
        lines = read_lines(path, name=name)
        yield from (JsonText(text=line, row=row) for row, line in lines if line.strip())
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _Document(stream, name=name).records(member or "data")
    except UnicodeDecodeError as error:
        raise LoaderError("not UTF-8", file=name, hint="save the file as UTF-8") from error


def _head(path: Path, *, name: str) -> str:
    """The first line that is not blank, or its beginning."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            while line := stream.readline(MAX_HEAD):
                if line.strip():
                    return line.strip()
    except OSError as error:
        raise LoaderError(error.strerror or "not readable", file=name) from error
    raise LoaderError("the file is empty", file=name)


def _is_document(path: Path, *, head: str) -> bool:
    """Whether a `.json` file is one value; files of JSON lines are called that, too."""
    if path.suffix.lower() != ".json":
        return False
    if head.startswith("["):
        return True
    try:
        first = json.loads(head)
    except ValueError:
        return True
    return isinstance(first, dict) and isinstance(first.get("data"), list)


class _Document:
    """A cursor over a JSON text of any length."""

    def __init__(self, stream: TextIO, *, name: str) -> None:
        self._stream, self._name = stream, name
        self._text, self._at, self._row = "", 0, 1

    def records(self, member: str) -> Iterator[JsonText]:
        start = self._peek()
        if start == "{":
            self._enter(member)
        if self._peek() != "[":
            raise self._error(f"no list {member} in the file", hint="name it in params.records of the card")
        self._skip(1)
        while (char := self._peek()) != "]":
            row = self._row
            yield JsonText(text=self._value(), row=row)
            char = self._peek()
            if char == ",":
                self._skip(1)
            elif char != "]":
                raise self._error("the list is not closed" if not char else f"{char} where a comma should be")
        self._skip(1)
        if start == "[" and self._peek():
            raise self._error("text after the end of the list")

    def _enter(self, member: str) -> None:
        """Goes to the value of `member` in the object that begins here."""
        self._skip(1)
        while self._peek() == '"':
            key = json.loads(self._value())
            if self._peek() != ":":
                raise self._error("a colon is missing")
            self._skip(1)
            if key == member:
                return
            self._peek()
            self._value()
            if self._peek() == ",":
                self._skip(1)

    def _peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at].isspace():
                self._skip(1)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _skip(self, count: int) -> None:
        self._row += self._text.count("\n", self._at, self._at + count)
        self._at += count

    def _more(self) -> bool:
        """Reads on, at least as much as is held, so that a huge record is not decoded many times."""
        self._text = self._text[self._at :]
        self._at = 0
        piece = self._stream.read(max(PIECE, len(self._text)))
        self._text += piece
        return bool(piece)

    def _value(self) -> str:
        """The text of the value that begins here."""
        while True:
            try:
                _, end = DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at < MAX_RECORD and self._more():
                    continue
                raise self._error(f"not JSON ({error})") from error
            # a number may go on in the next piece
            if end == len(self._text) and self._more():
                continue
            text = self._text[self._at : end]
            self._skip(end - self._at)
            return text

    def _error(self, message: str, *, hint: str = "") -> LoaderError:
        return LoaderError(message, file=self._name, row=self._row, hint=hint)
