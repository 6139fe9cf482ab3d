"""Batches: columns that still read as a sequence of scores, chunks, and texts normalised by table."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vlmhb_benchmarks.metrics import get_metric
from vlmhb_benchmarks.metrics.base import BatchMetric, SampleScore
from vlmhb_benchmarks.metrics.batch import CHUNK, pack, score_all
from vlmhb_benchmarks.metrics.bulk import lower_collapse_all
from vlmhb_benchmarks.metrics.text import lower_collapse

BATCHED = (
    *("cer", "wer", "cer_norm", "wer_norm", "anls", "anls_docvqa", "anls_evalscope", "anls_strict"),
    *("edit_similarity", "edit_similarity_norm", "exact_match", "exact_match_norm"),
)
MANY = 400  # more than the table is worth while for
CHARS = "aBЁйΑßẞǄ\t \n\u00a0\u2003\x1cI,."


@pytest.mark.parametrize("name", BATCHED)
def test_edit_distance_metrics_have_a_batch_rule(name: str) -> None:
    assert isinstance(get_metric(name), BatchMetric)


def test_columns_read_as_scores() -> None:
    columns = score_all(get_metric("cer"), ["ab", "x", "", "c"], [["ab"], [""], [], ["d", "c"]])
    assert columns.values.tolist()[0] == 0.0
    assert columns.flags == {1: "empty_reference", 2: "no_reference"}
    assert columns[0] == SampleScore(value=0.0, parts=(0.0, 2.0), matched_reference="ab")
    assert columns[1] == SampleScore(value=None, parts=None, flag="empty_reference")
    assert columns[-1].matched_reference == "c"
    assert columns[1:3] == [columns[1], columns[2]]
    with pytest.raises(IndexError):
        columns[4]


def test_an_empty_batch_is_empty() -> None:
    assert len(score_all(get_metric("anls"), [], [])) == 0
    assert len(score_all(get_metric("token_f1"), [], [])) == 0


@pytest.mark.parametrize("name", BATCHED)
def test_chunks_are_joined_in_order(name: str) -> None:
    """Every third sample has two references, one has none, around the border of two chunks."""
    count = CHUNK + 60
    answers = [f"Answer  {number % 97}" for number in range(count)]
    references = [[f"answer {number % 89}"] * (1 + (number % 3 == 0)) for number in range(count)]
    references[CHUNK + 5] = []
    metric = get_metric(name)
    columns = score_all(metric, answers, references)
    around = range(CHUNK - 50, CHUNK + 50)
    assert [columns[index] for index in around] == [
        metric.score(answers[index], references[index]) for index in around
    ]
    assert len(columns) == count


def test_packed_scores_come_back() -> None:
    scores = [
        SampleScore(value=0.5, parts=(1.0, 2.0), matched_reference="a"),
        SampleScore(value=None, parts=None, flag="no_reference"),
    ]
    columns = pack(scores)
    assert list(columns) == scores
    assert math.isnan(columns.parts[1][0])


@settings(deadline=None, max_examples=60, derandomize=True)
@given(texts=st.lists(st.text(alphabet=CHARS, max_size=9), min_size=1, max_size=8))
def test_the_table_equals_python(texts: list[str]) -> None:
    many = texts * MANY
    assert lower_collapse_all(many)[: len(texts)] == list(map(lower_collapse, texts))


@pytest.mark.parametrize("odd", ["İ", "ΑΣ", "Σ", "😀 A", "a\0B", "\ud800", "\uffff", "", " "])
def test_characters_that_no_table_can_do(odd: str) -> None:
    texts = ["Ab  c"] * MANY + [odd]
    assert lower_collapse_all(texts) == list(map(lower_collapse, texts))


def test_every_character_of_16_bits() -> None:
    texts = [f"{chr(code)}A{chr(code)}" for code in range(1, 2**16) if not 0xD800 <= code <= 0xDFFF]
    plain = [text for text in texts if text[0] not in "İΣ\uffff"]
    assert lower_collapse_all(plain) == list(map(lower_collapse, plain))
