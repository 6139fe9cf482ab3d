"""Makes user_configs/data/docs_mini: 24 invented documents with their exact text, fields and questions.

Usage: python tools/make_docs_mini.py [--out FOLDER] [--seed N]

Needs Pillow and the Debian packages fonts-dejavu-core, fonts-liberation, fonts-paratype. The same seed,
fonts and Pillow give the same pages; the committed files are what counts.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from docs_mini.damage import damage
from docs_mini.documents import MAKERS, Document
from docs_mini.questions import ANSWER_ONLY, QUESTIONS, field_request
from docs_mini.words import Language

OUT = Path(__file__).parents[1] / "user_configs" / "data" / "docs_mini"
LANGUAGES: tuple[Language, ...] = ("en", "ru")
COPIES = 3  # of each kind and language; the last one is degraded
JPEG_QUALITY = 50


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One document and where it is."""

    id: str
    image: str
    doc_class: str
    language: Language
    quality: str
    document: Document

    @property
    def metadata(self) -> dict[str, str]:
        return {"doc_class": self.doc_class, "language": self.language, "quality": self.quality}


def make(out: Path, *, seed: int) -> Iterator[Entry]:
    """Draws and saves the pages one by one."""
    for language in LANGUAGES:
        for doc_class, maker in MAKERS.items():
            for copy in range(1, COPIES + 1):
                name = f"{language}_{doc_class}_{copy}"
                rng = Random(f"{seed} {name}")
                document = maker(rng, language)
                degraded = copy == COPIES
                image = f"images/{name}.{'jpg' if degraded else 'png'}"
                save(document, out / image, degraded=degraded, rng=rng)
                yield Entry(
                    id=name,
                    image=image,
                    doc_class=doc_class,
                    language=language,
                    quality="degraded" if degraded else "clean",
                    document=document,
                )


def save(document: Document, path: Path, *, degraded: bool, rng: Random) -> None:
    if degraded:
        damage(document.page.image, rng=rng).save(path, quality=JPEG_QUALITY)
    else:
        document.page.image.save(path, optimize=True)


def text_row(entry: Entry) -> dict[str, Any]:
    return {"id": entry.id, "image": entry.image, "answer": entry.document.page.text, **entry.metadata}


def field_row(entry: Entry) -> dict[str, Any]:
    fields = entry.document.fields
    return {
        "id": entry.id,
        "image": entry.image,
        "question": field_request(fields, entry.language),
        "answer": json.dumps(fields, ensure_ascii=False),
        **entry.metadata,
    }


def question_rows(entry: Entry) -> Iterator[dict[str, Any]]:
    for name, wording in QUESTIONS[entry.doc_class].items():
        yield {
            "id": f"{entry.id}_{name}",
            "image": entry.image,
            "question": f"{wording[entry.language]} {ANSWER_ONLY[entry.language]}",
            "answer": entry.document.fields[name],
            "question_type": name,
            **entry.metadata,
        }


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    out: Path = arguments.out
    shutil.rmtree(out / "images", ignore_errors=True)
    (out / "images").mkdir(parents=True)
    entries = list(make(out, seed=arguments.seed))
    write(out / "samples.jsonl", [text_row(entry) for entry in entries])
    write(out / "kie.jsonl", [field_row(entry) for entry in entries])
    write(out / "vqa.jsonl", [row for entry in entries for row in question_rows(entry)])


if __name__ == "__main__":
    main()
