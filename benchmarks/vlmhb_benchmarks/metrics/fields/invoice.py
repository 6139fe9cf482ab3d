"""The prototype's invoice accuracy: document fields and whole items that are nearly right, over all of the gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, best, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.distance import levenshtein
from vlmhb_benchmarks.metrics.fields.hits import leaf_text, unboxed, unwrapped
from vlmhb_benchmarks.metrics.json_answer import find_json

Document = Mapping[str, Any]

DOCUMENT_FIELDS = (
    "supplier_name", "supplier_address", "supplier_actual_address", "supplier_inn", "supplier_kpp",
    "supplier_ogrn", "bank_name", "bank_bik", "account_number", "correspondent_account", "invoice_number",
    "invoice_date", "payment_terms", "payment_conditions", "service_period", "total_amount", "currency",
    "vat_rate", "vat_amount", "amount_without_vat", "basis", "contact_person", "contact_phone", "signature",
)  # fmt: skip
ITEM_FIELDS = ("name", "quantity", "unit", "price", "amount")
CER_LIMIT = 0.15
ITEM_F1_LIMIT = 0.85


def invoice_accuracy(answer: Document, gold: Document) -> float:
    """(right fields + right items) / (24 fields + gold items). Items are compared by their place in the list."""
    fields = sum(_close(_text(gold, name), _text(answer, name)) for name in DOCUMENT_FIELDS)
    gold_items, answer_items = _items(gold), _items(answer)
    items = sum(_item_right(mine, wanted) for mine, wanted in zip(answer_items, gold_items, strict=False))
    return (fields + items) / (len(DOCUMENT_FIELDS) + len(gold_items))


def _item_right(answer: Document, gold: Document) -> bool:
    """Precision and recall have the same five fields below the line, so their F1 is the share of close fields."""
    if not answer or not gold:
        return False
    close = sum(_close(_text(gold, name), _text(answer, name)) for name in ITEM_FIELDS)
    return close / len(ITEM_FIELDS) >= ITEM_F1_LIMIT


def _close(gold: str, answer: str) -> bool:
    """CER at most 0.15; both empty are equal, one of them empty is wrong."""
    if not gold or not answer:
        return gold == answer
    length = len(gold.strip())
    return bool(length) and levenshtein(gold.strip(), answer.strip()) / length <= CER_LIMIT


def _text(document: Document, name: str) -> str:
    return leaf_text(unboxed(document.get(name)))


def _items(document: Document) -> list[Document]:
    items = document.get("items")
    return [item if isinstance(item, dict) else {} for item in items] if isinstance(items, list) else []


@dataclass(frozen=True, kw_only=True)
class InvoiceAccuracy:
    """The mean over invoices; the best reference counts. Parts: value, 1."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """An answer without JSON is an empty document, which is right about every field the gold leaves empty."""
        found = unwrapped(find_json(prediction))
        answer = found if isinstance(found, dict) else {}
        score = self._best(answer, references)
        if isinstance(found, dict) or score.value is None:
            return score
        return SampleScore(
            value=score.value,
            parts=score.parts,
            matched_reference=score.matched_reference,
            flag="invalid_json",
        )

    def missing(self, references: Sequence[str]) -> SampleScore:
        chosen = self._best({}, references)
        if chosen.value is None:
            return chosen
        return mean_score(0.0, matched_reference=chosen.matched_reference)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)

    def _best(self, answer: Document, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        golds = ((text, unwrapped(find_json(text))) for text in references)
        scores = (
            mean_score(invoice_accuracy(answer, gold), matched_reference=text)
            for text, gold in golds
            if isinstance(gold, dict)
        )
        return best(scores, key=lambda value: value) or undefined("invalid_reference")


INVOICE_ACCURACY = InvoiceAccuracy(
    info=MetricInfo(
        name="invoice_accuracy",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="(fields with CER ≤ 0.15 + items with F1 ≥ 0.85) / (24 fields + gold items), mean over invoices",
        source="VLMHyperBench playground, invoice extraction metrics: overall_accuracy",
        empty_rule="both texts empty: right; one of them empty: wrong; no JSON: an empty document; missing answer: 0",
        params={"cer_limit": CER_LIMIT, "item_f1_limit": ITEM_F1_LIMIT},
        deviations=(
            "kept from the prototype: items by place in the list, surplus items cost nothing, a field empty on both "
            "sides is right; not kept: null and numbers print as JSON writes them, a missing answer is 0"
        ),
    )
)
