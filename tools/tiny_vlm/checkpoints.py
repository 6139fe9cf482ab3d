"""Writes one state of training as a folder for `from_pretrained`, with what is known about it."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from tiny_vlm.architecture import make_model, make_processor
from tiny_vlm.checking import share_right
from tiny_vlm.training import Progress

PACKAGES = ("torch", "transformers", "tokenizers", "pillow")


def save(progress: Progress, folder: Path, *, documents: int, seed: int) -> dict[str, Any]:
    """Half-precision weights, configuration, processor and `training.json`; gives the last one's content."""
    folder.mkdir(parents=True, exist_ok=True)
    half = _rounded_copy(progress.model)
    facts = {
        "note": "A test fixture: it reads only the receipts of tools/make_tiny_vlm.py.",
        "seed": seed,
        "steps": progress.step,
        "parameters": sum(weights.numel() for weights in half.parameters()),
        "right_on_unseen_receipts": share_right(half, documents=documents, seed=seed),
        "unseen_receipts": documents,
        "packages": {name: version(name) for name in PACKAGES},
    }
    half.half().save_pretrained(folder)
    make_processor().save_pretrained(folder)
    (folder / "training.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)  # the library keeps weights to their owner; a container runs as another user
    return facts


def _rounded_copy(model: Any) -> Any:
    """The same model with its weights as half precision will keep them; the state of chance stays as it is."""
    with torch.random.fork_rng():
        half = make_model()
    half.load_state_dict(model.state_dict())
    return half.half().float()
