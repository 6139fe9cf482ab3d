"""Models of users, as the server meets them: good ones and ones that break in every way it must survive."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vlmhb_models.base import BadImage, Generation, GenerationRequest, LoadError, ModelInterface


class Echo(ModelInterface):
    """Says what it was asked and how large the images were."""

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        self.prefix = str(params.get("prefix", ""))
        self.weights = weights

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        return [self.answer(request) for request in batch]

    def answer(self, request: GenerationRequest) -> Generation:
        sizes = [len(data) for data in request.images]
        text = f"{self.prefix}{request.system or '-'}|{request.prompt}|{sizes}|{request.max_tokens}"
        return Generation(text=text, input_tokens=len(request.prompt.split()), output_tokens=3)

    def describe(self) -> dict[str, Any]:
        return {"weights": self.weights}


class Settings(Echo):
    """Says with which settings it was called."""

    def answer(self, request: GenerationRequest) -> Generation:
        shown = (request.temperature, request.top_p, request.seed, request.stop, request.schema)
        return Generation(text=repr(shown), finish_reason="length")


class Streamer(Echo):
    """Answers word by word and counts its tokens itself. Stops with an error at the word `boom`."""

    def stream(self, request: GenerationRequest) -> Iterator[str | Generation]:
        words = request.prompt.split(" ")
        for word in words:
            if word == "boom":
                raise RuntimeError("no more words")
            yield word + " "
        yield Generation(text="not sent", finish_reason="length", input_tokens=7, output_tokens=len(words))


class Raising(Echo):
    """Raises what it is asked to."""

    def answer(self, request: GenerationRequest) -> Generation:
        errors: dict[str, BaseException] = {
            "value": ValueError("bad luck"),
            "exit": SystemExit("the model gave up"),
            "pipe": BrokenPipeError("its own pipe"),
            "image": BadImage("not a picture"),
        }
        if request.prompt in errors:
            raise errors[request.prompt]
        return super().answer(request)


class WrongType(Echo):
    def answer(self, request: GenerationRequest) -> Generation:
        return Generation(text=None)  # type: ignore[arg-type]  # the mistake under test


class Gate(Echo):
    """Waits inside `load` or `generate` until somebody opens the named pipe for writing."""

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        super().load(params=params, weights=weights)
        self.gate = Path(str(params.get("gate", "")))
        if "load_gate" in params:
            Path(str(params["load_gate"])).read_text()

    def answer(self, request: GenerationRequest) -> Generation:
        if request.prompt == "wait":
            self.gate.read_text()
        return super().answer(request)


class Environment(Echo):
    """Says which of the opt-outs its libraries would find."""

    def describe(self) -> dict[str, Any]:
        return {name: os.environ.get(name) for name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_OFFLINE")}


class FailsToLoad(Echo):
    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        if params.get("politely"):
            raise LoadError("the file is\nmissing", hint="fetch it")
        if params.get("exits"):
            sys.exit("told to go")
        raise KeyError("layer.7")


class NotAModel:
    pass
