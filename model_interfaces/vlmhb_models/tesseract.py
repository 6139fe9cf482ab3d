"""Tesseract as a model: one short-lived process per page, one thread each."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from vlmhb_models.base import Generation, GenerationRequest, LoadError, ModelInterface, RequestError
from vlmhb_models.server.decode import decode_rgb
from vlmhb_models.tesseract_data import Tesseract, find_here

DEFAULTS = {"lang": "eng", "psm": 3, "max_side": 1600}


class TesseractModel(ModelInterface):
    """`params`: `lang` (`rus+eng`), `psm` (page segmentation; 3 = automatic), `max_side` (pixels)."""

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        unknown = sorted(set(params) - set(DEFAULTS))
        if unknown:
            raise LoadError(f"params: unknown {unknown}", hint=f"known: {sorted(DEFAULTS)}")
        if weights is not None:
            raise LoadError("weights: Tesseract takes its data from the image", hint="leave weights empty")
        values = {**DEFAULTS, **params}
        self._max_side = int(values["max_side"])
        self._found = find_here(str(values["lang"]))
        self._argv = _argv(self._found, psm=int(values["psm"]))
        self._version = _run([self._found.program, "--version"], data=b"").decode().split()[1]
        _run(self._argv, data=_BLANK_PAGE)  # a broken data file has to fail here, not on a sample

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        return [Generation(text=self._read_request(request)) for request in batch]

    def describe(self) -> dict[str, Any]:
        digests = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in self._found.files()}
        engine = {"version": self._version, "program": self._found.program, "data": str(self._found.data)}
        return {"framework": "Tesseract", "engine": engine, "data_sha256": digests}

    def _read_request(self, request: GenerationRequest) -> str:
        if not request.images:
            raise RequestError("an OCR engine needs an image")
        return "\n".join(self._read(data) for data in request.images)

    def _read(self, data: bytes) -> str:
        buffer = io.BytesIO()
        decode_rgb(data, max_side=self._max_side).save(buffer, format="PPM")
        text = _run(self._argv, data=buffer.getvalue()).decode("utf-8", errors="replace")
        return text.replace("\f", "").rstrip()


_BLANK_PAGE = b"P5 64 64 255\n" + b"\xff" * (64 * 64)


def _argv(found: Tesseract, *, psm: int) -> list[str]:
    languages = "+".join(found.languages)
    options = ["--tessdata-dir", str(found.data), "-l", languages, "--psm", str(psm)]
    return [found.program, "stdin", "stdout", *options]


def _run(argv: list[str], *, data: bytes) -> bytes:
    """What the program printed. Raises `RuntimeError` with the last line of its complaint."""
    env = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(argv, input=data, capture_output=True, env=env, check=False)
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", errors="replace").strip().splitlines() or ["no message"]
        raise RuntimeError(f"tesseract ended with code {done.returncode}: {lines[-1]}")
    return done.stdout
