"""What a request takes from the tier that it is sent to: money from the purse, tokens from the rate limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vlmhb_stages.infer.budget import Purse
from vlmhb_stages.infer.outcomes import Answer, Outcome
from vlmhb_stages.infer.prices import Load, Tariff
from vlmhb_stages.specs import Decoding, Price

_BYTES_PER_TOKEN = 4.0
_PER_MESSAGE = 8.0
_PIXELS_PER_TOKEN = 750.0  # the rule of thumb of Anthropic's documentation; others are near it
_LEARNING = 0.2  # weight of the newest answer


class Estimate:
    """How many tokens a request will take: a rule of thumb for its input, corrected by what answers have said, and
    as much output as it may have."""

    def __init__(self, *, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._factor = 1.0

    def tokens(self, load: Load) -> float:
        return _thumb(load) * self._factor + self._max_tokens

    def learn(self, load: Load, *, input_tokens: int) -> None:
        self._factor += _LEARNING * (input_tokens / _thumb(load) - self._factor)


@dataclass(kw_only=True)
class Payment:
    """`outcome`: to be set when there is one. `cost`: None without a price."""

    outcome: Outcome | None = None
    cost: float | None = None


class Toll:
    """One per tier."""

    def __init__(self, *, purse: Purse, price: Price | None, decoding: Decoding) -> None:
        self._purse = purse
        self._tariff = Tariff(price, decoding=decoding) if price is not None else None
        self._estimate = Estimate(max_tokens=decoding.max_tokens)

    def tokens(self, load: Load) -> float:
        return self._estimate.tokens(load)

    def used(self, outcome: Outcome, *, load: Load) -> int | None:
        """Tokens that it took in truth; None: the server did not tell."""
        if not isinstance(outcome, Answer) or outcome.input_tokens is None:
            return None
        self._estimate.learn(load, input_tokens=outcome.input_tokens)
        return outcome.input_tokens + (outcome.output_tokens or 0)

    @asynccontextmanager
    async def paid(self, load: Load) -> AsyncIterator[Payment]:
        """Puts the most that it can cost aside, and settles afterwards. Raises `BudgetEnded`."""
        payment = Payment()
        if self._tariff is None:
            yield payment
            return
        with await self._purse.reserve(self._tariff.ceiling(load)) as reservation:
            yield payment
            if payment.outcome is not None:
                cost = self._tariff.cost(payment.outcome, load)
                reservation.settle(cost)
                payment.cost = reservation.amount if cost is None else cost


def _thumb(load: Load) -> float:
    text = load.text_bytes / _BYTES_PER_TOKEN + load.messages * _PER_MESSAGE
    return text + sum(load.pixels) / _PIXELS_PER_TOKEN + 1.0
