"""Imports the object at `module:Class`, with errors that a user can act on."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from vlmhb_models.base import LoadError


def import_object(class_path: str) -> Any:
    """The object at `module:Class`. Raises `LoadError` for a missing module, its own error if it fails inside."""
    module_name, colon, attribute = class_path.partition(":")
    if not colon or not module_name or not attribute:
        raise LoadError(f"class path {class_path!r} is not module:Class")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        wanted = f"the module {error.name!r} is not installed here"
        raise LoadError(f"cannot import {module_name}: {wanted}", hint=_import_hint(module_name)) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        names = ", ".join(name for name, value in vars(module).items() if isinstance(value, type))
        raise LoadError(
            f"{module_name} has no {attribute!r}", hint=f"its classes: {names or 'none'}"
        ) from None


def _import_hint(module_name: str) -> str:
    if module_name.startswith("vlmhb_models."):
        return "the image of this model has to contain the engine's package: build it again"
    searched = [entry for entry in sys.path if entry and Path(entry).exists()]
    return f"searched: {', '.join(searched[:3])} ..."
