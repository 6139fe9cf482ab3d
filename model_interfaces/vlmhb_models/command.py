"""A closed model as a program: one long-living process, a JSON line per question in, a JSON line per answer out."""

from __future__ import annotations

import base64
import json
import logging
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmhb_stages.paths import resolve

from vlmhb_models.base import (
    BadImage,
    ContextOverflow,
    Generation,
    GenerationRequest,
    LoadError,
    ModelInterface,
    RequestError,
)
from vlmhb_models.command_process import Ended, Program, Silent
from vlmhb_models.placeholders import filled
from vlmhb_models.server.api import ApiError
from vlmhb_models.server.config import ServeConfig
from vlmhb_models.server.image_files import image_files

log = logging.getLogger(__name__)
DEFAULTS = {"images": "paths", "timeout_s": 300.0, "load_timeout_s": 600.0}
READY_HINT = 'its first line has to be {"ready": true}; messages belong on stderr'


class ContentFiltered(RequestError):
    """The model refuses to answer what it was asked."""

    code = "content_filter"


REFUSALS: Mapping[str, type[RequestError]] = {
    "bad_request": RequestError,
    "bad_image": BadImage,
    "context_overflow": ContextOverflow,
    "content_filter": ContentFiltered,
}


class CommandModel(ModelInterface):
    """`params`: `images` (`paths` or `base64`), `timeout_s` (longest silence), `load_timeout_s`.

    A program that breaks the contract, ends or falls silent costs the question it was asked; it is started
    again for the next one."""

    def __init__(self, config: ServeConfig) -> None:
        if not config.command:
            raise LoadError("interface command: the command is missing", hint="give command: [program, ...]")
        self._config = config
        self._program: Program | None = None
        self._asked = 0
        self._turn = threading.Lock()  # one pipe: a card's `concurrency` must not mix its lines

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        unknown = sorted(set(params) - set(DEFAULTS))
        if unknown:
            raise LoadError(f"params: unknown {unknown}", hint=f"known: {sorted(DEFAULTS)}")
        given = {**DEFAULTS, **params}
        if given["images"] not in ("paths", "base64"):
            raise LoadError(f"params.images is {given['images']!r}", hint="paths or base64")
        self._images = str(given["images"])
        self._timeout_s, self._load_timeout_s = float(given["timeout_s"]), float(given["load_timeout_s"])
        folder = resolve(self._config.path) if self._config.path else None
        values = {"name": self._config.name, "weights": weights or "", "path": str(folder or "")}
        self._argv = [filled(word, values) for word in self._config.command]
        self._folder = folder if folder is not None and folder.is_dir() else None
        self._facts = self._start()

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        with self._turn:
            return [self._answer(request) for request in batch]

    def describe(self) -> dict[str, Any]:
        return {"command": list(self._config.command), **self._facts}

    def _start(self) -> dict[str, Any]:
        """What the program says of itself. Raises `LoadError`."""
        try:
            program = Program(self._argv, folder=self._folder)
        except OSError as error:
            hint = "a path in the command may begin with {path}, the folder of the card's `path`"
            raise LoadError(f"{self._argv[0]} cannot be run: {error.strerror or error}", hint=hint) from error
        try:
            said = program.read(timeout_s=self._load_timeout_s)
        except (Ended, Silent) as error:
            program.kill()
            raise LoadError(f"the program {error} before it was ready", hint=READY_HINT) from error
        facts = _object(said)
        if facts is None or facts.get("ready") is not True:
            program.kill()
            raise LoadError(f"the program's first line is {_shown(said)}", hint=READY_HINT)
        self._program = program
        return {key: value for key, value in facts.items() if key != "ready"}

    def _answer(self, request: GenerationRequest) -> Generation:
        program = self._running()
        self._asked += 1
        number = str(self._asked)
        with tempfile.TemporaryDirectory(prefix="vlmhb-") as folder:
            line = self._line(request, number=number, folder=Path(folder))
            try:
                if noise := program.unread():
                    raise _misspoke(f"wrote more than its answer: {_shown(noise)}")
                said = program.ask(line, timeout_s=self._timeout_s)
                return _generation(said, number=number)
            except (Ended, Silent, ApiError) as error:
                log.warning("the program is started again: %s", error)
                self._give_up(program)
                raise _typed(error) from error

    def _running(self) -> Program:
        if self._program is None:
            try:
                self._start()
            except LoadError as error:
                raise ApiError(500, f"{error}", type_="server_error", code="load_failed") from error
        if self._program is None:
            raise RuntimeError("the program is not started")
        return self._program

    def _give_up(self, program: Program) -> None:
        program.kill()
        self._program = None

    def _line(self, request: GenerationRequest, *, number: str, folder: Path) -> bytes:
        if self._images == "paths":
            images = image_files(request, folder=folder)
        else:
            images = [base64.b64encode(data).decode("ascii") for data in request.images]
        asked = {
            "id": number,
            "messages": [
                {"role": message.role, "text": message.text, "images": message.images}
                for message in request.messages
            ],
            "images": images,
            "params": _params(request),
        }
        return json.dumps(asked, ensure_ascii=False).encode("utf-8") + b"\n"


def _params(request: GenerationRequest) -> dict[str, Any]:
    """What is not set is left out."""
    params = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "stop": list(request.stop) or None,
        "schema": request.schema,
    }
    return {name: value for name, value in params.items() if value is not None}


def _generation(said: bytes, *, number: str) -> Generation:
    """Raises `RequestError` and `ApiError` for what the program says went wrong, or says wrongly."""
    answer = _object(said)
    if answer is None:
        raise _misspoke(f"answered with a line that is no JSON object: {_shown(said)}")
    if "id" not in answer:
        raise _misspoke(f"answered without an id: {_shown(said)}")
    if str(answer["id"]) != number:
        raise _misspoke(f"answered question {answer['id']!r} when asked {number!r}")
    if "error" in answer:
        raise _told(answer["error"])
    if not isinstance(answer.get("text"), str):
        raise _misspoke(f"answered without a text: {_shown(said)}")
    return Generation(
        text=_whole(answer["text"]),
        finish_reason=_whole(str(answer.get("finish_reason") or "stop")),
        input_tokens=_count(answer, "input_tokens"),
        output_tokens=_count(answer, "output_tokens"),
    )


def _told(error: Any) -> Exception:
    """The program's own error: by its kind the request's fault, or the model's."""
    kind, message = (
        (str(error.get("kind", "failed")), str(error.get("message", "")))
        if isinstance(error, dict)
        else ("failed", str(error))
    )
    message = _whole(message)
    if kind in REFUSALS:
        return REFUSALS[kind](message or kind)
    return RuntimeError(message or kind)


def _whole(text: str) -> str:
    """JSON can name half of a surrogate pair, which no answer of ours can carry: U+FFFD stands in its place."""
    found = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if found != text:
        log.warning("the program's answer holds half of a surrogate pair; U+FFFD stands in its place")
    return found


def _count(answer: Mapping[str, Any], name: str) -> int | None:
    value = answer.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _misspoke(f"gave {name} as {value!r}")
    return value


def _misspoke(what: str) -> ApiError:
    return ApiError(502, f"the program {what}", type_="server_error", code="invalid_response")


def _typed(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Silent):
        return ApiError(504, f"the program {error}", type_="server_error", code="timeout")
    return ApiError(500, f"the program {error}", type_="server_error", code="crashed")


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, or nested without end
        return None
    return value if isinstance(value, dict) else None


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace").strip()
    return repr(text if len(text) <= 80 else text[:80] + "...")
