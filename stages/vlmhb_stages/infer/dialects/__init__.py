"""The chat protocols that the driver speaks, each as pure functions around the one client."""

from __future__ import annotations

from vlmhb_stages.infer.dialects.anthropic import Anthropic
from vlmhb_stages.infer.dialects.base import Dialect
from vlmhb_stages.infer.dialects.gemini import Gemini
from vlmhb_stages.infer.dialects.openai import OpenAI
from vlmhb_stages.specs import Dialect as Name

DIALECTS: dict[Name, Dialect] = {"openai": OpenAI(), "anthropic": Anthropic(), "gemini": Gemini()}

__all__ = ["DIALECTS", "Dialect"]
