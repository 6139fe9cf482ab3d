"""Asks until there is an answer, a failure that asking again cannot mend, or nobody left to ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt

from vlmhb_stages.contracts import SampleError
from vlmhb_stages.infer.adjust import UNCHANGED, Adjustment, Allowed
from vlmhb_stages.infer.body import ChatRequest
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.images import BadImage
from vlmhb_stages.infer.outcomes import Answer, Attempt, Failure, Outcome
from vlmhb_stages.infer.place import Seat
from vlmhb_stages.infer.prices import Load, load_of
from vlmhb_stages.infer.question import Question
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.tier import OutOfOrder, Tier
from vlmhb_stages.infer.toll import Payment
from vlmhb_stages.specs import RetryPolicy

RETRY_AFTER_FACTOR = 4  # a server's Retry-After is believed up to so many times `max_s`


@dataclass(kw_only=True)
class Asked:
    """What a question came to, and what it took. Grows while it is asked."""

    outcome: Outcome = field(
        default_factory=lambda: Failure(kind="connection", message="nobody was asked", retryable=True)
    )
    attempts: int = 0
    server: str | None = None  # who was asked last
    fallback: str | None = None  # likewise
    adjusted: tuple[str, ...] = ()
    cost: float | None = None
    queue_s: float | None = None  # from being ready to the first request
    free_since: float  # when the next request could have been sent, by `Runtime.perf`

    def begin(self, *, server: str, fallback: str | None, queue_s: float) -> None:
        self.attempts += 1
        self.server, self.fallback = server, fallback
        self.queue_s = queue_s if self.queue_s is None else self.queue_s

    def pay(self, cost: float | None) -> None:
        if cost is not None:
            self.cost = (self.cost or 0.0) + cost


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Exponential with full jitter: uniform in 0 .. min(max_s, base_s * 2^(n-1)); a Retry-After comes
    first."""

    policy: RetryPolicy
    rng: Random

    def __call__(self, state: RetryCallState) -> float:
        failure = state.outcome.result() if state.outcome is not None else None
        if isinstance(failure, Failure) and failure.retry_after_s is not None:
            return min(failure.retry_after_s, self.policy.max_s * RETRY_AFTER_FACTOR)
        ceiling = min(self.policy.max_s, self.policy.base_s * 2.0 ** (state.attempt_number - 1))
        return self.rng.uniform(0.0, ceiling)


class Asker:
    """Sends one request, in one form, to one tier as often as its manner says; each is told to `on_attempt` when it
    has ended. A form that does not fit gives way to the next that is allowed, a tier that fails to the next."""

    def __init__(
        self,
        *,
        tiers: Sequence[Tier],
        halt: Halt,
        runtime: Runtime,
        on_attempt: Callable[[Attempt], None],
    ) -> None:
        self._tiers = tuple(tiers)
        self._halt = halt
        self._runtime = runtime
        self._on_attempt = on_attempt

    async def ask(self, question: Question) -> Asked:
        """Raises `Halted` when a stop comes between two attempts, `ServerGone` when there is nobody left to
        ask, `BudgetEnded` when the next request cannot be paid."""
        asked = Asked(free_since=question.ready)
        for tier in self._tiers:
            patient = tier is self._tiers[-1]
            try:
                await self._ask_tier(question, tier, asked=asked, patient=patient)
            except OutOfOrder as error:
                if patient:
                    asked.outcome = Failure(
                        kind="connection", message=f"out of order: {error}", retryable=True
                    )
                continue
            if not _can_be_mended(asked.outcome):
                break
        return asked

    async def _ask_tier(self, question: Question, tier: Tier, *, asked: Asked, patient: bool) -> None:
        """One form after the other, until one fits."""
        manner = tier.manner
        allowed = Allowed(overflow=manner.overflow, shrink_on_oom=manner.shrink_on_oom)
        form: Adjustment | None = UNCHANGED
        while form is not None:
            try:
                request = await question.request(form, max_side=manner.max_image_side)
            except BadImage:  # it cannot be made smaller: the failure stands
                return
            asked.adjusted = form.told
            asked.outcome = outcome = await self._ask_form(request, tier, asked=asked, patient=patient)
            if isinstance(outcome, Answer):
                asked.adjusted = (*form.told, *outcome.adjusted)
                return
            form = allowed.next(outcome.kind, sample=question.sample, now=form)

    async def _ask_form(self, request: ChatRequest, tier: Tier, *, asked: Asked, patient: bool) -> Outcome:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(tier.manner.retry.attempts),
            wait=Backoff(policy=tier.manner.retry, rng=self._runtime.rng),
            retry=retry_if_result(_can_be_mended),
            retry_error_callback=_last_outcome,
            sleep=self._sleep,
        )
        alone = False

        async def attempt() -> Outcome:
            nonlocal alone
            self._halt.check()
            load = load_of(request.sample)
            async with tier.seat(alone=alone, patient=patient, load=load) as seat:
                outcome = await self._send(request, load=load, tier=tier, seat=seat, asked=asked)
            alone = isinstance(outcome, Failure) and outcome.is_suspect
            return outcome

        return await retrying(attempt)

    async def _send(
        self, request: ChatRequest, *, load: Load, tier: Tier, seat: Seat, asked: Asked
    ) -> Outcome:
        payment = seat.payment or Payment(load=load)
        payment.is_sent = True
        started, before = self._runtime.wall(), self._runtime.perf()
        queue_s = max(0.0, before - asked.free_since)
        asked.begin(server=seat.place.name, fallback=tier.fallback, queue_s=queue_s)
        outcome = await seat.place.client.ask(request)
        asked.free_since = self._runtime.perf()
        payment.settle(outcome)
        tier.report(seat, outcome, tokens=tier.toll.used(outcome, load=load))
        asked.pay(payment.cost)
        failure = outcome if isinstance(outcome, Failure) else None
        ttft_s = outcome.ttft_s if isinstance(outcome, Answer) else None
        self._on_attempt(
            Attempt(
                sample_id=request.sample_id,
                attempt=asked.attempts,
                started=round(started, 3),
                latency_s=round(asked.free_since - before, 6),
                outcome=outcome.status,
                status_code=failure.status_code if failure else 200,
                error=SampleError(kind=failure.kind, message=failure.message) if failure else None,
                server=seat.place.name,
                queue_s=round(queue_s, 6),
                ttft_s=round(ttft_s, 6) if ttft_s is not None else None,
                cost=payment.cost,
                adjusted=asked.adjusted,
            )
        )
        return outcome

    async def _sleep(self, seconds: float) -> None:
        async def nap() -> None:
            await self._runtime.sleep(seconds)

        await self._halt.race(nap())


def _can_be_mended(outcome: Outcome) -> bool:
    return isinstance(outcome, Failure) and outcome.retryable


def _last_outcome(state: RetryCallState) -> Outcome:
    if state.outcome is None:
        raise RuntimeError("tenacity gave up before the first attempt")
    outcome: Outcome = state.outcome.result()
    return outcome
