"""A model of one's own: reads the page with RapidOCR and answers with what is printed after the label asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vlmhb_models.base import BadImage, Generation, GenerationRequest, LoadError, ModelInterface


class LabelReader(ModelInterface):
    """`params`: `min_score`, the least confidence of a printed line (0.5)."""

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        if weights is not None:
            raise LoadError("weights: RapidOCR's are part of its package", hint="leave weights empty")
        from rapidocr import RapidOCR  # heavy packages are imported here: the server already listens

        self._engine = RapidOCR(params={"Global.text_score": float(params.get("min_score", 0.5))})

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        return [Generation(text=self._answer(request)) for request in batch]

    def _answer(self, request: GenerationRequest) -> str:
        if not request.images:
            raise BadImage("a page is needed")
        lines = self._engine(request.images[0]).txts or ()
        return after_label(lines, label=request.prompt)


def after_label(lines: Sequence[str], *, label: str) -> str:
    """`Total: 41.50` and `Total` give `41.50`; empty when no line begins with the label."""
    for line in lines:
        if line.casefold().startswith(label.casefold()):
            return line[len(label) :].strip(" :")
    return ""
