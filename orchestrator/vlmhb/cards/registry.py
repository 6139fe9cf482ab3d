"""Looks cards up by name; a name that no card has is an error with the nearest ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from vlmhb.contracts import BenchmarkCard, ImageCard, MetricCard
from vlmhb.errors import UnknownName
from vlmhb.modelcard import ModelCard
from vlmhb.reading.names import name_hint

from .frameworks import same_framework
from .tasks import task_type_of

_PACKAGED = Path(str(resources.files("vlmhb_models"))).absolute() / "cards"


@dataclass(frozen=True, kw_only=True)
class Registry:
    """All cards in force, each sorted by name. `where` in the look-ups is the place that an error names."""

    models: tuple[ModelCard, ...] = ()
    benchmarks: tuple[BenchmarkCard, ...] = ()
    images: tuple[ImageCard, ...] = ()
    metrics: tuple[MetricCard, ...] = ()

    def find_model(self, name: str, framework: str | None, *, where: str = "") -> ModelCard:
        """`framework` may be None when only one model has the name, or only one that we do not ship.

        Raises `UnknownName`."""
        wanted = name.strip()
        named = [card for card in self.models if card.name == wanted]
        if not named:
            names = [card.name for card in self.models]
            hint = name_hint(wanted, names) or "vlmhb models list shows all; --cards FOLDER adds yours"
            raise UnknownName(f"no model '{wanted}'", where=where, hint=hint)
        found = [card for card in named if not framework or same_framework(card.framework, framework)]
        if len(found) > 1:
            found = [card for card in found if not _is_packaged(card)] or found
        if len(found) == 1:
            return found[0]
        theirs = " or ".join(f"'{card.framework}'" for card in named)
        if not found:
            what = f"no model '{wanted}' with framework '{(framework or '').strip()}'"
            raise UnknownName(what, where=where, hint=f"its framework is {theirs}")
        what = f"model '{wanted}' exists in {len(found)} frameworks"
        raise UnknownName(what, where=where, hint=f"write framework {theirs}")

    def find_benchmark(self, name: str, task: str | None, *, where: str = "") -> BenchmarkCard:
        """`task` is the prototype's word or a task type; None takes the card's. Raises `UnknownName`."""
        wanted = name.strip()
        named = [card for card in self.benchmarks if card.name == wanted]
        if not named:
            names = [card.name for card in self.benchmarks]
            hint = name_hint(wanted, names) or "vlmhb benchmarks list shows all; --cards FOLDER adds yours"
            raise UnknownName(f"no benchmark '{wanted}'", where=where, hint=hint)
        found = [card for card in named if task is None or has_task(card, task)]
        if len(found) == 1:
            return found[0]
        theirs = " or ".join(f"'{card.task}'" for card in named)
        if not found:
            what = f"benchmark '{wanted}' has no task '{(task or '').strip()}'"
            raise UnknownName(what, where=where, hint=f"its task is {theirs}")
        what = f"benchmark '{wanted}' exists for {len(found)} tasks"
        raise UnknownName(what, where=where, hint=f"write task {theirs}")

    def find_image(self, name: str, *, where: str = "") -> ImageCard:
        """Raises `UnknownName`."""
        for card in self.images:
            if card.name == name:
                return card
        names = _names(self.images)
        raise UnknownName(f"no image '{name}'", where=where, hint=name_hint(name, names))

    def find_metric(self, name: str) -> MetricCard | None:
        """A metric of the users' own; None: it may be built in or come from a package."""
        return next((card for card in self.metrics if card.name == name), None)


def _is_packaged(card: ModelCard) -> bool:
    return Path(card.origin).parent == _PACKAGED


def has_task(card: BenchmarkCard, task: str) -> bool:
    """By the card's own word for it, else by the kind of task that the word means."""
    return task.strip().casefold() == card.task.casefold() or task_type_of(task) == card.task_type


def _names(cards: Sequence[ImageCard]) -> list[str]:
    return [card.name for card in cards]
