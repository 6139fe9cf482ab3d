"""The ways in which samples become one number: named, nested, all-or-nothing; and the headline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from evaluate_case import Item, Result, answered, evaluate, failed


def item(name: str, right: bool | None, **metadata: str) -> Item:
    """`right` None: no answer."""
    prediction = failed(name) if right is None else answered(name, "yes" if right else "no")
    return Item(sample_id=name, references=("yes",), prediction=prediction, metadata=metadata)


def items() -> list[Item]:
    """ru: ocr 1/1, vqa 0/2; en: ocr 3/4 of which one has no answer."""
    return [
        item("1", True, lang="ru", task="ocr", figure="f1"),
        item("2", False, lang="ru", task="vqa", figure="f1"),
        item("3", False, lang="ru", task="vqa", figure="f2"),
        item("4", True, lang="en", task="ocr", figure="f3"),
        item("5", True, lang="en", task="ocr", figure="f3"),
        item("6", True, lang="en", task="ocr", figure="f4"),
        item("7", None, lang="en", task="ocr", figure="f4"),
    ]


def run(root: Path, given: Sequence[Item], **spec: object) -> Result:
    return evaluate(root, given, **{"metrics": ("exact_match",), "slices": ("lang",), **spec})


def test_averages_are_named(tmp_path: Path) -> None:
    found = run(tmp_path, items(), averages=("macro:lang/task", "all:figure")).metric("exact_match")
    assert found.average == "mean"
    assert found.value == pytest.approx(4 / 7)
    assert found.averages == pytest.approx(
        {
            "sample_mean": 4 / 7,
            "macro:lang": (1 / 3 + 3 / 4) / 2,
            "macro:lang/task": ((1 + 0) / 2 + 3 / 4) / 2,
            "all:figure": 1 / 4,
        }
    )


def test_micro_and_sample_mean_differ(tmp_path: Path) -> None:
    long = Item(sample_id="a", references=("abcdefghij",), prediction=answered("a", "abcdefghij"))
    short = Item(sample_id="b", references=("ab",), prediction=answered("b", "xy"))
    found = run(tmp_path, [long, short], metrics=("cer",)).metric("cer")
    assert (found.average, found.value) == ("micro", pytest.approx(2 / 12))
    assert found.averages["sample_mean"] == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("headline", "value", "answered"),
    [
        ("macro:lang", (1 / 3 + 3 / 4) / 2, (1 / 3 + 1) / 2),
        ("macro:lang/task", (1 / 2 + 3 / 4) / 2, (1 / 2 + 1) / 2),
        ("all:figure", 1 / 4, 2 / 4),
        ("all:lang/task", 1 / 3, 2 / 3),
        ("sample_mean", 4 / 7, 4 / 6),
    ],
)
def test_the_headline_becomes_the_value(headline: str, value: float, answered: float, tmp_path: Path) -> None:
    """Missing counts as wrong in `value` here as well; f4 is right only among the answered."""
    found = run(tmp_path, items(), headline=headline).metric("exact_match")
    assert found.average == headline
    assert found.value == pytest.approx(value)
    assert found.value_answered == pytest.approx(answered)
    assert found.averages["pooled"] == pytest.approx(4 / 7)
    assert found.averages[headline] == found.value
    assert (found.n, found.n_error) == (7, 1)


def test_slices_have_the_headline_of_their_samples(tmp_path: Path) -> None:
    found = run(tmp_path, items(), headline="macro:task").slice("lang", "ru")["exact_match"]
    assert found.value == pytest.approx(1 / 2)
    assert found.averages["pooled"] == pytest.approx(1 / 3)


def test_the_worst_of_a_group_counts_where_lower_is_better(tmp_path: Path) -> None:
    found = run(tmp_path, items(), metrics=("cer",), headline="all:figure").metric("cer")
    rates = {"f1": 1.0, "f2": 1.0, "f3": 0.0, "f4": 1.0}  # "no" against "yes": 3 edits of 3
    assert found.value == pytest.approx(sum(rates.values()) / 4)


def coin(share: int, *, group: str, count: int) -> list[Item]:
    return [item(f"{group}{n}", n % share == 0, lang=group) for n in range(count)]


def test_the_interval_of_a_macro_average_resamples_within_groups(tmp_path: Path) -> None:
    """A small group weighs as much as a large one, so the interval is wider than the pooled one."""
    given = [*coin(2, group="small", count=12), *coin(2, group="large", count=400)]
    macro = run(tmp_path / "a", given, headline="macro:lang", bootstrap_draws=1000).metric("exact_match")
    pooled = run(tmp_path / "b", given, bootstrap_draws=1000).metric("exact_match")
    assert macro.ci_low is not None and macro.ci_high is not None
    assert pooled.ci_low is not None and pooled.ci_high is not None
    deviation = ((0.25 / 12 + 0.25 / 400) ** 0.5) / 2  # of the mean of two independent shares
    assert macro.ci_high - macro.ci_low == pytest.approx(2 * 1.96 * deviation, rel=0.12)
    assert macro.ci_high - macro.ci_low > 2 * (pooled.ci_high - pooled.ci_low)


def test_the_interval_of_whole_groups_resamples_groups(tmp_path: Path) -> None:
    given = [
        item(f"{group}-{n}", group % 2 == 0, figure=str(group)) for group in range(100) for n in range(4)
    ]
    found = run(tmp_path, given, headline="all:figure", bootstrap_draws=1000).metric("exact_match")
    assert found.ci_low is not None and found.ci_high is not None
    assert found.ci_high - found.ci_low == pytest.approx(2 * 1.96 * (0.25 / 100) ** 0.5, rel=0.12)


@pytest.mark.parametrize("headline", ["macro:single", "all:whole"])
def test_no_interval_where_nothing_tells_how_much_it_varies(headline: str, tmp_path: Path) -> None:
    """A group of one sample each, or one group: an interval of no width would look like certainty."""
    given = [item(str(number), number % 2 == 0, single=str(number), whole="one") for number in range(6)]
    found = run(tmp_path, given, headline=headline, slices=()).metric("exact_match")
    assert found.value is not None
    assert (found.ci_low, found.ci_high) == (None, None)


def test_samples_outside_all_groups_are_told(tmp_path: Path) -> None:
    given = [*items(), item("8", True, task="ocr", figure="f9")]
    result = run(tmp_path, given, headline="macro:lang")
    assert result.value("exact_match") == pytest.approx((1 / 3 + 3 / 4) / 2)
    assert result.metrics.warnings == ("average macro:lang: samples without lang, left out: 1 (8)",)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"headline": "median"}, "unknown average 'median'"),
        ({"averages": ("macro:",)}, "unknown average 'macro:'"),
        ({"averages": ("macro:lang//task",)}, "unknown average"),
        ({"headline": "macro:langauge"}, "no sample has the metadata 'langauge'"),
    ],
)
def test_what_cannot_be_averaged_is_one_line(spec: dict[str, object], message: str, tmp_path: Path) -> None:
    result = run(tmp_path, items(), **spec)
    assert result.code == 2
    assert message in result.fatal["message"]
    assert result.fatal["hint"]


def test_no_samples_and_a_headline(tmp_path: Path) -> None:
    assert run(tmp_path, [], headline="macro:lang").value("exact_match") is None
