"""A growing answer: what it may show already, when it ends, and that its pieces are the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vlmhb_models.transformers_answer import Growing

END = 0


def decode_bytes(tokens: object) -> str:
    """A byte-level tokenizer: token n is byte n, and half a character is U+FFFD."""
    return bytes(tokens).decode("utf-8", "replace")  # type: ignore[call-overload]


def growing(*, limit: int = 1000, stop: tuple[str, ...] = ()) -> Growing:
    return Growing(decode=decode_bytes, ends=frozenset({END}), limit=limit, stop=stop)


def run(answer: Growing, tokens: bytes) -> list[str]:
    """The pieces that were shown."""
    pieces = []
    for token in tokens:
        answer.feed(token)
        if piece := answer.take():
            pieces.append(piece)
    return pieces


def test_each_token_is_shown_as_it_comes() -> None:
    answer = growing()
    assert run(answer, b"abc\x00") == ["a", "b", "c"]
    assert (answer.text, answer.finish_reason, answer.counted) == ("abc", "stop", 4)


def test_half_a_character_waits_for_its_other_half() -> None:
    assert run(growing(), "жы".encode()) == ["ж", "ы"]


def test_half_a_character_at_the_end_is_shown_as_broken() -> None:
    answer = growing(limit=2)
    assert run(answer, "aж".encode()) == ["a", "\ufffd"]
    assert answer.finish_reason == "length"


def test_the_limit_counts_every_token() -> None:
    answer = growing(limit=3)
    run(answer, b"abcdef")
    assert (answer.text, answer.finish_reason, answer.counted) == ("abc", "length", 3)


def test_what_may_become_a_stop_string_is_held_back() -> None:
    answer = growing(stop=("END",))
    assert run(answer, b"a EN dEND more") == ["a", " ", "EN ", "d"]
    assert (answer.text, answer.finish_reason) == ("a EN d", "stop")


def test_what_did_not_become_a_stop_string_comes_at_last() -> None:
    answer = growing(stop=("END",))
    assert "".join(run(answer, b"the EN\x00")) == "the EN"


def test_the_first_of_several_stop_strings_cuts() -> None:
    answer = growing(stop=("dd", "b"))
    run(answer, b"abcdd")
    assert answer.text == "a"


def test_nothing_is_taken_after_its_end() -> None:
    answer = growing(limit=1)
    run(answer, b"abc")
    assert (answer.text, answer.counted) == ("a", 1)


@pytest.mark.parametrize("first", [b"\x00", b"E"])
def test_an_empty_answer(first: bytes) -> None:
    answer = growing(stop=("E",))
    assert run(answer, first) == []
    assert (answer.text, answer.finish_reason) == ("", "stop")


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.text(min_size=1, max_size=4), max_size=3),
    st.integers(1, 60),
)
def test_pieces_are_the_whole_and_hold_no_stop_string(text: str, stop: list[str], limit: int) -> None:
    tokens = text.replace("\x00", "").encode("utf-8", "surrogatepass")
    answer = growing(limit=limit, stop=tuple(stop))
    shown = "".join(run(answer, tokens + bytes([END])))
    assert shown == answer.text
    expected = decode_bytes(tokens[:limit])
    assert expected.startswith(shown)
    assert not any(word in shown for word in stop)
    if not any(word in expected for word in stop):
        assert shown == expected
