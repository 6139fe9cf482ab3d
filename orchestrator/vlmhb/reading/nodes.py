"""A parsed JSON or YAML value that knows its line: the common form of both readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


class SyntaxFault(Exception):
    """The text is not well formed; the caller turns it into a user error with the file's name."""

    def __init__(self, what: str, *, line: int | None = None) -> None:
        self.what, self.line = what, line
        super().__init__(what)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A scalar (`text` as written, `value` typed), a sequence (`items`) or a mapping (`fields`)."""

    line: int
    text: str | None = None  # None: null, or no scalar
    value: Any = None
    items: tuple[Node, ...] | None = None
    fields: dict[str, Node] | None = None

    @property
    def is_scalar(self) -> bool:
        return self.items is None and self.fields is None

    @property
    def children(self) -> Iterator[Node]:
        yield from self.items or ()
        yield from (self.fields or {}).values()

    def plain(self) -> Any:
        """Ordinary Python data."""
        if self.items is not None:
            return [item.plain() for item in self.items]
        if self.fields is not None:
            return {key: item.plain() for key, item in self.fields.items()}
        return self.value

    def line_at(self, path: Sequence[str | int]) -> int:
        """Line of the value at `path`, or of the deepest parent that is there."""
        if not path:
            return self.line
        step, rest = path[0], path[1:]
        if isinstance(step, int) and self.items is not None and step < len(self.items):
            return self.items[step].line_at(rest)
        if self.fields is not None and step in self.fields:
            return self.fields[str(step)].line_at(rest)
        return self.line
