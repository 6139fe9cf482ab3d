"""Asks until there is an answer, a failure that asking again cannot mend, or no attempt left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt

from vlmhb_stages.contracts import SampleError
from vlmhb_stages.infer.body import ChatRequest
from vlmhb_stages.infer.client import ChatClient
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.outcomes import Attempt, Failure, Outcome
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.server import Gate
from vlmhb_stages.specs import RetryPolicy

_RETRY_AFTER_FACTOR = 4  # a server's Retry-After is believed up to so many times `max_s`


@dataclass(frozen=True, kw_only=True)
class Asked:
    outcome: Outcome
    attempts: int


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Exponential with full jitter: uniform in 0 .. min(max_s, base_s * 2^(n-1)); a Retry-After comes
    first."""

    policy: RetryPolicy
    rng: Random

    def __call__(self, state: RetryCallState) -> float:
        failure = state.outcome.result() if state.outcome is not None else None
        if isinstance(failure, Failure) and failure.retry_after_s is not None:
            return min(failure.retry_after_s, self.policy.max_s * _RETRY_AFTER_FACTOR)
        ceiling = min(self.policy.max_s, self.policy.base_s * 2.0 ** (state.attempt_number - 1))
        return self.rng.uniform(0.0, ceiling)


class Asker:
    """Sends exactly `policy.attempts` requests at most per sample; each is told to `on_attempt` when it has
    ended."""

    def __init__(
        self,
        *,
        client: ChatClient,
        gate: Gate,
        policy: RetryPolicy,
        halt: Halt,
        runtime: Runtime,
        on_attempt: Callable[[Attempt], None],
    ) -> None:
        self._client = client
        self._gate = gate
        self._policy = policy
        self._halt = halt
        self._runtime = runtime
        self._on_attempt = on_attempt

    async def ask(self, request: ChatRequest) -> Asked:
        """Raises `Halted` when a stop comes between two attempts, `ServerGone` when there is nobody left to
        ask."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._policy.attempts),
            wait=Backoff(policy=self._policy, rng=self._runtime.rng),
            retry=retry_if_result(_can_be_mended),
            retry_error_callback=_last_outcome,
            sleep=self._sleep,
        )
        sent, alone = 0, False

        async def attempt() -> Outcome:
            nonlocal sent, alone
            self._halt.check()
            async with self._gate.turn(alone=alone) as life:
                sent += 1
                outcome = await self._attempt(request, number=sent, life=life)
            alone = isinstance(outcome, Failure) and outcome.is_suspect
            return outcome

        return Asked(outcome=await retrying(attempt), attempts=sent)

    async def _attempt(self, request: ChatRequest, *, number: int, life: int) -> Outcome:
        started, before = self._runtime.wall(), self._runtime.perf()
        outcome = await self._client.ask(request)
        failure = outcome if isinstance(outcome, Failure) else None
        self._on_attempt(
            Attempt(
                sample_id=request.sample_id,
                attempt=number,
                started=round(started, 3),
                latency_s=round(self._runtime.perf() - before, 6),
                outcome=outcome.status,
                status_code=failure.status_code if failure else 200,
                error=SampleError(kind=failure.kind, message=failure.message) if failure else None,
            )
        )
        if failure is not None:
            self._gate.report(failure, life=life)
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
