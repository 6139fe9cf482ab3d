"""Texts of models, datasets and cards on their way to people: page, Markdown, spreadsheet, terminal, names of files.

Scripts and markup in the page: tests/stages/report/test_report_html.py."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from html_page import Page
from report_artifacts import Artifacts, make_report, metric, prediction, sample, score
from vlmhb.config.identifiers import evaluation_ids
from vlmhb.console import Console, printable
from vlmhb.contracts import EvaluationRow, Place, RunConfig
from vlmhb.errors import BadValue, VlmhbError
from vlmhb.exporting.target import file_name
from vlmhb.naming import slug
from vlmhb.progress.view import Counted
from vlmhb.runs import MAX_STEM, run_id_of
from vlmhb_stages.evaluate.csvtext import is_formula

TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
STEERING = "\x1b[2J\x1b]0;owned\x07\x9b31m\x9d0;x\x9c\x08\x7f\r"
TEXTS = {
    "a script": "<script>alert(1)</script>",
    "a handler": "\" onmouseover='alert(1)' x=\"",
    "a comment that ends": "--></style></script><svg onload=alert(1)>",
    "an entity": "&lt;script&gt;&#60;script&#62;",
    "a template": "{{ 7*7 }}{% include '/etc/passwd' %}${7*7}",
    "a link": "[x](javascript:alert(1)) ![x](http://evil/x.png) <http://evil>",
    "a table": "|\n|---|\n# heading\n```\ncode",
    "escapes": STEERING,
    "direction": f"invoice {TURNING} fdp.exe",
    "zero width": "pay\u200bpal\u2060\ufeff",
    "combining": "a" + "\u0301" * 3000,
    "one line of a megabyte": "x" * 1_000_000,
}
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")


def report_of(text: str) -> Artifacts:
    return Artifacts(
        id="e",
        info={"model": text[:2000], "benchmark": text[:2000], "warnings": [text], "tags": [text[:2000]]},
        samples=[sample("s", question=text, doc_class=text[:2000]), sample("t")],
        predictions=[
            prediction("s", text=text, latency_s=1.0),
            prediction("t", status="error", text=None, error={"kind": "timeout", "message": text}),
        ],
        scores=[score("s", 0.5, reference=text, extracted=text)],
        metrics=[metric(value=0.5, name="CER")],
    )


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_in_the_report_is_only_a_text(tmp_path: Path, name: str) -> None:
    made = make_report(tmp_path, report_of(TEXTS[name]))
    html, markdown = made.text("report.html"), made.text("report.md")
    page = Page(html)
    assert page.tags.count("script") == 1
    assert page.handlers == []
    assert not {"svg onload", "img", "iframe", "object", "link"} & set(page.tags)
    assert FORBIDDEN.search(html) is None
    assert FORBIDDEN.search(markdown) is None
    assert "49" not in re.findall(r"\b49\b", page.text)
    assert len(html) < 3_000_000


def test_what_turns_the_direction_is_seen(tmp_path: Path) -> None:
    """Dropping it would hide that it was there."""
    made = make_report(tmp_path, report_of("invoice \u202efdp.exe\x9b"))
    assert "invoice [U+202E]fdp.exe[U+009B]" in Page(made.text("report.html")).text
    assert made.json()["evaluations"][0]["model"] == "invoice \u202efdp.exe\x9b"


FORMULAS = (
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+SUM(A1)",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    " =1",
    "\t=1",
    "\n@x",
    '=HYPERLINK("http://evil","x")',
)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_of_the_summary_is_no_formula(tmp_path: Path, text: str) -> None:
    artifacts = report_of("plain")
    artifacts.info = {**artifacts.info, "model": text, "benchmark": text}
    artifacts.metrics = [metric(value=-0.5, name=text)]
    rows = list(csv.reader(io.StringIO(make_report(tmp_path, artifacts).text("summary.csv"))))
    header, row = rows
    cells = [cell for cell in (*header, *row) if text in cell]
    assert cells and all(cell.startswith("'") for cell in cells)
    assert "-0.5" in row  # a number stays one


@pytest.mark.parametrize("text", [text for text in FORMULAS if "(" in text or "|" in text])
def test_files_that_keep_answers_as_they_are_warn_of_formulas(text: str) -> None:
    assert is_formula(text)


@pytest.mark.parametrize("text", ["-5", "- a list", "+7 999 123", "@name", "=", "a=b(c)"])
def test_ordinary_answers_are_no_formulas(text: str) -> None:
    assert not is_formula(text)


@pytest.mark.parametrize("name", TEXTS)
def test_the_terminal_obeys_nobody(name: str) -> None:
    out = io.StringIO()
    console = Console(out=out, err=out, env={})
    text = TEXTS[name]
    console.say(text)
    console.warn(text)
    console.error(BadValue(text, where=text, hint=text))
    console.table([[text, text]], headers=["a", "b"])
    assert FORBIDDEN.search(out.getvalue()) is None
    assert FORBIDDEN.search(printable(text)) is None


@pytest.mark.parametrize("name", TEXTS)
def test_an_error_is_one_line_whatever_it_quotes(name: str) -> None:
    line = VlmhbError(TEXTS[name], where=TEXTS[name]).line()
    assert line.isprintable()


NAMES = ("..", "../../etc", "/etc/passwd", "a\0b", "a\nb", "con", "NUL", "com1.txt", ".git", "-rf", "~root", "a" * 4096,
         "𠀀" * 300, "Ж" * 300, "\u202egnp", "$(id)", "`id`", "a;b", "", " ", "...", "\ud800")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_become_names_of_one_file(tmp_path: Path, name: str) -> None:
    row = EvaluationRow.model_construct(place=Place(file="x"), dataset=name, model_name=name)
    for made in (slug(name), file_name(name), *evaluation_ids([row, row])):
        target = tmp_path / f"{made}.csv"
        target.write_text("x", encoding="utf-8")
        assert target.resolve().parent == tmp_path.resolve()
        assert made.isprintable()
        assert made.casefold() not in ("con", "nul", ".git", "..", ".")
        assert not made.startswith("-")


def test_a_run_of_a_config_with_a_long_name(tmp_path: Path) -> None:
    config = RunConfig(path=Path("Ж" * 120 + ".csv"), rows=())
    name = run_id_of(config, engine="docker", overrides={})
    assert len(name.encode()) <= MAX_STEM + 9
    (tmp_path / name).mkdir()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), 10**400, "7", None, [], {}, True]
)
def test_progress_of_a_stage_is_a_number_or_nothing(value: object) -> None:
    names = ("done", "total", "ok", "error", "skipped", "retries", "in_flight", "cost", "asked")
    counted = Counted.of_event(dict.fromkeys(names, value))
    assert (counted.done, counted.total, counted.cost, counted.in_flight) == (0, 0, None, None)
