"""The contract a model implements to be served: one class with `load` and `generate`.

Standard library only, Python 3.9: this module is imported inside every model's own environment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class LoadError(Exception):
    """The model cannot be loaded, for a reason the user can act on (missing package, language, file).

    `hint` says what to do. Printed as one line, without a traceback."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


class RequestError(Exception):
    """This one request cannot be answered because of what it contains: HTTP 400, never retried."""

    code = "bad_request"


class BadImage(RequestError):
    """An image of the request is missing or cannot be decoded."""

    code = "bad_image"


class ContextOverflow(RequestError):
    """Prompt and images do not fit into the model's context."""

    code = "context_length_exceeded"


class OutOfMemory(Exception):
    """The accelerator has no room for this batch. The text says `out of memory`, which the driver knows."""


@dataclass(frozen=True)
class Message:
    """One chat message; the next `images` items of `GenerationRequest.images` belong to it."""

    role: str  # system | user | assistant
    text: str
    images: int = 0


@dataclass(frozen=True)
class GenerationRequest:
    """One question to the model. `image_paths` has a path where the image is a file on this machine."""

    messages: tuple[Message, ...]
    images: tuple[bytes, ...] = ()  # encoded files (PNG, JPEG ...), as sent
    image_paths: tuple[str | None, ...] = ()
    max_tokens: int = 1024
    temperature: float = 0.0
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None  # JSON schema that the answer has to follow

    @property
    def prompt(self) -> str:
        """The text of the last user message; empty when there is none."""
        texts = [message.text for message in self.messages if message.role == "user"]
        return texts[-1] if texts else ""

    @property
    def system(self) -> str | None:
        """All system messages joined by a newline; None when there is none."""
        texts = [message.text for message in self.messages if message.role == "system"]
        return "\n".join(texts) if texts else None


@dataclass(frozen=True)
class Generation:
    """One answer. Token counts are None where the model has no tokens or does not say."""

    text: str
    finish_reason: str = "stop"  # stop | length
    input_tokens: int | None = None
    output_tokens: int | None = None
    image_tokens: int | None = None  # part of input_tokens
    extra: dict[str, Any] = field(default_factory=dict)  # passed through to the client as `vlmhb`


@dataclass(frozen=True)
class Part:
    """Some more text of an answer; `output_tokens` so far, this text's included, where the model counts."""

    text: str
    output_tokens: int | None = None


class Emit(Protocol):
    """Takes what there is to say about request `index` of a batch: parts of its text, at last the answer, or the
    exception that stands for it. False: nobody waits for this answer any more."""

    def __call__(self, index: int, content: Part | Generation | Exception) -> bool: ...


class ModelInterface(ABC):
    """One model. `load` and `generate` run in the same thread unless the card asks for `concurrency`.

    Raise `LoadError` in `load` and `RequestError` in `generate` for what the user can act on; any other
    exception in `generate` costs that one request (HTTP 500) and the model goes on serving."""

    max_batch: int = 1  # how many requests one `generate` call may be given

    @abstractmethod
    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        """Get ready to answer. `params` come from the model's card, `weights` is a local path or None."""

    @abstractmethod
    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        """Answers to `batch`, in its order and of its length."""

    def stream(self, request: GenerationRequest) -> Iterator[str | Generation]:
        """Pieces of one answer as they come. The last item may be a `Generation`: its `finish_reason` and
        token counts are reported, its text is not sent again. Optional: without an own version the
        server sends the whole answer as one piece."""
        yield self.generate([request])[0]

    def generate_streaming(self, batch: Sequence[GenerationRequest], *, emit: Emit) -> None:
        """Answers a whole batch, piece by piece. Optional: a model that has it is asked this way only, so that
        requests that are streamed share a batch too. Each request ends with one `Generation` (its text is the
        whole answer) or one exception."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Facts for the report's provenance (engine version, data files); JSON values."""
        return {}
