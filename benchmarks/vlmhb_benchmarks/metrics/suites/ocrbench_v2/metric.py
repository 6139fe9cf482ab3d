"""OCRBench v2: the metric that takes the rule of each question's type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from vlmhb_benchmarks.metrics.base import (
    Context,
    Flag,
    Metric,
    MetricInfo,
    SampleScore,
    mean_score,
    ratio,
    undefined,
)
from vlmhb_benchmarks.metrics.suites.literals import literal, value_of
from vlmhb_benchmarks.metrics.suites.ocrbench_v2 import boxes, data, documents, pages, tables, text
from vlmhb_benchmarks.ocrbench_v2_types import official_name


class BadReference(ValueError):
    """The reference, or the metadata beside it, is not what the rule of its type needs."""


class NoRule(ValueError):
    """The question is of no known type, or asks for no known form."""


class _Asked(NamedTuple):
    """What a rule may look at besides the answer."""

    references: tuple[str, ...]
    context: Context

    @property
    def gold(self) -> str:
        return self.references[0]

    @property
    def eval(self) -> str:
        """The column `eval`; 'without eval' and the like are its way to say that there is none."""
        value = self.context.metadata.get("eval", "").strip().lower()
        return "" if value.startswith("without") or value in ("none", "null", "nan") else value

    def column(self, name: str) -> object:
        value = value_of(self.context.metadata.get(name, ""))
        if value is None:
            raise BadReference(f"no {name} in the metadata")
        return value


Rule = Callable[[str, _Asked], float]


def _english(answer: str, asked: _Asked) -> float:
    return _by_eval(answer, asked, otherwise=text.short_or_similar)


def _chinese(answer: str, asked: _Asked) -> float:
    return _by_eval(answer, asked, otherwise=text.chinese)


def _by_eval(answer: str, asked: _Asked, *, otherwise: Callable[[str, Sequence[str]], float]) -> float:
    rules = {"": otherwise, "multiple choice": text.multiple_choice, "case sensitive": text.case_sensitive}
    if asked.eval not in rules:
        raise NoRule(f"no evaluation method {asked.eval}")
    return rules[asked.eval](answer, asked.references)


def _counting(answer: str, asked: _Asked) -> float:
    if asked.eval == "exact match":
        return text.count_contained(answer, asked.references)
    if asked.eval == "regression":
        return text.count_near(answer, asked.references)
    raise NoRule(f"no evaluation method {asked.eval}")


def _handwritten(answer: str, asked: _Asked) -> float:
    """Questions with 简答 ask for a short text, the others for letters."""
    if "简答" in asked.context.question:
        return pages.four_part(answer, asked.gold)
    return text.handwritten(answer, asked.references)


def _english_table(answer: str, asked: _Asked) -> float:
    question = asked.context.question.lower()
    if "html" in question:
        return tables.html_table(answer, asked.gold)
    if "markdown" in question:
        return tables.markdown_table(answer, asked.gold)
    raise NoRule("the question asks for no HTML and no Markdown table")


def _chart(answer: str, asked: _Asked) -> float:
    return tables.chart(data.answered_dict(answer), _gold_dict(asked))


def _fields(answer: str, asked: _Asked) -> float:
    return data.field_f1(data.answered_fields(answer), _gold_dict(asked))


def _gold_dict(asked: _Asked) -> dict[str, object]:
    gold = data.gold_dict(asked.gold)
    if gold is None:
        raise BadReference("the reference is no dictionary")
    return gold


def _running_text(answer: str, asked: _Asked) -> float:
    return pages.four_part(answer, asked.gold) if answer else 0.0


def _grounding(answer: str, asked: _Asked) -> float:
    """Four references of a number each, or one that is a list."""
    gold = boxes.box_of(asked.references if len(asked.references) > 1 else value_of(asked.gold))
    if gold is None:
        raise BadReference("the reference is no box")
    found = boxes.last_box(answer)
    return boxes.iou(found, gold) if found else 0.0


def _with_position(answer: str, asked: _Asked) -> float:
    """Half for the text of `answer`, half for the overlap of `bbox`."""
    gold = boxes.box_of(asked.column("bbox"))
    if gold is None:
        raise BadReference("bbox is no box")
    fields = data.answered_fields(answer)
    right = text.short_or_similar(fields["answer"], asked.references) if "answer" in fields else 0.0
    found = boxes.box_of(literal(fields.get("bbox", "")))
    return 0.5 * right + 0.5 * (boxes.iou(found, gold) if found else 0.0)


def _spotting(answer: str, asked: _Asked) -> float:
    gold = boxes.gold_words(asked.column("bbox"), asked.column("content"))
    return boxes.spotting(boxes.answered_words(answer), gold)


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(
        (
            "APP agent en", "ASCII art classification en", "math QA en", "reasoning VQA en", "science QA en",
            "text recognition en", "document classification en", "cognition VQA en", "diagram QA en",
        ),
        _english,
    ),
    **dict.fromkeys(("cognition VQA cn", "reasoning VQA cn"), _chinese),
    **dict.fromkeys(
        (
            "fine-grained text recognition en", "full-page OCR en", "full-page OCR cn", "text translation cn",
        ),
        _running_text,
    ),
    **dict.fromkeys(
        ("key information extraction en", "key information mapping en", "key information extraction cn"), _fields
    ),
    **dict.fromkeys(
        ("document parsing en", "document parsing cn"),
        lambda answer, asked: documents.document_score(answer, asked.gold),
    ),
    "table parsing en": _english_table,
    "table parsing cn": lambda answer, asked: tables.html_table(answer, asked.gold),
    "chart parsing en": _chart,
    "formula recognition en": lambda answer, asked: text.formula(answer, asked.references),
    "formula recognition cn": lambda answer, asked: text.chinese_formula(answer, asked.references),
    "text counting en": _counting,
    "handwritten answer extraction cn": _handwritten,
    "text grounding en": _grounding,
    "VQA with position en": _with_position,
    "text spotting en": _spotting,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OcrBenchV2:
    """One value per question by the rule of its type. Parts: value, 1."""

    info: MetricInfo
    context: Context = field(default_factory=Context)

    def in_context(self, context: Context) -> Metric:
        return replace(self, context=context)

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """A question that cannot be scored is flagged and left out; it is never given a value by another rule."""
        name = official_name(self.context.metadata.get("type", ""))
        if name is None:
            return undefined("unknown_type")
        asked = _Asked(references=_listed(references, name=name), context=self.context)
        flag = _unusable(asked, name=name)
        if flag is not None:
            return undefined(flag)
        try:
            value = RULES[name](prediction, asked)
        except NoRule:
            return undefined("unknown_type")
        except ValueError:
            return undefined("invalid_reference")
        return mean_score(value, matched_reference=references[0] if references else None)

    def missing(self, references: Sequence[str]) -> SampleScore:
        """0 where an answer could have been scored."""
        score = self.score("", references)
        return score if score.value is None else mean_score(0.0, matched_reference=score.matched_reference)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


def _listed(references: Sequence[str], *, name: str) -> tuple[str, ...]:
    """The answers of a file that writes their list as one text, `['0.28']`."""
    single = references[0].strip() if len(references) == 1 else ""
    if not single.startswith("[") or name.startswith("text grounding"):
        return tuple(references)
    values = value_of(single)
    values = values if isinstance(values, list) else []
    if not values or not all(isinstance(value, str | dict) for value in values):
        return tuple(references)  # `[1, 2]` may be the answer itself
    return tuple(value if isinstance(value, str) else repr(value) for value in values)


def _unusable(asked: _Asked, *, name: str) -> Flag | None:
    if not asked.references:
        return None if name.startswith("text spotting") else "no_reference"
    ignored = name.startswith(("text translation", "full-page", "fine-grained")) and not asked.gold
    return "empty_reference" if ignored else None


OCRBENCH_V2 = OcrBenchV2(
    info=MetricInfo(
        name="ocrbench_v2",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="a rule per question type (30 types); headline: mean of languages of means of categories",
        source="Fu et al. 2025 (arXiv:2501.00321), eval_scripts/eval.py and get_score.py of MultimodalOCR",
        empty_rule="empty or missing answer: 0; empty reference of a text to copy or translate: undefined",
        heavy=True,
        deviations=(
            "METEOR without WordNet synonyms; a Chinese word is a character (official: jieba); TEDS not below 0; "
            "documents of more than 2,000 lines are cut; questions that stop the official script (no type, no such "
            "eval, a reference that cannot be read) are flagged, not scored; "
            "a chart reference that is a text is read from the reference, never from the answer"
        ),
    )
)
