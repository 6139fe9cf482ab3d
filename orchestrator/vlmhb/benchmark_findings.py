"""Reads what `prepare` has made: counts, problems with their places, image sizes, and samples as they would be sent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from vlmhb_stages.contracts import ImageRef, Label, Message, Sample

SHOWN_PROBLEMS = 5  # of each kind
SHOWN_SAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Samples that cannot be used for one kind of reason; `examples` name file and row."""

    kind: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Images:
    """Of the distinct images; sides in pixels. `made`: how many were converted or rendered, by how."""

    distinct: int = 0
    used: int = 0
    smallest: str = ""
    middle: str = ""
    largest: str = ""
    made: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One sample: `sent` is the messages of the request, `never_sent` what stays on this side of the wall."""

    sample_id: str
    sent: list[dict[str, Any]]
    never_sent: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Findings:
    samples: int
    usable: int
    problems: tuple[Problem, ...]
    images: Images
    without_image: int
    metadata: dict[str, int]  # key -> distinct values, for slices
    warnings: tuple[str, ...]
    shown: tuple[Shown, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "counts": {
                "samples": self.samples,
                "usable": self.usable,
                "unusable": self.samples - self.usable,
            },
            "problems": [vars(problem) for problem in self.problems],
            "images": {**vars(self.images), "samples_without": self.without_image},
            "metadata_values": self.metadata,
            "warnings": list(self.warnings),
            "samples": [vars(sample) for sample in self.shown],
        }


def read_findings(out: Path, *, warnings: Sequence[str]) -> Findings:
    """`out` of a sealed `prepare` artifact."""
    tally = _Tally()
    for sample in _samples(out):
        tally.add(sample)
    return Findings(
        samples=tally.samples,
        usable=tally.usable,
        problems=tally.problems(),
        images=tally.images(),
        without_image=tally.without_image,
        metadata={key: len(values) for key, values in sorted(tally.metadata.items())},
        warnings=tuple(warnings),
        shown=tuple(_shown(out, usable=tally.usable)),
    )


def _samples(out: Path) -> Iterator[Sample]:
    with (out / "inputs" / "samples.jsonl").open("rb") as file:
        for line in file:
            yield Sample.model_validate_json(line)


class _Tally:
    """One pass over the samples."""

    def __init__(self) -> None:
        self.samples = self.usable = self.without_image = 0
        self.metadata: dict[str, set[str]] = {}
        self._kinds: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}
        self._used = 0
        self._sizes: dict[str, tuple[int, int]] = {}  # by sha256
        self._made: Counter[str] = Counter()

    def add(self, sample: Sample) -> None:
        self.samples += 1
        for key, value in sample.metadata.items():
            self.metadata.setdefault(key, set()).add(value)
        if sample.error is not None:
            self._kinds[sample.error.kind] += 1
            examples = self._examples.setdefault(sample.error.kind, [])
            if len(examples) < SHOWN_PROBLEMS:
                examples.append(f"sample {sample.sample_id}: {sample.error.message}")
            return
        self.usable += 1
        self.without_image += not sample.images
        for image in sample.images:
            self._add_image(image)

    def _add_image(self, image: ImageRef) -> None:
        self._used += 1
        if image.sha256 not in self._sizes:
            self._sizes[image.sha256] = (image.width, image.height)
            if image.made is not None:
                self._made["pdf page" if image.made.startswith("pdf page") else image.made] += 1

    def problems(self) -> tuple[Problem, ...]:
        return tuple(
            Problem(kind=kind, count=count, examples=tuple(self._examples[kind]))
            for kind, count in sorted(self._kinds.items())
        )

    def images(self) -> Images:
        if not self._sizes:
            return Images()
        sizes = sorted(self._sizes.values(), key=lambda size: size[0] * size[1])
        widths, heights = ([size[side] for size in sizes] for side in (0, 1))
        return Images(
            distinct=len(sizes),
            used=self._used,
            smallest=_size(sizes[0]),
            middle=_size((median(widths), median(heights))),
            largest=_size(sizes[-1]),
            made=dict(self._made),
        )


def _size(size: Sequence[float]) -> str:
    return f"{size[0]:g}x{size[1]:g}"


def _shown(out: Path, *, usable: int) -> Iterator[Shown]:
    """The first, the middle and the last of the usable samples, with their labels."""
    wanted = {0, usable // 2, usable - 1} if usable > SHOWN_SAMPLES else set(range(usable))
    with (out / "labels" / "labels.jsonl").open("rb") as labels:
        number = -1
        for sample, line in zip(_samples(out), labels, strict=True):
            number += sample.error is None
            if sample.error is None and number in wanted:
                yield _one(sample, label=Label.model_validate_json(line))


def _one(sample: Sample, *, label: Label) -> Shown:
    return Shown(
        sample_id=sample.sample_id,
        sent=sent_messages(sample),
        never_sent={"references": list(label.references), "metadata": label.metadata},
    )


def sent_messages(sample: Sample) -> list[dict[str, Any]]:
    """The messages of the request; an image stands for the data URL of its bytes. As the driver puts them, images go
    before the text of their message."""
    groups = list(zip(sample.messages, sample.images_by_message, strict=True))
    if sample.images and not any(images for _, images in groups):
        groups.append((Message(role="user", content=""), sample.images))
    return [_sent(message, images) for message, images in groups]


def _sent(message: Message, images: Sequence[ImageRef]) -> dict[str, Any]:
    if not images:
        return {"role": message.role, "content": message.content}
    text = [{"type": "text", "text": message.content}] if message.content else []
    parts = [{"type": "image_url", "image": _image(image)} for image in images]
    return {"role": message.role, "content": [*parts, *text]}


def _image(image: ImageRef) -> dict[str, Any]:
    told = {"path": image.path, "width": image.width, "height": image.height, "sha256": image.sha256}
    return told if image.made is None else {**told, "made": image.made}


def as_lines(findings: Findings) -> Iterable[str]:
    """For a person."""
    unusable = findings.samples - findings.usable
    yield f"samples: {findings.samples}, usable {findings.usable}, unusable {unusable}"
    for problem in findings.problems:
        yield f"  {problem.kind}: {problem.count}"
        yield from (f"    {example}" for example in problem.examples)
        if problem.count > len(problem.examples):
            yield f"    and {problem.count - len(problem.examples)} more"
    yield from _image_lines(findings)
    if findings.metadata:
        told = ", ".join(f"{key} ({count})" for key, count in findings.metadata.items())
        yield f"metadata (distinct values): {told}"
    yield from (f"warning: {warning}" for warning in findings.warnings)
    for shown in findings.shown:
        yield from _sample_lines(shown)


def _image_lines(findings: Findings) -> Iterator[str]:
    images = findings.images
    if not images.distinct:
        yield "images: none"
        return
    sizes = f"smallest {images.smallest}, middle {images.middle}, largest {images.largest} pixels"
    yield f"images: {images.distinct} distinct, used {images.used} times; {sizes}"
    yield from (f"  {count} made by prepare: {how}" for how, count in sorted(images.made.items()))
    if findings.without_image:
        yield f"  {findings.without_image} samples have no image"


def _sample_lines(shown: Shown) -> Iterator[str]:
    yield ""
    yield f"--- sample {shown.sample_id}: sent to the model ---"
    for message in shown.sent:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            yield from _part_lines(message["role"], part)
    yield "--- never sent: labels, for evaluate only ---"
    for reference in shown.never_sent["references"]:
        yield from _indented("reference", reference)
    yield f"  metadata: {json.dumps(shown.never_sent['metadata'], ensure_ascii=False)}"


def _part_lines(role: str, part: dict[str, Any]) -> Iterator[str]:
    if part["type"] == "text":
        yield from _indented(role, part["text"])
        return
    image = part["image"]
    how = f", {image['made']}" if "made" in image else ", as it is"
    yield f"  {role}: [image {image['path']}, {image['width']}x{image['height']}{how}]"


def _indented(label: str, text: str) -> Iterator[str]:
    lines = text.splitlines() or [""]
    yield f"  {label}: {lines[0]}"
    yield from (f"  {' ' * len(label)}  {line}" for line in lines[1:])
