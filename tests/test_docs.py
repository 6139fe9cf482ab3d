"""The documentation is true: its commands parse, its links lead somewhere, and it names every error code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel
from vlmhb import errors
from vlmhb.cards import load_registry
from vlmhb.cli.app import app
from vlmhb.config.columns import KINDS
from vlmhb.modelcard import LimitsCard, ModelCard, ServerCard, UpstreamClass
from vlmhb_benchmarks.extraction import EXTRACTIONS
from vlmhb_benchmarks.loaders import LOADERS
from vlmhb_benchmarks.metrics.registry import BUILT_IN

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for folder in (ROOT, ROOT / "user_configs", *(ROOT / "docs").rglob(""))
    for path in folder.glob("*.md")
    if folder.is_dir()
)
GUIDES = [ROOT / "docs" / "guide.md", ROOT / "docs" / "ru" / "guide.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\w+=\S+ )*(?:\.venv/bin/)?vlmhb (.+)$", re.MULTILINE)
ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)
NAME = re.compile(r"`([^`]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<(?:img|a)\b[^>]*?(?:src|href)=\"([^\"]+)\"")
HOME = re.compile(r"(?<![\w.}~])/(?:home|root|Users|mnt|work)/")
SHELL_ENDS = {"|", ">", "2>", "&&", "||", ";"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands(page: Path) -> Iterator[list[str]]:
    """The words after `vlmhb` of every command line in a fenced block, up to a pipe."""
    for fence in FENCE.finditer(text_of(page)):
        for found in COMMAND.finditer(fence[2].replace("\\\n", " ")):
            words = shlex.split(found[1], comments=True)
            end = next((at for at, word in enumerate(words) if word in SHELL_ENDS), len(words))
            yield words[:end]


def parse(words: list[str]) -> None:
    """Parse as the program would, without running it. Raises click's usage errors."""
    command: Any = typer.main.get_command(app)
    parent: Any = None
    while hasattr(command, "commands"):
        assert words, f"{command.name}: a command is missing"
        word, *words = words
        if word == "--help":
            return
        assert word in command.commands, f"no command {word!r}"
        parent = command.make_context(command.name, [word], parent=parent)
        command = command.commands[word]
    if "--help" not in words:
        command.make_context(command.name, words, parent=parent)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_shown_exists_with_its_options(page: Path) -> None:
    for words in commands(page):
        parse(words)


def test_commands_are_found_and_wrong_ones_refused() -> None:
    assert sum(1 for page in GUIDES for _ in commands(page)) > 30
    with pytest.raises(AssertionError, match="no command 'rnu'"):
        parse(["rnu", "x.csv"])
    with pytest.raises(Exception, match="No such option"):
        parse(["run", "x.csv", "--limt", "3"])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for found in LINK.finditer(FENCE.sub("", text_of(page))):
        target, _, anchor = (found[1] or found[2]).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{name(page)} links to {target}, which is not there"
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), f"{name(page)} links to #{anchor}, no heading of {name(path)}"


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, punctuation away, blanks to hyphens."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_holds_a_path_of_somebodys_machine(page: Path) -> None:
    assert HOME.search(text_of(page)) is None


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_the_guide_explains_every_error_code_once(guide: Path) -> None:
    told = re.findall(r"^\| (VHB\d{3}) \|", text_of(guide), re.MULTILINE)
    assert sorted(told) == sorted({error.code for error in errors.VlmhbError.__subclasses__()})


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_the_guide_explains_every_exit_code(guide: Path) -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", text_of(guide), re.MULTILINE)}
    assert told == {int(code) for code in errors.ExitCode}


def test_both_guides_show_the_same_commands() -> None:
    english, russian = (list(commands(guide)) for guide in GUIDES)
    assert english == russian


def rows(page: str) -> dict[str, list[str]]:
    """The cells of each table row by the names in backticks in its first cell; the first row of a name counts."""
    found: dict[str, list[str]] = {}
    for row in ROW.finditer(FENCE.sub("", text_of(ROOT / "docs" / page))):
        cells = [cell.strip() for cell in row[1].replace("\\|", "¦").split("|")]
        for named in NAME.findall(cells[0]):
            found.setdefault(named, cells)
    return found


def test_every_metric_is_explained_as_it_is() -> None:
    told = rows("metrics-reference.md")
    for metric in BUILT_IN:
        info = metric.info
        assert info.name in told, f"no row for {info.name} in docs/metrics-reference.md"
        _, formula, aggregate, span, empty, source = told[info.name]
        assert formula and empty and source, info.name
        assert (info.name, aggregate, span) == (info.name, info.average, f"{info.range}, {info.direction}")


def test_every_extraction_is_explained() -> None:
    told = rows("metrics.md")
    for rule in EXTRACTIONS:
        assert rule.name in told, f"no row for {rule.name} in docs/metrics.md"
        # What is scored on a miss begins alike: the whole reply, nothing, a class.
        assert told[rule.name][2].split()[0].strip(":,") == rule.on_miss.split()[0].strip(":,"), rule.name


def test_every_loader_is_explained() -> None:
    assert set(LOADERS) <= set(rows("benchmarks.md"))


def test_every_column_is_explained() -> None:
    assert set(KINDS) <= set(rows("config.md"))


@pytest.mark.parametrize("card", [ModelCard, ServerCard, LimitsCard, UpstreamClass])
def test_every_field_of_a_model_card_is_explained(card: type[BaseModel]) -> None:
    told = text_of(ROOT / "docs" / "models.md")
    fields = [name for name in card.model_fields if name != "origin"]  # filled on load
    assert [name for name in fields if f"`{name}`" not in told and f"{name}:" not in told] == []


def test_every_model_card_is_listed_as_it_is() -> None:
    told = text_of(ROOT / "docs" / "models.md")
    for card in load_registry().models:
        assert f"`{card.name}`" in told, f"nothing of {card.name} in docs/models.md"
        if card.interface == "server" or card.image == "transformers-gpu":
            need = "–" if card.min_vram_gib is None else f"{card.min_vram_gib:.0f}"
            row = f"| `{card.name}` | {card.framework} | {card.interface} | {need} | {card.licence} |"
            line = next((line for line in told.splitlines() if line.startswith(row)), None)
            assert line is not None, f"no row that begins with {row}"
            assert line.split(" | ")[6] == ("yes" if card.trust_remote_code else "no"), line


def test_every_benchmark_is_listed_with_its_metrics() -> None:
    told = rows("benchmarks.md")
    for card in load_registry().benchmarks:
        assert card.name in told, f"no row for {card.name} in docs/benchmarks.md"
        _, _, metrics, loader, how = told[card.name]
        first, *others = (name.split()[0] for name in metrics.split(","))
        assert (first, {first, *others}) == (card.primary, set(card.metrics)), card.name
        assert loader == card.loader, card.name
        assert how.startswith("hub") == (card.hub is not None), card.name
