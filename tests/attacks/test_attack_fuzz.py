"""Random damage: readers of files never crash, a broken journal costs only the lines that broke, and every answer of a
server is an outcome.

What no check can see is left out on purpose: a changed letter inside an id or an answer of a journal that is not yet
sealed. Once it is sealed, its sha256 sees every byte."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vlmhb.cards.parse import parse_file
from vlmhb.config.promptfile import read_prompt_file
from vlmhb.config.read import read_run_config
from vlmhb.errors import VlmhbError
from vlmhb.pricing.read import read_prices
from vlmhb_stages.answers import BadAnswers, read_answers
from vlmhb_stages.contracts import Prediction
from vlmhb_stages.infer.canonical import make_canonical
from vlmhb_stages.infer.dialects import DIALECTS
from vlmhb_stages.infer.dialects.base import json_object
from vlmhb_stages.infer.lines import Fates, RecordLines
from vlmhb_stages.infer.outcomes import Answer, Attempt, Failure
from vlmhb_stages.infer.sse import EventSplitter
from vlmhb_stages.journal import Journal, recover

EXAMPLES = int(
    os.environ.get("VLMHB_FUZZ_EXAMPLES", "50")
)  # for each; thousands find more, on a free evening
READERS: dict[str, Callable[[Path], Any]] = {
    "run.csv": read_run_config,
    "run.json": read_run_config,
    "run.yaml": read_run_config,
    "prices.yaml": read_prices,
    "prompts.json": read_prompt_file,
    "prompts.yaml": read_prompt_file,
    "model.yaml": lambda path: parse_file(path, kind="model"),
    "benchmark.yaml": lambda path: parse_file(path, kind="benchmark"),
}
WORDS = (
    "dataset", "model_name", "evaluations", "defaults", "matrix", "limit", "budget", "prompt_config", "response_schema",
    "models", "currency", "date", "source", "default", "user", "{{ x }}", "{% if", "name", "framework", "interface",
    "server", "env", "command", "params", "a", "1", "-1", "1e9999", "NaN", ".nan", "0xff", "2026-01-01", "true", "null",
    "\ud800", "\0", "\u202e", "&a", "*a", "!!python/name:x", "<<", "|", ">",
)  # fmt: skip
MARKS = (": ", "\n", "\n- ", "\n  ", ", ", "{", "}", "[", "]", '"', "'", ";", "\t", "#", "---\n", " ")
TEXTS = st.lists(st.sampled_from(WORDS) | st.sampled_from(MARKS), max_size=40).map("".join)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.sampled_from(("", "stop", "length", "x" * 300, "\ud800", "\ud83d")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=8,
)


def told(read: Callable[[Path], Any], name: str, data: bytes) -> None:
    """Whatever the file holds: errors of ours, each of one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            errors = [*getattr(read(path), "errors", ())]
        except VlmhbError as error:
            errors = [error]
        for error in errors:
            assert all(line.startswith("VHB") and line.isprintable() for line in error.line().split("\n"))
        assert [entry.name for entry in Path(folder).iterdir()] == [name]


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=EXAMPLES)
@given(data=TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=200))
def test_readers_of_configs(name: str, data: bytes) -> None:
    told(READERS[name], name, data)


@pytest.mark.parametrize("name", ["run.json", "prompts.json", "run.yaml", "prices.yaml", "model.yaml"])
@settings(max_examples=EXAMPLES)
@given(value=st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=4))
def test_readers_of_configs_that_are_well_formed(name: str, value: dict[str, Any]) -> None:
    told(READERS[name], name, json.dumps(value).encode())  # YAML is a superset of JSON


