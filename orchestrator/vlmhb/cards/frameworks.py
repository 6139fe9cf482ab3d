"""One spelling for each framework, however a file writes it."""

from __future__ import annotations

import re

_SPELLINGS = {
    "huggingface": "Hugging Face",
    "hf": "Hugging Face",
    "transformers": "Hugging Face",
    "vllm": "vLLM",
    "sglang": "SGLang",
}


def framework_key(text: str) -> str:
    """Equal for all spellings of one framework: `Hugging_Face`, `HuggingFace `, `hf`."""
    key = re.sub(r"[\s_-]+", "", text).casefold()
    return re.sub(r"[\s_-]+", "", _SPELLINGS.get(key, key)).casefold()


def canonical_framework(text: str) -> str:
    """The spelling used in cards and reports; an unknown framework keeps its own, trimmed."""
    return _SPELLINGS.get(framework_key(text), text.strip())


def same_framework(one: str, other: str) -> bool:
    return framework_key(one) == framework_key(other)
