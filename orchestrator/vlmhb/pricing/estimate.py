"""What asking some samples will cost, from what is known of them before they are asked. Pure.

From recorded answers: mean and spread of the cost of a sample, at today's prices; the range is the sum's, two standard
errors wide. From inputs alone, by rule: text has between one token for 5 characters and one for 1.5; an image between
one token for 1,500 pixels (85 to 1,100 of them: 170 for a tile of 512 x 512, as OpenAI counts) and one for 28 x 28
pixels (as Qwen-VL and the like do, unresized); an answer as long as its reference, up to the `max_tokens` asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vlmhb_stages.specs import Price

_MILLION = 1e6
CHARACTERS_PER_TOKEN = (5.0, 1.5)  # few tokens, many tokens
PIXELS_PER_TOKEN = (1500.0, 784.0)
FEWEST, MOST_OF_FEW = 85.0, 1100.0  # tokens of an image, where it is counted low

Basis = Literal["answers", "inputs", "time", "nothing to ask", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Range:
    """Money, `low` to `high`."""

    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(low=self.low + other.low, high=self.high + other.high)


NOTHING = Range(low=0.0, high=0.0)


@dataclass(frozen=True, kw_only=True)
class Used:
    """Tokens of one recorded answer."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    image_tokens: int = 0
    images: int = 1


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one sample sends. `reference`: characters of its longest reference, 0 where there is none."""

    characters: int
    pixels: tuple[int, ...] = ()
    reference: int = 0


def cost_of(used: Used, price: Price) -> float:
    """As a server bills it: cached and image tokens are parts of the input."""
    cached = min(used.cached_tokens, used.input_tokens)
    pictures = min(used.image_tokens, used.input_tokens - cached)
    plain = used.input_tokens - cached - pictures
    tokens = (
        plain * price.input
        + cached * (price.input if price.cached_input is None else price.cached_input)
        + pictures * (price.input if price.image_input is None else price.image_input)
        + used.output_tokens * price.output
    )
    return tokens / _MILLION + price.per_request + price.per_image * used.images


def from_answers(answers: Sequence[Used], *, samples: int, price: Price) -> Range:
    """Of `samples` more like those that were answered; there is at least one of them."""
    costs = [cost_of(used, price) for used in answers]
    count = len(costs)
    mean = math.fsum(costs) / count
    if count == 1:
        return Range(low=samples * mean / 2, high=samples * mean * 1.5)
    variance = math.fsum((cost - mean) ** 2 for cost in costs) / (count - 1)
    error = math.sqrt(variance * samples * (1 + samples / count))
    middle = samples * mean
    return Range(low=max(0.0, middle - 2 * error), high=middle + 2 * error)


def from_inputs(inputs: Sequence[Asked], *, samples: int, price: Price, max_tokens: int) -> Range:
    """Of `samples` like these; there is at least one of them."""
    low = math.fsum(_by_rule(one, price, max_tokens=max_tokens, many=False) for one in inputs)
    high = math.fsum(_by_rule(one, price, max_tokens=max_tokens, many=True) for one in inputs)
    return Range(low=samples * low / len(inputs), high=samples * high / len(inputs))


def _by_rule(asked: Asked, price: Price, *, max_tokens: int, many: bool) -> float:
    text = asked.characters / CHARACTERS_PER_TOKEN[many]
    images = sum(_image_tokens(pixels, many=many) for pixels in asked.pixels)
    answer = float(max_tokens) if many else min(max_tokens, asked.reference / CHARACTERS_PER_TOKEN[0])
    image_price = price.input if price.image_input is None else price.image_input
    tokens = text * price.input + images * image_price + answer * price.output
    return tokens / _MILLION + price.per_request + price.per_image * len(asked.pixels)


def _image_tokens(pixels: int, *, many: bool) -> float:
    found = pixels / PIXELS_PER_TOKEN[many]
    return max(FEWEST, found) if many else min(max(FEWEST, found), MOST_OF_FEW)
