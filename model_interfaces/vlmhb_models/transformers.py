"""Models of the transformers library in our own process: any architecture that answers an image with text.

Weights are a local folder. Nothing is downloaded, and no code that comes with the weights runs unless the card's
policy lets it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from vlmhb_models.base import Emit, Generation, GenerationRequest, Message, ModelInterface, Part, RequestError
from vlmhb_models.transformers_batch import Batches
from vlmhb_models.transformers_load import PACKAGES, Loaded, load
from vlmhb_models.transformers_prompt import Asked, Prompts
from vlmhb_models.transformers_settings import parse_settings

BLANK = (64, 64)  # pixels of the page that a model is tried on


class TransformersModel(ModelInterface):
    """`params`: see `transformers_settings.Settings`."""

    def __init__(self, *, trust_remote_code: bool = False, gpus: int = 0) -> None:
        self._trust, self._gpus = trust_remote_code, gpus
        self._loaded: Loaded
        self._prompts: Prompts
        self._batches: Batches

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        settings = parse_settings(params)
        self._loaded = load(weights, settings=settings, trust_remote_code=self._trust, gpus=self._gpus)
        self._prompts = Prompts(self._loaded, settings=settings)
        self._batches = Batches(self._loaded, settings=settings, prompts=self._prompts)
        self.max_batch = settings.max_batch
        if settings.warm_up:
            self.generate([_trial(self._loaded)])

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        """The same as streaming, gathered. Raises the first request's error that there is."""
        answers: dict[int, Generation] = {}

        def emit(index: int, content: Part | Generation | Exception) -> bool:
            if isinstance(content, Exception):
                raise content
            if isinstance(content, Generation):
                answers[index] = content
            return True

        self.generate_streaming(batch, emit=emit)
        return [answers[index] for index in range(len(batch))]

    def generate_streaming(self, batch: Sequence[GenerationRequest], *, emit: Emit) -> None:
        """Requests of one kind share a batch. One that cannot be asked costs the others nothing."""
        kinds: dict[tuple[Any, ...], list[tuple[int, Asked]]] = {}
        for index, request in enumerate(batch):
            try:
                asked = self._prompts.ask(request)
            except RequestError as error:
                emit(index, error)
            else:
                kinds.setdefault(asked.kind, []).append((index, asked))
        for group in kinds.values():
            self._batches.answer(dict(group), emit=emit)

    def describe(self) -> dict[str, Any]:
        loaded = self._loaded
        return {
            "framework": "transformers",
            "packages": dict(_versions()),
            "model_class": type(loaded.model).__name__,
            "device": loaded.device,
            "dtype": loaded.dtype,
            "attention": loaded.attention,
            "prompt": self._prompts.style,
            "context": self._batches.context,
            "generation": self._batches.generation_facts(),
            "notes": list(loaded.notes),
        }


def _trial(loaded: Loaded) -> GenerationRequest:
    """A blank page and one word, for one token."""
    message = Message(role="user", text="Text", images=int(loaded.takes_images))
    images = (_blank_png(),) if loaded.takes_images else ()
    return GenerationRequest(messages=(message,), images=images, max_tokens=1)


def _blank_png() -> bytes:
    from PIL import Image

    target = io.BytesIO()
    Image.new("RGB", BLANK, "white").save(target, "PNG")
    return target.getvalue()


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            yield name, version(name)
