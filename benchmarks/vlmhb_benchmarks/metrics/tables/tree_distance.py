"""Edit distance of ordered trees (Zhang and Shasha 1989), a whole layer of subtrees at a time in numpy.

Table trees are flat: a few layers with hundreds of equal small subtrees (rows, cells). All pairs of a layer advance
together, so a table of 300 cells takes milliseconds, where one pair of nodes at a time takes seconds in Python.
Inserting and deleting a node cost 1; renaming costs `rename[i, j]`, at most 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CELLS = 4_000_000  # numbers in one table of forest distances (32 MB), unless a single pair needs more


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Keyroots of one height and similar size: the subtree of `roots[a]` starts at node `starts[a]`."""

    roots: Ints
    starts: Ints

    @property
    def size(self) -> int:
        return int((self.roots - self.starts).max()) + 1

    def chunks(self, count: int) -> Iterator[Layer]:
        step = max(1, count)
        for start in range(0, len(self.roots), step):
            part = slice(start, start + step)
            yield Layer(roots=self.roots[part], starts=self.starts[part])


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A tree in postorder. `first[i]` is the leftmost leaf below node i, `sizes[i]` the nodes of its subtree."""

    parents: Ints
    first: Ints
    sizes: Ints
    layers: tuple[Layer, ...]  # without single leaves, lowest first


def shape_of(parents: Sequence[int]) -> Shape:
    count = len(parents)
    first = list(range(count))
    for node, above in enumerate(parents[:-1]):  # children come first, so theirs is known already
        first[above] = min(first[above], first[node])
    starts = np.array(first, dtype=np.int64)
    return Shape(
        parents=np.array(parents, dtype=np.int64),
        first=starts,
        sizes=np.arange(count) - starts + 1,
        layers=tuple(_layers(parents, first)),
    )


def _layers(parents: Sequence[int], first: Sequence[int]) -> Iterator[Layer]:
    """Keyroots are the highest nodes of each leftmost path. A layer comes after all that lies inside its subtrees."""
    root_of = {start: node for node, start in enumerate(first)}  # the last one wins: the highest
    heights = dict.fromkeys(root_of.values(), 0)
    for node in sorted(heights):
        if parents[node] >= 0:
            above = root_of[first[parents[node]]]
            heights[above] = max(heights[above], heights[node] + 1)
    groups: dict[tuple[int, int], list[int]] = {}
    for node, height in heights.items():
        size = node - first[node] + 1
        if size > 1:
            groups.setdefault((height, size.bit_length()), []).append(node)
    for key in sorted(groups):
        roots = np.array(sorted(groups[key]), dtype=np.int64)
        yield Layer(roots=roots, starts=np.array([first[node] for node in sorted(groups[key])]))


def tree_distance(one: Shape, two: Shape, *, rename: Floats) -> float:
    """The least cost of turning tree `one` into tree `two`. `rename` is (nodes of one, nodes of two)."""
    distances = _against_leaves(one, two, rename=rename)
    for lower in one.layers:
        for upper in two.layers:
            for part in lower.chunks(_CELLS // (len(upper.roots) * (upper.size + 1) * (lower.size + 1))):
                for other in upper.chunks(_CELLS // (len(part.roots) * (part.size + 1) * (upper.size + 1))):
                    _Forests(one, two, left=part, right=other).fill(distances, rename=rename)
    return float(distances[-1, -1])


def _against_leaves(one: Shape, two: Shape, *, rename: Floats) -> Floats:
    """Distances where either subtree is a leaf: it takes the place of the node that it is most like.

    The others are filled in later."""
    nearest_in_one, nearest_in_two = rename.copy(), rename.copy()
    for node in range(len(one.parents) - 1):
        above = one.parents[node]
        np.minimum(nearest_in_one[above], nearest_in_one[node], out=nearest_in_one[above])
    columns = nearest_in_two.T
    for node in range(len(two.parents) - 1):
        above = two.parents[node]
        np.minimum(columns[above], columns[node], out=columns[above])
    leaves_of_one, leaves_of_two = one.sizes == 1, two.sizes == 1
    distances = np.zeros_like(rename)
    distances[:, leaves_of_two] = nearest_in_one[:, leaves_of_two] + (one.sizes - 1)[:, None]
    distances[leaves_of_one] = nearest_in_two[leaves_of_one] + (two.sizes - 1)
    return distances


class _Forests:
    """Forest distances of all pairs of subtrees of two layers, row by row.

    `costs[x, a, b, y]`: from the first x nodes of subtree a to the first y nodes of subtree b."""

    def __init__(self, one: Shape, two: Shape, *, left: Layer, right: Layer) -> None:
        self._one, self._left = one, left
        height, width = left.size, right.size
        self._lengths = left.roots - left.starts + 1
        nodes = right.starts[:, None] + np.arange(width)  # (B, width), beyond the end of short subtrees too
        inside = nodes <= right.roots[:, None]
        self._nodes = np.minimum(nodes, len(two.first) - 1)
        starts = two.first[self._nodes]
        self._on_path = inside & (starts == right.starts[:, None])
        self._before = np.where(
            inside, starts - right.starts[:, None], 0
        )  # nodes of b before the subtree of y
        self._steps = np.arange(width + 1, dtype=np.float64)
        self._costs = np.empty((height + 1, len(left.roots), len(right.roots), width + 1))
        self._costs[0] = self._steps

    def fill(self, distances: Floats, *, rename: Floats) -> None:
        """Adds the distances of all pairs on the leftmost paths of the two layers to `distances`."""
        rows = np.arange(len(self._left.roots))
        columns = np.arange(self._nodes.shape[0])[:, None]
        for number in range(1, self._costs.shape[0]):
            nodes = np.minimum(self._left.starts + number - 1, len(self._one.first) - 1)
            inside = number <= self._lengths
            on_path = inside & (self._one.first[nodes] == self._left.starts)
            before = np.where(inside, self._one.first[nodes] - self._left.starts, 0)
            previous, current = self._costs[number - 1], self._costs[number]
            # the subtrees of both nodes matched as a whole, after what stands before them
            whole = self._costs[before, rows][:, columns, self._before]
            whole += distances[nodes][:, self._nodes]
            both = on_path[:, None, None] & self._on_path if on_path.any() else None
            if both is not None:
                renamed = previous[:, :, :-1] + rename[nodes][:, self._nodes]
                np.copyto(whole, renamed, where=both)
            np.minimum(whole, previous[:, :, 1:] + 1.0, out=whole)
            current[:, :, 0] = number
            current[:, :, 1:] = whole
            # an insertion costs 1 a step, so the running minimum is taken on the slope
            current -= self._steps
            np.minimum.accumulate(current, axis=2, out=current)
            current += self._steps
            if both is not None:
                a, b, y = np.nonzero(both)
                distances[nodes[a], self._nodes[b, y]] = current[a, b, y + 1]
