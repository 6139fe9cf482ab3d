"""TEDS and GriTS on 1,000 tables of real size: one process, all cores, and how much the apted package takes."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vlmhb_benchmarks.metrics import get_metric
from vlmhb_benchmarks.metrics.tables.tree import TableTree

from benches.timing import Row

TABLES = 1_000
REFERENCE_TABLES = 10  # apted takes seconds a table
METRICS = ("teds", "teds_struct", "grits_top", "grits_con")
_WORDS = ("Итого", "всего", "12.5", "1,000", "New York", "—", "срок", "Qty", "3 %", "договор № 5", "2019")


@dataclass(frozen=True, kw_only=True)
class Pair:
    answer: str
    gold: str


def measure(_: Path) -> list[Row]:
    pairs = make_pairs(TABLES)
    rows = []
    for name in METRICS:
        alone = _timed(name, pairs, processes=1)
        rows.append(_row(f"{name}, {TABLES} tables, 1 process", alone))
        cores = os.cpu_count() or 1
        together = _timed(name, pairs, processes=cores)
        rows.append(_row(f"{name}, {TABLES} tables, {cores} processes", together, baseline=alone))
    few = pairs[:REFERENCE_TABLES]
    ours = _timed("teds", few, processes=1)
    rows.append(_row(f"teds, the first {REFERENCE_TABLES} tables", ours))
    rows.append(_row(f"apted package, the same {REFERENCE_TABLES} trees", _apted_seconds(few), baseline=ours))
    return rows


def make_pairs(count: int) -> list[Pair]:
    """5-30 rows of 3-10 cells with a few spans; the answer loses rows and cells and misreads texts."""
    rng = random.Random(2024)
    pairs = []
    for _ in range(count):
        columns = rng.randint(3, 10)
        table = [[_text(rng) for _ in range(columns)] for _ in range(rng.randint(5, 30))]
        noisy = [
            [_misread(cell, rng) for cell in row if rng.random() > 0.01]
            for row in table
            if rng.random() > 0.03
        ]
        pairs.append(Pair(answer=_html(noisy), gold=_html(table)))
    return pairs


def score_part(name: str, pairs: list[Pair]) -> float:
    metric = get_metric(name)
    return sum(metric.score(pair.answer, [pair.gold]).value or 0.0 for pair in pairs)


def _timed(name: str, pairs: list[Pair], *, processes: int) -> float:
    score_part(name, pairs[:1])
    started = time.perf_counter()
    if processes == 1:
        score_part(name, pairs)
    else:
        parts = [pairs[start : start + 25] for start in range(0, len(pairs), 25)]
        with ProcessPoolExecutor(processes) as pool:
            list(pool.map(score_part, [name] * len(parts), parts))
    return time.perf_counter() - started


def _row(name: str, seconds: float, *, baseline: float | None = None) -> Row:
    ratio = None if baseline is None else seconds / baseline
    return Row(name=name, minimum=seconds, median=seconds, maximum=seconds, runs=1, ratio=ratio)


def _apted_seconds(pairs: list[Pair]) -> float:
    """The same trees and costs by the package that other tools use; equal results are the tests' affair."""
    from vlmhb_benchmarks.metrics.tables.tree import read_tree

    started = time.perf_counter()
    for pair in pairs:
        answer, gold = read_tree(pair.answer), read_tree(pair.gold)
        if answer is not None and gold is not None:
            _apted_distance(answer, gold)
    return time.perf_counter() - started


def _apted_distance(answer: TableTree, gold: TableTree) -> float:
    from apted import APTED, Config
    from vlmhb_benchmarks.metrics.tables.similarity import rename_costs

    costs = rename_costs(answer, gold, structure_only=False).tolist()

    class Costs(Config):  # type: ignore[misc]  # the package has no types
        def rename(self, one: Node, two: Node) -> float:
            return float(costs[one.number][two.number])

    return float(APTED(_nodes(answer.parents), _nodes(gold.parents), Costs()).compute_edit_distance())


@dataclass(eq=False)
class Node:
    number: int
    children: list[Node]


def _nodes(parents: tuple[int, ...]) -> Node:
    nodes = [Node(number=number, children=[]) for number in range(len(parents))]
    for node in nodes[:-1]:
        nodes[parents[node.number]].children.append(node)
    return nodes[-1]


def _text(rng: random.Random) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(0, 3)))


def _misread(text: str, rng: random.Random) -> str:
    return text if rng.random() > 0.1 else text.replace("о", "0").replace("1", "l") + "."


def _html(table: list[list[str]]) -> str:
    cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in table)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"
