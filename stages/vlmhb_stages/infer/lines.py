"""Reads recorded predictions a million at a time: by their first and last bytes, and in full only where those are odd.

A line that begins and ends as the recorder writes them, has one beginning only and no zero bytes is taken for whole;
what stands in between is checked when the journal is made canonical (`canonical.py`), before anything is sealed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from typing import Literal, NamedTuple

from vlmhb_stages.contracts import Prediction
from vlmhb_stages.infer.tally import Fate

FATE_BITS = 10  # fewer fates exist than 1,024
FATE_MASK = (1 << FATE_BITS) - 1
_BLOCK = 1 << 20
_BATCH = 256  # lines: few enough to stay in the processor's cache
_MARK = b'"request_hash":"'  # cannot stand inside a JSON string: its quotes would be escaped there
_HEAD = re.compile(
    rb'\{"sample_id":"([^"\\\x00-\x1f]*)","request_hash":"((?s:.{64}))","status":"'
    rb'((?:ok|truncated)","text":(?:"",|"|null,))'
)
_LAST_FIELDS = b',"error":'
_TEXT = rb'(?:null|"[^"\\\x00-\x1f]*")'
_STATUSES: tuple[Literal["ok", "truncated"], ...] = ("ok", "truncated")
_TEXTS = (b'"",', b'"', b"null,")  # how a text begins: empty, not empty, none
_KNOWN_TAILS = 1024


class Found(NamedTuple):
    """One valid record: `key` is its sample id in UTF-8, `fate` a number of `Fates`."""

    key: bytes
    request_hash: bytes
    offset: int
    fate: int


@dataclass(slots=True)
class Batch:
    """Some records in the order of the file. `places`: offset and number of the fate in one integer."""

    keys: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


class Fates:
    """Numbers for the few distinct fates that a million records share."""

    def __init__(self) -> None:
        self._numbers: dict[Fate, int] = {}
        self._fates: list[Fate] = []
        self.final: list[bool] = []  # by number: asking again would change nothing

    def number(self, fate: Fate) -> int:
        found = self._numbers.get(fate)
        if found is None:
            found = self._numbers[fate] = len(self._fates)
            self._fates.append(fate)
            self.final.append(fate.is_final)
        return found

    def __getitem__(self, number: int) -> Fate:
        return self._fates[number]


def _tail_pattern() -> re.Pattern[bytes]:
    """From `error` to the end of a record whose answer nobody has adjusted or replaced."""
    names = list(Prediction.model_fields)
    last = names[names.index("error") + 1 :]
    special = {"fallback": b"null", "imported_from": rb'(null|"[^"\\\x00-\x1f]*")'}
    fields = [b'"%s":%s' % (name.encode(), special.get(name, _TEXT)) for name in last]
    return re.compile(rb',"error":null,' + b",".join(fields) + rb"\}\n")


_TAIL = _tail_pattern()


class RecordLines:
    """The valid records of a file, in its order. `corrupt` counts whole lines that are none."""

    def __init__(self, path: Path, *, fates: Fates) -> None:
        self.corrupt = 0
        self._path = path
        self._fates = fates
        self._known: dict[bytes, dict[bytes, int]] = {}

    def __iter__(self) -> Iterator[Found]:
        for batch in self.batches():
            for key, request_hash, place in zip(batch.keys, batch.hashes, batch.places, strict=True):
                yield Found(key, request_hash, place >> FATE_BITS, place & FATE_MASK)

    def batches(self) -> Iterator[Batch]:
        if not self._path.exists():
            return
        batch, offset = Batch(), 0
        with self._path.open("rb", buffering=_BLOCK) as file:
            while lines := list(islice(file, _BATCH)):
                offset = self._take(lines, offset, batch)
                yield batch
                batch = Batch()

    def _take(self, lines: list[bytes], offset: int, batch: Batch) -> int:
        """The offset behind them. One loop almost without calls on purpose: at a million lines, each one counts."""
        head_of, tail, fates = _HEAD.match, b"\0", dict[bytes, int]()
        keys, hashes, places = batch.keys.append, batch.hashes.append, batch.places.append
        for line in lines:
            head = head_of(line)
            if head is not None and line.rfind(_MARK) < head.end() and line.find(b"\0") < 0:
                if not line.endswith(tail):
                    at = line.rfind(_LAST_FIELDS)
                    tail = line[at:] if at >= 0 else b"\0"
                    fates = self._fates_of(tail)
                key, request_hash, begin = head.groups()
                if fates and (key.isascii() or _is_utf8(key)):
                    keys(key)
                    hashes(request_hash)
                    places(offset << FATE_BITS | fates[begin])
                    offset += len(line)
                    continue
            self._read_in_full(line, offset, batch)
            offset += len(line)
        return offset

    def _read_in_full(self, line: bytes, offset: int, batch: Batch) -> None:
        try:
            record = Prediction.model_validate_json(line)
            key = record.sample_id.encode()
        except ValueError:
            self.corrupt += line.endswith(b"\n")  # else somebody is just writing it
            return
        batch.keys.append(key)
        batch.hashes.append(record.request_hash.encode())
        batch.places.append(offset << FATE_BITS | self._fates.number(Fate.of(record)))

    def _fates_of(self, tail: bytes) -> dict[bytes, int]:
        """By how the answer begins (`_HEAD`); empty for a tail that must be read in full."""
        known = self._known.get(tail)
        if known is None:
            known = self._make_fates(tail)
            if len(self._known) < _KNOWN_TAILS:
                self._known[tail] = known
        return known

    def _make_fates(self, tail: bytes) -> dict[bytes, int]:
        parts = _TAIL.fullmatch(tail)
        if parts is None:
            return {}
        origin = None if parts[1] == b"null" else parts[1][1:-1].decode(errors="replace")
        return {
            b'%s","text":%s' % (status.encode(), text): self._fates.number(
                Fate(
                    status=status,
                    is_empty=text != b'"',
                    is_imported=origin is not None,
                    is_cached=Fate.is_from_cache(origin),
                )
            )
            for status, text in product(_STATUSES, _TEXTS)
        }


def hash_of(line: bytes) -> str | None:
    """The request hash of a line that was found to be a record; None where it is none after all."""
    head = _HEAD.match(line)
    if head is not None:
        return head[2].decode()
    try:
        return Prediction.model_validate_json(line).request_hash
    except ValueError:
        return None


def _is_utf8(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
