"""Metrics are found by name, version, entry point and path; what is wrong is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from vlmhb_benchmarks.metrics import BrokenMetric, Metric, UnknownMetric, get_metric, list_metrics

PLUGIN = """
from vlmhb_benchmarks.metrics.matching import Matching, equality, strip
from vlmhb_benchmarks.metrics.base import MetricInfo
SHOUT = Matching(
    info=MetricInfo(
        name="shout", version="3", direction="higher", lowest=0.0, highest=1.0,
        description="d", source="s", empty_rule="e",
    ),
    prepare=str.upper, compare=equality,
)
NOT_A_METRIC = 7
"""


def install(folder: Path, *, entry_points: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution as pip leaves it: a module and its dist-info."""
    (folder / "shout_pkg.py").write_text(PLUGIN, encoding="utf-8")
    info = folder / "shout_pkg-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shout-pkg\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[vlmhb.metrics]\n{entry_points}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "shout_pkg", raising=False)


def test_all_names_resolve_to_themselves_in_any_case() -> None:
    names = [info.name for info in list_metrics()]
    assert len(names) == len(set(names)) >= 10
    for name in names:
        assert get_metric(name.upper()).info.name == name


def test_infos_are_complete() -> None:
    for info in list_metrics():
        assert info.version and info.description and info.source and info.empty_rule
        correlation = info.name.startswith(("kendall_tau", "spearman_rho"))
        assert info.lowest == (-1.0 if correlation else 0.0)
        assert info.range.startswith(f"{info.lowest:g}..")


@pytest.mark.parametrize(
    ("name", "found"),
    [("anls@docvqa", "anls_docvqa"), ("cer@1", "cer"), (" WER ", "wer"), ("ANLS@1", "anls")],
)
def test_variants_and_versions(name: str, found: str) -> None:
    assert get_metric(name).info.name == found


@pytest.mark.parametrize("name", ["cerr", "cer@2", "", "no such thing"])
def test_unknown_names_raise(name: str) -> None:
    with pytest.raises(UnknownMetric):
        get_metric(name)


def test_unknown_name_says_the_nearest() -> None:
    with pytest.raises(KeyError) as caught:
        get_metric("exact-match")
    assert str(caught.value) == "unknown metric 'exact-match'; nearest: exact_match, exact_match_norm"


def test_unknown_name_unlike_all_lists_all() -> None:
    with pytest.raises(UnknownMetric, match=r"known: accuracy, anls, anls_docvqa, anls_evalscope, "):
        get_metric("zzzzzz")


def test_dotted_path() -> None:
    metric = get_metric("vlmhb_benchmarks.metrics.error_rates:CER")
    assert isinstance(metric, Metric)
    assert metric.info.name == "cer"


@pytest.mark.parametrize(
    "path",
    [
        "no.such.module:X",
        "vlmhb_benchmarks.metrics.text:nothing",
        "vlmhb_benchmarks.metrics.text:normalise",
        ":x",
    ],
)
def test_dotted_path_to_no_metric(path: str) -> None:
    with pytest.raises(BrokenMetric):
        get_metric(path)


def test_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, entry_points="Shout = shout_pkg:SHOUT", monkeypatch=monkeypatch)
    assert get_metric("shout@3").score("ab", ["AB"]).value == 1.0
    assert list_metrics()[-1].name == "shout"


@pytest.mark.parametrize("line", ["cer = shout_pkg:SHOUT", "x = shout_pkg:NOT_A_METRIC", "x = plugin_gone:X"])
def test_bad_entry_points_are_told(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, entry_points=line, monkeypatch=monkeypatch)
    with pytest.raises(BrokenMetric):
        list_metrics()


def test_listing_imports_no_scorer() -> None:
    code = (
        "import sys; from vlmhb_benchmarks.metrics import list_metrics; list_metrics(); "
        "print([m for m in ('numpy', 'rapidfuzz', 'sacrebleu', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_scorer_fails_instead_of_giving_another_number() -> None:
    code = (
        "import sys; sys.modules['rapidfuzz'] = None\n"
        "from vlmhb_benchmarks.metrics import get_metric\n"
        "get_metric('cer').score('a', ['b'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "rapidfuzz" in done.stderr
