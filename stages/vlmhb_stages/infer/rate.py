"""Rate limits of one place: requests and tokens over any 60 seconds. Pure: times are given."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from vlmhb_stages.specs import RateLimit

_MINUTE_S = 60.0


@dataclass(slots=True)
class Entry:
    """One request in the window. `tokens` is an estimate until `RateWindow.correct`."""

    at: float
    tokens: float


class RateWindow:
    """A sliding window. Less than one request per minute makes the window as long as one request may take; a
    request larger than the whole limit of tokens counts as all of it, so it goes alone."""

    def __init__(self, limit: RateLimit) -> None:
        per_minute = limit.requests_per_minute
        self._span_s = _MINUTE_S if per_minute is None else _MINUTE_S / min(1.0, per_minute)
        self._requests = None if per_minute is None else max(1, int(per_minute))
        minutes = self._span_s / _MINUTE_S
        self._tokens = None if limit.tokens_per_minute is None else limit.tokens_per_minute * minutes
        self._entries: deque[Entry] = deque()
        self._used = 0.0

    @property
    def is_limited(self) -> bool:
        return self._requests is not None or self._tokens is not None

    def wait_s(self, *, now: float, tokens: float) -> float:
        """Seconds until a request of so many tokens may go; 0 = now."""
        self._forget(now)
        return max(self._wait_for_requests(now), self._wait_for_tokens(now, tokens=tokens))

    def take(self, *, now: float, tokens: float) -> Entry:
        """Counts a request; call when `wait_s` is 0."""
        self._forget(now)
        entry = Entry(at=now, tokens=self._counted(tokens))
        if self.is_limited:
            self._entries.append(entry)
            self._used += entry.tokens
        return entry

    def correct(self, entry: Entry, *, tokens: float) -> None:
        """What the request has used in truth."""
        counted = self._counted(tokens)
        if self._entries and entry.at >= self._entries[0].at:
            self._used += counted - entry.tokens
        entry.tokens = counted

    def _wait_for_requests(self, now: float) -> float:
        if self._requests is None or len(self._entries) < self._requests:
            return 0.0
        return self._gone_in(self._entries[len(self._entries) - self._requests], now)

    def _wait_for_tokens(self, now: float, *, tokens: float) -> float:
        if self._tokens is None:
            return 0.0
        over = self._used + self._counted(tokens) - self._tokens
        for entry in self._entries:
            if over <= 1e-6:
                return 0.0
            over -= entry.tokens
            if over <= 1e-6:
                return self._gone_in(entry, now)
        return 0.0

    def _gone_in(self, entry: Entry, now: float) -> float:
        return max(0.0, entry.at + self._span_s - now)

    def _counted(self, tokens: float) -> float:
        return tokens if self._tokens is None else min(tokens, self._tokens)

    def _forget(self, now: float) -> None:
        while self._entries and self._entries[0].at + self._span_s <= now:
            self._used -= self._entries.popleft().tokens
        if not self._entries:
            self._used = 0.0
