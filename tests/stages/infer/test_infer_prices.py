"""What a request can cost at most, and what it has cost."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infer_bench import sample
from vlmhb_stages.contracts import ImageRef
from vlmhb_stages.infer.outcomes import Answer, Failure
from vlmhb_stages.infer.prices import ImageBound, Load, Tariff, ceiling, cost, load_of
from vlmhb_stages.specs import Decoding, Price

PER_TOKEN = Price(input=1e6, output=2e6)  # 1 for a token of input, 2 for one of output
DECODING = Decoding(max_tokens=100)
PAGE = ImageRef(path="a.png", sha256="0" * 64, width=1000, height=1400)


def answer(input_tokens: int | None = 10, output_tokens: int | None = 5, **changes: Any) -> Answer:
    base: dict[str, Any] = {
        "status": "ok",
        "text": "x",
        "finish_reason": "stop",
        "latency_s": 1.0,
        "ttft_s": 0.1,
    }
    return Answer(**{**base, "input_tokens": input_tokens, "output_tokens": output_tokens, **changes})


@pytest.mark.parametrize(
    ("price", "given_answer", "images", "expected"),
    [
        (PER_TOKEN, answer(), 0, 20.0),
        (Price(input=1e6, cached_input=25e4), answer(cached_tokens=4), 0, 7.0),
        (Price(input=1e6), answer(cached_tokens=4), 0, 10.0),
        (Price(input=1e6, image_input=3e6), answer(image_tokens=4), 1, 18.0),
        (Price(input=1e6, image_input=3e6, cached_input=0.0), answer(image_tokens=8, cached_tokens=6), 1, 12.0),
        (Price(per_request=0.5, per_image=0.25), answer(None, None), 3, 1.25),
        (Price(input=1e6, per_request=0.5), answer(), 0, 10.5),
        (PER_TOKEN, answer(None), 0, None),
        (PER_TOKEN, answer(10, None), 0, None),
    ],
)  # fmt: skip
def test_the_cost_of_an_answer(
    price: Price, given_answer: Answer, images: int, expected: float | None
) -> None:
    assert cost(given_answer, price=price, images=images) == expected


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure(kind="rate_limited", message="", retryable=True, status_code=429), 0.0),
        (Failure(kind="server_error", message="", retryable=True, status_code=500), 0.0),
        (Failure(kind="server_error", message="", retryable=True, status_code=500, begun=True), None),
        (Failure(kind="connection", message="", retryable=True, sent=False), 0.0),
        (
            Failure(kind="timeout", message="", retryable=True),
            None,
        ),  # the server may have gone on and charge it
        (Failure(kind="connection", message="reset", retryable=True), None),
        (Failure(kind="invalid_response", message="", retryable=True, status_code=200), None),
    ],
)
def test_the_cost_of_a_failure(failure: Failure, expected: float | None) -> None:
    assert Tariff(PER_TOKEN, decoding=DECODING).cost(failure, Load(text_bytes=1, messages=1)) == expected


@given(text=st.text(max_size=200))
def test_no_text_has_more_tokens_than_its_bytes(text: str) -> None:
    """The finest tokenizer there is gives one token per byte."""
    one = load_of(sample("s", prompt=text))
    bound = ceiling(one, price=Price(input=1e6), decoding=DECODING)
    assert bound >= len(f"{text} s".encode()) + 16


def test_everything_that_can_cost_is_in_the_ceiling() -> None:
    load = load_of(sample("s", PAGE, PAGE))
    assert load.pixels == (1_400_000, 1_400_000)
    plain = ceiling(load, price=Price(input=1.0), decoding=DECODING)
    assert ceiling(load, price=Price(input=1.0, image_input=5.0), decoding=DECODING) > 2 * plain
    assert ceiling(load, price=Price(input=1.0, cached_input=2.0), decoding=DECODING) == pytest.approx(
        2 * plain
    )
    assert ceiling(load, price=Price(output=1e6), decoding=DECODING) == 100.0
    assert ceiling(load, price=Price(per_request=3.0, per_image=2.0), decoding=DECODING) == 7.0


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (768, 2048, 2833 + 8 * 5667),  # OpenAI's tiles for gpt-4o-mini, at their most
        (512, 512, 2833 + 5667),
        (1092, 1092, 1092 * 1092 // 750),  # Anthropic's rule
        (1024, 1024, 1024 * 1024 // (28 * 28)),  # Qwen2-VL
        (1024, 1024, 1024 * 1024 // (14 * 14)),  # patches of 14 pixels, none merged
        (448, 448, 256 * 13),  # InternVL: up to twelve tiles and a thumbnail
        (100, 50, 258),  # Gemini
    ],
)
def test_the_first_bound_is_above_what_models_take(width: int, height: int, tokens: int) -> None:
    assert ImageBound().tokens(width * height) >= tokens


def test_answers_teach_how_many_tokens_an_image_takes() -> None:
    bound, load = ImageBound(), Load(text_bytes=10, messages=1, pixels=(1_000_000,))
    before = bound.tokens(1_000_000)
    for tokens in (1000, 1200, 900, 1000, 1000, 1000, 1000, 1000):
        bound.learn(load, tokens=tokens)
    assert bound.tokens(1_000_000) == pytest.approx(1200 * 1.2)
    assert bound.tokens(10_000) == pytest.approx(1200 * 1.2)  # small ones may be made larger by the model
    assert bound.tokens(1_000_001) >= before / 1.2  # what was never seen is not trusted to be like it
    bound.learn(Load(text_bytes=1, messages=1), tokens=10_000)  # no image, nothing learned
    assert bound.tokens(1_000_000) == pytest.approx(1200 * 1.2)


def test_a_tariff_learns_from_usage() -> None:
    tariff, load = Tariff(PER_TOKEN, decoding=DECODING), load_of(sample("s", PAGE))
    before = tariff.ceiling(load)
    for _ in range(8):
        assert tariff.cost(answer(1500, 5, image_tokens=1400), load) == 1510.0
    after = tariff.ceiling(load)
    assert math.isclose(before - after, ImageBound().tokens(1_400_000) - 1400 * 1.2)
