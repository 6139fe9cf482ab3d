"""Grounding: how well the box of the answer covers the box of the reference (IoU, and IoU of at least 0.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from vlmhb_benchmarks.metrics.base import (
    Context,
    MeanMetric,
    Metric,
    MetricInfo,
    SampleScore,
    best,
    mean_score,
    undefined,
)
from vlmhb_benchmarks.metrics.layout.boxes import Size, find_box, iou

HALF = 0.5


def overlap(value: float) -> float:
    return value


def at_least_half(value: float) -> float:
    return 1.0 if value >= HALF else 0.0


@dataclass(frozen=True, kw_only=True)
class Grounding(MeanMetric):
    """`rate` of the IoU; the best reference counts. `size` is that of the image, where the sample tells it."""

    rate: Callable[[float], float]
    size: Size | None = None

    def in_context(self, context: Context) -> Metric:
        size = _size(context.metadata)
        return replace(self, size=size) if size else self

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """A reference without a box does not count; an answer without one scores 0 and is flagged."""
        if not references:
            return undefined("no_reference")
        golds = [(text, box) for text in references if (box := find_box(text))]
        if not golds:
            return undefined("invalid_reference")
        answer = find_box(prediction)
        if answer is None:
            return replace(mean_score(0.0, matched_reference=golds[0][0]), flag="invalid_structure")
        scores = (
            mean_score(self.rate(iou(answer, gold, size=self.size)), matched_reference=text)
            for text, gold in golds
        )
        return best(scores, key=lambda value: value) or undefined("invalid_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        gold = next((text for text in references if find_box(text)), None)
        return undefined("invalid_reference") if gold is None else mean_score(0.0, matched_reference=gold)


def _size(metadata: Mapping[str, str]) -> Size | None:
    """`image_width` and `image_height` in pixels."""
    try:
        width, height = float(metadata["image_width"]), float(metadata["image_height"])
    except (KeyError, ValueError):
        return None
    return Size(width=width, height=height) if 0 < width < 1e9 and 0 < height < 1e9 else None


def _info(name: str, *, what: str, binary: bool) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source="intersection over union of two boxes, as in RefCOCO (Yu et al. 2016) and OCRBench v2's grounding",
        empty_rule="no box in the answer, or no answer: 0; no box in any reference: undefined; equal boxes: 1",
        binary=binary,
        deviations=(
            "the first box of the answer counts: `<box>` tags, JSON (bbox, bbox_2d, x1..y2, corners), four numbers. "
            "Corners in any order. Units: 0..1 if all four numbers are; `<box>` tags are thousandths; else as written. "
            "Different units meet as fractions of the image (metadata image_width, image_height); without a size plain "
            "numbers count as thousandths. Corner and size (x, y, w, h) is not read. OCRBench v2 compares the numbers "
            "as they stand"
        ),
    )


IOU = Grounding(
    info=_info("iou", what="intersection over union of the boxes, mean", binary=False), rate=overlap
)
IOU_50 = Grounding(
    info=_info("iou_50", what="share of answers whose box has an IoU of at least 0.5", binary=True),
    rate=at_least_half,
)
