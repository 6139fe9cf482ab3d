"""Keys of a prompt config that apply to no sample of the dataset: most likely they are misspelt."""

from __future__ import annotations

from vlmhb_benchmarks.loaders import RawSample

from vlmhb_stages.prepare.prompts import prompt_key
from vlmhb_stages.specs import READ_BEFORE, PrepareSpec, PromptConfig

_LISTED = 8


class UnmetKinds:
    """Sees every sample, also those behind a filter. Silent where the host has read the samples itself."""

    def __init__(self, spec: PrepareSpec) -> None:
        is_told = spec.archive is None and spec.loader in READ_BEFORE
        config = (None if is_told else spec.prompt_config) or PromptConfig()
        self._unmet = {
            "doc_class": dict.fromkeys(config.classes),
            "question": dict.fromkeys(config.questions),
        }
        self._values: dict[str, dict[str, None]] = {kind: {} for kind in self._unmet}

    def add(self, sample: RawSample) -> None:
        if sample.problem is not None:
            return
        doc_class, question = (sample.metadata.get(key, "") for key in ("doc_class", "question_type"))
        for kind, names in (("doc_class", (doc_class,)), ("question", (question, prompt_key(sample)))):
            for name in names:
                self._unmet[kind].pop(name, None)
                if name.strip() and len(self._values[kind]) <= _LISTED:
                    self._values[kind].setdefault(name)

    def warnings(self) -> list[str]:
        """One for each mapping with such keys, naming them and the first values that there are."""
        return [
            f"no sample has the {kind} {_listed(unmet)} of the prompt config; the dataset has: "
            f"{_listed(self._values[kind]) or 'none'}"
            for kind, unmet in self._unmet.items()
            if unmet
        ]


def _listed(values: dict[str, None]) -> str:
    more = " ..." if len(values) > _LISTED else ""
    return ", ".join(f"'{value}'" for value in [*values][:_LISTED]) + more
