"""What the answers of one evaluation have cost: in all, by sample, page and document type."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field

from vlmhb_stages.contracts import Prediction, Sample
from vlmhb_stages.report.model import Cost, DocTypeCost, EvaluationInfo

DOC_CLASS = "doc_class"
INFERENCE = "inference"


def _doubles() -> array[float]:
    return array("d")


@dataclass(frozen=True)
class _Kind:
    """What costs are grouped by; few distinct ones exist, so all samples share them."""

    doc_class: str
    pages: int


@dataclass(kw_only=True)
class CostTally:
    """First every sample, then the final record of each."""

    kinds: dict[str, _Kind] = field(default_factory=dict)
    known: dict[_Kind, _Kind] = field(default_factory=dict)
    costs: array[float] = field(default_factory=_doubles)
    imported: array[float] = field(default_factory=_doubles)
    by_doc: dict[str, array[float]] = field(default_factory=dict)
    pages: int = 0
    all_pages: int = 0
    asked: Counter[bool] = field(default_factory=Counter)  # priced or not -> samples

    def expect(self, sample: Sample) -> None:
        kind = _Kind(sample.metadata.get(DOC_CLASS, ""), len(sample.own_images))
        self.kinds[sample.sample_id] = self.known.setdefault(kind, kind)
        self.all_pages += kind.pages

    def add(self, record: Prediction) -> None:
        if record.status == "skipped_budget":
            return
        self.asked[record.cost is not None] += 1
        if record.cost is None:
            return
        kind = self.kinds.get(record.sample_id, _Kind("", 0))
        self.costs.append(record.cost)
        self.pages += kind.pages
        self.by_doc.setdefault(kind.doc_class, _doubles()).append(record.cost)
        if record.imported_from is not None:
            self.imported.append(record.cost)

    def cost(self, info: EvaluationInfo, *, measured: int) -> Cost:
        """By tokens where they are priced, else by the machines. `measured`: answers that those have given."""
        told = Cost(
            currency=info.currency,
            paid=info.paid,
            source=info.price.source if info.price else info.machine_source,
            machine=info.machine_cost,
            budget=info.budget,
            over_budget=info.over_budget,
        )
        if self.costs:
            return told.model_copy(update=self._of_tokens())
        if info.machine_cost and info.price is None:
            return told.model_copy(update=self._of_machines(info.machine_cost, measured=measured))
        return told

    def _of_tokens(self) -> dict[str, object]:
        total = _money(math.fsum(self.costs))
        by_doc = {
            name: DocTypeCost(samples=len(costs), total=_money(math.fsum(costs)))
            for name, costs in sorted(self.by_doc.items())
        }
        return {
            "total": total,
            "by_operation": {INFERENCE: total},
            "imported": _money(math.fsum(self.imported)) if self.imported else None,
            "priced": self.asked[True],
            "other": self.asked[False],
            "per_sample": _money(total / len(self.costs)),
            "per_page": _money(total / self.pages) if self.pages else None,
            "by_doc_type": by_doc if set(by_doc) != {""} else {},
        }

    def _of_machines(self, machine: dict[str, float], *, measured: int) -> dict[str, object]:
        """Their time is not told apart by sample: means only, over the answers that were not imported."""
        total = _money(math.fsum(machine.values()))
        pages = self.all_pages * measured / len(self.kinds) if self.kinds else 0.0
        return {
            "total": total,
            "by_operation": {INFERENCE: total},
            "priced": measured,
            "per_sample": _money(total / measured) if measured else None,
            "per_page": _money(total / pages) if pages else None,
        }


def _money(value: float) -> float:
    return round(value, 9)
