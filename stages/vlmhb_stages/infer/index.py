"""Where the record of every sample stands in the journal: by planned order, found by sample id.

Journals are nearly in the order of the samples, so the two are read side by side: that takes a third of the time of a
dictionary of a million ids, whose every look-up misses the processor's caches.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vlmhb_stages.infer.lines import FATE_BITS, FATE_MASK, Batch, Fates
from vlmhb_stages.infer.matching import MISSING, match
from vlmhb_stages.infer.samples import SampleKeys
from vlmhb_stages.infer.tally import Fate


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record, without its text: where it stands, and what became of the sample."""

    offset: int
    fate: Fate


@dataclass(frozen=True, slots=True)
class OpenSample:
    """A sample that needs more than a look at its id. `number` from 1 and `offset`: its line in samples.jsonl."""

    offset: int
    number: int
    recorded: Recorded | None


class OpenSamples:
    """In planned order; 24 bytes each."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._triples = array("q")

    def add(self, offset: int, number: int, place: int) -> None:
        self._triples.extend((offset, number, place))

    def of(self, *, with_record: bool) -> Iterator[OpenSample]:
        """Those without a record by now that had one before, or had none."""
        triples = self._triples
        for i in range(0, len(triples), 3):
            number, place = triples[i + 1], triples[i + 2]
            if (place != MISSING) == with_record and not self._index.has_record(number - 1):
                recorded = self._index.recorded(place) if with_record else None
                yield OpenSample(triples[i], number, recorded)


class Index:
    """Feed it every recorded line in order (`load`: the last one wins), then every sample in order (`claim`)."""

    def __init__(self, fates: Fates) -> None:
        self.fates = fates
        self.kept: dict[Fate, int] = {}  # how many samples `claim` has kept the record of
        self._keys: list[bytes] = []  # of recorded lines, until samples are claimed
        self._places = array("q")  # their offsets and fates
        self._positions: dict[bytes, int] = {}  # of samples that were not kept
        self._offsets = array("q")  # by position

    def load(self, batches: Iterable[Batch]) -> int:
        """How many records there are."""
        for batch in batches:
            self._keys += batch.keys
            self._places.extend(batch.places)
        return len(self._keys)

    def claim(self, samples: Iterable[SampleKeys], *, is_trusted: bool) -> OpenSamples:
        """Those that are left to be looked at or asked. Raises `BadSamples` for an id that is there twice.

        With `is_trusted`, a record that asking again would not change is kept unseen."""
        planned = match(samples, keys=self._keys, places=self._places)
        self._keys, self._places = [], array("q")
        offsets, final = self._offsets, self.fates.final
        open_samples, kept = OpenSamples(self), [0] * len(final)
        for position, place in enumerate(planned.places):
            if is_trusted and place >= 0 and final[fate := place & FATE_MASK]:
                offsets.append(place >> FATE_BITS)
                kept[fate] += 1
            else:
                offsets.append(MISSING)
                self._positions[planned.keys[position]] = position
                open_samples.add(planned.lines[position], position + 1, place)
        self.kept = {self.fates[fate]: count for fate, count in enumerate(kept) if count}
        return open_samples

    def recorded(self, place: int) -> Recorded:
        return Recorded(place >> FATE_BITS, self.fates[place & FATE_MASK])

    def place(self, key: bytes, offset: int) -> None:
        """The record of an open sample stands at `offset` from now on."""
        self._offsets[self._positions[key]] = offset

    def has_record(self, position: int) -> bool:
        return self._offsets[position] != MISSING

    @property
    def is_full(self) -> bool:
        """Whether every claimed sample has its record."""
        return MISSING not in self._offsets

    def offsets(self) -> Iterator[int]:
        """In the order of the samples."""
        return iter(self._offsets)
