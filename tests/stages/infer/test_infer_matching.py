"""Reading records and samples side by side finds what a dictionary finds, in whatever order the records are."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vlmhb_stages.infer import matching
from vlmhb_stages.infer.matching import MISSING, match
from vlmhb_stages.infer.samples import BadSamples, SampleKeys

KEYS = st.integers(0, 30).map(lambda number: str(number).encode())


def batches(keys: list[bytes], *, size: int) -> list[SampleKeys]:
    parts = [range(start, min(start + size, len(keys))) for start in range(0, len(keys), size)]
    return [SampleKeys([keys[i] for i in part], [i * 10 for i in part]) for part in parts]


@given(
    samples=st.lists(KEYS, unique=True, max_size=31),
    records=st.lists(KEYS, max_size=60),
    in_order=st.booleans(),
    ahead=st.integers(0, 6),
)
def test_the_last_record_of_every_sample(
    samples: list[bytes], records: list[bytes], in_order: bool, ahead: int
) -> None:
    if in_order:  # as journals are, with some repeated and some gone
        records = sorted(records, key=lambda key: samples.index(key) if key in samples else 99)
    last = {key: place for place, key in enumerate(records)}
    with patch.object(matching, "_AHEAD", ahead):
        found = match(batches(samples, size=4), keys=records, places=range(len(records)))
    assert found.keys == samples
    assert list(found.places) == [last.get(key, MISSING) for key in samples]
    assert list(found.lines) == [number * 10 for number in range(len(samples))]


@given(samples=st.lists(KEYS, min_size=2, max_size=40), records=st.lists(KEYS, max_size=20))
def test_an_id_that_is_there_twice_is_always_found(samples: list[bytes], records: list[bytes]) -> None:
    twice = next((key for number, key in enumerate(samples) if key in samples[:number]), None)
    if twice is None:
        match(batches(samples, size=4), keys=records, places=range(len(records)))
        return
    with pytest.raises(BadSamples, match=f"'{twice.decode()}' is not unique"):
        match(batches(samples, size=4), keys=records, places=range(len(records)))
