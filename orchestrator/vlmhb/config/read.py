"""Reads a run config of any form: every mistake at once, and the rows that are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from vlmhb.contracts import EngineName, RunConfig
from vlmhb.errors import BadValue, ConfigUnreadable, NoRows, VlmhbError
from vlmhb.reading.names import shown

from .csvfile import read_csv_config
from .raw import RawConfig
from .rows import build_row
from .structured import read_structured_config

_READERS: Mapping[str, Callable[[Path], RawConfig]] = {
    ".csv": read_csv_config,
    ".json": read_structured_config,
    ".yaml": read_structured_config,
    ".yml": read_structured_config,
}
_CHOICES: Mapping[str, tuple[str, ...]] = {"engine": get_args(EngineName), "scheduler": ("local",)}


@dataclass(frozen=True, kw_only=True)
class ConfigResult:
    """`config` has the valid rows, also when there are errors; it is None when nothing could be read."""

    config: RunConfig | None
    errors: tuple[VlmhbError, ...]


def read_run_config(path: Path) -> ConfigResult:
    """Reads and validates; names are not looked up yet. Never raises a user error."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        what = f"'{path.suffix}' is not a run config" if path.suffix else "the file name has no suffix"
        if path.is_dir():
            what = "this is a folder, not a run config"
        error = ConfigUnreadable(what, where=str(path), hint="write .csv, .json, .yaml or .yml")
        return ConfigResult(config=None, errors=(error,))
    try:
        raw = reader(path)
    except VlmhbError as error:
        return ConfigResult(config=None, errors=(error,))
    return _build(raw, path=path)


def _build(raw: RawConfig, *, path: Path) -> ConfigResult:
    built = [build_row(row) for row in raw.rows]
    errors = [*raw.errors, *(error for result in built for error in result.errors)]
    settings = dict(raw.settings)
    for name, known in _CHOICES.items():
        if name in settings and settings[name] not in known:
            what = f"{name} {shown(str(settings.pop(name)))} is not known"
            errors.append(BadValue(what, where=str(path), hint=f"known: {', '.join(known)}"))
    rows = tuple(result.row for result in built if result.row is not None)
    if not rows and not errors:
        errors.append(NoRows("there is nothing to evaluate", where=str(path)))
    warnings = dict.fromkeys(text for result in built for text in result.warnings)
    config = RunConfig.model_validate({"path": path, "rows": rows, **settings, "warnings": tuple(warnings)})
    return ConfigResult(config=config, errors=_unique(errors))


def _unique(errors: list[VlmhbError]) -> tuple[VlmhbError, ...]:
    """A mistake in `defaults` or on a matrix axis would otherwise be told once per row."""
    return tuple({error.line(): error for error in errors}.values())
