"""Turns requests into what the model takes: chat template, plain template or the beginning of the answer; pixels."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmhb_models.base import BadImage, GenerationRequest, RequestError
from vlmhb_models.server.decode import decode_rgb
from vlmhb_models.transformers_load import Loaded
from vlmhb_models.transformers_settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

ANY_SIDE = 1 << 20  # pixels; no limit
PLACE = re.compile(r"\{(system|images|question)\}")


@dataclass(frozen=True)
class Asked:
    """One request, ready to be put into a batch with others of the same `kind`."""

    request: GenerationRequest
    images: tuple[Image, ...]
    text: str  # with the places of the images, before they become tokens
    kind: tuple[Any, ...]
    adjusted: tuple[str, ...] = ()


class Prompts:
    """How this model is asked. `style` is chat, text, decoder or none."""

    def __init__(self, loaded: Loaded, *, settings: Settings) -> None:
        self._loaded, self._settings = loaded, settings
        self.style = settings.prompt if settings.prompt != "auto" else self._found_style()

    def ask(self, request: GenerationRequest) -> Asked:
        """Raises `BadImage`, `RequestError`."""
        if request.images and not self._loaded.takes_images:
            raise RequestError("this model takes no images")
        if not request.images and self.style in ("decoder", "none"):
            raise BadImage("this model answers to an image, and the request has none")
        images = tuple(self._sized(data) for data in request.images)
        text, adjusted = self._text(request, images=images)
        length = len(self._decoder_ids(text)) if self.style == "decoder" else 0
        return Asked(
            request=request, images=images, text=text, kind=(bool(images), length), adjusted=adjusted
        )

    def inputs(self, batch: Sequence[Asked]) -> dict[str, Any]:
        """Tensors of requests of one kind, on the model's device."""
        import torch

        asked = self._vision_inputs(batch) if self.style in ("decoder", "none") else self._text_inputs(batch)
        model = self._loaded.model
        return {
            name: value.to(model.device, dtype=model.dtype if value.is_floating_point() else None)
            for name, value in asked.items()
            if isinstance(value, torch.Tensor)
        }

    def _found_style(self) -> str:
        processor = self._loaded.processor
        template = getattr(processor, "chat_template", None) or getattr(
            self._loaded.tokenizer, "chat_template", None
        )
        if template:
            return "chat"
        if self._loaded.config.model_type == "vision-encoder-decoder":
            return "decoder" if self._settings.decoder_prompt else "none"
        return "text"

    def _text(self, request: GenerationRequest, *, images: Sequence[Image]) -> tuple[str, tuple[str, ...]]:
        if self.style == "chat":
            return self._chat(request, images=images)
        if sum(message.role != "system" for message in request.messages) > 1:
            raise RequestError(
                "this model has no chat template: it takes one question, no examples before it"
            )
        if self.style == "decoder":
            template = self._settings.decoder_prompt
        else:
            plain = "{question}" if self._loaded.encoder_decoder else "{images}{question}"
            template = self._settings.template or plain
        places = (self._image_token() or "") * len(images)
        words = {"system": request.system or "", "images": places, "question": request.prompt}
        unheard = bool(request.system) and (self.style == "none" or "{system}" not in template)
        told = ("system prompt not sent: the model's template has no place for it",) if unheard else ()
        return PLACE.sub(lambda match: words[match[1]], template), told

    def _image_token(self) -> str | None:
        given = self._settings.image_token or getattr(self._loaded.processor, "image_token", None)
        return None if given is None else str(given)

    def _chat(self, request: GenerationRequest, *, images: Sequence[Image]) -> tuple[str, tuple[str, ...]]:
        from jinja2 import TemplateError

        options = {"tokenize": False, "add_generation_prompt": True, **self._settings.chat_options}
        processor = self._loaded.processor
        try:
            return str(processor.apply_chat_template(self._messages(request, images=images), **options)), ()
        except TemplateError as error:
            if request.system is None:
                raise RequestError(f"the model's chat template refuses the messages: {error}") from error
        merged = self._messages(request, images=images, merge_system=True)
        try:
            text = str(processor.apply_chat_template(merged, **options))
        except TemplateError as error:
            raise RequestError(f"the model's chat template refuses the messages: {error}") from error
        return text, ("system prompt put before the question: the model's template has no place for it",)

    def _messages(
        self, request: GenerationRequest, *, images: Sequence[Image], merge_system: bool = False
    ) -> list[dict[str, Any]]:
        """The chat as templates expect it: parts of a message in a list, its images first."""
        left = list(images)
        before = f"{request.system}\n" if merge_system else ""
        chat: list[dict[str, Any]] = []
        for message in request.messages:
            if merge_system and message.role == "system":
                continue
            text = before + message.text if message.role == "user" else message.text
            before = "" if message.role == "user" else before
            if not self._loaded.takes_images:
                chat.append({"role": message.role, "content": text})
                continue
            shown, left = left[: message.images], left[message.images :]
            parts: list[dict[str, Any]] = [{"type": "image", "image": image} for image in shown]
            chat.append({"role": message.role, "content": [*parts, {"type": "text", "text": text}]})
        return chat

    def _text_inputs(self, batch: Sequence[Asked]) -> dict[str, Any]:
        texts = [item.text for item in batch]
        options: dict[str, Any] = {"return_tensors": "pt", "padding": True}
        start = self._loaded.tokenizer.bos_token
        if start and all(text.startswith(start) for text in texts):
            options["add_special_tokens"] = False  # the template has put it there
        if not self._loaded.takes_images:
            return dict(self._loaded.tokenizer(texts, **options))
        images = [list(item.images) for item in batch] if batch[0].images else None
        return dict(self._loaded.processor(text=texts, images=images, **options))

    def _vision_inputs(self, batch: Sequence[Asked]) -> dict[str, Any]:
        """One image each; the text, if any, is what the answer begins with."""
        import torch

        for item in batch:
            if len(item.images) != 1:
                raise RequestError(f"this model takes one image, the request has {len(item.images)}")
        images = [item.images[0] for item in batch]
        inputs = dict(
            self._loaded.processor(images=images, return_tensors="pt")
        )  # some bring their own prompt
        if self.style == "decoder":
            inputs["decoder_input_ids"] = torch.tensor([self._decoder_ids(item.text) for item in batch])
        return inputs

    def _decoder_ids(self, text: str) -> list[int]:
        ids: list[int] = self._loaded.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def _sized(self, data: bytes) -> Image:
        """Decoded, and scaled with its proportions kept until its pixels lie between the settings' bounds."""
        settings = self._settings
        image = decode_rgb(data, max_side=settings.max_side or ANY_SIDE)
        pixels = image.width * image.height
        wanted = min(max(pixels, settings.min_pixels or 0), settings.max_pixels or math.inf)
        if wanted == pixels:
            return image
        factor = math.sqrt(wanted / pixels)
        rounded = math.floor if factor < 1 else math.ceil
        return image.resize((max(1, rounded(image.width * factor)), max(1, rounded(image.height * factor))))
