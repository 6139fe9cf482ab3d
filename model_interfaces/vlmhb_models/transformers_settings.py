"""What a card may say about a model in our own process: the `params` of the interface `transformers`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from vlmhb_models.base import LoadError

DTYPES = ("auto", "bfloat16", "float16", "float32")
ATTENTION = ("auto", "flash_attention_2", "sdpa", "eager")
PROMPTS = ("auto", "chat", "text", "decoder", "none")
OUTPUTS = ("text", "donut", "nougat", "florence2")
CHOICES = {"dtype": DTYPES, "attention": ATTENTION, "prompt": PROMPTS, "output": OUTPUTS}


@dataclass(frozen=True)
class Settings:
    """All optional. Sizes in pixels of the image as it is given to the model's own processor."""

    dtype: str = "auto"  # bfloat16 on a GPU that has it, else float16; float32 on a CPU
    device: str = "auto"  # cuda where there is one, else cpu
    attention: str = "auto"  # flash_attention_2 where installed, else sdpa, else eager
    auto_class: str | None = None  # AutoModelForImageTextToText, unless the weights need another
    max_batch: int = 4
    prompt: str = "auto"  # chat: the model's template; text: template below; decoder: decoder_prompt; none
    template: str = ""  # for `text`: {system}, {images}, {question}
    decoder_prompt: str = ""  # for `decoder`: what the answer begins with; {question}
    image_token: str | None = None  # what stands for an image in `template`; told by the processor
    chat_options: dict[str, Any] = field(default_factory=dict)  # variables of the chat template
    processor_options: dict[str, Any] = field(
        default_factory=dict
    )  # given to the processor's from_pretrained
    generation: dict[str, Any] = field(
        default_factory=dict
    )  # over generation_config.json: repetition_penalty
    output: str = "text"  # whose decoding of the answer to use
    skip_special_tokens: bool = True
    min_pixels: int | None = None  # smaller images are scaled up
    max_pixels: int | None = None  # larger ones down
    max_side: int | None = None
    context: int | None = None  # tokens of prompt and answer; told by the configuration
    threads: int | None = None  # of torch, on a CPU; None: as the environment says
    warm_up: bool = True  # one token about a blank page, so that a broken model fails at once


RESERVED = ("do_sample", "temperature", "top_p", "top_k", "num_beams", "max_new_tokens", "max_length", "seed")


def parse_settings(params: Mapping[str, Any]) -> Settings:
    """Raises `LoadError` for what is unknown or cannot be."""
    known = {item.name for item in fields(Settings)}
    unknown = sorted(set(params) - known)
    if unknown:
        raise LoadError(f"params: unknown {unknown}", hint=f"known: {', '.join(sorted(known))}")
    settings = Settings(**params)
    for name, choices in CHOICES.items():
        value = getattr(settings, name)
        if value not in choices:
            raise LoadError(f"params.{name}: {value!r} is not known", hint=f"one of {', '.join(choices)}")
    for name in ("max_batch", "min_pixels", "max_pixels", "max_side", "context", "threads"):
        _positive(name, getattr(settings, name))
    taken = sorted(set(settings.generation) & set(RESERVED))
    if taken:
        raise LoadError(f"params.generation: {taken[0]} comes with each request", hint="set it in the row")
    return settings


def _positive(name: str, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise LoadError(f"params.{name}: {value!r} is not a positive number")
