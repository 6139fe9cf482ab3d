"""Finds the last recorded line of every sample, reading both side by side."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vlmhb_stages.infer.samples import BadSamples, SampleKeys

MISSING = -1
_AHEAD = 4096  # lines that are held ready for samples to come: few enough to stay in the processor's cache


@dataclass(slots=True)
class Planned:
    """All samples in order: ids, where their lines begin, and the places of their records (or `MISSING`)."""

    keys: list[bytes] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("q"))
    places: array[int] = field(default_factory=lambda: array("q"))


def match(samples: Iterable[SampleKeys], *, keys: Sequence[bytes], places: Sequence[int]) -> Planned:
    """`keys` and `places` are of recorded lines in file order, of which the last one of a sample counts.

    Raises `BadSamples` for an id that is there twice."""
    planned = Planned()
    left = _side_by_side(samples, keys=keys, places=places, planned=planned)
    if left:  # they are behind all lines that were taken, so they count
        for position, key in enumerate(planned.keys):
            if key in left:
                planned.places[position] = left[key]
    _check_unique(planned.keys)
    return planned


def _side_by_side(
    samples: Iterable[SampleKeys], *, keys: Sequence[bytes], places: Sequence[int], planned: Planned
) -> dict[bytes, int]:
    """Takes for each sample the next line of it that is not far away; gives the lines that were not taken, the last of
    each id. One loop almost without calls on purpose."""
    at, end, ahead = 0, len(keys), dict[bytes, int]()
    for batch in samples:
        planned.lines.extend(batch.offsets)
        for key in batch.keys:
            place = ahead.pop(key, MISSING) if ahead else MISSING
            while place == MISSING and at < end and len(ahead) < _AHEAD:
                other = keys[at]
                if other == key:
                    key, place = other, places[at]  # one object for both: half the memory
                else:
                    ahead[other] = places[at]
                at += 1
            planned.keys.append(key)
            planned.places.append(place)
    ahead.update(zip(keys[at:], places[at:], strict=True))
    return ahead


def _check_unique(keys: list[bytes]) -> None:
    if len(set(keys)) == len(keys):
        return
    seen: set[bytes] = set()
    for key in keys:
        if key in seen:
            raise BadSamples(f"sample_id {key.decode(errors='replace')!r} is not unique")
        seen.add(key)
