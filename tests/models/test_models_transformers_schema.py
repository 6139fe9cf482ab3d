"""What each token of a vocabulary adds to a text, for vocabularies of all three kinds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from vlmhb_models.transformers_schema import CannotEnforce, Schemas, token_bytes


@dataclass
class Backend:
    decoder: str


@dataclass
class Vocabulary:
    """The part of a tokenizer that is asked."""

    vocab: dict[str, int]
    decoder: str
    all_special_ids: list[int] = field(default_factory=list)
    eos_token_id: int = 0

    @property
    def backend_tokenizer(self) -> Backend:
        return Backend(self.decoder)

    def get_vocab(self) -> dict[str, int]:
        return self.vocab


def test_byte_level_tokens_are_bytes() -> None:
    words = Vocabulary({"Ġthe": 1, "Ð¶": 2, "Ċ": 3, "</s>": 0}, "ByteLevel()", all_special_ids=[0])
    assert token_bytes(words) == {b" the": [1], "ж".encode(): [2], b"\n": [3]}


def test_every_byte_has_a_token_of_its_own() -> None:
    from vlmhb_models.transformers_schema import _byte_codes

    assert sorted(_byte_codes().values()) == list(range(256))


def test_sentencepiece_tokens_have_spaces_and_single_bytes() -> None:
    words = Vocabulary({"▁the": 1, "<0xD0>": 2, "ж": 3}, "Replace(▁), ByteFallback()")
    assert token_bytes(words) == {b" the": [1], b"\xd0": [2], "ж".encode(): [3]}


def test_characters_are_themselves_and_equal_texts_share_an_entry() -> None:
    words = Vocabulary({"a": 1, " b": 2, "▁b": 3}, "Fuse()")
    assert token_bytes(words) == {b"a": [1], b" b": [2, 3]}


@pytest.mark.parametrize("schema", [{"type": "object"}, {}])
def test_a_schema_that_says_nothing_is_not_enforced(
    schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    import types

    monkeypatch.setitem(sys.modules, "outlines_core", types.ModuleType("outlines_core"))
    with pytest.raises(CannotEnforce, match="names no properties"):
        Schemas(Vocabulary({}, "")).guide(schema)


def test_without_the_package_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "outlines_core", None)
    with pytest.raises(CannotEnforce, match="outlines-core is not installed"):
        Schemas(Vocabulary({}, "")).guide({"type": "object", "properties": {"a": {"type": "string"}}})
