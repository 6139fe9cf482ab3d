"""JSON text to nodes with line numbers; duplicate keys are faults."""

from __future__ import annotations

import bisect
import json
import re
from dataclasses import dataclass

from .nodes import Node, SyntaxFault

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_MAX_DEPTH = 60


@dataclass(frozen=True, kw_only=True)
class _Parsed:
    node: Node
    end: int  # offset behind the value


def parse_json(text: str) -> Node:
    """The value of the whole text. Raises `SyntaxFault`."""
    parser = _Parser(text)
    parsed = parser.value(0, depth=0)
    end = parser.skip(parsed.end)
    if end != len(text):
        raise SyntaxFault("text after the end of the JSON value", line=parser.line(end))
    return parsed.node


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._newlines = [match.start() for match in re.finditer("\n", text)]

    def line(self, at: int) -> int:
        return bisect.bisect_left(self._newlines, at) + 1

    def skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def value(self, at: int, *, depth: int) -> _Parsed:
        at = self.skip(at)
        if depth > _MAX_DEPTH:
            raise SyntaxFault("nested too deeply", line=self.line(at))
        opener = self._text[at : at + 1]
        if opener == "{":
            return self._mapping(at, depth=depth)
        if opener == "[":
            return self._sequence(at, depth=depth)
        return self._scalar(at)

    def _scalar(self, at: int) -> _Parsed:
        try:
            value, end = _DECODER.raw_decode(self._text, at)
        except json.JSONDecodeError as error:
            raise SyntaxFault(f"not JSON: {error.msg.lower()}", line=error.lineno) from None
        except ValueError:  # Python turns no such text into a number: it takes quadratic time
            raise SyntaxFault("a whole number of thousands of digits", line=self.line(at)) from None
        written = value if isinstance(value, str) else self._text[at:end]
        node = Node(line=self.line(at), text=None if value is None else written, value=value)
        return _Parsed(node=node, end=end)

    def _sequence(self, start: int, *, depth: int) -> _Parsed:
        items: list[Node] = []
        at = self.skip(start + 1)
        while self._text[at : at + 1] != "]":
            parsed = self.value(at, depth=depth + 1)
            items.append(parsed.node)
            at = self._separator(parsed.end, closer="]")
        return _Parsed(node=Node(line=self.line(start), items=tuple(items)), end=at + 1)

    def _mapping(self, start: int, *, depth: int) -> _Parsed:
        fields: dict[str, Node] = {}
        at = self.skip(start + 1)
        while self._text[at : at + 1] != "}":
            key = self._key(at)
            if key.node.value in fields:
                raise SyntaxFault(f"key '{key.node.value}' stands twice", line=key.node.line)
            parsed = self.value(key.end, depth=depth + 1)
            fields[key.node.value] = parsed.node
            at = self._separator(parsed.end, closer="}")
        return _Parsed(node=Node(line=self.line(start), fields=fields), end=at + 1)

    def _key(self, at: int) -> _Parsed:
        if self._text[at : at + 1] != '"':
            raise SyntaxFault('not JSON: expected a key in quotes (")', line=self.line(at))
        key = self._scalar(at)
        end = self.skip(key.end)
        if self._text[end : end + 1] != ":":
            raise SyntaxFault(f"not JSON: expected ':' after key '{key.node.value}'", line=self.line(end))
        return _Parsed(node=key.node, end=end + 1)

    def _separator(self, at: int, *, closer: str) -> int:
        at = self.skip(at)
        found = self._text[at : at + 1]
        if found == closer:
            return at
        if found != ",":
            raise SyntaxFault(f"not JSON: expected ',' or '{closer}'", line=self.line(at))
        after = self.skip(at + 1)
        if self._text[after : after + 1] == closer:
            raise SyntaxFault(f"not JSON: a ',' before '{closer}'", line=self.line(at))
        return after
