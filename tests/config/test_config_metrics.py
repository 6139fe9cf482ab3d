"""What a metric's name in a config can mean, and every mistake in it; also extraction, gate and averages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from vlmhb.cards import load_registry
from vlmhb.config.metricnames import find_metrics
from vlmhb.config.problems import Problems, Sources
from vlmhb.config.roots import Roots
from vlmhb.config.scoring import Scoring, find_scoring
from vlmhb.contracts import BenchmarkCard, EvaluationRow, FoundMetric, Place
from vlmhb.errors import BadCard, ErrorList

BOOM = "raise SystemExit('imported')\n"
CODE = f"{BOOM}def score(prediction, references): ...\nclass Jaccard: ...\ncer = None\n"
WHERE = "c.csv, row 2, column metrics"


class Home:
    """A user's folder: cards, files beside the config, an installed package."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str = CODE) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def card(self, **fields: Any) -> None:
        lines = "".join(f"{key}: {value}\n" for key, value in fields.items())
        self.write(f"cards/metrics/{fields['name']}.yaml", lines)

    def install(self, name: str, entry_points: str) -> None:
        """A distribution in `site/`, which is on `sys.path`."""
        self.write(
            f"site/{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        self.write(f"site/{name}-1.0.dist-info/entry_points.txt", f"[vlmhb.metrics]\n{entry_points}\n")

    @property
    def sources(self) -> Sources:
        cards = self.root / "cards"
        registry = load_registry(user_dirs=[cards] if cards.is_dir() else [])
        roots = Roots(config_dir=self.root / "config", cwd=self.root / "cwd")
        return Sources(registry=registry, roots=roots, workspace=self.root)

    def find(self, *names: str) -> dict[str, FoundMetric | None]:
        return {item.name: item.user for item in find_metrics(names, where=WHERE, sources=self.sources)}

    def error(self, *names: str) -> str:
        with pytest.raises(ErrorList) as caught:
            self.find(*names)
        return caught.value.line().replace(f"{self.root}/", "")


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return Home(tmp_path)


def test_built_in_names_in_any_case_once_each(user: Home) -> None:
    assert user.find("CER", "cer", "wer@1", "anls@docvqa") == {
        "cer": None,
        "wer@1": None,
        "anls_docvqa": None,
    }


def test_a_card_names_file_folder_or_wheel(user: Home) -> None:
    user.write("code/mine.py")
    user.card(name="by_file", class_path="mine:score", path="../../code/mine.py", version=7)
    user.card(name="by_folder", class_path="mine:Jaccard", path="../../code", direction="lower")
    found = user.find("By_File", "by_folder")
    one, two = found["by_file"], found["by_folder"]
    assert one is not None and two is not None
    assert (one.module, one.attribute, one.inside, one.importable) == ("mine", "score", "mine.py", False)
    assert (two.attribute, two.direction, two.inside, two.importable) == ("Jaccard", "lower", "", True)
    assert two.path == user.root / "cards/metrics/../../code"


def test_a_version_that_is_not_the_cards_is_an_error(user: Home) -> None:
    user.write("code/mine.py")
    user.card(name="mine", class_path="mine:score", path="../../code", version="'7'")
    assert list(user.find("mine@7")) == ["mine"]
    assert user.error("mine@8") == f"VHB201: unknown metric 'mine@8', in {WHERE}; hint: its version is 7"
    assert "its version is 1" in user.error("cer@9")


def test_a_card_with_an_image_may_have_its_code_there(user: Home) -> None:
    user.card(name="heavy", class_path="inside.image:score", image="box")
    found = user.find("heavy")["heavy"]
    assert found is not None and (found.path, found.image) == (None, "box")


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"class_path": "mine:score", "path": "../nowhere"}, "no file or folder"),
        ({"class_path": "other:score", "path": "../../code"}, "no module other in"),
        ({"class_path": "mine:other", "path": "../../code/mine.py"}, "defines no other"),
        ({"class_path": "not_installed:score"}, "no module not_installed"),
    ],
)
def test_a_card_that_leads_nowhere_is_told_with_its_file(
    user: Home, fields: dict[str, str], what: str
) -> None:
    user.write("code/mine.py")
    user.card(name="bad", **fields)
    line = user.error("bad")
    assert line.startswith("VHB202: metric 'bad': ") and what in line
    assert "in cards/metrics/bad.yaml; hint: the card's path is" in line


def test_entry_points_are_read_and_not_imported(user: Home) -> None:
    user.install("plugin", "fancy = plugin_pkg.metrics:score")
    user.write("site/plugin_pkg/__init__.py", BOOM)
    user.write("site/plugin_pkg/metrics.py")
    found = user.find("Fancy")["fancy"]
    assert found is not None
    assert (found.path, found.inside, found.module) == (
        user.root / "site/plugin_pkg",
        "plugin_pkg",
        "plugin_pkg.metrics",
    )
    user.install("gone", "lost = never_installed:score")
    assert "VHB201: metric 'lost' of entry point never_installed:score: no module" in user.error("lost")


def test_a_dotted_path_beside_the_config(user: Home) -> None:
    user.write("config/mine.py")
    found = user.find("mine:Jaccard")["jaccard"]
    assert found is not None and (found.path, found.attribute) == (user.root / "config/mine.py", "Jaccard")


