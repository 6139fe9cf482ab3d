"""What a request can cost at most, before it is sent, and what it has cost, from the server's own usage."""

from __future__ import annotations

import json
from dataclasses import dataclass

from vlmhb_stages.contracts import Sample
from vlmhb_stages.infer.outcomes import Answer, Outcome
from vlmhb_stages.specs import Decoding, Price

_MILLION = 1_000_000
_PER_MESSAGE = 16  # tokens of the chat template around a message
_PER_REQUEST = 64
# Before anything is known of a model: more than any published rule gives. Tiles of 512 x 512 pixels, begun ones in
# full, cost up to 5,667 tokens each and 2,833 at the start in OpenAI's table (gpt-4o-mini, the dearest by count); at
# most 8 tiles are taken.
_AT_LEAST, _PER_PIXEL, _MOST = 15_000, 5_667 / (512 * 512), 50_000
_ENOUGH = 8  # answers with images, until what they took replaces the rule above
_MARGIN = 1.2


@dataclass(frozen=True, kw_only=True)
class Load:
    """What of a request decides how many tokens it has: bytes of text, and the pixels of each image."""

    text_bytes: int
    messages: int
    pixels: tuple[int, ...] = ()


def load_of(sample: Sample) -> Load:
    schema = json.dumps(sample.response_schema) if sample.response_schema else ""
    return Load(
        text_bytes=sum(len(message.content.encode()) for message in sample.messages) + len(schema.encode()),
        messages=len(sample.messages),
        pixels=tuple(image.width * image.height for image in sample.images),
    )


class ImageBound:
    """How many tokens an image can have at most: from a cautious rule, later from the answers of this very model."""

    def __init__(self) -> None:
        self._answers = 0
        self._per_pixel = 0.0
        self._largest = 0.0
        self._pixels = 0  # of the largest image seen: what lies beyond is not known

    def tokens(self, pixels: int) -> float:
        if self._answers < _ENOUGH or pixels > self._pixels:
            return max(min(_MOST, _AT_LEAST + _PER_PIXEL * pixels), self._largest)
        return max(self._per_pixel * pixels, self._largest) * _MARGIN

    def learn(self, load: Load, *, tokens: int) -> None:
        """`tokens`: of the images alone, or of the whole input where the server does not tell them apart."""
        total = sum(load.pixels)
        if not total:
            return
        self._answers += 1
        self._per_pixel = max(self._per_pixel, tokens / total)
        self._largest = max(self._largest, tokens / len(load.pixels))
        self._pixels = max(self._pixels, *load.pixels)


class Tariff:
    """The price of one place. One per place: it learns how many tokens an image takes there."""

    def __init__(self, price: Price, *, decoding: Decoding) -> None:
        self._price = price
        self._decoding = decoding
        self._images = ImageBound()

    def ceiling(self, load: Load) -> float:
        """The most that the request can cost, as far as can be known."""
        return ceiling(load, price=self._price, decoding=self._decoding, images=self._images)

    def cost(self, outcome: Outcome, load: Load) -> float | None:
        """What it has cost. A request that was refused costs nothing; None: it may have been charged and nobody says
        how much, as when a gateway has lost patience (408, 504) with a model that works on behind it."""
        if not isinstance(outcome, Answer):
            was_refused = (
                (outcome.status_code or 0) >= 400 and not outcome.begun and outcome.kind != "timeout"
            )
            return 0.0 if was_refused or not outcome.sent else None
        if outcome.input_tokens is not None:
            self._images.learn(load, tokens=outcome.image_tokens or outcome.input_tokens)
        return cost(outcome, price=self._price, images=len(load.pixels))


def ceiling(load: Load, *, price: Price, decoding: Decoding, images: ImageBound | None = None) -> float:
    """No token is shorter than a byte, so bytes bound the tokens of a text."""
    bound = images or ImageBound()
    text = load.text_bytes + load.messages * _PER_MESSAGE + _PER_REQUEST
    pictures = sum(bound.tokens(pixels) for pixels in load.pixels)
    input_price = max(price.input, price.cached_input or 0.0)
    image_price = max(input_price, price.image_input or 0.0)
    tokens = text * input_price + pictures * image_price + decoding.max_tokens * price.output
    return tokens / _MILLION + price.per_request + price.per_image * len(load.pixels)


def cost(answer: Answer, *, price: Price, images: int) -> float | None:
    """From the server's usage; None where it tells none and tokens are what is paid for."""
    fixed = price.per_request + price.per_image * images
    if not (price.input or price.output or price.image_input):
        return fixed
    if answer.input_tokens is None or answer.output_tokens is None:
        return None
    cached = min(answer.cached_tokens or 0, answer.input_tokens)
    pictures = min(answer.image_tokens or 0, answer.input_tokens - cached)
    plain = answer.input_tokens - cached - pictures
    tokens = (
        plain * price.input
        + cached * (price.input if price.cached_input is None else price.cached_input)
        + pictures * (price.input if price.image_input is None else price.image_input)
        + answer.output_tokens * price.output
    )
    return tokens / _MILLION + fixed