@settings(max_examples=EXAMPLES)
@given(data=TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=200))
def test_readers_of_answers(data: bytes) -> None:
    for name in ("a.jsonl", "a.csv"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            try:
                read_answers(path)
            except BadAnswers as error:
                assert str(error)


COUNT = 6
RECORDS = tuple(
    Prediction(
        sample_id=f"s{n}",
        request_hash=f"{n}" * 64,
        status="ok",
        text=f'answer {n} «ё» \n\t"{"x" * n}"',
        latency_s=n,
    )
    .model_dump_json()
    .encode()
    + b"\n"
    for n in range(COUNT)
)
ATTEMPTS = tuple(
    Attempt(sample_id=f"s{n}", attempt=1, started=1.0, latency_s=0.5, outcome="ok").model_dump_json().encode()
    + b"\n"
    for n in range(COUNT)
)
HARMS = st.tuples(
    st.sampled_from(["flip", "insert", "cut", "end", "zeros", "repeat"]), st.floats(0, 1), st.integers(0, 255)
)


def harmed(data: bytes, *, kind: str, where: float, byte: int) -> bytes:
    at = min(int(where * len(data)), len(data) - 1)
    head, tail = data[:at], data[at:]
    return {
        "flip": head + bytes([tail[0] ^ (byte or 1)]) + tail[1:],
        "insert": head + bytes([byte]) * (1 + byte % 3) + tail,
        "cut": head + tail[1 + byte % 5 :],
        "end": head,
        "zeros": head + bytes(min(len(tail), 1 + byte)) + tail[1 + byte :],
        "repeat": head + data[max(0, at - byte) :],
    }[kind]


@settings(max_examples=4 * EXAMPLES)
@given(harm=HARMS)
def test_a_harmed_journal_keeps_every_line_that_is_whole(harm: tuple[str, float, int]) -> None:
    """And gives back nothing that is no line of it; what it keeps is canonical afterwards, each sample once."""
    data = harmed(b"".join(RECORDS), kind=harm[0], where=harm[1], byte=harm[2])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.jsonl"
        path.write_bytes(data)
        Journal(path).close()  # cuts the torn end, as the next start does
        kept = path.read_bytes()
        lines = kept.splitlines(keepends=True) if kept else []
        found = list(RecordLines(path, fates=Fates()))
        offsets = {record.key: record.offset for record in found}  # the last one wins
        whole = {line for line in kept.split(b"\n") if line + b"\n" in RECORDS}
        assert {json.loads(line)["sample_id"].encode() for line in whole} <= offsets.keys()
        struck = make_canonical(path, lambda: iter(offsets.values()), known_from=len(kept))
        assert struck <= len(lines)
        again = list(RecordLines(path, fates=Fates()))
        keys = [record.key for record in again]
        if not struck:
            assert sorted(keys) == sorted(offsets)
            for line in path.read_bytes().splitlines():
                Prediction.model_validate_json(line)


@settings(max_examples=2 * EXAMPLES)
@given(harm=HARMS)
def test_a_harmed_list_of_attempts(harm: tuple[str, float, int]) -> None:
    data = harmed(b"".join(ATTEMPTS), kind=harm[0], where=harm[1], byte=harm[2])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "attempts.jsonl"
        path.write_bytes(data)
        seen: list[Attempt] = []
        recovery = recover(
            path, parse=Attempt.model_validate_json, keep=lambda _, attempt: seen.append(attempt)
        )
        whole = sum(line + b"\n" in ATTEMPTS for line in path.read_bytes().split(b"\n"))
        assert recovery.lines == len(seen) >= whole
        with_one_more = Journal(path)
        with_one_more.append(ATTEMPTS[0].decode().rstrip())
        with_one_more.close()
        assert path.read_bytes().endswith(b"\n" + ATTEMPTS[0]) or path.read_bytes() == ATTEMPTS[0]


def is_outcome(outcome: object) -> bool:
    """One that can be recorded: its texts can be written and its counts added."""
    if isinstance(outcome, Answer):
        counts = (outcome.input_tokens, outcome.output_tokens, outcome.image_tokens, outcome.cached_tokens)
        (outcome.text or "").encode()
        return all(count is None or 0 <= count <= 10**9 for count in counts)
    return isinstance(outcome, Failure) and bool(outcome.message)


SHAPES = st.recursive(
    VALUES,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            name: inner | st.lists(inner, max_size=2)
            for name in (
                "choices", "message", "delta", "content", "finish_reason", "usage", "prompt_tokens", "error", "code",
                "type", "text", "index", "content_block", "stop_reason", "candidates", "parts", "finishReason",
                "usageMetadata", "promptFeedback", "blockReason", "refusal", "tool_calls", "input_tokens",
            )
        },
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=EXAMPLES)
@given(value=SHAPES)
def test_a_whole_answer_is_an_outcome(name: Any, value: Any) -> None:
    assert is_outcome(DIALECTS[name].whole(json.dumps(value).encode(), latency_s=1.0))


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=EXAMPLES)
@given(data=st.binary(max_size=99))
def test_bytes_are_an_outcome(name: Any, data: bytes) -> None:
    assert is_outcome(DIALECTS[name].whole(data, latency_s=1.0))
    assert isinstance(json_object(data, what="x"), dict | Failure)


KINDS = (
    "message_start",
    "content_block_start",
    "content_block_delta",
    "message_delta",
    "message_stop",
    "error",
    "ping",
)


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=EXAMPLES)
@given(chunks=st.lists(SHAPES, max_size=4), kinds=st.lists(st.sampled_from(KINDS), min_size=4, max_size=4))
def test_a_stream_is_an_outcome(name: Any, chunks: list[Any], kinds: list[str]) -> None:
    reading = DIALECTS[name].stream(started=0.0)
    for number, (chunk, kind) in enumerate(zip(chunks, kinds, strict=False)):
        typed = {"type": kind, **chunk} if isinstance(chunk, dict) else chunk
        reading.feed(json.dumps(typed), now=float(number))
    reading.feed("[DONE]", now=9.0)
    assert is_outcome(reading.outcome())


@settings(max_examples=2 * EXAMPLES)
@given(
    payloads=st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n")), max_size=6),
    end=st.sampled_from([b"\n", b"\r", b"\r\n"]),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_events_come_whole_however_they_are_cut(payloads: list[str], end: bytes, cuts: list[int]) -> None:
    data = b"".join(
        b"data: " + text.encode("utf-8", "replace") + end + b": note" + end * 2 for text in payloads
    )
    splitter, found = EventSplitter(), list[str]()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, stop in pairwise(places):
        found += splitter.feed(data[start:stop])
    assert found == [text.encode("utf-8", "replace").strip().decode() for text in payloads]


@settings(max_examples=EXAMPLES)
@given(blocks=st.lists(st.binary(max_size=40), max_size=6))
def test_bytes_are_events_or_nothing(blocks: list[bytes]) -> None:
    splitter = EventSplitter()
    assert all(isinstance(payload, str) for block in blocks for payload in splitter.feed(block))
