"""The four comparisons of a page: text, formulas and reading order by edits, tables by TEDS."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from vlmhb_benchmarks.metrics.distance import levenshtein
from vlmhb_benchmarks.metrics.layout.formula import normalise_formula
from vlmhb_benchmarks.metrics.suites.omnidoc.markdown import Answer
from vlmhb_benchmarks.metrics.suites.omnidoc.matching import Matching, Pair, assigned
from vlmhb_benchmarks.metrics.suites.omnidoc.page import Page

_NO_WORD = re.compile(r"[^\w]")
_CONTROL = re.compile(
    r"[\x00-\x1f\ufffe\uffff]"
)  # XML has no place for them, and lxml refuses them in a text
_UNWRAPPED = ("thead", "tbody", "tfoot", "span", "sup", "sub", "div", "p")


class Total(NamedTuple):
    """A value is `amount / size`; both add up over the elements of a page."""

    amount: float
    size: float


def normalise_text(text: str) -> str:
    """Letters, digits and underscores only: neither blanks nor punctuation count."""
    return _NO_WORD.sub("", text)


def text_edits(page: Page, answer: Answer) -> Total | None:
    """Edits over lengths of all scored blocks and of all that the answer invents. None: no text on the page."""
    matching = _text_matching(page, answer)
    wanted = [block.is_scored for block in page.texts]
    if not any(wanted):
        return None
    counted = [matching.edits(pair) for pair in matching.pairs() if not pair.gold or wanted[pair.gold[0]]]
    return Total(
        amount=float(sum(edits.edits for edits in counted)),
        size=float(sum(edits.length for edits in counted)),
    )


def order_edits(page: Page, answer: Answer) -> Total | None:
    """Edits between the scored blocks in the page's order and in the answer's, over the longer sequence."""
    wanted = [index for index, block in enumerate(page.texts) if block.is_scored]
    if not wanted:
        return None
    pairs = [pair for pair in _text_matching(page, answer).pairs() if pair.gold and pair.answer]
    pairs.sort(key=lambda pair: pair.answer)
    found = [str(index) for pair in pairs for index in pair.gold if page.texts[index].is_scored]
    return Total(amount=float(levenshtein([str(index) for index in wanted], found)), size=float(len(wanted)))


def _text_matching(page: Page, answer: Answer) -> Matching:
    return Matching(
        gold=[normalise_text(block.text) for block in page.texts],
        answer=[text for piece in answer.texts if (text := normalise_text(piece.text))],
        scored=[block.is_scored for block in page.texts],
    )


def formula_edits(page: Page, answer: Answer) -> Total | None:
    """Edits over lengths of the page's formulas, paired one to one. Formulas beyond the page's cost nothing."""
    if not page.formulas:
        return None
    gold = [normalise_formula(block.text) for block in page.formulas]
    matching = Matching(
        gold=gold,
        answer=[normalise_formula(piece.text) for piece in answer.formulas],
        scored=[True] * len(gold),
    )
    counted = [matching.edits(pair) for pair in _one_to_one(matching)]
    return Total(
        amount=float(sum(edits.edits for edits in counted)),
        size=float(sum(edits.length for edits in counted)),
    )


def _one_to_one(matching: Matching) -> list[Pair]:
    pairs = assigned(matching.gold, matching.answer)
    found = {index for pair in pairs for index in pair.gold}
    return pairs + [Pair(gold=(index,)) for index in range(len(matching.gold)) if index not in found]


def table_similarity(page: Page, answer: Answer) -> Total | None:
    """TEDS of the page's tables, paired by their markup. Tables beyond the page's cost nothing."""
    if not page.tables:
        return None
    from vlmhb_benchmarks.metrics.tables.similarity import teds
    from vlmhb_benchmarks.metrics.tables.tree import tree_of

    golds = _tables([block.text for block in page.tables])
    answers = [table for table in _tables([piece.text for piece in answer.tables]) if table is not None]
    known = [index for index, table in enumerate(golds) if table is not None]
    if not known:
        return None
    pairs = assigned([_markup(golds[index]) for index in known], [_markup(table) for table in answers])
    total = 0.0
    for pair in pairs:
        wanted, found = tree_of(golds[known[pair.gold[0]]]), tree_of(answers[pair.answer[0]])
        total += teds(found, wanted) if wanted is not None and found is not None else 0.0
    return Total(amount=total, size=float(len(known)))


def _tables(texts: Sequence[str]) -> list[Any | None]:
    """Table elements in the form that is compared: `th` is `td`, no sections, no markup of text, no looks."""
    from lxml import etree

    from vlmhb_benchmarks.metrics.tables.reading import find_table

    tables = [find_table(unicodedata.normalize("NFKC", text)) for text in texts]
    for table in tables:
        if table is None:
            continue
        etree.strip_elements(table, "colgroup", with_tail=False)
        etree.strip_tags(table, *_UNWRAPPED)
        for cell in list(table.iter("th")):
            cell.tag = "td"
        for node in table.iter():
            _tidy(node)
    return tables


def _tidy(node: Any) -> None:
    for name in set(node.attrib) - {"colspan", "rowspan"}:
        del node.attrib[name]
    if node.tag == "td":
        node.text = " ".join(_CONTROL.sub(" ", node.text or "").split())


def _markup(table: Any) -> str:
    from lxml import etree

    return str(etree.tostring(table, encoding="unicode", with_tail=False))
