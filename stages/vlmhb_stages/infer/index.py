"""Where the record of every sample stands in the journal: by sample id while looking back, in planned order later.

One dictionary of bytes to integers and one array: about 150 MB for a million samples.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from vlmhb_stages.infer.lines import Fates
from vlmhb_stages.infer.samples import BadSamples
from vlmhb_stages.infer.tally import Fate

_FATE_BITS = 10  # fewer fates exist than 1,024
_FATE_MASK = (1 << _FATE_BITS) - 1
_MISSING = -1


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record, without its text: where it stands, and what became of the sample. `packed` is both in a number."""

    packed: int
    offset: int
    fate: Fate


class Index:
    """Feed it every recorded line in order (`found`: the last one wins), then every sample in order (`claim`)."""

    def __init__(self, fates: Fates) -> None:
        self.fates = fates
        self._final = fates.final
        self._places: dict[bytes, int] = {}  # offset and fate of a record, or, once claimed, -1 - position
        self._offsets = array("q")  # by position

    def found(self, key: bytes, *, offset: int, fate: int) -> None:
        self._places[key] = offset << _FATE_BITS | fate

    def claim(self, key: bytes) -> Recorded | None:
        """The record that is there for the next sample. Raises `BadSamples` for an id that was there before.

        It is used only after `place`."""
        place = self._places.get(key)
        if place is not None and place < 0:
            raise BadSamples(f"sample_id {key.decode()!r} is not unique")
        self._places[key] = -1 - len(self._offsets)
        self._offsets.append(_MISSING)
        return self.recorded(place) if place is not None else None

    def recorded(self, packed: int) -> Recorded:
        return Recorded(packed, packed >> _FATE_BITS, self.fates[packed & _FATE_MASK])

    def place(self, key: bytes, offset: int) -> None:
        """The record of a claimed sample stands at `offset` from now on."""
        self._offsets[-1 - self._places[key]] = offset

    def keep_next(self, key: bytes) -> int | None:
        """`claim` and `place` in one for a sample whose record is final, at a million samples a second; gives the
        number of its fate. None, and nothing done, for any other sample."""
        place = self._places.get(key, _MISSING)
        if place < 0 or not self._final[fate := place & _FATE_MASK]:
            return None
        self._places[key] = -1 - len(self._offsets)
        self._offsets.append(place >> _FATE_BITS)
        return fate

    @property
    def claimed(self) -> int:
        return len(self._offsets)

    def has_record(self, position: int) -> bool:
        return self._offsets[position] != _MISSING

    @property
    def is_full(self) -> bool:
        """Whether every claimed sample has its record."""
        return _MISSING not in self._offsets

    def offsets(self) -> Iterator[int]:
        """In the order of the samples."""
        return iter(self._offsets)
