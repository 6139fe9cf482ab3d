"""How much an inference may spend now: arithmetic over what all of them hold. Pure.

An inference that is open holds what it was granted; one that has ended what it really spent. Every grant keeps, in
every scope, the sum of what is held below the limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ScopeName = Literal["run", "day", "evaluation"]
SHARES = 4  # of what is left: a grant leaves something for those who come later
_GRAIN = 1e9  # grants are whole billionths, rounded down, so that no sum of them creeps over a limit
EPSILON = 1.5 / _GRAIN


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Money of one inference. `waiting`: it can do nothing until it gets more."""

    spent: float = 0.0
    granted: float = 0.0
    is_open: bool = True
    waiting: bool = False

    @property
    def held(self) -> float:
        return max(self.spent, self.granted) if self.is_open else self.spent


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A limit and everyone below it. `spent`: by those that have ended. `shared`: others may come yet."""

    name: ScopeName
    limit: float
    own: Holding
    others: tuple[Holding, ...] = ()  # open ones
    spent: float = 0.0
    shared: bool = False

    @property
    def left(self) -> float:
        return self.limit - self.spent - self.own.held - sum(other.held for other in self.others)

    @property
    def stuck(self) -> bool:
        """Nothing will come back from the others before this one has ended."""
        return all(other.waiting or other.held <= other.spent for other in self.others)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """`more` on top of what it has; `final`: there will be no further one, because of `scope`."""

    more: float
    final: bool
    scope: ScopeName | None = None


def grant(scopes: Sequence[Scope], *, wanted: float) -> Grant:
    """`wanted`: how much more the inference needs to go on at once; 0 when it is only starting.

    Without limits nobody is to ask."""
    tightest = min(scopes, key=lambda scope: scope.left)
    left = max(0.0, math.floor(tightest.left * _GRAIN) / _GRAIN)
    if not any(scope.shared or scope.others for scope in scopes):
        return Grant(more=left, final=True, scope=tightest.name)
    if wanted > left + EPSILON or left <= 0:
        ended = tightest.stuck
        return Grant(more=left if ended else 0.0, final=ended, scope=tightest.name)
    holders = 1 + max(len(scope.others) for scope in scopes)
    share = math.floor(left / (SHARES * holders) * _GRAIN) / _GRAIN
    more = min(left, max(wanted, share))
    return Grant(more=more, final=False, scope=tightest.name)
