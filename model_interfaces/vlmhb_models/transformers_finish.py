"""The last step from decoded text to the answer, for models whose raw text is not it: Donut, Nougat, Florence-2."""

from __future__ import annotations

import json
import re
from typing import Any

from vlmhb_models.transformers_load import Loaded
from vlmhb_models.transformers_prompt import Asked

TASK = re.compile(r"^<s_[^>]*>")  # the first tag names the task
OPENED = re.compile(r"<s_([^>]*)>$")


class Finisher:
    """`output` as in the settings; `raw`: special tokens carry the structure and have to stay in the text."""

    def __init__(self, loaded: Loaded, *, output: str) -> None:
        self._loaded, self._output = loaded, output
        self.raw = output in ("donut", "florence2")
        self.whole_only = output != "text"  # nothing of the text is certain before its end

    def finish(self, text: str, *, asked: Asked) -> str:
        if self._output == "donut":
            return self._donut(text, begun=TASK.sub("", asked.text, count=1))
        if self._output == "nougat":
            return str(self._loaded.processor.post_process_generation(text, fix_markdown=False))
        if self._output == "florence2":
            return self._florence2(text, asked=asked)
        return text

    def _donut(self, text: str, *, begun: str) -> str:
        """Tags to JSON. Where the prompt has opened a tag, as `<s_answer>`, only what it holds."""
        text = begun + self._without_ends(text)
        opened = OPENED.search(begun)
        if opened is None:
            return _json(self._loaded.processor.token2json(text))
        if f"</s_{opened[1]}>" not in text:
            text += f"</s_{opened[1]}>"  # cut off by the limit
        value = self._loaded.processor.token2json(text).get(opened[1]) or ""
        return value if isinstance(value, str) else _json(value)

    def _florence2(self, text: str, *, asked: Asked) -> str:
        """For a task such as `<OCR>` its text, for one with places JSON; any other question: the plain text."""
        task = asked.text if asked.text.startswith("<") else ""
        kinds = self._loaded.processor.tasks_answer_post_processing_type
        if task not in kinds:
            return self._without_ends(text)
        size = asked.images[0].size
        found: Any = self._loaded.processor.post_process_generation(text, task=task, image_size=size)[task]
        return found if isinstance(found, str) else _json(found)

    def _without_ends(self, text: str) -> str:
        tokenizer = self._loaded.tokenizer
        for token in (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token):
            text = text.replace(token, "") if token else text
        return text.strip()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
