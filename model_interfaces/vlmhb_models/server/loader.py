"""Finds the class behind a config: one of ours by interface name, or the user's own by its path."""

from __future__ import annotations

import sys

from vlmhb_stages.paths import resolve

from vlmhb_models.base import LoadError, ModelInterface
from vlmhb_models.server.config import MODEL_PATH, ServeConfig
from vlmhb_models.server.importing import import_object

BUILT_IN = {
    "rapidocr": "vlmhb_models.rapidocr:RapidOcrModel",
    "tesseract": "vlmhb_models.tesseract:TesseractModel",
}


def build_model(config: ServeConfig) -> ModelInterface:
    """The model object, not loaded yet. Raises `LoadError` for names that lead nowhere."""
    extend_sys_path(config)
    if config.interface == "upstream":
        from vlmhb_models.upstream import UpstreamModel

        return UpstreamModel(config)
    if config.interface == "transformers":
        from vlmhb_models.transformers import TransformersModel

        return TransformersModel(trust_remote_code=config.trust_remote_code, gpus=config.gpus)
    if config.interface == "command":
        from vlmhb_models.command import CommandModel

        return CommandModel(config)
    if config.interface == "python":
        if not config.class_path:
            raise LoadError("interface python: class_path is missing", hint="give module:Class")
        return _own_class(config.class_path)
    if config.interface not in BUILT_IN:
        names = ", ".join([*BUILT_IN, "transformers", "server", "command", "upstream", "python"])
        raise LoadError(f"interface {config.interface!r} is not served", hint=f"known: {names}")
    return _own_class(BUILT_IN[config.interface])


def extend_sys_path(config: ServeConfig) -> None:
    """Puts the user's code first on `sys.path`: a folder (and its `src`), a wheel, or a folder of wheels."""
    given = [config.path, config.upstream.path if config.upstream else None, MODEL_PATH]
    for path in [resolve(item) for item in given if item]:
        if path.is_dir():
            found = [path, path / "src", *sorted(path.glob("*.whl"))]
            entries = [item for item in found if item.exists()]
        else:
            entries = [path] if path.exists() else []
        for entry in reversed(entries):
            if str(entry) not in sys.path:
                sys.path.insert(0, str(entry))


def _own_class(class_path: str) -> ModelInterface:
    cls = import_object(class_path)
    if not isinstance(cls, type) or not issubclass(cls, ModelInterface):
        raise LoadError(
            f"{class_path} is not a ModelInterface class",
            hint="derive it from vlmhb_models.base.ModelInterface, or use the interface upstream",
        )
    return cls()
