"""Turns receipts into training batches: pixels, tokens, what to answer, and what each image token shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from random import Random

import numpy
import torch

from tiny_vlm.architecture import IMAGE_TOKENS
from tiny_vlm.receipts import FIELDS, SIDE, Receipt, printed, question
from tiny_vlm.vocabulary import AROUND_IMAGE, EOS_ID, GLOBAL_IMAGE, IMAGE, PAD_ID, make_tokenizer

IMAGE_TEXT = AROUND_IMAGE + GLOBAL_IMAGE + IMAGE * IMAGE_TOKENS + AROUND_IMAGE  # as the processor expands it
IGNORED = -100  # label of a token that costs nothing
CHARACTERS_PER_LINE = 2 * IMAGE_TOKENS // len(FIELDS)
SHIFT = 2  # pixels that a picture is moved at most, either way, each time it is used


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Tensors of `size` receipts; `seen` are the two characters under each image token, in order."""

    pixels: torch.Tensor  # size, 1, 3, SIDE, SIDE
    ids: torch.Tensor  # size, length
    mask: torch.Tensor
    labels: torch.Tensor
    seen: torch.Tensor  # size * IMAGE_TOKENS * 2


class Pool:
    """Receipts drawn once and used many times; of the pictures only the pixels are kept."""

    def __init__(self, documents: Iterable[Receipt], *, count: int) -> None:
        self._pixels = numpy.empty((count, SIDE, SIDE), numpy.uint8)
        self._fields: list[dict[str, str]] = []
        for number, document in enumerate(islice(documents, count)):
            self._pixels[number] = numpy.asarray(document.image)
            self._fields.append(document.fields)
        self._tokenizer = make_tokenizer()

    def batch(self, *, size: int, rng: Random) -> Batch:
        """`size` receipts with one question each."""
        chosen = [rng.randrange(len(self._fields)) for _ in range(size)]
        documents = [self._fields[index] for index in chosen]
        texts = [self._sequence(fields, asked=rng.choice(FIELDS)) for fields in documents]
        length = max(len(text.ids) for text in texts)
        shift = (rng.randint(-SHIFT, SHIFT), rng.randint(-SHIFT, SHIFT))
        return Batch(
            pixels=to_pixels(numpy.roll(self._pixels[chosen], shift, (1, 2))),
            ids=torch.tensor([_padded(text.ids, length, PAD_ID) for text in texts]),
            mask=torch.tensor([_padded([1] * len(text.ids), length, 0) for text in texts]),
            labels=torch.tensor([_padded(text.labels, length, IGNORED) for text in texts]),
            seen=torch.tensor([token for fields in documents for token in self._seen(fields)]),
        )

    def _sequence(self, fields: dict[str, str], *, asked: str) -> _Sequence:
        question = self._encode(prompt(asked))
        answer = [*self._encode(fields[asked]), EOS_ID]
        return _Sequence(ids=[*question, *answer], labels=[*([IGNORED] * len(question)), *answer])

    def _seen(self, fields: dict[str, str]) -> list[int]:
        width = CHARACTERS_PER_LINE
        return self._encode("".join(printed(field, fields[field]).ljust(width)[:width] for field in FIELDS))

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False).input_ids
        return ids


@dataclass(frozen=True, kw_only=True)
class _Sequence:
    ids: list[int]
    labels: list[int]


def prompt(field: str) -> str:
    """What the chat template and the processor make of one image and one question."""
    return f"<|im_start|>Q:{IMAGE_TEXT}{question(field)}<end_of_utterance>A:"


def to_pixels(grey: numpy.ndarray) -> torch.Tensor:
    """`(n, SIDE, SIDE)` bytes as the processor would scale them: -1 to 1, three equal channels."""
    scaled = torch.from_numpy(grey.astype(numpy.float32)).div(127.5).sub(1)
    return scaled[:, None, None].expand(-1, 1, 3, SIDE, SIDE).contiguous()


def _padded(values: list[int], length: int, filler: int) -> list[int]:
    return values + [filler] * (length - len(values))
