"""The quick reader of recorded predictions finds what the slow and obvious one finds, whatever the file looks like."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vlmhb_stages.contracts import Prediction, SampleError
from vlmhb_stages.infer import lines as lines_module
from vlmhb_stages.infer.canonical import make_canonical
from vlmhb_stages.infer.index import Index, OpenSample, Recorded
from vlmhb_stages.infer.lines import FATE_BITS, Batch, Fates, RecordLines, hash_of
from vlmhb_stages.infer.resume import OwnRecords
from vlmhb_stages.infer.samples import BadSamples, SampleKeys
from vlmhb_stages.infer.tally import Fate
from vlmhb_stages.journal import scan

TEXTS = st.one_of(st.none(), st.just(""), st.text(), st.text(alphabet='\n\t"\\{}:,абв '))
IDS = st.one_of(
    st.sampled_from(["a", "b", "страница 1", 'with "quotes"', "tab\there", ""]), st.text(max_size=8)
)
HASHES = st.sampled_from(["0" * 64, "f" * 64, "0123456789abcdef" * 4, "short", "A" * 64])


@st.composite
def predictions(draw: st.DrawFn) -> Prediction:
    status = draw(
        st.sampled_from(["ok", "truncated", "refused", "error", "context_overflow", "skipped_budget"])
    )
    error = SampleError(kind="timeout", message=draw(TEXTS) or "")
    return Prediction.model_validate(
        {
            "sample_id": draw(IDS),
            "request_hash": draw(HASHES),
            "status": status,
            "text": draw(TEXTS),
            "finish_reason": draw(st.sampled_from([None, "stop", 'odd "reason"'])),
            "latency_s": draw(st.one_of(st.none(), st.floats(0, 1e6))),
            "itl": draw(st.one_of(st.none(), st.dictionaries(st.integers().map(str), st.integers(0, 9)))),
            "adjusted": draw(st.sampled_from([(), ("images at 50 %",)])),
            "error": error if status not in ("ok", "truncated") or draw(st.booleans()) else None,
            "server": draw(st.sampled_from([None, "socket", "наш"])),
            "fallback": draw(st.sampled_from([None, "other"])),
            "imported_from": draw(st.sampled_from([None, "f" * 64, "cache:" + "e" * 64, "lmms-eval"])),
        }
    )  # fmt: skip


def encoded(record: Prediction) -> bytes:
    return record.model_dump_json().encode()


@st.composite
def journals(draw: st.DrawFn) -> bytes:
    """Records, broken as crashes and hands break them."""
    parts: list[bytes] = []
    for record in draw(st.lists(predictions(), max_size=8)):
        line = encoded(record)
        cut = draw(st.integers(0, len(line)))
        kind = draw(st.sampled_from(["whole", "whole", "whole", "torn", "glued", "zeros", "other", "spaced"]))
        parts.append(
            {
                "whole": line + b"\n",
                "torn": line[:cut] + b"\n",
                "glued": line[:cut] + line + b"\n",  # a torn line that the next writer went on with
                "zeros": line[:cut] + b"\0" * 7 + line[cut:] + b"\n",  # a block that never reached the disk
                "other": draw(st.binary(max_size=40)) + b"\n",
                "spaced": json.dumps(json.loads(line)).encode() + b"\r\n",  # valid, not as we write it
            }[kind]
        )
    return b"".join(parts) + draw(st.sampled_from([b"", b"", b'{"sample_id":"a","requ']))


def slowly(path: Path) -> tuple[list[tuple[bytes, str, int, Fate]], int]:
    found: list[tuple[bytes, str, int, Fate]] = []

    def keep(offset: int, record: Prediction) -> None:
        found.append((record.sample_id.encode(), record.request_hash, offset, Fate.of(record)))

    return found, scan(path, parse=Prediction.model_validate_json, keep=keep).corrupt


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=journals())
def test_the_quick_reader_agrees_with_the_slow_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(content[: content.rfind(b"\n") + 1])
    fates = Fates()
    quick = RecordLines(path, fates=fates)
    found = [(key, digest.decode(), offset, fates[fate]) for key, digest, offset, fate in quick]
    assert (found, quick.corrupt) == slowly(path)
    for _, digest, offset, _ in found:
        assert hash_of(path.read_bytes()[offset:].split(b"\n")[0] + b"\n") == digest


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=journals())
def test_the_last_valid_line_of_each_sample_wins_and_the_torn_tail_is_cut(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(content)
    own = OwnRecords(path)
    assert path.read_bytes() == content[: content.rfind(b"\n") + 1]
    last = {key: (offset, fate) for key, _, offset, fate in slowly(path)[0]}
    assert own.is_empty == (not last)
    keys = [SampleKeys(list(last), list(range(len(last))))]
    found = [one.recorded for one in own.index.claim(keys, is_trusted=False).of(with_record=True)]
    assert [(one.offset, one.fate) for one in found if one] == list(last.values())


@pytest.mark.parametrize("status", ["ok", "truncated"])
def test_usual_records_are_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """Else a million of them take a minute. With every field set that an answer can have."""
    record = Prediction.model_validate(
        {
            "sample_id": "страницы/1", "request_hash": "0" * 64, "status": status, "text": 'a "b"\nв',
            "finish_reason": "stop", "input_tokens": 9, "output_tokens": 9, "image_tokens": 5, "cached_tokens": 1,
            "tokens_from": "usage", "queue_s": 1e-6, "latency_s": 1.5, "ttft_s": 0.25, "tpot_s": 0.125,
            "itl": {"-3": 1, "12": 2}, "attempts": 2, "cost": 0.5, "server": "127.0.0.1:80",
            "prompt_sha256": "a" * 64, "imported_from": "cache:" + "f" * 64,
        }
    )  # fmt: skip
    path = tmp_path / "p.jsonl"
    path.write_bytes(
        encoded(record) + b"\n" + encoded(record.model_copy(update={"imported_from": None})) + b"\n"
    )
    monkeypatch.setattr(lines_module.Prediction, "model_validate_json", None)
    fates = Fates()
    found = [fates[found.fate] for found in RecordLines(path, fates=fates)]
    assert [(fate.is_imported, fate.is_cached) for fate in found] == [(True, True), (False, False)]


def journal_of(path: Path, ids: list[str]) -> list[int]:
    """Offsets of one record each."""
    records = [
        Prediction(sample_id=name, request_hash="0" * 64, status="ok", text=f"of {name}") for name in ids
    ]
    content = [encoded(record) + b"\n" for record in records]
    path.write_bytes(b"".join(content))
    return [sum(map(len, content[:number])) for number in range(len(content))]


def test_a_line_that_is_broken_inside_is_found_before_the_journal_is_made_canonical(tmp_path: Path) -> None:
    """The quick reader looks at both ends only: `"text":"of b` has lost its quote, and is struck out."""
    path = tmp_path / "p.jsonl"
    offsets = journal_of(path, ["a", "b", "c"])
    content = path.read_bytes().replace(b'"text":"of b"', b'"text":"of b ')
    path.write_bytes(content)
    assert make_canonical(path, lambda: iter(offsets[::-1]), known_from=len(content)) == 1
    assert make_canonical(path, lambda: iter([offsets[2], offsets[0]]), known_from=len(content)) == 0
    assert [json.loads(line)["sample_id"] for line in path.read_bytes().splitlines()] == ["c", "a"]


def test_a_broken_line_is_corrupt_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    offsets = journal_of(path, ["a", "b"])
    path.write_bytes(path.read_bytes().replace(b"of b", b"of\tb"))
    assert make_canonical(path, lambda: iter(offsets), known_from=1 << 40) == 1
    own = OwnRecords(path)
    open_samples = own.index.claim([SampleKeys([b"a", b"b"], [0, 9])], is_trusted=True)
    assert (own.corrupt, [one.offset for one in open_samples.of(with_record=False)]) == (1, [9])


def test_a_journal_in_order_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    offsets = journal_of(path, ["a", "b", "c"])
    before = path.stat()
    assert make_canonical(path, lambda: iter(offsets), known_from=0) == 0
    assert path.stat() == before
    assert make_canonical(path, lambda: iter(offsets[:2]), known_from=0) == 0
    assert path.stat().st_size < before.st_size


def test_samples_are_claimed_in_order_and_records_are_placed() -> None:
    fates = Fates()
    answered, failed = Fate(status="ok"), Fate(status="error", error="timeout")
    final, retryable = fates.number(answered), fates.number(failed)

    def index() -> Index:
        made = Index(fates)
        records = [(b"a", 10, retryable), (b"a", 20, final), (b"b", 30, retryable), (b"gone", 40, final)]
        batch = Batch()
        for key, offset, fate in records:
            batch.keys.append(key)
            batch.places.append(offset << FATE_BITS | fate)
        assert made.load([batch]) == 4
        return made

    keys = [SampleKeys([b"a", b"b"], [0, 100]), SampleKeys([b"c"], [200])]
    trusted = index()
    open_samples = trusted.claim(keys, is_trusted=True)
    assert trusted.kept == {answered: 1}
    assert list(open_samples.of(with_record=False)) == [OpenSample(200, 3, None)]
    assert list(open_samples.of(with_record=True)) == [OpenSample(100, 2, Recorded(30, failed))]
    assert not trusted.is_full
    trusted.place(b"c", 50)
    trusted.place(b"b", 60)
    assert list(trusted.offsets()) == [20, 60, 50] and trusted.is_full
    assert not [*open_samples.of(with_record=False), *open_samples.of(with_record=True)]

    doubted = index()
    assert [one.number for one in doubted.claim(keys, is_trusted=False).of(with_record=True)] == [1, 2]
    assert not doubted.kept
    for is_trusted in (True, False):
        with pytest.raises(BadSamples, match="'a' is not unique"):
            index().claim([*keys, keys[0]], is_trusted=is_trusted)
