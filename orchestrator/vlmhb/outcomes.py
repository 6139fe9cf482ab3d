"""How each evaluation ended, and what that makes of the whole run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from vlmhb.errors import ExitCode, VlmhbError
from vlmhb.store.manifest import Manifest

OutcomeStatus = Literal["done", "partial", "failed", "interrupted"]


@dataclass(kw_only=True)
class Outcome:
    """`counts` are samples: planned, ok, error, skipped. Filled in as the stages end."""

    id: str
    status: OutcomeStatus = "done"
    manifests: dict[str, Manifest] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    stage: str | None = None
    error: VlmhbError | None = None
    over_budget: VlmhbError | None = None  # what it has answered counts; the rest waits for more money

    def fail(self, error: VlmhbError, *, stage: str) -> None:
        interrupted = error.exit_code == ExitCode.INTERRUPTED
        self.status = "interrupted" if interrupted else "failed"
        if error.exit_code == ExitCode.BUDGET:
            self.status = "partial"
        self.error, self.stage = error, stage

    @property
    def failure(self) -> dict[str, str] | None:
        if self.error is None:
            return None
        return {"stage": self.stage or "", "code": self.error.code, "message": self.error.line()}

    def summary(self) -> dict[str, Any]:
        """As in run.json and in the last line of `vlmhb run --json`."""
        stopped = {"over_budget": self.over_budget.line()} if self.over_budget else {}
        told = {"id": self.id, "status": self.status, "counts": self.counts, "failure": self.failure}
        return {**told, **stopped}


def exit_code_of(outcomes: Sequence[Outcome], *, others: Sequence[VlmhbError] = ()) -> ExitCode:
    """Interrupted beats all, then a broken contract, then a budget; 3 only when nothing at all could start.

    `others`: errors of no one evaluation, such as rows that could not be read or a report that failed."""
    ended = [error for outcome in outcomes for error in (outcome.error, outcome.over_budget) if error]
    codes = {error.exit_code for error in (*ended, *others)}
    for code in (ExitCode.INTERRUPTED, ExitCode.CONTRACT, ExitCode.BUDGET):
        if code in codes:
            return code
    started = [outcome for outcome in outcomes if outcome.error is None or outcome.manifests]
    if outcomes and not started and codes == {ExitCode.CANNOT_START}:
        return ExitCode.CANNOT_START
    everything = all(outcome.status == "done" for outcome in outcomes) and not others
    return ExitCode.OK if everything else ExitCode.FAILURES


def within_policy(*, policy: str, planned: int, lost: int) -> bool:
    """`tolerate:N%` allows that share of samples to be lost; any other policy allows none."""
    if lost == 0:
        return True
    name, _, share = policy.partition(":")
    return name == "tolerate" and lost <= planned * float(share.rstrip("%")) / 100
