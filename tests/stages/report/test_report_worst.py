"""The worst samples, and the character difference they are shown with."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_artifacts import metric, score
from vlmhb_stages.contracts import MetricValue
from vlmhb_stages.report.diff import WINDOW, Side, compare
from vlmhb_stages.report.worst import WorstScores, full_marks


def worst(values: list[float | None], *, of: MetricValue, size: int = 10) -> list[tuple[str, float]]:
    finder = WorstScores(of, size=size)
    for index, value in enumerate(values):
        finder.add(score(str(index), value, scores={of.name: value}))
    return [(item.record.sample_id, item.score) for item in finder.found()]


def test_lower_is_better_lists_the_highest_first() -> None:
    assert worst([0.1, 2.5, 0.0, None, 0.7], of=metric()) == [("1", 2.5), ("4", 0.7), ("0", 0.1)]


def test_higher_is_better_lists_the_lowest_first() -> None:
    of = metric("ANLS", 0.5, direction="higher")
    assert worst([1.0, 0.2, 0.9], of=of) == [("1", 0.2), ("2", 0.9)]


def test_equal_scores_keep_the_order_of_the_file() -> None:
    assert [name for name, _ in worst([0.5] * 20, of=metric(), size=3)] == ["0", "1", "2"]


def test_failed_samples_have_their_own_table() -> None:
    finder = WorstScores(metric())
    finder.add(score("a", 1.0, status="error"))
    finder.add(score("b", 1.0, status="truncated"))
    assert [item.record.sample_id for item in finder.found()] == ["b"]


def test_heap_finds_what_sorting_finds() -> None:
    chance = random.Random(7)
    values: list[float | None] = [chance.random() for _ in range(500)]
    expected = sorted(((str(i), v) for i, v in enumerate(values) if v), key=lambda pair: -pair[1])[:10]
    assert worst(values, of=metric()) == expected


@pytest.mark.parametrize(
    ("of", "best"),
    [
        (metric(value=1.7), 0.0),
        (metric(value=0.7, direction="higher"), 1.0),
        (metric(value=34.2, direction="higher"), 100.0),
        (metric(value=None, direction="higher"), 1.0),
    ],
)
def test_full_marks(of: MetricValue, best: float) -> None:
    assert full_marks(of) == best


# --- diff --------------------------------------------------------------------------------------


def marked(side: Side) -> str:
    return "".join(f"[{part.text}]" if part.changed else part.text for part in side.segments)


@pytest.mark.parametrize(
    ("reference", "answer", "left", "right"),
    [
        ("kitten", "sitting", "[k]itt[en]", "[s]itt[ing]"),
        ("Итого 12", "Итог 12", "Итог[о] 12", "Итог 12"),
        ("", "x", "", "[x]"),
        ("same", "same", "same", "same"),
        ("", "", "", ""),
    ],
)
def test_difference(reference: str, answer: str, left: str, right: str) -> None:
    found = compare(reference, answer)
    assert (marked(found.reference), marked(found.answer)) == (left, right)


def test_tiny_equal_runs_between_changes_are_noise() -> None:
    found = compare("abcdef", "xbyzef")
    assert marked(found.reference) == "[abcd]ef"
    assert marked(found.answer) == "[xbyz]ef"


def test_long_texts_are_cut_around_the_first_difference() -> None:
    reference = "а" * 39_000 + "X" + "б" * 5_000
    answer = "а" * 39_000 + "Y" + "б" * 2_000
    found = compare(reference, answer)
    assert "[X]" in marked(found.reference)
    assert "[Y]" in marked(found.answer)
    for side, text in ((found.reference, reference), (found.answer, answer)):
        shown = sum(len(part.text) for part in side.segments)
        assert shown == WINDOW
        assert side.before + shown + side.after == len(text)


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_character_is_lost_or_invented(reference: str, answer: str) -> None:
    found = compare(reference, answer)
    assert "".join(part.text for part in found.reference.segments) == reference
    assert "".join(part.text for part in found.answer.segments) == answer
