"""Answers one batch of requests with `generate`, and tells each as it grows: text, counts, why it ended."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from typing import Any

from vlmhb_models.base import ContextOverflow, Emit, Generation, GenerationRequest, OutOfMemory, Part
from vlmhb_models.transformers_answer import Growing
from vlmhb_models.transformers_counts import Counts, count_tokens
from vlmhb_models.transformers_finish import Finisher
from vlmhb_models.transformers_load import Loaded
from vlmhb_models.transformers_prompt import Asked, Prompts
from vlmhb_models.transformers_schema import CannotEnforce, Guide, Schemas
from vlmhb_models.transformers_settings import Settings
from vlmhb_models.transformers_steps import Chooser, Row, Steering

# What a request decides itself; the rest of generation_config.json (repetition penalty ...) holds as it is.
ONE_BY_ONE = {
    "do_sample": False,
    "num_beams": 1,
    "temperature": None,
    "top_p": None,
    "top_k": None,
    "forced_eos_token_id": None,  # an end forced by the limit would be told as the model's own
}
FACTS = (
    "repetition_penalty",
    "no_repeat_ngram_size",
    "length_penalty",
    "num_beams",
    "temperature",
    "top_p",
    "top_k",
)


class Batches:
    """Everything that all batches of one model share."""

    def __init__(self, loaded: Loaded, *, settings: Settings, prompts: Prompts) -> None:
        self.loaded, self.settings = loaded, settings
        self.context = settings.context or loaded.context()
        self.finisher = Finisher(loaded, output=settings.output)
        self._prompts = prompts
        self._schemas = Schemas(loaded.tokenizer)
        self._ends = _end_ids(loaded)

    def generation_facts(self) -> dict[str, Any]:
        """What of `generation_config.json` is not neutral, the settings over it, and what is decoded differently."""
        own = self.loaded.model.generation_config.to_diff_dict()
        facts = {name: own[name] for name in FACTS if own.get(name) is not None}
        return {**facts, **self.settings.generation, "decoding": "greedy, or sampled as the request says"}

    def answer(self, group: Mapping[int, Asked], *, emit: Emit) -> None:
        """`group`: requests of one kind by their index. Raises `OutOfMemory` and what the model raises."""
        inputs = self._prompts.inputs(list(group.values()))
        counts = dict(zip(group, count_tokens(inputs, loaded=self.loaded, rows=len(group)), strict=True))
        fits = {index: asked for index, asked in group.items() if self._fits(counts[index])}
        for index in group.keys() - fits.keys():
            told = (
                f"the prompt has {counts[index].prompt} tokens, the model's context length is {self.context}"
            )
            emit(index, ContextOverflow(told))
        if len(fits) == len(group):
            self._generate(group, inputs=inputs, counts=counts, emit=emit)
        elif fits:
            self.answer(fits, emit=emit)

    def _fits(self, counts: Counts) -> bool:
        """There is room for one token of an answer at least."""
        return self.context is None or (counts.prompt <= self.context and counts.begun < self.context)

    def _generate(
        self, group: Mapping[int, Asked], *, inputs: dict[str, Any], counts: Mapping[int, Counts], emit: Emit
    ) -> None:
        import torch

        answers = [
            Answering(index, asked=asked, batches=self, counts=counts[index], emit=emit)
            for index, asked in group.items()
        ]
        steering = Steering([answer.row for answer in answers], on_step=lambda: _tell(answers))
        longest = max(answer.row.answer.limit for answer in answers)
        options = {**ONE_BY_ONE, **self.settings.generation, "max_new_tokens": longest, "max_length": None}
        failed = ""
        try:
            with torch.inference_mode():
                self.loaded.model.generate(
                    **inputs,
                    **options,
                    pad_token_id=self.loaded.tokenizer.pad_token_id,
                    logits_processor=[steering.choose],
                    stopping_criteria=[steering.stop],
                )
        except torch.OutOfMemoryError as error:
            failed = str(error)  # the exception itself would keep the tensors alive
        if failed:
            del inputs
            _free_memory()
            raise OutOfMemory(f"out of memory with a batch of {len(group)}: {failed}")
        _tell(answers)

    def row(self, request: GenerationRequest, *, begun: int) -> tuple[Row, tuple[str, ...]]:
        """The row of a request whose answer comes after `begun` tokens, and what about it is not as asked."""
        room = request.max_tokens if self.context is None else self.context - begun
        growing = Growing(
            decode=self._decode,
            ends=self._ends | self._end_tokens(request.stop),
            limit=min(request.max_tokens, room),
            stop=request.stop,
        )
        guide, adjusted = self._guide(request)
        return Row(answer=growing, chooser=Chooser(request), guide=guide), adjusted

    def _end_tokens(self, stop: Sequence[str]) -> frozenset[int]:
        """Stop strings that are tokens of their own: those may never show in the text."""
        own = self.loaded.tokenizer.get_added_vocab()
        return frozenset(own[word] for word in stop if word in own)

    def _guide(self, request: GenerationRequest) -> tuple[Guide | None, tuple[str, ...]]:
        if request.schema is None:
            return None, ()
        try:
            return self._schemas.guide(request.schema), ()
        except CannotEnforce as error:
            return None, (f"schema not enforced: {error}",)

    def _decode(self, tokens: Sequence[int]) -> str:
        skip = self.settings.skip_special_tokens and not self.finisher.raw
        text: str = self.loaded.tokenizer.decode(
            list(tokens), skip_special_tokens=skip, clean_up_tokenization_spaces=False
        )
        return text


class Answering:
    """One request of a batch that is being answered."""

    def __init__(self, index: int, *, asked: Asked, batches: Batches, counts: Counts, emit: Emit) -> None:
        self._index, self._asked, self._batches, self._emit = index, asked, batches, emit
        self._counts = counts
        self.row, adjusted = batches.row(asked.request, begun=counts.begun)
        self._adjusted = (*asked.adjusted, *adjusted)
        self._told = False

    def tell(self) -> None:
        """Passes on what is new."""
        answer = self.row.answer
        if self._told:
            return
        piece = "" if self._batches.finisher.whole_only else answer.take()
        if piece and not self._emit(self._index, Part(piece, output_tokens=answer.counted)):
            answer.cancel()
        if answer.finish_reason is not None:
            self._told = True
            self._emit(self._index, self._generation(answer))

    def _generation(self, answer: Growing) -> Generation:
        return Generation(
            text=self._batches.finisher.finish(answer.text, asked=self._asked),
            finish_reason=answer.finish_reason or "stop",
            input_tokens=self._counts.prompt,
            output_tokens=answer.counted,
            image_tokens=self._counts.image,
            extra={"adjusted": list(self._adjusted)} if self._adjusted else {},
        )


def _tell(answers: Sequence[Answering]) -> None:
    for answer in answers:
        answer.tell()


def _free_memory() -> None:
    """What a failed batch held goes back before a smaller one is tried."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _end_ids(loaded: Loaded) -> frozenset[int]:
    """All that the model or its tokenizer says an answer ends with."""
    ends = loaded.model.generation_config.eos_token_id
    found = [*(ends if isinstance(ends, list) else [ends]), loaded.tokenizer.eos_token_id]
    return frozenset(token for token in found if token is not None)
