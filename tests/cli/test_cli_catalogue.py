"""What can be named in a config, as tables, as YAML and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from vlmhb import __version__
from vlmhb.cli.app import app
from vlmhb.errors import UnknownName

CARD = "name: mine\nclass_path: mine:score\nimage: box\ndirection: lower\ndescription: my own\n"
BENCHMARK = """\
name: pages
loader: jsonl
path: pages-data
task_type: tables
metrics: [teds]
gate: json_valid
headline: macro:language
languages: [ru]
revision: abc123
splits: {test: 7}
labels: drawn by hand
obtain: ask the author
"""
BOOM = "raise SystemExit('imported')\n"


def vlmhb(*args: str) -> Any:
    return CliRunner().invoke(app, list(args), catch_exceptions=True)


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    folder = tmp_path / "cards"
    folder.mkdir()
    (folder / "metric.yaml").write_text(CARD)
    (folder / "benchmark.yaml").write_text(BENCHMARK)
    return folder


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    info = site / "plugin-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text("[vlmhb.metrics]\nFancy = plugin_pkg:score\n")
    (site / "plugin_pkg.py").write_text(BOOM)
    monkeypatch.syspath_prepend(str(site))


def test_the_version() -> None:
    done = vlmhb("--version")
    assert (done.exit_code, done.stdout) == (0, f"vlmhb {__version__}\n")


@pytest.mark.parametrize("group", ["models", "benchmarks", "metrics"])
def test_every_list_is_a_table_in_a_pipe_and_json_when_asked(group: str) -> None:
    header, *found = rows(vlmhb(group, "list").stdout)
    values = json.loads(vlmhb(group, "list", "--json").stdout)
    assert len(found) == len(values) > 3
    assert all(len(row) == len(header) for row in found)


@pytest.mark.parametrize("group", ["models", "benchmarks", "metrics"])
def test_whatever_is_listed_can_be_shown(group: str) -> None:
    for value in json.loads(vlmhb(group, "list", "--json").stdout):
        which = {"benchmarks": "task", "models": "framework"}.get(group)
        one = [f"--{which}", value[which]] if which else []
        shown = vlmhb(group, "show", value["name"], "--json", *one)
        assert json.loads(shown.stdout)["name"] == value["name"], shown.exception


@pytest.mark.usefixtures("plugin")
def test_metrics_of_all_three_sources(cards: Path) -> None:
    listed = {row[0]: row for row in rows(vlmhb("metrics", "list", "--cards", str(cards)).stdout)}
    assert listed["cer@1"][1:5] == ["lower", "0..∞", "micro", "vlmhb"]
    assert listed["mine"][1] == "lower" and listed["mine"][4] == f"card {cards}/metric.yaml"
    assert listed["fancy"][4:] == ["plugin 1.5", "entry point plugin_pkg:score"]


def test_a_built_in_metric_tells_everything_about_itself() -> None:
    shown = json.loads(vlmhb("metrics", "show", "ANLS@docvqa", "--json").stdout)
    assert shown["name"] == "anls_docvqa"
    assert {"source", "range", "direction", "average", "empty_rule", "deviations"} <= set(shown)
    text = vlmhb("metrics", "show", "anls").stdout
    assert "\ndirection: higher\n" in text and "\nsource: " in text


def test_a_metric_of_the_users_own_is_shown_with_its_image(cards: Path) -> None:
    shown = json.loads(vlmhb("metrics", "show", "mine", "--json", "--cards", str(cards)).stdout)
    assert (shown["class_path"], shown["image"]) == ("mine:score", "box")


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (("metrics", "show", "anlss"), "unknown metric 'anlss'; hint: did you mean 'anls'"),
        (("metrics", "show", "anls@9"), "unknown metric 'anls@9'"),
        (("metrics", "extractions", "boxd"), "unknown extraction 'boxd'; hint: there are boxed"),
        (("benchmarks", "show", "docs_minni"), "no benchmark 'docs_minni'"),
        (("models", "show", "rapidcor"), "no model 'rapidcor'; hint: did you mean 'rapidocr'"),
    ],
)
def test_unknown_names_are_one_line(args: tuple[str, ...], what: str) -> None:
    error = vlmhb(*args).exception
    assert isinstance(error, UnknownName)
    assert what in error.line()


def test_a_benchmark_shows_its_card_and_where_its_data_are(
    cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("benchmarks", "show", "pages", "--cards", str(cards), "-w", str(tmp_path / "w"), "--json")
    shown = json.loads(vlmhb(*words).stdout)
    assert (shown["gate"], shown["headline"], shown["splits"], shown["obtain"]) == (
        "json_valid",
        "macro:language",
        {"test": 7},
        "ask the author",
    )
    assert shown["data"] is None
    assert str(tmp_path / "w" / "datasets" / "pages-data") in shown["data_expected_at"]
    (tmp_path / "w" / "datasets" / "pages-data").mkdir(parents=True)
    shown = json.loads(vlmhb(*words).stdout)
    assert shown["data"] == str(tmp_path / "w" / "datasets" / "pages-data")
    assert not (tmp_path / "w" / "runs").exists()  # looking creates nothing


def test_extractions_are_listed_and_shown() -> None:
    header, *found = rows(vlmhb("metrics", "extractions").stdout)
    assert header[0] == "extraction"
    assert "none@1" in [row[0] for row in found]
    shown = json.loads(vlmhb("metrics", "extractions", "answer_marker", "--json").stdout)
    assert set(shown) == {"name", "version", "description", "source", "on_miss"}
    assert len(json.loads(vlmhb("metrics", "extractions", "--json").stdout)) == len(found)


@pytest.mark.parametrize("command", ["run", "plan"])
def test_run_and_plan_have_the_same_options(command: str) -> None:
    text = vlmhb(command, "--help").stdout
    for option in ("--workspace", "--engine", "--keep-going", "--limit", "--cards", "--vlm-base", "--json"):
        assert option in text
    assert vlmhb(command).exit_code == 2
    assert vlmhb(command, "c.csv", "--limit", "0").exit_code == 2
