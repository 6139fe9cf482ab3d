"""Turns the page into HTML and Markdown. Templates are read so that it also works from inside a zip."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

from vlmhb_stages.report import fmt
from vlmhb_stages.report.collect import Collected
from vlmhb_stages.report.model import ReportFile
from vlmhb_stages.report.view import page_of

TEMPLATES = (
    "report.html.j2", "macros.html.j2", "overview.html.j2", "costs.html.j2",
    "evaluation.html.j2", "resources.html.j2", "report.css", "report.js",
    "report.md.j2",
)  # fmt: skip


def render_html(report: ReportFile, *, collected: Sequence[Collected]) -> str:
    """One file that fetches nothing. A URL inside a text stays readable, but no scanner can mistake it for a link."""
    page = page_of(report, collected=collected)
    html = _environment().get_template("report.html.j2").render(page=page)
    return fmt.harmless(html.replace("://", "&#58;//"))


def render_markdown(report: ReportFile) -> str:
    page = page_of(report, collected=[Collected(report=item) for item in report.evaluations])
    return fmt.harmless(_environment().get_template("report.md.j2").render(page=page))


def _environment() -> Environment:
    folder = files(__package__) / "templates"
    sources = {name: (folder / name).read_text(encoding="utf-8") for name in TEMPLATES}
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (
        fmt.metric, fmt.axis, fmt.interval, fmt.signed, fmt.between, fmt.probability,
        fmt.share, fmt.seconds, fmt.number, fmt.count, fmt.plural, fmt.visible,
        fmt.money, fmt.factor, fmt.breakable, fmt.reason, fmt.plain, fmt.markdown,
    )  # fmt: skip
    environment.filters.update({function.__name__: function for function in filters})
    return environment
