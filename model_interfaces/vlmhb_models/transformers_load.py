"""Loads a model of the transformers library from a local folder: class, device, precision, attention, processor."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from vlmhb_models.base import LoadError
from vlmhb_models.transformers_images_only import images_only, is_about_videos
from vlmhb_models.transformers_settings import Settings

log = logging.getLogger(__name__)
PACKAGES = ("torch", "transformers", "tokenizers", "torchvision", "accelerate", "flash-attn", "outlines-core")
CLASSES = ("AutoModelForImageTextToText", "AutoModelForVision2Seq", "AutoModelForCausalLM")
ENDLESS = 10**9  # tokenizers write such a number where they know no limit


@dataclass(frozen=True)
class Loaded:
    """A model that is ready. `processor` is the tokenizer itself for a model that takes no images."""

    model: Any
    processor: Any
    tokenizer: Any
    device: str
    dtype: str
    attention: str
    notes: tuple[str, ...] = field(default=())  # what came out otherwise than asked

    @property
    def config(self) -> Any:
        return self.model.config

    @property
    def encoder_decoder(self) -> bool:
        return bool(getattr(self.config, "is_encoder_decoder", False))

    @property
    def takes_images(self) -> bool:
        return self.processor is not self.tokenizer

    @property
    def image_token_id(self) -> int | None:
        for holder in (self.config, self.processor):
            for name in ("image_token_id", "image_token_index"):
                value = getattr(holder, name, None)
                if isinstance(value, int):
                    return value
        return None

    def context(self) -> int | None:
        """Tokens that fit: what the text part of the configuration says, else the tokenizer."""
        text = self.config.get_text_config(decoder=True)
        limits = (
            getattr(text, "max_position_embeddings", None),
            getattr(self.tokenizer, "model_max_length", None),
        )
        known = [int(limit) for limit in limits if limit is not None and limit < ENDLESS]
        return known[0] if known else None


def load(weights: str | None, *, settings: Settings, trust_remote_code: bool, gpus: int) -> Loaded:
    """Raises `LoadError` for all that the user can mend."""
    folder = _folder(weights)
    try:
        import torch
        import transformers
    except ModuleNotFoundError as error:
        raise LoadError(
            f"the package {error.name!r} is not installed here", hint="build the image transformers again"
        ) from error
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    transformers.utils.logging.disable_progress_bar()
    device = _device(settings.device, gpus=gpus)
    common = {"local_files_only": True, "trust_remote_code": trust_remote_code}
    safe = {"use_safetensors": True}  # where both lie there, the pickled ones are left alone
    config = _guarded(lambda: transformers.AutoConfig.from_pretrained(folder, **common))
    processor, tokenizer = _processor(folder, options={**common, **settings.processor_options})
    dtype = settings.dtype if settings.dtype != "auto" else _best_dtype(device)
    options = {**common, **safe, "dtype": getattr(torch, dtype)}
    if device == "cuda" and torch.cuda.device_count() > 1:
        options["device_map"] = "auto"
    auto = getattr(transformers, settings.auto_class or _auto_class(config))
    model, attention, notes = _model(auto, folder, options=options, settings=settings, device=device)
    if "device_map" not in options:
        model = model.to(device)
    _make_ready(model, tokenizer)
    return Loaded(
        model=model.eval(),
        processor=processor,
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        attention=attention,
        notes=notes,
    )


def _folder(weights: str | None) -> str:
    if weights is None:
        raise LoadError(
            "no weights are given", hint="weights in the card: a local folder; nothing is downloaded"
        )
    if not (Path(weights) / "config.json").is_file():
        raise LoadError(
            f"weights {Path(weights).name}: a folder with config.json is needed",
            hint="the whole model folder, as the hub's client or save_pretrained leaves it",
        )
    if not any(Path(weights).glob("*.safetensors")):
        raise LoadError(
            f"weights {Path(weights).name}: no *.safetensors; pickled weights can run code, so none are loaded",
            hint="take the safetensors of the model, or save it so: model.save_pretrained(folder)",
        )
    return weights


def _device(wanted: str, *, gpus: int) -> str:
    import torch

    there = torch.cuda.is_available()
    if (gpus or wanted.startswith("cuda")) and not there:
        build = "this torch is a CPU build" if torch.version.cuda is None else "torch sees no GPU"
        raise LoadError(f"a GPU was asked for and {build}", hint="use the image transformers-gpu")
    return wanted if wanted != "auto" else "cuda" if there else "cpu"


def _best_dtype(device: str) -> str:
    import torch

    if not device.startswith("cuda"):
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def _auto_class(config: Any) -> str:
    """Weights with code of their own name their class; ours are found by the configuration's type."""
    import transformers

    own = getattr(config, "auto_map", None) or {}
    for name in (*CLASSES, "AutoModel"):
        if name in own:
            return name
    for name in CLASSES:
        auto = getattr(transformers, name, None)
        if auto is not None and type(config) in auto._model_mapping:
            return name
    kind = getattr(config, "model_type", type(config).__name__)
    raise LoadError(
        f"a model of type {kind!r} does not answer with text", hint="params.auto_class names its class"
    )


