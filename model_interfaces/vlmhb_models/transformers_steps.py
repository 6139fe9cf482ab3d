"""What happens between two tokens of a batch: each request's own sampling, schema, limits and stop strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vlmhb_models.base import GenerationRequest
from vlmhb_models.transformers_answer import Growing
from vlmhb_models.transformers_schema import Guide


class NotNumbers(Exception):
    """The model's output is NaN: whatever were decoded from it would be nonsense with HTTP 200."""


@dataclass
class Row:
    """One request of a batch while it is answered."""

    answer: Growing
    chooser: Chooser
    guide: Guide | None = None

    @property
    def is_plain(self) -> bool:
        """The likeliest token is taken, whatever it is."""
        return self.guide is None and self.chooser.is_greedy


class Chooser:
    """Greedy at temperature 0; else samples by adding Gumbel noise of the request's own seed.

    The largest of `logit / temperature + noise` is a sample of the softmax (E. J. Gumbel, 1954), so that the whole
    batch is decoded by argmax, and what one request draws does not depend on its neighbours."""

    def __init__(self, request: GenerationRequest) -> None:
        import torch

        self._temperature = request.temperature
        self._top_p = request.top_p
        self._generator = torch.Generator()
        if request.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(request.seed % 2**63)

    @property
    def is_greedy(self) -> bool:
        return self._temperature <= 0

    def apply(self, scores: Any) -> Any:
        """`scores`: one row of logits."""
        import torch

        if self.is_greedy:
            return scores
        scaled = scores / self._temperature
        if self._top_p is not None and self._top_p < 1:
            scaled = _nucleus(scaled, share=self._top_p)
        uniform = torch.rand(scaled.shape, generator=self._generator).clamp_(min=1e-20)
        return scaled - torch.log(-torch.log(uniform)).to(scaled.device)


def _nucleus(scores: Any, *, share: float) -> Any:
    """Keeps the likeliest tokens that together have `share` of the probability, at least one."""
    import torch

    ordered, places = torch.sort(scores, descending=True)
    likely = torch.softmax(ordered, dim=-1)
    before = likely.cumsum(dim=-1) - likely
    dropped = torch.zeros_like(scores, dtype=torch.bool).scatter(0, places, before >= share)
    return scores.masked_fill(dropped, float("-inf"))


class Steering:
    """A logits processor and a stopping criterion of `generate` in one, as both look at the same rows.

    `on_step` is called after each token of the batch."""

    def __init__(self, rows: Sequence[Row], *, on_step: Callable[[], None]) -> None:
        self._rows = rows
        self._on_step = on_step

    def choose(self, input_ids: Any, scores: Any) -> Any:
        """Logits of the next token, `(rows, vocabulary)`. Raises `NotNumbers`."""
        del input_ids

        self._check_numbers(scores)
        for number, row in enumerate(self._rows):
            if row.answer.finish_reason is None and not row.is_plain:
                allowed = row.guide.mask(scores[number]) if row.guide is not None else scores[number]
                scores[number] = row.chooser.apply(allowed)
        return scores

    def _check_numbers(self, scores: Any) -> None:
        """At each token, since half precision may overflow late in an answer. Rows that have ended hold padding."""
        for row, is_broken in zip(self._rows, scores.isnan().any(dim=-1).tolist(), strict=True):
            if is_broken and row.answer.finish_reason is None:
                raise NotNumbers("the model's output is not a number (NaN); hint: try another params.dtype")

    def stop(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Which rows are done, `(rows,)`, after the token that `input_ids` ends with."""
        import torch

        del scores

        tokens = input_ids[:, -1].tolist()
        for row, token in zip(self._rows, tokens, strict=True):
            row.answer.feed(token)
            if row.guide is not None and row.answer.finish_reason is None:
                row.guide.advance(token)
        self._on_step()
        done = [row.answer.finish_reason is not None for row in self._rows]
        return torch.tensor(done, device=input_ids.device)
