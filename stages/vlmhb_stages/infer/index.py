"""Where the record of every sample stands in the journal: by sample id while looking back, in planned order later.

One dictionary of bytes to integers and one array: about 150 MB for a million samples.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from vlmhb_stages.infer.lines import FATE_BITS, FATE_MASK, Batch, Fates
from vlmhb_stages.infer.samples import BadSamples, SampleKeys
from vlmhb_stages.infer.tally import Fate

_MISSING = -1


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
            if (place != _MISSING) == with_record and not self._index.has_record(number - 1):
                recorded = self._index.recorded(place) if with_record else None
                yield OpenSample(triples[i], number, recorded)


class Index:
    """Feed it every recorded line in order (`load`: the last one wins), then every sample in order (`claim`)."""

    def __init__(self, fates: Fates) -> None:
        self.fates = fates
        self.kept: dict[Fate, int] = {}  # how many samples `claim` has kept the record of
        self._places: dict[bytes, int] = {}  # offset and fate of a record, or, once claimed, -1 - position
        self._offsets = array("q")  # by position

    def load(self, batches: Iterable[Batch]) -> int:
        """How many samples have a record."""
        for batch in batches:
            self._places.update(zip(batch.keys, batch.places, strict=True))
        return len(self._places)

    def claim(self, samples: Iterable[SampleKeys], *, is_trusted: bool) -> OpenSamples:
        """Those that are left to be looked at or asked. Raises `BadSamples` for an id that is there twice.

        With `is_trusted`, a record that asking again would not change is kept unseen: the way of a million samples,
        hence one loop without calls."""
        places, offsets, final = self._places, self._offsets, self.fates.final
        open_samples, kept = OpenSamples(self), [0] * len(final)
        pairs = chain.from_iterable(zip(batch.keys, batch.offsets, strict=True) for batch in samples)
        for position, (key, offset) in enumerate(pairs):
            place = places.get(key)
            places[key] = -1 - position
            if place is None:
                place = _MISSING
            elif place < 0:
                raise BadSamples(f"sample_id {key.decode(errors='replace')!r} is not unique")
            elif is_trusted and final[fate := place & FATE_MASK]:
                offsets.append(place >> FATE_BITS)
                kept[fate] += 1
                continue
            offsets.append(_MISSING)
            open_samples.add(offset, position + 1, place)
        self.kept = {self.fates[fate]: count for fate, count in enumerate(kept) if count}
        return open_samples

    def recorded(self, place: int) -> Recorded:
        return Recorded(place >> FATE_BITS, self.fates[place & FATE_MASK])

    def place(self, key: bytes, offset: int) -> None:
        """The record of a claimed sample stands at `offset` from now on."""
        self._offsets[-1 - self._places[key]] = offset

    def has_record(self, position: int) -> bool:
        return self._offsets[position] != _MISSING

    @property
    def is_full(self) -> bool:
        """Whether every claimed sample has its record."""
        return _MISSING not in self._offsets

    def offsets(self) -> Iterator[int]:
        """In the order of the samples."""
        return iter(self._offsets)
