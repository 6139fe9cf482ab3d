"""Numbers as people read them."""

from __future__ import annotations

import pytest
from vlmhb_stages.report import fmt
from vlmhb_stages.report.model import Failure


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0.000"), (0.12345, "0.123"), (34.2, "34.20"), (-0.5, "-0.500")]
)
def test_metric(value: float | None, text: str) -> None:
    assert fmt.metric(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "100 %"), (0.9996, "99.9 %"), (0.95, "95 %"), (0.0, "0 %"), (None, "–"), (2 / 3, "66.6 %")],
)
def test_share_is_rounded_down_so_that_almost_all_is_not_all(value: float | None, text: str) -> None:
    assert fmt.share(value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not measured"),
        (0.0123, "12.3 ms"),
        (0.586, "586 ms"),
        (1.6, "1.60 s"),
        (130.4, "130 s"),
        (5e-5, "50 µs"),
    ],
)
def test_seconds(value: float | None, text: str) -> None:
    assert fmt.seconds(value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "not measured"), (0.0, "0.00"), (3.6, "3.60"), (42.17, "42.2"), (12345.6, "12\u202f346")],
)
def test_number(value: float | None, text: str) -> None:
    assert fmt.number(value) == text


def test_number_with_unit() -> None:
    assert fmt.number(812.4, "MiB") == "812\u00a0MiB"


def test_interval_is_empty_when_unknown() -> None:
    assert (fmt.interval(0.1, 0.2), fmt.interval(None, 0.2)) == ("0.100–0.200", "")


def test_plural() -> None:
    assert (fmt.plural(1, "sample"), fmt.plural(0, "sample"), fmt.plural(1200, "sample")) == (
        "1 sample", "0 samples", "1\u202f200 samples",
    )  # fmt: skip


def test_provenance_values() -> None:
    assert fmt.plain(None) == fmt.plain([]) == "–"
    assert fmt.plain(["a", 1]) == "a, 1"
    assert fmt.plain({"temperature": 0.0, "stop": []}) == "temperature: 0.0, stop: –"
    assert fmt.plain(False) == "False"


def test_reason_does_not_repeat_the_code() -> None:
    failure = Failure(stage="infer", code="VHB502", message="VHB502: it died, in qwen")
    assert fmt.reason(failure) == "it died, in qwen"
    assert fmt.reason(failure.model_copy(update={"message": "it died"})) == "it died"


def test_breakable_escapes() -> None:
    assert fmt.breakable("a/<b>_c") == "a/<wbr>&lt;b&gt;_<wbr>c"


def test_markdown_leaves_names_readable() -> None:
    assert fmt.markdown("docs-ru_v2 (a.b)") == "docs-ru_v2 (a.b)"
    assert fmt.markdown("_x_ | `y`\n<b>") == r"\_x\_ \| \`y\` \<b\>"
