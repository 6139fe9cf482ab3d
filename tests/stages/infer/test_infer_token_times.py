"""Time to the first token and the gaps between tokens, from pieces that carry several of them."""

from __future__ import annotations

import pytest
from vlmhb_stages.infer.token_times import TokenTimes
from vlmhb_stages.sketch import Sketch


def times(*pieces: tuple[float, int | None]) -> TokenTimes:
    found = TokenTimes()
    for now, tokens in pieces:
        found.piece(now=now, tokens=tokens)
    return found


def gaps(*values: tuple[float, int]) -> Sketch:
    sketch = Sketch()
    for value, count in values:
        sketch.add(value, count)
    return sketch


def test_a_piece_of_five_tokens_counts_five_gaps() -> None:
    """By the server's own running count: never the gap between chunks."""
    assert times((1.0, 5), (1.5, 10), (2.0, 15)).gaps(15) == gaps((0.1, 10))


def test_pieces_of_different_sizes() -> None:
    assert times((1.0, 1), (1.4, 5), (1.6, 6)).gaps(6) == gaps((0.1, 4), (0.2, 1))


def test_a_piece_without_a_new_token_waits_for_the_next_count() -> None:
    assert times((1.0, 1), (1.4, 1), (1.6, 3)).gaps(3) == gaps((0.3, 2))


def test_without_running_counts_tokens_are_spread_evenly() -> None:
    assert times((1.0, None), (1.5, None), (2.5, None)).gaps(11) == gaps((0.1, 5), (0.2, 5))


@pytest.mark.parametrize("count", [0, 7])
def test_counts_that_do_not_run_are_not_believed(count: int) -> None:
    assert times((1.0, count), (1.5, count), (2.5, count)).gaps(11) == gaps((0.1, 5), (0.2, 5))


def test_more_pieces_than_tokens() -> None:
    found = times(*((float(i), None) for i in range(9))).gaps(5)
    assert found == gaps((2.0, 4))


def test_every_token_after_the_first_has_one_gap() -> None:
    for tokens in range(2, 60):
        found = times(*((i / 7, None) for i in range(11))).gaps(tokens)
        assert found is not None and found.count == tokens - 1


def test_what_is_read_at_once_is_one_piece() -> None:
    assert times((1.0, 1), (1.4, 2), (1.4, 3), (1.4, 5)).gaps(5) == gaps((0.1, 4))


def test_no_gaps_where_nobody_counted_or_there_is_one_token() -> None:
    assert times((1.0, None), (2.0, None)).gaps(None) is None
    assert times((1.0, None), (2.0, None)).gaps(1) is None
    assert times((1.0, 3)).gaps(3) is None
    assert times().gaps(5) is None


@pytest.mark.parametrize(
    ("pieces", "end", "tokens", "streamed"),
    [
        ([1.0, 2.0], 2.0, 2, True),
        ([1.0], 1.5, 9, True),
        ([1.0], 1.0, 9, False),
        ([1.0, 1.0], 1.0, 9, False),
        ([1.0], 1.0, None, False),
        ([1.0], 1.0, 1, True),
        ([], 1.0, 0, False),
    ],
)
def test_an_answer_that_came_at_once_was_not_streamed(
    pieces: list[float], end: float, tokens: int | None, *, streamed: bool
) -> None:
    found = times(*((at, None) for at in pieces))
    assert found.was_streamed(end=end, tokens=tokens) is streamed
