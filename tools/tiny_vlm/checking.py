"""Asks a checkpoint about receipts that it has not seen."""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import Any

import numpy
import torch

from tiny_vlm.batches import prompt, to_pixels
from tiny_vlm.receipts import FIELDS, Receipt, receipts
from tiny_vlm.vocabulary import EOS_ID, PAD_ID, make_tokenizer

LONGEST_ANSWER = 10  # tokens


def share_right(model: Any, *, documents: int, seed: int) -> dict[str, float]:
    """Share of exactly right answers by field, decoded greedily."""
    unseen = list(islice(receipts(Random(f"{seed} unseen")), documents))
    model.eval()
    with torch.no_grad():
        right = {field: _right(model, unseen, field=field) / documents for field in FIELDS}
    model.train()
    return right


def _right(model: Any, documents: list[Receipt], *, field: str) -> int:
    tokenizer = make_tokenizer()
    asked = tokenizer(prompt(field), add_special_tokens=False).input_ids
    ids = torch.tensor([asked] * len(documents))
    generated = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values=to_pixels(numpy.stack([numpy.asarray(document.image) for document in documents])),
        max_new_tokens=LONGEST_ANSWER,
        do_sample=False,
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
    )
    answers = tokenizer.batch_decode(generated[:, len(asked) :], skip_special_tokens=True)
    return sum(answer == document.fields[field] for answer, document in zip(answers, documents, strict=True))
