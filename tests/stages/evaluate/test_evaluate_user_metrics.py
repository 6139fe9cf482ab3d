"""A metric of the user's own: function, class or object, from a file, a folder or a wheel."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from evaluate_case import Item, Result, answered, evaluate, failed

FUNCTION = "def share(prediction, references):\n    return prediction in references\n"
METRIC = """
from dataclasses import dataclass
from vlmhb_benchmarks.metrics.base import MeanMetric, MetricInfo

INFO = MetricInfo(name="first_letter", version="7", direction="higher", lowest=0.0, highest=1.0,
                  description="", source="", empty_rule="")

class FirstLetter(MeanMetric):
    def __init__(self, info=INFO):
        object.__setattr__(self, "info", info)
    def compare(self, prediction, reference):
        return float(prediction[:1] == reference[:1])

ready = FirstLetter()

class Needy:
    def __init__(self, model):
        pass
"""


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules that a test brought go with it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("mine", "theirs"):
            del sys.modules[name]


def items() -> list[Item]:
    return [
        Item(sample_id="a", references=("yes",), prediction=answered("a", "yes")),
        Item(sample_id="b", references=("yes", "yep"), prediction=answered("b", "yep")),
        Item(sample_id="c", references=("yes",), prediction=answered("c", "no")),
        Item(sample_id="d", references=("yes",), prediction=failed("d")),
    ]


def user(path: Path | None, attribute: str, *, name: str = "mine", **more: Any) -> dict[str, Any]:
    spec = {"name": name, "module": "mine", "attribute": attribute, "version": "abc", **more}
    return {**spec, "path": str(path)} if path else spec


def run(root: Path, *users: dict[str, Any], **spec: Any) -> Result:
    names = tuple(one["name"] for one in users)
    return evaluate(root, items(), **{"metrics": names, "user_metrics": users, **spec})


def written(folder: Path, text: str, *, name: str = "mine.py") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_a_function_is_a_mean_metric(tmp_path: Path) -> None:
    result = run(tmp_path, user(written(tmp_path / "m", FUNCTION), "share"))
    assert result.sample("mine") == [1.0, 1.0, 0.0, None]
    found = result.metric("mine")
    assert (found.version, found.direction, found.average) == ("abc", "higher", "mean")
    assert (found.value, found.value_answered) == (0.5, pytest.approx(2 / 3))
    assert found.ci_low is not None


def test_beside_built_in_ones_and_primary(tmp_path: Path) -> None:
    one = user(written(tmp_path / "m", FUNCTION), "share", name="Mine")
    result = run(tmp_path, one, metrics=("cer", "MINE"), primary="Mine")
    assert [metric.name for metric in result.metrics.metrics] == ["cer", "mine"]
    assert result.metrics.primary == "mine"


@pytest.mark.parametrize("attribute", ["FirstLetter", "ready"])
def test_a_class_or_an_object_is_a_metric(attribute: str, tmp_path: Path) -> None:
    one = user(written(tmp_path / "m", METRIC), attribute, name="first_letter")
    result = run(tmp_path, one)
    assert result.sample("first_letter") == [1.0, 1.0, 0.0, None]
    assert result.metric("first_letter").version == "7"


def test_from_a_folder_and_from_a_wheel(tmp_path: Path) -> None:
    written(tmp_path / "folder" / "mine", "from mine.inner import share\n", name="__init__.py")
    written(tmp_path / "folder" / "mine", FUNCTION, name="inner.py")
    assert run(tmp_path / "1", user(tmp_path / "folder", "share")).value("mine") == 0.5
    wheel = tmp_path / "theirs-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("theirs/__init__.py", FUNCTION)
    assert run(tmp_path / "2", user(wheel, "share", module="theirs")).value("mine") == 0.5


def test_two_files_of_one_name_are_two_metrics(tmp_path: Path) -> None:
    first = user(written(tmp_path / "1", FUNCTION), "share", name="one")
    second = user(
        written(tmp_path / "2", "def share(prediction, references):\n    return 0.25\n"), "share", name="two"
    )
    result = run(tmp_path, first, second)
    assert (result.value_answered("one"), result.value_answered("two")) == (pytest.approx(2 / 3), 0.25)


def test_one_folder_may_hold_several(tmp_path: Path) -> None:
    text = FUNCTION + "def half(prediction, references):\n    return 0.5\n"
    path = written(tmp_path / "m", text)
    result = run(tmp_path, user(path, "share", name="one"), user(path, "half", name="two"))
    assert result.sample("two") == [0.5, 0.5, 0.5, None]


def test_lower_is_better_and_missing_is_the_worst(tmp_path: Path) -> None:
    text = "def wrong(prediction, references):\n    return abs(len(prediction) - len(references[0]))\n"
    result = run(tmp_path, user(written(tmp_path / "m", text), "wrong", direction="lower"))
    assert result.metric("mine").direction == "lower"
    assert result.value("mine") == pytest.approx((0 + 0 + 1 + 3) / 4)  # silence misses three letters


def test_an_exception_costs_its_sample_and_is_told(tmp_path: Path) -> None:
    text = "def share(prediction, references):\n    return 1 / len(prediction.replace('no', ''))\n"
    result = run(tmp_path, user(written(tmp_path / "m", text), "share"))
    assert result.sample("mine") == [pytest.approx(1 / 3), pytest.approx(1 / 3), None, None]
    found = result.metric("mine")
    assert (found.n, found.value_answered) == (3, pytest.approx(1 / 3))
    assert result.metrics.warnings == (
        "mine: undefined, the metric's own code failed (ZeroDivisionError: division by zero): 1 (c)",
    )


@pytest.mark.parametrize("value", ["None", "'1'", "float('nan')", "float('inf')"])
def test_what_is_no_finite_number_is_a_failure(value: str, tmp_path: Path) -> None:
    text = f"def share(prediction, references):\n    return {value} if prediction == 'no' else 1\n"
    result = run(tmp_path, user(written(tmp_path / "m", text), "share"))
    assert result.sample("mine")[2] is None
    assert "not a finite number" in result.metrics.warnings[0]


def test_an_exception_on_every_sample_is_fatal(tmp_path: Path) -> None:
    text = "def share(prediction, references, threshold):\n    return 1.0\n"
    fatal = run(tmp_path, user(written(tmp_path / "m", text), "share")).fatal
    assert "user metric 'mine' fails on every sample: TypeError" in fatal["message"]
    assert "list of references" in fatal["hint"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "CER"}, "takes a name that is taken"),
        ({"attribute": "nothing"}, "does not load: AttributeError"),
        ({"module": "mine_too"}, "does not load: ModuleNotFoundError"),
        ({"path": "/nowhere/mine.py"}, "is not there"),
        ({"attribute": "number"}, "neither a metric nor a function"),
        ({"attribute": "Needy"}, "Needy() cannot be made: TypeError"),
        ({"attribute": "ready"}, "calls itself 'first_letter'"),
    ],
)
def test_what_does_not_load_is_one_line(spec: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "m", METRIC + "\nnumber = 7\n")
    fatal = run(tmp_path, {**user(path, "ready"), **spec}).fatal
    assert message in fatal["message"]
    assert "\n" not in fatal["message"]


def test_a_module_that_breaks_is_one_line(tmp_path: Path) -> None:
    fatal = run(tmp_path, user(written(tmp_path / "m", "raise RuntimeError('no licence')\n"), "x")).fatal
    assert "RuntimeError: no licence" in fatal["message"]


def test_a_metric_object_that_gives_nan_fails_too(tmp_path: Path) -> None:
    text = METRIC.replace(
        "return float(prediction[:1] == reference[:1])", "return float('nan') if prediction == 'no' else 1.0"
    )
    result = run(tmp_path, user(written(tmp_path / "m", text), "ready", name="first_letter"))
    assert result.sample("first_letter") == [1.0, 1.0, None, None]
    assert "own code failed (ValueError: gave nan" in result.metrics.warnings[0]


def test_exit_inside_a_metric_costs_its_sample_only(tmp_path: Path) -> None:
    text = "import sys\ndef share(prediction, references):\n    return sys.exit(0) if prediction == 'no' else 1\n"
    result = run(tmp_path, user(written(tmp_path / "m", text), "share"))
    assert result.sample("mine") == [1.0, 1.0, None, None]
    assert "own code failed (SystemExit: 0)" in result.metrics.warnings[0]


@pytest.mark.parametrize("value", ["np.float32(0.5)", "np.int64(1)", "np.bool_(True)"])
def test_numbers_of_numpy_are_numbers(value: str, tmp_path: Path) -> None:
    text = f"import numpy as np\ndef share(prediction, references):\n    return {value}\n"
    result = run(tmp_path, user(written(tmp_path / "m", text), "share"))
    assert result.value_answered("mine") == (0.5 if "0.5" in value else 1.0)


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        ("SampleScore(value=1.0, parts=None)", "both are None, or neither"),
        ("SampleScore(value=None, parts=None)", "flag None, not one of"),
        ("SampleScore(value=None, parts=None, flag='why')", "flag 'why', not one of"),
    ],
)
def test_a_score_that_contradicts_itself_is_told(gives: str, message: str, tmp_path: Path) -> None:
    text = METRIC + (
        "from vlmhb_benchmarks.metrics.base import SampleScore\n"
        "class Odd(FirstLetter):\n"
        "    def score(self, prediction, references):\n"
        f"        return {gives} if prediction == 'no' else super().score(prediction, references)\n"
    )
    result = run(tmp_path, user(written(tmp_path / "m", text), "Odd", name="first_letter"))
    assert result.sample("first_letter") == [1.0, 1.0, None, None]
    assert message in result.metrics.warnings[0]


def test_an_aggregate_that_is_no_number_is_fatal(tmp_path: Path) -> None:
    text = METRIC + "FirstLetter.from_totals = lambda self, totals: float('nan')\n"
    fatal = run(tmp_path, user(written(tmp_path / "m", text), "ready", name="first_letter")).fatal
    assert fatal["message"] == "first_letter: from_totals gives nan"


def test_a_failure_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    text = (
        "def share(prediction, references):\n"
        "    if prediction == 'no':\n        raise ValueError('half \\ud800\\nline')\n    return 1\n"
    )
    result = run(tmp_path, user(written(tmp_path / "m", text), "share"))
    assert "ValueError: half \ufffd line" in result.metrics.warnings[0]
