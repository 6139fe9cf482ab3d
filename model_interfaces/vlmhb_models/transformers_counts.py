"""Counts the tokens of a batch's prompts: all, those of images, and those that the answer is appended to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlmhb_models.transformers_load import Loaded


@dataclass(frozen=True)
class Counts:
    """Tokens of one prompt. An image that goes to an encoder of its own is no part of it and counts as none.

    `begun`: what stands before the first token of the answer in the sequence that it is appended to."""

    prompt: int
    image: int
    begun: int


def count_tokens(inputs: Mapping[str, Any], *, loaded: Loaded, rows: int) -> list[Counts]:
    """One entry per row of the batch."""
    begun = inputs.get("decoder_input_ids")
    ids, mask = inputs.get("input_ids", begun), inputs.get("attention_mask")
    if ids is None:
        return [Counts(prompt=0, image=0, begun=1)] * rows
    own = [ids.shape[1]] * rows if mask is None else mask.sum(dim=1).tolist()
    token = loaded.image_token_id
    images = [0] * rows if token is None else (ids == token).sum(dim=1).tolist()
    decoded = [1 if begun is None else begun.shape[1]] * rows if loaded.encoder_decoder else own
    return [
        Counts(prompt=int(prompt), image=int(image), begun=int(before))
        for prompt, image, before in zip(own, images, decoded, strict=True)
    ]
