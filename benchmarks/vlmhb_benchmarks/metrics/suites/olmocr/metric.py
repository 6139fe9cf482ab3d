"""olmOCR-Bench: the share of its unit tests that a page passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmhb_benchmarks.metrics.base import Flag, MetricInfo, SampleScore, ratio, undefined
from vlmhb_benchmarks.metrics.suites.literals import value_of
from vlmhb_benchmarks.metrics.suites.olmocr.checks import KINDS

_NULL = "null"  # the reply that the official prompt asks for where a page has no text


class BadTest(ValueError):
    """A test that lacks what its kind needs."""


@dataclass(frozen=True, kw_only=True)
class OlmOcrTests:
    """Tests passed over tests, pooled over the pages of a source. Parts: passed, tests."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """Tests of an unknown kind are left out and flagged; a page with a broken test is not scored at all."""
        if not references:
            return undefined("no_reference")
        tests = _tests(references[0])
        if tests is None:
            return undefined("invalid_reference")
        known = [test for test in tests if test.get("type") in KINDS]
        if not known:
            return undefined("unknown_type" if tests else "empty_reference")
        page = "" if prediction.strip().lower() == _NULL else prediction.strip()
        try:
            passed = sum(_passes(page, test) for test in known)
        except BadTest:
            return undefined("invalid_reference")
        flag: Flag | None = "unknown_type" if len(known) < len(tests) else None
        return _score(passed, len(known), reference=references[0], flag=flag)

    def missing(self, references: Sequence[str]) -> SampleScore:
        """No test passed, not even one for what must be absent."""
        score = self.score("", references)
        if score.parts is None:
            return score
        return _score(0, int(score.parts[1]), reference=references[0], flag=score.flag)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


def _score(passed: int, tests: int, *, reference: str, flag: Flag | None) -> SampleScore:
    parts = (float(passed), float(tests))
    return SampleScore(value=passed / tests, parts=parts, matched_reference=reference, flag=flag)


def _tests(reference: str) -> list[Mapping[str, Any]] | None:
    tests = value_of(reference)
    tests = [tests] if isinstance(tests, dict) else tests
    if not isinstance(tests, list) or not all(isinstance(test, dict) for test in tests):
        return None
    return tests


def _passes(page: str, test: Mapping[str, Any]) -> bool:
    try:
        return KINDS[test["type"]](page, test)
    except (KeyError, TypeError, ValueError) as error:
        raise BadTest(str(error)) from error


OLMOCR_TESTS = OlmOcrTests(
    info=MetricInfo(
        name="olmocr_tests",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="share of unit tests passed, pooled over pages; the benchmark's total is the mean of its sources",
        source="Poznanski et al. 2025 (olmOCR, arXiv:2502.18443), olmocr/bench/tests.py",
        empty_rule="empty answer or `null`: the tests are run on an empty page; missing answer: no test passed",
        average="micro",
        heavy=True,
        deviations=(
            "math: equal after LaTeX normalisation (official: equal when rendered by KaTeX), so it passes less; order: "
            "near matches by Myers' search (official: fuzzysearch), equal for max_diffs 0; HTML by libxml2; format and "
            "footnote tests: left out, flagged; no baseline test is added to pages that list none"
        ),
    )
)
