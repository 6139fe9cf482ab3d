"""Names of metrics to metrics: built in, a card, an entry point, `module:attr` or `file.py:attr`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path, PurePosixPath

from vlmhb import usercode
from vlmhb.cards import metric_points
from vlmhb.contracts import FoundMetric, MetricCard
from vlmhb.errors import BadCard, BadValue, ErrorList, UnknownName, VlmhbError
from vlmhb.reading.names import name_hint

from .problems import Sources
from .roots import first_existing


@dataclass(frozen=True, kw_only=True)
class NamedMetric:
    """`name` as results carry it (with `@version` where one was asked for); `user` None: it is built in."""

    name: str
    user: FoundMetric | None = None


def find_metrics(names: Sequence[str], *, where: str, sources: Sources) -> tuple[NamedMetric, ...]:
    """Each metric once, in order. Raises `ErrorList` of `UnknownName`, `BadCard` and `BadValue`, one per name."""
    found: dict[str, NamedMetric] = {}
    errors: list[VlmhbError] = []
    for name in names:
        try:
            metric = find_metric(name, where=where, sources=sources)
            other = found.setdefault(metric.name, metric)
            if other != metric:
                raise _twice(metric.name, where=where)
        except VlmhbError as error:
            errors.append(error)
    if errors:
        raise ErrorList(errors)
    return tuple(found.values())


def find_metric(name: str, *, where: str, sources: Sources) -> NamedMetric:
    """Raises `UnknownName`, `BadCard`, `BadValue`."""
    if ":" in name:
        return _of_path(name.strip(), where=where, sources=sources)
    base, _, version = canonical_built_in(name.strip().lower()).partition("@")
    built_in = built_in_version(base)
    card = sources.registry.find_metric(base)
    point = metric_points().get(base)
    givers = [
        *(["vlmhb itself"] if built_in is not None else []),
        *([card.origin] if card is not None else []),
        *([f"entry point {point.value}"] if point is not None else []),
    ]
    if len(givers) > 1:
        hint = "give the card another name" if card else "name it module:attribute"
        raise BadValue(f"metric '{base}' is given by {' and by '.join(givers)}", where=where, hint=hint)
    known = built_in or (card.version if card else None)
    if not givers or version not in ("", known):
        raise _unknown(name, where=where, sources=sources, version=known)
    if built_in is not None:
        return NamedMetric(name=f"{base}@{version}" if version else base)
    found = _of_card(card) if card is not None else None
    return NamedMetric(name=base, user=found or _of_point(base, point=point, where=where))


def canonical_built_in(name: str) -> str:
    from vlmhb_benchmarks.metrics.registry import ALIASES

    return ALIASES.get(name, name)


def built_in_version(name: str) -> str | None:
    from vlmhb_benchmarks.metrics.registry import BUILT_IN

    wanted = canonical_built_in(name)
    return next((metric.info.version for metric in BUILT_IN if metric.info.name == wanted), None)


def known_metrics(sources: Sources) -> tuple[str, ...]:
    from vlmhb_benchmarks.metrics.registry import BUILT_IN

    built_in = (metric.info.name for metric in BUILT_IN)
    return (*built_in, *(card.name for card in sources.registry.metrics), *metric_points())


def _of_card(card: MetricCard) -> FoundMetric:
    module, _, attribute = card.class_path.partition(":")
    found = FoundMetric(
        name=card.name,
        module=module,
        attribute=attribute,
        version=card.version,
        direction=card.direction,
        image=card.image,
        origin=card.origin,
    )
    if card.path is None and card.image is not None:
        return found  # installed in that image
    try:
        if card.path is None:
            return found.model_copy(update=_installed(module, attribute, folders=(Path(card.origin).parent,)))
        path = (Path(card.origin).parent / card.path).absolute()
        return found.model_copy(update=_placed(path, module=module, attribute=attribute))
    except usercode.CodeMissing as error:
        hint = "the card's path is the folder, file or wheel with the module, relative to the card"
        raise BadCard(f"metric '{card.name}': {error}", where=card.origin, hint=hint) from None


def _of_point(name: str, *, point: EntryPoint | None, where: str) -> FoundMetric:
    if point is None:
        raise ValueError(f"{name} is neither a card nor an entry point")
    try:
        code = _installed(point.module, point.attr, folders=())
    except usercode.CodeMissing as error:
        what = f"metric '{name}' of entry point {point.value}: {error}"
        raise UnknownName(what, where=where, hint="install its package again") from None
    origin = f"entry point {point.value}"
    found = FoundMetric(name=name, module=point.module, attribute=point.attr, origin=origin)
    return found.model_copy(update=code)


def _of_path(given: str, *, where: str, sources: Sources) -> NamedMetric:
    """`path/to/file.py:attr`, relative to the current folder or the config's, or `package.module:attr`."""
    place, _, attribute = given.rpartition(":")
    if not place or not attribute.isidentifier():
        hint = "write package.module:attribute or path/to/file.py:attribute"
        raise BadValue(f"'{given}' names no metric", where=where, hint=hint)
    name = attribute.lower()
    taken = sources.registry.find_metric(name) is not None or name in metric_points()
    if taken or built_in_version(name) is not None:
        what = f"'{given}' would be called '{name}', and so is another metric"
        raise BadValue(what, where=where, hint="rename the attribute, or give it a card with another name")
    try:
        if "/" in place or place.endswith(".py"):
            path = first_existing(sources.roots.beside(place))
            if path is None or not path.is_file():
                raise usercode.CodeMissing(f"no file {place}")
            module = PurePosixPath(place).stem
            code = _placed(path, module=module, attribute=attribute)
        else:
            module = place
            code = _installed(module, attribute, folders=(sources.roots.cwd, sources.roots.config_dir))
    except usercode.CodeMissing as error:
        raise UnknownName(f"metric '{given}': {error}", where=where, hint=_near(place)) from None
    found = FoundMetric(name=name, module=module, attribute=attribute, origin=given)
    return NamedMetric(name=name, user=found.model_copy(update=code))


