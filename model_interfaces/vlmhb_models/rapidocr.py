"""RapidOCR (PP-OCR on ONNX Runtime) as a model: reads the page, whatever the prompt says.

The weights are part of the `rapidocr` package; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vlmhb_models.base import Generation, GenerationRequest, LoadError, ModelInterface, RequestError
from vlmhb_models.rapidocr_lines import box_from_quad, join_lines
from vlmhb_models.server.decode import decode_rgb

DEFAULT_MAX_SIDE = 1280  # pixels; larger costs time and gained nothing on receipts


class RapidOcrModel(ModelInterface):
    """`params`: `max_side` in pixels, `threads` (1), `text_score` (0.5: least confidence of a line)."""

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        try:
            import numpy
            from rapidocr import RapidOCR
        except ModuleNotFoundError as error:
            raise LoadError(
                f"the package {error.name!r} is not installed here", hint="build the image rapidocr again"
            ) from error
        if weights is not None:
            raise LoadError("weights: RapidOCR's are part of its package", hint="leave weights empty")
        known = {"max_side", "threads", "text_score"}
        if set(params) - known:
            raise LoadError(f"params: unknown {sorted(set(params) - known)}", hint=f"known: {sorted(known)}")
        self._max_side = int(params.get("max_side", DEFAULT_MAX_SIDE))
        self._asarray = numpy.asarray
        self._engine = RapidOCR(params=_engine_params(params))
        self._warm_up(numpy.full((64, 320, 3), 255, dtype=numpy.uint8))

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        return [Generation(text=self._read_request(request)) for request in batch]

    def describe(self) -> dict[str, Any]:
        from importlib.metadata import version

        packages = ("rapidocr", "onnxruntime", "opencv-python-headless", "numpy", "pillow")
        return {"framework": "RapidOCR", "packages": {name: version(name) for name in packages}}

    def _warm_up(self, blank: Any) -> None:
        """The engine loads each network on its first use: a broken one has to fail here, not on a sample."""
        self._engine(blank, use_det=False, use_cls=True, use_rec=True)
        self._engine(blank, use_det=True)

    def _read_request(self, request: GenerationRequest) -> str:
        if not request.images:
            raise RequestError("an OCR engine needs an image")
        return "\n".join(self._read(data) for data in request.images)

    def _read(self, data: bytes) -> str:
        image = decode_rgb(data, max_side=self._max_side)
        pixels = self._asarray(image)[:, :, ::-1]  # the engine takes BGR
        result = self._engine(pixels)
        if result.txts is None or result.boxes is None:
            return ""
        boxes = [box_from_quad(text, result.boxes[index]) for index, text in enumerate(result.txts)]
        return join_lines(boxes)


def _engine_params(params: dict[str, Any]) -> dict[str, Any]:
    threads = int(params.get("threads", 1))
    return {
        "Global.log_level": "error",
        "Global.text_score": float(params.get("text_score", 0.5)),
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": threads,
    }
