"""A request on its way from a connection to the model and back."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from vlmhb_models.base import Generation, GenerationRequest, Part
from vlmhb_models.server.checking import ModelRaised


@dataclass(frozen=True)
class Job:
    """A request on its way through the queue; its outcome comes back piece by piece.

    `alive` tells whether the client still waits: nobody computes for one that has gone."""

    request: GenerationRequest
    stream: bool
    alive: Callable[[], bool] = lambda: True
    outcome: queue.SimpleQueue[Part | Generation | ModelRaised] = field(default_factory=queue.SimpleQueue)

    def pieces(self) -> Iterator[Part | Generation]:
        """Parts as they come, then the whole `Generation`. Raises `ModelRaised`."""
        while True:
            item = self.outcome.get()
            if isinstance(item, ModelRaised):
                raise item
            yield item
            if isinstance(item, Generation):
                return
