"""A baseline for key fields of receipts: RapidOCR reads the page, a few rules pick the fields that the prompt names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from vlmhb_models.base import Generation, GenerationRequest
from vlmhb_models.rapidocr import RapidOcrModel

_DATE = re.compile(
    r"\b(\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2} [A-Za-z]{3,9},? \d{4}|\d{4}[-/.]\d{1,2}[-/.]\d{1,2})\b"
)
_AMOUNT = re.compile(r"\d[\d,]*\.\d{2}")
_COMPANY = re.compile(r"\b(sdn|bhd|s/b|enterprise|trading|ltd|inc)\b", re.IGNORECASE)
_NO_TOTAL = re.compile(r"\b(sub|qty|item|saving|disc)", re.IGNORECASE)
_REGISTRATION = re.compile(r"\s*\(?\b\d{5,8}[-.·]?[A-Z]\)?\s*$")
_NUMBER = re.compile(r"(?:no|number|doc|invoice|receipt|bill|№)\W*([A-Z0-9-]*\d[A-Z0-9-]*)", re.IGNORECASE)
_ASKED = re.compile(r'"([^"]+)"')
_HEAD = 8  # lines in which a shop says who and where it is
_ADDRESS = re.compile(r"\b(jalan|jln|lot|no\.?\s?\d|taman|street|road|avenue|\d{5})\b", re.IGNORECASE)


def company(lines: Sequence[str]) -> str:
    """The first line of the head that names a company, else the first line of all; without its registration number."""
    head = [line.strip() for line in lines[:_HEAD] if line.strip()]
    named = (line for line in head if _COMPANY.search(line))
    return _REGISTRATION.sub("", next(named, head[0] if head else "")).upper()


def date(lines: Sequence[str]) -> str:
    found = (match.group(1) for line in lines if (match := _DATE.search(line)))
    return next(found, "")


def address(lines: Sequence[str]) -> str:
    """The run of lines of the head from the first to the last that look like a part of an address."""
    head = [line.strip() for line in lines[: _HEAD + 4]]
    rows = [row for row, line in enumerate(head) if _ADDRESS.search(line)]
    return " ".join(head[rows[0] : rows[-1] + 1]) if rows else ""


def total(lines: Sequence[str]) -> str:
    """The largest amount on, or just below, a line that says total: tax summaries have smaller ones."""
    amounts: list[str] = []
    for row, line in enumerate(lines):
        if "total" in line.lower() and not _NO_TOTAL.search(line):
            here = _AMOUNT.findall(line)
            amounts += here or [
                amount for below in lines[row + 1 : row + 2] for amount in _AMOUNT.findall(below)
            ]
    return max(amounts, key=lambda amount: float(amount.replace(",", "")), default="")


def number(lines: Sequence[str]) -> str:
    found = (match.group(1) for line in lines if (match := _NUMBER.search(line)))
    return next(found, "")


RULES: Mapping[str, Callable[[Sequence[str]], str]] = {
    "company": company,
    "store": company,
    "date": date,
    "address": address,
    "total": total,
    "number": number,
}


class ReceiptRules(RapidOcrModel):
    """Answers with one JSON object of the fields that the prompt names in double quotes; unknown ones are left out."""

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        return [
            Generation(text=fields_as_json(page.text, prompt=request.prompt))
            for request, page in zip(batch, super().generate(batch), strict=True)
        ]


def fields_as_json(text: str, *, prompt: str) -> str:
    lines = text.split("\n")
    asked = [name for name in _ASKED.findall(prompt) if name in RULES]
    found = {name: RULES[name](lines) for name in asked}
    return json.dumps({name: value for name, value in found.items() if value}, ensure_ascii=False)
