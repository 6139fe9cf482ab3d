"""Corpus BLEU by sacrebleu: the answer is the hypothesis; effective order serves short answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, undefined
from vlmhb_benchmarks.metrics.text import is_blank

ORDER = 4


@cache
def _scorer() -> Any:
    from sacrebleu.metrics.bleu import BLEU as SacreBleu

    return SacreBleu(effective_order=True)


@dataclass(frozen=True, kw_only=True)
class Bleu:
    """Parts: answer length, reference length, matched n-grams (4), n-grams of the answer (4)."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """All references serve at once, as BLEU means it; blank ones cannot be matched and are left out."""
        if not references:
            return undefined("no_reference")
        real = [text for text in references if not is_blank(text)]
        if not real:
            return undefined("empty_reference")
        result = _scorer().sentence_score(prediction, real)
        parts = (result.sys_len, result.ref_len, *result.counts, *result.totals)
        return SampleScore(
            value=float(result.score),
            parts=tuple(float(part) for part in parts),
            matched_reference=real[0] if len(real) == 1 else None,
        )

    def missing(self, references: Sequence[str]) -> SampleScore:
        """Nothing matched; the length of the reference still counts in the brevity penalty."""
        return self.score("", references)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        lengths, counts = totals[:2], totals[2:]
        if not lengths[1]:
            return None
        result = type(_scorer()).compute_bleu(
            [int(count) for count in counts[:ORDER]],
            [int(count) for count in counts[ORDER:]],
            sys_len=int(lengths[0]),
            ref_len=int(lengths[1]),
            smooth_method="exp",
            effective_order=True,
        )
        return float(result.score)


BLEU = Bleu(
    info=MetricInfo(
        name="bleu",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=100.0,
        description="corpus BLEU, 0..100, effective order",
        source="Papineni et al. 2002; sacrebleu (Post 2018), nrefs:var|case:mixed|eff:yes|tok:13a|smooth:exp",
        empty_rule="blank reference: undefined (null, flagged); empty or missing answer: 0",
        params={"effective_order": True, "tokenize": "13a", "smooth": "exp"},
        average="corpus",
        deviations="the prototype swaps answer and reference and gives answers under four tokens 0",
    )
)
