"""Processors of models that also take videos, where torchvision is missing: everything but the videos works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONFIGS = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
VIDEO = "video_processor"


def is_about_videos(error: Exception) -> bool:
    return "VideoProcessor" in str(error) and "orchvision" in str(error)


def images_only(folder: str, *, options: dict[str, Any]) -> Any:
    """The folder's processor without its part for videos. Raises what `from_pretrained` raises."""
    import transformers

    base = getattr(transformers, _class_name(folder))

    class ImagesOnly(base):  # type: ignore[misc, valid-type]  # its class is known from the weights only
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if name != VIDEO]

    ImagesOnly.__name__ = base.__name__  # the library tells some processors apart by it
    processor = ImagesOnly.from_pretrained(folder, **options)
    processor.video_processor = None
    return processor


def _class_name(folder: str) -> str:
    for name in CONFIGS:
        path = Path(folder) / name
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if "processor_class" in found:
            return str(found["processor_class"])
    raise ValueError("the weights name no processor_class")
