"""Keeps an answer inside a JSON schema, token by token, with the package outlines-core where it is installed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
SPACE = "\u2581"  # how SentencePiece writes a space


class CannotEnforce(Exception):
    """The schema cannot be enforced here; the answer is given without, and says so."""


class Schemas:
    """Guides for one tokenizer. What a schema compiles to is kept: that takes seconds for a large vocabulary."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._vocabulary: Any = None
        self._indexes: dict[str, Any] = {}

    def guide(self, schema: Mapping[str, Any]) -> Guide:
        """Raises `CannotEnforce`."""
        try:
            import outlines_core
        except ModuleNotFoundError as error:
            raise CannotEnforce("outlines-core is not installed") from error
        if set(schema) <= {"type"}:
            raise CannotEnforce("it names no properties")
        key = json.dumps(schema, sort_keys=True)
        if key not in self._indexes:
            self._indexes[key] = self._compile(key)
        return Guide(outlines_core.Guide(self._indexes[key]))

    def _compile(self, schema: str) -> Any:
        import outlines_core
        from outlines_core.json_schema import build_regex_from_schema

        if self._vocabulary is None:
            ids = token_bytes(self._tokenizer)
            self._vocabulary = outlines_core.Vocabulary(self._tokenizer.eos_token_id, ids)
        try:
            return outlines_core.Index(build_regex_from_schema(schema), self._vocabulary)
        except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:
            raise CannotEnforce(f"{type(error).__name__}: {error}") from error


class Guide:
    """Where one answer is in its schema."""

    def __init__(self, guide: Any) -> None:
        self._guide = guide

    def mask(self, scores: Any) -> Any:
        """The same logits with what the schema forbids at minus infinity."""
        import torch

        words = torch.zeros((scores.shape[0] + 31) // 32, dtype=torch.int32)
        self._guide.write_mask_into(words.data_ptr(), words.numel(), words.element_size())
        bits = (words[:, None] >> torch.arange(32, dtype=torch.int32)) & 1
        allowed = bits.flatten()[: scores.shape[0]].bool().to(scores.device)
        return scores.masked_fill(~allowed, float("-inf"))

    def advance(self, token: int) -> None:
        if not self._guide.is_finished():
            self._guide.advance(token)


def token_bytes(tokenizer: Any) -> dict[bytes, list[int]]:
    """What each token adds to a text; special tokens add nothing and are left out."""
    special = set(tokenizer.all_special_ids)
    byte_level = _is_byte_level(tokenizer)
    found: dict[bytes, list[int]] = {}
    for token, number in tokenizer.get_vocab().items():
        if number not in special and (data := _bytes_of(token, byte_level=byte_level)):
            found.setdefault(data, []).append(number)
    return found


def _bytes_of(token: str, *, byte_level: bool) -> bytes:
    if byte_level:
        codes = _byte_codes()
        if all(character in codes for character in token):
            return bytes(codes[character] for character in token)
    match = BYTE_TOKEN.fullmatch(token)
    return bytes([int(match[1], 16)]) if match else token.replace(SPACE, " ").encode()


def _is_byte_level(tokenizer: Any) -> bool:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend is not None and "ByteLevel" in repr(backend.decoder)


@cache
def _byte_codes() -> dict[str, int]:
    """Byte-level BPE writes printable bytes as they are, and the others from U+0100 on (GPT-2)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    codes = {chr(byte): byte for byte in plain}
    return {**codes, **{chr(0x100 + index): byte for index, byte in enumerate(others)}}
