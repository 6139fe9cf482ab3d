"""What a request takes from the tier that it is sent to: money from the purse, tokens from the rate limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vlmhb_stages.infer.budget import Purse, Reservation
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
    """Of one request. `is_sent`: from then on it may be charged. `cost`: None without a price, and before the end."""

    load: Load
    tariff: Tariff | None = None
    reservation: Reservation | None = None
    is_sent: bool = False
    cost: float | None = None

    def settle(self, outcome: Outcome) -> None:
        if self.tariff is None or self.reservation is None:
            return
        cost = self.tariff.cost(outcome, self.load)
        self.reservation.settle(cost)
        self.cost = self.reservation.amount if cost is None else cost


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
        """Puts the most that it can cost aside. What is not settled inside counts in full when it was sent, else not
        at all. Raises `BudgetEnded`."""
        if self._tariff is None:
            yield Payment(load=load)
            return
        with await self._purse.reserve(self._tariff.ceiling(load)) as reservation:
            payment = Payment(load=load, tariff=self._tariff, reservation=reservation)
            try:
                yield payment
            finally:
                if not payment.is_sent:
                    reservation.settle(0.0)


def _thumb(load: Load) -> float:
    text = load.text_bytes / _BYTES_PER_TOKEN + load.messages * _PER_MESSAGE
    return text + sum(load.pixels) / _PIXELS_PER_TOKEN + 1.0
