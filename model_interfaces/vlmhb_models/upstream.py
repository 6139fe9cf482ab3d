"""Adapter for prototype-style classes: `(model_name, system_prompt, cache_dir)` and `predict_on_image(s)`.

The class is used unmodified and called positionally, because its parameter names differ between versions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlmhb_models.base import Generation, GenerationRequest, LoadError, ModelInterface, RequestError
from vlmhb_models.server.config import ServeConfig, UpstreamSpec
from vlmhb_models.server.image_files import image_files
from vlmhb_models.server.importing import import_object


class UpstreamModel(ModelInterface):
    """`params`: `model_name` (default: the card's name), `system_prompt`, `cache_dir` (default: the weights).

    Temperature, token limit and seed are the class's own affair: its contract has no place for them."""

    def __init__(self, config: ServeConfig) -> None:
        if config.upstream is None:
            raise LoadError(
                "interface upstream: the `upstream` block is missing", hint="give module, class_name"
            )
        self._name = config.name
        self._class_path = class_path(config.upstream)
        self._cls = import_object(self._class_path)

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        model_name = str(params.get("model_name") or self._name)
        self._own_prompt: str | None = params.get("system_prompt")
        self._system_prompt = self._own_prompt
        cache_dir = str(params.get("cache_dir") or weights or tempfile.gettempdir())
        self._model = self._cls(model_name, self._system_prompt, cache_dir)
        if not callable(getattr(self._model, "predict_on_image", None)):
            raise LoadError(f"{self._class_path} has no method predict_on_image(image, question)")

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        return [self._answer(request) for request in batch]

    def describe(self) -> dict[str, Any]:
        framework = str(getattr(self._model, "framework", ""))
        return {"class": self._class_path, "framework": framework, "decoding": "fixed by the class"}

    def _answer(self, request: GenerationRequest) -> Generation:
        self._check(request)
        self._use_system_prompt(request.system)
        with tempfile.TemporaryDirectory(prefix="vlmhb-") as folder:
            paths = image_files(request, folder=Path(folder))
            if len(paths) == 1:
                answer = self._model.predict_on_image(paths[0], request.prompt)
            else:
                answer = self._model.predict_on_images(paths, request.prompt)
        if answer is None:
            raise TypeError("the class returned None instead of an answer")
        return Generation(text=str(answer))

    def _check(self, request: GenerationRequest) -> None:
        if [message.role for message in request.messages if message.role != "system"] != ["user"]:
            raise RequestError("this class takes one question, not a dialogue")
        if not request.images:
            raise RequestError("this class takes a question about an image, and there is none")
        if len(request.images) > 1 and not callable(getattr(self._model, "predict_on_images", None)):
            raise RequestError("this class has no predict_on_images, and the question has several images")

    def _use_system_prompt(self, wanted: str | None) -> None:
        """The class gets its system prompt when it is made; a later one goes where it keeps it, for one request only:
        another benchmark may follow that has none."""
        wanted = self._own_prompt if wanted is None else wanted
        if wanted == self._system_prompt:
            return
        if not hasattr(self._model, "system_prompt"):
            raise RequestError("this class takes a system prompt only from params.system_prompt of its card")
        self._model.system_prompt = wanted
        self._system_prompt = wanted


def class_path(spec: UpstreamSpec) -> str:
    """`<python_package>.<module>:<class_name>`; older tables write hyphens and `:version` in the package."""
    package = (spec.python_package or "").partition(":")[0].replace("-", "_")
    module = f"{package}.{spec.module}" if package else spec.module
    return f"{module}:{spec.class_name}"