def _processor(folder: str, *, options: dict[str, Any]) -> tuple[Any, Any]:
    """The processor and its tokenizer."""
    import transformers

    def find() -> Any:
        try:
            return transformers.AutoProcessor.from_pretrained(folder, **options)
        except ImportError as error:
            if not is_about_videos(error):
                raise
            log.warning("torchvision is not installed: this model takes images here, and no videos")
            return images_only(folder, options=options)

    processor = _guarded(find)
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is not None:
        return processor, tokenizer
    if hasattr(processor, "get_vocab"):
        return processor, processor
    raise LoadError(
        "the weights have no tokenizer that goes with the processor", hint="copy the whole model folder"
    )


def _model(
    auto: Any, folder: str, *, options: dict[str, Any], settings: Settings, device: str
) -> tuple[Any, str, tuple[str, ...]]:
    """The model, the attention that it has in the end, and why it is not the one asked for."""
    notes: list[str] = []
    for kind in _attentions(settings.attention, device=device):
        load_it = partial(auto.from_pretrained, folder, attn_implementation=kind, **options)
        try:
            model = _guarded(load_it)
        except LoadError as error:
            if kind == "eager" or not _about_attention(str(error)):
                raise
            notes.append(f"attention {kind} is not to be had: {str(error)[:200]}")
            log.warning(notes[-1])
        else:
            return model, kind, tuple(notes)
    raise AssertionError("eager is always the last")


def _attentions(wanted: str, *, device: str) -> tuple[str, ...]:
    from importlib.util import find_spec

    if wanted == "auto":
        flash = device.startswith("cuda") and find_spec("flash_attn") is not None
        return (*(("flash_attention_2",) if flash else ()), "sdpa", "eager")
    return (wanted, *(kind for kind in ("sdpa", "eager") if kind != wanted))


def _about_attention(message: str) -> bool:
    words = message.lower()
    return any(word in words for word in ("attention", "attn", "flash", "sdpa"))


def _guarded(step: Callable[[], Any]) -> Any:
    """Runs one `from_pretrained`; what it raises for files and packages becomes one line."""
    try:
        return step()
    except (OSError, ValueError, ImportError, KeyError, AttributeError) as error:
        message = " ".join(str(error).split())
        if "trust_remote_code" in message:
            raise LoadError(
                "the weights bring Python code of their own, which may not run",
                hint="trust_remote_code: true in the card lets it, if the policy of the run config does",
            ) from error
        if "model type" in message or "does not recognize" in message:
            raise LoadError(message[:300], hint="this transformers is older than the model") from error
        raise LoadError(f"{type(error).__name__}: {message[:300]}") from error


def _make_ready(model: Any, tokenizer: Any) -> None:
    """Rows of a batch end together, so the shorter ones are filled up in front."""
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not getattr(model.config, "is_encoder_decoder", False):
        tokenizer.padding_side = "left"
