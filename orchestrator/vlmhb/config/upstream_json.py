"""The prototype's `BenchmarkRunConfig.json` (one run, written for its containers) as a run config."""

from __future__ import annotations

import re
from dataclasses import replace

from vlmhb.reading.nodes import Node

from .columns import IGNORED

_ANSWERS = "metric_file"  # its name notwithstanding, it is the answers file, as a path inside a container


def is_upstream_run(node: Node) -> bool:
    fields = node.fields or {}
    return {"dataset", "model_name"} <= fields.keys() and not {"evaluations", "matrix"} & fields.keys()


def upstream_run(node: Node) -> Node:
    """The same run in our form. Its answers file counts for evaluate-only runs; others write a new one."""
    row: dict[str, Node] = {}
    for name, item in (node.fields or {}).items():
        if name == _ANSWERS:
            if _is_true((node.fields or {}).get("only_evaluate_metrics")):
                row["answers_file"] = _base_name(item)
        elif name not in IGNORED:
            row[name] = item
    evaluation = Node(line=node.line, fields=row)
    return Node(line=node.line, fields={"evaluations": Node(line=node.line, items=(evaluation,))})


def _is_true(node: Node | None) -> bool:
    return node is not None and (node.text or "").casefold() == "true"


def _base_name(node: Node) -> Node:
    """Container paths changed with each version; the name is what lies in the host's answers folder."""
    if node.text is None:
        return node
    name = re.split(r"[/\\]", node.text.strip())[-1]
    return replace(node, text=name, value=name)
