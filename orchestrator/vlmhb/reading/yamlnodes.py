"""YAML text to nodes with line numbers; duplicate keys, cycles and alias bombs are faults."""

from __future__ import annotations

from typing import Any

import yaml

from .names import shown
from .nodes import Node, SyntaxFault

_STANDARD = "tag:yaml.org,2002:"
_MERGE = _STANDARD + "merge"
_KINDS = ("null", "bool", "int", "float", "str", "seq", "map", "timestamp", "binary", "value")
_ALLOWED = frozenset(_STANDARD + kind for kind in _KINDS)
_AS_TEXT = frozenset(
    {_STANDARD + "timestamp", _STANDARD + "binary", _STANDARD + "value"}
)  # a date in a card is just its text
_MAX_NODES = 100_000
_MAX_BITS = 14_000  # of a whole number: Python writes none of more than 4300 digits


def parse_yaml(text: str) -> tuple[Node, ...]:
    """One node for each document that is not empty. Raises `SyntaxFault`."""
    documents: list[Node] = []
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_node():
            node = _Builder(loader).build(loader.get_node())
            if not node.is_scalar or node.text is not None:
                documents.append(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"not YAML: {error.problem or error.context}"
        raise SyntaxFault(what, line=mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:  # characters that YAML does not allow: no mark, a multi-line message
        raise SyntaxFault(f"not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise SyntaxFault("nested too deeply") from None
    return tuple(documents)


class _Builder:
    """Shares the node of an alias; counts nodes as if they were not shared."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._sizes: dict[int, int] = {}
        self._built: dict[int, Node] = {}
        self._open: set[int] = set()

    def build(self, source: Any) -> Node:
        key, line = id(source), source.start_mark.line + 1
        if key in self._built:
            return self._built[key]
        if key in self._open:
            raise SyntaxFault("an alias that contains itself", line=line)
        if source.tag not in _ALLOWED:
            raise SyntaxFault(f"tag '{source.tag}' is not allowed", line=line)
        self._open.add(key)
        node = self._convert(source, line=line)
        self._open.discard(key)
        size = 1 + sum(self._sizes[id(child)] for child in node.children)
        if size > _MAX_NODES:
            raise SyntaxFault("too large once its aliases are expanded", line=line)
        self._sizes[id(node)] = size
        self._built[key] = node
        return node

    def _convert(self, source: Any, *, line: int) -> Node:
        if isinstance(source, yaml.SequenceNode):
            return Node(line=line, items=tuple(self.build(item) for item in source.value))
        if isinstance(source, yaml.MappingNode):
            return Node(line=line, fields=self._fields(source))
        if source.tag in _AS_TEXT:
            return Node(line=line, text=source.value, value=source.value)
        try:
            value = self._loader.construct_object(source)
        except ValueError:
            raise SyntaxFault(f"not YAML: cannot read {shown(source.value)}", line=line) from None
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise SyntaxFault("a whole number of thousands of digits", line=line)
        return Node(line=line, text=None if value is None else source.value, value=value)

    def _fields(self, source: yaml.MappingNode) -> dict[str, Node]:
        merged: dict[str, Node] = {}
        own: dict[str, Node] = {}
        for key, value in source.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                merged = {**self._merge(value, line=line), **merged}
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise SyntaxFault("a key must be plain text", line=line)
            if key.value in own:
                raise SyntaxFault(f"key '{key.value}' stands twice", line=line)
            own[key.value] = self.build(value)
        return {**merged, **own}

    def _merge(self, source: Any, *, line: int) -> dict[str, Node]:
        node = self.build(source)
        parts = node.items if node.items is not None else (node,)
        merged: dict[str, Node] = {}
        for part in reversed(parts):
            if part.fields is None:
                raise SyntaxFault("'<<' takes a mapping", line=line)
            merged.update(part.fields)
        return merged
