"""How the answers of one evaluation were got: retries, errors on the way, stand-ins, changed requests."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb_stages.contracts import Prediction
from vlmhb_stages.report.model import Reliability


@dataclass(kw_only=True)
class ReliabilityTally:
    retried: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)
    adjusted: Counter[str] = field(default_factory=Counter)

    def add(self, record: Prediction) -> None:
        if record.imported_from is None and record.attempts > 1:
            self.retried += 1
        if record.fallback is not None:
            self.fallbacks[record.fallback] += 1
        self.adjusted.update(record.adjusted)

    def found(self, attempts: Path | None) -> Reliability:
        """`attempts`: the journal of all requests; it is read as text, for a line without an error tells nothing."""
        requests, errors = _journal(attempts) if attempts is not None else (0, Counter[str]())
        return Reliability(
            requests=requests,
            retried=self.retried,
            errors=dict(errors.most_common()),
            fallbacks=dict(self.fallbacks.most_common()),
            adjusted=dict(self.adjusted.most_common()),
        )


def _journal(path: Path) -> tuple[int, Counter[str]]:
    requests = 0
    errors: Counter[str] = Counter()
    if not path.exists():
        return requests, errors
    with path.open("rb") as file:
        for line in file:
            requests += line.endswith(b"\n")
            if b'"error":{' in line or b'"error": {' in line:
                errors.update(_kinds(line))
    return requests, errors


def _kinds(line: bytes) -> list[str]:
    """A torn or foreign line has none; `Reader` tells of those."""
    try:
        error = json.loads(line).get("error")
    except (ValueError, AttributeError):
        return []
    return [str(error.get("kind"))] if isinstance(error, dict) else []
