"""Trains the tiny VLM on one CPU core: in rounds over generated receipts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from tiny_vlm.architecture import HIDDEN, IMAGE_TOKENS, make_model
from tiny_vlm.batches import Batch, Pool
from tiny_vlm.receipts import receipts
from tiny_vlm.vocabulary import make_tokenizer

BATCH = 48
WARM_UP = 100  # steps until the full learning rate
LAST_RATE = 0.05  # of the full learning rate, at a round's end


@dataclass(frozen=True, kw_only=True)
class Round:
    """One pass of the learning rate from its peak down, over receipts of its own."""

    steps: int
    documents: int
    rate: float


ROUNDS = (
    Round(steps=1500, documents=24_000, rate=1.5e-3),
    Round(steps=1000, documents=12_000, rate=1e-3),
    Round(steps=1000, documents=12_000, rate=1e-3),
)


def train(*, seed: int, rounds: tuple[Round, ...] = ROUNDS) -> Iterator[Progress]:
    """Yields after every step. Equal seed, torch and fonts give equal weights (one thread)."""
    torch.manual_seed(seed)
    model = make_model().train()
    sight = Sight(model)
    parameters = [*model.parameters(), *sight.parameters()]
    done = 0
    for number, part in enumerate(rounds):
        pool = Pool(receipts(Random(f"{seed} documents {number}")), count=part.documents)
        optimiser = torch.optim.AdamW(parameters, lr=part.rate, weight_decay=0.01, betas=(0.9, 0.98))
        rng = Random(f"{seed} batches {number}")
        for step in range(part.steps):
            for group in optimiser.param_groups:
                group["lr"] = part.rate * _share(step, of=part.steps)
            losses = _step(model, sight, batch=pool.batch(size=BATCH, rng=rng))
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            optimiser.zero_grad()
            done += 1
            yield Progress(step=done, model=model, answer_loss=losses.answer, sight_loss=losses.sight)


@dataclass(frozen=True, kw_only=True)
class Progress:
    step: int
    model: Any
    answer_loss: float
    sight_loss: float


class Sight:
    """Reads the two characters under each image token off the connector's output.

    Thrown away after training. Without its loss the model learns what the answers look like and
    never begins to look at the picture."""

    def __init__(self, model: Any) -> None:
        self._head = torch.nn.Linear(HIDDEN, 2 * len(make_tokenizer()))
        self._seen = torch.empty(0)
        model.model.connector.register_forward_hook(self._keep)

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        return self._head.parameters()

    def loss(self, seen: torch.Tensor) -> torch.Tensor:
        scores = self._head(self._seen.reshape(-1, IMAGE_TOKENS, HIDDEN))
        return cross_entropy(scores.reshape(seen.shape[0], -1), seen)

    def _keep(self, module: Any, inputs: Any, output: torch.Tensor) -> None:
        del module, inputs
        self._seen = output


@dataclass(frozen=True, kw_only=True)
class _Losses:
    answer: float
    sight: float


def _step(model: Any, sight: Sight, *, batch: Batch) -> _Losses:
    output = model(
        input_ids=batch.ids, attention_mask=batch.mask, pixel_values=batch.pixels, labels=batch.labels
    )
    sight_loss = sight.loss(batch.seen)
    (output.loss + sight_loss).backward()
    return _Losses(answer=output.loss.item(), sight=sight_loss.item())


def _share(step: int, *, of: int) -> float:
    """Share of the full learning rate: linear warm-up, then half a cosine down to `LAST_RATE`."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / of))
    return min(1.0, (step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * cosine)


def watch(progress: Iterator[Progress], *, every: int, tell: Callable[[str], None]) -> Iterator[Progress]:
    """The same steps; says the mean losses after each `every` steps."""
    answer = sight = 0.0
    for item in progress:
        answer, sight = answer + item.answer_loss, sight + item.sight_loss
        if item.step % every == 0:
            tell(f"step {item.step}: answers {answer / every:.3f}, sight {sight / every:.3f}")
            answer = sight = 0.0
        yield item
