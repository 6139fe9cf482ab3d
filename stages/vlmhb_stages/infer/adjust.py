"""What may be sent differently when a request does not fit, step by step, and how that is told. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from vlmhb_stages.contracts import ErrorKind, Sample
from vlmhb_stages.specs import Overflow

IMAGE_SCALES = (0.7, 0.5, 0.35)  # of the side, one after the other


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """How a request differs from what was asked for."""

    image_scale: float = 1.0  # of the side
    turns_dropped: int = 0  # oldest user messages and the answers to them

    @property
    def told(self) -> tuple[str, ...]:
        """As it stands in the records."""
        lines = []
        if self.image_scale != 1.0:
            lines.append(f"images at {self.image_scale * 100:.0f} %")
        if self.turns_dropped:
            plural = "s" if self.turns_dropped > 1 else ""
            lines.append(f"{self.turns_dropped} oldest turn{plural} dropped")
        return tuple(lines)


UNCHANGED = Adjustment()


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What the user or the model's card has declared."""

    overflow: tuple[Overflow, ...] = ()
    shrink_on_oom: bool = False

    def next(self, kind: ErrorKind, *, sample: Sample, now: Adjustment) -> Adjustment | None:
        """The smallest further change that could help against an error of that kind; None = there is none."""
        if kind == "out_of_memory":
            return _shrunk(sample, now) if self.shrink_on_oom else None
        if kind == "context_overflow":
            return next(self._steps(sample, now), None)
        return None

    def _steps(self, sample: Sample, now: Adjustment) -> Iterator[Adjustment]:
        for way in self.overflow:
            step = _shrunk(sample, now) if way == "shrink_images" else _shortened(sample, now)
            if step is not None:
                yield step


def without_turns(sample: Sample, *, dropped: int) -> Sample:
    """Without the oldest turns and the images that stand in them. System messages and the last user message, with
    what follows it, always stay; images that no message claims go with whichever comes first."""
    if not dropped:
        return sample
    starts = [i for i, message in enumerate(sample.messages) if message.role == "user"]
    kept = [
        i for i, message in enumerate(sample.messages) if message.role == "system" or i >= starts[dropped]
    ]
    images = sample.images
    if any(message.images is not None for message in sample.messages):
        images = tuple(image for i in kept for image in sample.images_by_message[i])
    messages = tuple(sample.messages[i] for i in kept)
    return sample.model_copy(update={"messages": messages, "images": images})


def _shrunk(sample: Sample, now: Adjustment) -> Adjustment | None:
    smaller = next((scale for scale in IMAGE_SCALES if scale < now.image_scale), None)
    return replace(now, image_scale=smaller) if sample.images and smaller is not None else None


def _shortened(sample: Sample, now: Adjustment) -> Adjustment | None:
    turns = sum(message.role == "user" for message in sample.messages)
    return replace(now, turns_dropped=now.turns_dropped + 1) if now.turns_dropped < turns - 1 else None
