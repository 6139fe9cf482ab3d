"""Makes the tiny VLM of the tests: its documents, and its weights in two states of training.

Usage: python tools/make_tiny_vlm.py documents [--out FOLDER] [--seed N]
       python tools/make_tiny_vlm.py train [--out FOLDER] [--seed N]

`documents` needs Pillow, NumPy and the Debian packages fonts-dejavu-core, fonts-liberation, fonts-paratype;
`train` the packages of images/transformers as well, and about 20 minutes of one CPU core.
What comes out is a test fixture that reads nothing but these receipts. It is no benchmark result.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from tiny_vlm.receipts import FIELDS, question, receipts

DATA = Path(__file__).parents[1] / "user_configs" / "data" / "tiny_receipts"
MODELS = Path(__file__).parents[1] / "user_configs" / "models" / "tiny_vlm"
TEST_DOCUMENTS = 20
UNSEEN = 200  # receipts that a checkpoint is measured on
CHECKPOINTS = {"weak": 1000, "strong": 3500}  # steps


def make_documents(out: Path, *, seed: int) -> None:
    """Images and `samples.jsonl`: one line per question."""
    shutil.rmtree(out / "images", ignore_errors=True)
    (out / "images").mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for number, document in enumerate(islice(receipts(Random(f"{seed} test set")), TEST_DOCUMENTS)):
        name = f"receipt_{number:02d}"
        document.image.save(out / "images" / f"{name}.png", optimize=True)
        rows.extend(
            {
                "id": f"{name}_{field}",
                "image": f"images/{name}.png",
                "question": question(field),
                "answer": document.fields[field],
                "question_type": field,
                "doc_class": "receipt",
            }
            for field in FIELDS
        )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (out / "samples.jsonl").write_text(lines, encoding="utf-8", newline="\n")


def make_models(out: Path, *, seed: int) -> None:
    """A folder per checkpoint, each usable with `from_pretrained`."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from tiny_vlm.checkpoints import save
    from tiny_vlm.training import train, watch

    torch.set_num_threads(1)  # more gain nothing at this size, and would not add up in the same order
    names = {step: name for name, step in CHECKPOINTS.items()}
    for item in watch(train(seed=seed), every=50, tell=lambda line: print(line, flush=True)):
        if item.step in names:
            facts = save(item, out / names[item.step], documents=UNSEEN, seed=seed)
            print(names[item.step], json.dumps(facts), flush=True)
    write_sums(out)


def write_sums(out: Path) -> None:
    """`SHA256SUMS` of all files of the checkpoints."""
    files = sorted(path for name in CHECKPOINTS for path in (out / name).iterdir())
    sums = [
        f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out).as_posix()}\n" for path in files
    ]
    (out / "SHA256SUMS").write_text("".join(sums), encoding="utf-8", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("documents", "train"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.what == "documents":
        make_documents(arguments.out or DATA, seed=arguments.seed)
    else:
        make_models(arguments.out or MODELS, seed=arguments.seed)


if __name__ == "__main__":
    main()
