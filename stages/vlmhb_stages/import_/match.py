"""Finds the sample of each row: by the dataset's own id, or by the position that the tool counted.

A tool that counts and a dataset whose ids are numbers may both fit and mean different samples, so the recorded prompts
decide between the ways; without prompts, the way that finds more samples, and the format's own way first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vlmhb_stages.import_.rows import BadSource, Row, Source

Ids = Literal["auto", "id", "position"]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The samples' questions by id, in the dataset's order."""

    questions: Mapping[str, str]

    @property
    def ids(self) -> Sequence[str]:
        return list(self.questions)


@dataclass(frozen=True, kw_only=True)
class Matched:
    """`rows` by sample id, in the file's order. `repeated`: samples with several rows, of which the last counts."""

    by: Literal["id", "position"]
    rows: Mapping[str, Row]
    surplus: tuple[str, ...]
    missing: tuple[str, ...]
    repeated: tuple[str, ...]
    compared: int
    differ: tuple[str, ...]

    @property
    def agree(self) -> int:
        return self.compared - len(self.differ)


def match(source: Source, planned: Planned, *, ids: Ids, has_own_key: bool = False) -> Matched:
    """`has_own_key`: the user named the field with our ids, so nothing is counted. Raises `BadSource`."""
    ways = [
        _match(source.rows, planned, keys=keys, by=by)
        for by, keys in _ways(source, planned, ids, has_own_key)
    ]
    best = max(ways, key=lambda way: (way.agree, len(way.rows)))  # of equal ones the first
    if not best.rows and source.rows:
        theirs, our = ", ".join(best.surplus[:3]), ", ".join(planned.ids[:3])
        raise BadSource(
            f"no row belongs to a sample of the benchmark: the file's ids are {theirs} ..., the benchmark's {our} ...",
            hint="another split? else name the field with its ids (--id-key), or count rows (--ids position)",
        )
    return best


def _ways(
    source: Source, planned: Planned, ids: Ids, has_own_key: bool
) -> Iterator[tuple[Literal["id", "position"], Mapping[str, str]]]:
    by_id = {sample_id: sample_id for sample_id in planned.questions}
    first = source.first
    is_counted = first is not None and not has_own_key
    if ids == "position" and first is None:
        first, is_counted = 0, True
    if is_counted and ids != "id":
        yield "position", {str(number): name for number, name in enumerate(planned.ids, start=first or 0)}
    if ids != "position" or not is_counted:
        yield "id", by_id


def _match(
    rows: Sequence[Row], planned: Planned, *, keys: Mapping[str, str], by: Literal["id", "position"]
) -> Matched:
    found: dict[str, Row] = {}
    surplus: dict[str, None] = {}
    repeated: dict[str, None] = {}
    for row in rows:
        sample_id = keys.get(row.key)
        if sample_id is None:
            surplus[row.key] = None
            continue
        if sample_id in found:
            repeated[sample_id] = None
            del found[sample_id]
        found[sample_id] = row
    asked = [
        (name, row.prompt) for name, row in found.items() if row.prompt and planned.questions[name].strip()
    ]
    return Matched(
        by=by,
        rows=found,
        surplus=tuple(surplus),
        missing=tuple(name for name in planned.questions if name not in found),
        repeated=tuple(repeated),
        compared=len(asked),
        differ=tuple(
            name for name, prompt in asked if not _is_asked(planned.questions[name], prompt=prompt or "")
        ),
    )


def _is_asked(question: str, *, prompt: str) -> bool:
    """Tools put words around a question, and so may we: one contains the other."""
    ours, theirs = (" ".join(text.split()).casefold() for text in (question, prompt))
    return ours in theirs or theirs in ours