def _installed(module: str, attribute: str, *, folders: Sequence[Path]) -> dict[str, object]:
    code = usercode.find_module(module, folders=folders)
    usercode.check_attribute(code.source, attribute)
    return {"path": code.path.absolute() if code.path else None, "inside": code.inside}


def _placed(path: Path, *, module: str, attribute: str) -> dict[str, object]:
    """Code at a path that the user gives: a folder to import from, one file, or a wheel."""
    if path.is_dir():
        parts = module.split(".")
        file = usercode.file_of(path, parts)
        if file is None:
            raise usercode.CodeMissing(f"no module {module} in {path}")
        usercode.check_attribute(file if file.suffix == ".py" else None, attribute)
        return {"path": path, "inside": ""}
    if not path.is_file():
        raise usercode.CodeMissing(f"no file or folder {path}")
    if path.suffix == ".py":
        usercode.check_attribute(path, attribute)
    elif usercode.wheel_member(path, module) is None:
        raise usercode.CodeMissing(f"no module {module} in {path}")
    return {"path": path, "inside": path.name, "importable": False}


def _near(place: str) -> str:
    if "/" in place or place.endswith(".py"):
        return "relative paths start at the current folder or at the config's"
    return "install it beside vlmhb, put it beside the config, or write path/to/file.py:attribute"


def _twice(name: str, *, where: str) -> BadValue:
    hint = "rename an attribute, or give one a card with another name"
    return BadValue(f"two metrics would be called '{name}'", where=where, hint=hint)


def _unknown(name: str, *, where: str, sources: Sources, version: str | None) -> UnknownName:
    if version is not None:
        return UnknownName(f"unknown metric '{name}'", where=where, hint=f"its version is {version}")
    hint = name_hint(name, known_metrics(sources)) or "vlmhb metrics list shows all"
    return UnknownName(f"unknown metric '{name}'", where=where, hint=hint)