@pytest.mark.parametrize("folder", ["config", "cwd"])
def test_a_file_path_from_the_config_or_the_current_folder(user: Home, folder: str) -> None:
    file = user.write(f"{folder}/sub/my-metric.py")
    found = user.find("sub/my-metric.py:score")["score"]
    assert found is not None
    assert (found.path, found.inside, found.importable) == (file, "my-metric.py", False)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("cerr", "VHB201: unknown metric 'cerr', in {where}; hint: did you mean 'cer'"),
        ("nowhere:score", "VHB201: metric 'nowhere:score': no module nowhere, in {where}; hint: install it"),
        (
            "no/file.py:score",
            "VHB201: metric 'no/file.py:score': no file no/file.py, in {where}; hint: relative",
        ),
        ("mine.py:absent", "VHB201: metric 'mine.py:absent': config/mine.py defines no absent, in {where}"),
        ("mine:", "VHB104: 'mine:' names no metric, in {where}; hint: write package.module:attribute"),
        (":score", "VHB104: ':score' names no metric"),
        ("mine.py:cer", "VHB104: 'mine.py:cer' would be called 'cer', and so is another metric, in {where}"),
    ],
)
def test_mistakes_name_the_cell(user: Home, name: str, line: str) -> None:
    user.write("config/mine.py")
    assert user.error(name).startswith(line.format(where=WHERE))


def test_a_name_that_two_give_is_an_error(user: Home) -> None:
    user.write("code/mine.py")
    user.card(name="cer", class_path="mine:score", path="../../code")
    assert "metric 'cer' is given by vlmhb itself and by cards/metrics/cer.yaml" in user.error("cer")
    user.card(name="fancy", class_path="mine:score", path="../../code")
    user.install("plugin", "fancy = plugin_pkg:score")
    assert "given by cards/metrics/fancy.yaml and by entry point plugin_pkg:score" in user.error("fancy")
    user.install("other", "fancy = other_pkg:score")
    assert "given by two packages" in user.error("fancy")


def test_two_metrics_of_one_name_are_an_error(user: Home) -> None:
    user.write("config/a.py")
    user.write("config/b.py")
    assert "two metrics would be called 'score'" in user.error("a.py:score", "b.py:score")
    assert list(user.find("a.py:score", "a.py:score")) == ["score"]


# --- extraction, gate, averages -------------------------------------------------------------------


def scoring(user: Home, *, row: dict[str, Any] | None = None, **card: Any) -> Scoring:
    fields = {"name": "b", "loader": "jsonl", "origin": "b.yaml", "metrics": ("cer",), **card}
    asked = EvaluationRow(place=Place(file="c.csv", row=2), dataset="b", model_name="m", **(row or {}))
    benchmark = BenchmarkCard.model_validate(fields)
    return find_scoring(Problems(row=asked), benchmark=benchmark, sources=user.sources)


def test_the_row_comes_before_the_card(user: Home) -> None:
    found = scoring(user, extraction="answer_marker", primary="WER")
    assert (found.metrics, found.primary, found.extraction) == (("cer",), "cer", "answer_marker")
    found = scoring(user, row={"metrics": ("wer", "cer"), "extraction": "None"}, primary="WER")
    assert (found.metrics, found.primary, found.extraction) == (("wer", "cer"), "wer", "none")
    found = scoring(user, row={"metrics": ("cer@1", "wer@1")}, primary="WER")
    assert (found.metrics, found.primary) == (("cer@1", "wer@1"), "wer")
    assert scoring(user, row={"metrics": ("cer@1", "wer")}, primary="bleu").primary == "cer"


def test_a_gate_may_be_a_metric_of_the_users_own(user: Home) -> None:
    user.write("code/mine.py")
    user.card(name="valid", class_path="mine:score", path="../../code")
    found = scoring(user, gate="valid")
    assert (found.gate, [metric.name for metric in found.user_metrics]) == ("valid", ["valid"])


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"gate": "cerr"}, "VHB201: unknown metric 'cerr', in b.yaml, field gate; hint: did you mean"),
        ({"primary": "cerr"}, "VHB201: unknown metric 'cerr', in b.yaml, field primary; hint: did you mean"),
        ({"metrics": ("cerr",)}, "VHB201: unknown metric 'cerr', in b.yaml, field metrics; hint: did you"),
        ({"extraction": "boxes"}, "VHB201: unknown extraction 'boxes', in b.yaml, field extraction; hint:"),
        (
            {"headline": "macro"},
            "VHB202: 'macro' is no average, in b.yaml, field headline; hint: write macro:",
        ),
        ({"averages": ("macro:a//b",)}, "VHB202: 'macro:a//b' is no average, in b.yaml, field averages"),
        ({"averages": ("all:a/b",)}, "VHB202: 'all:a/b' is no average, in b.yaml, field averages"),
        ({"averages": ("mean:a",)}, "VHB202: 'mean:a' is no average, in b.yaml, field averages"),
    ],
)
def test_mistakes_of_a_card_name_its_field(user: Home, fields: dict[str, Any], line: str) -> None:
    with pytest.raises(ErrorList) as caught:
        scoring(user, **fields)
    assert caught.value.line().startswith(line)


def test_every_mistake_is_told_at_once(user: Home) -> None:
    with pytest.raises(ErrorList) as caught:
        scoring(user, row={"metrics": ("x:y:", "cerr")}, headline="?", extraction="??")
    assert len(caught.value.errors) == 4
    assert any(isinstance(error, BadCard) for error in caught.value.errors)


@pytest.mark.parametrize("average", ["macro:language", "macro:language/category", "all:figure"])
def test_averages_are_written_like_this(user: Home, average: str) -> None:
    assert scoring(user, headline=average, averages=(average,)).metrics == ("cer",)
