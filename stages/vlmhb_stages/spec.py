"""Reads `/vlmhb/spec.json`, the only thing that tells a stage what to do."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from vlmhb_stages.paths import SPEC, resolve
from vlmhb_stages.specs import StageSpec

_SPECS: TypeAdapter[StageSpec] = TypeAdapter(StageSpec)


def read_spec(path: Path | None = None) -> StageSpec:
    """The spec of this task; its `stage` says which kind it is.

    Raises `OSError` when there is none and pydantic's `ValidationError` when host and kit disagree on the
    contract."""
    return _SPECS.validate_json((path or resolve(SPEC)).read_bytes())
