"""The packaged benchmark cards, the committed demo documents and their generator agree."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import ImageFont
from vlmhb.contracts import BenchmarkCard
from vlmhb_benchmarks.loaders import ImageFile, RawSample, load

ROOT = Path(__file__).parents[2]
CARDS = ROOT / "benchmarks/vlmhb_benchmarks/cards"
USER_CONFIGS = ROOT / "user_configs"
DATA = USER_CONFIGS / "data/docs_mini"
OURS = ("docs_mini", "docs_mini_kie", "docs_mini_vqa")


def card(name: str) -> BenchmarkCard:
    return BenchmarkCard.model_validate(yaml.safe_load((CARDS / f"{name}.yaml").read_text(encoding="utf-8")))


def samples(name: str) -> list[RawSample]:
    used = card(name)
    assert used.path is not None
    return list(load(used.loader, USER_CONFIGS / used.path, used.params))


def page(sample: RawSample) -> str:
    (image,) = sample.images
    assert isinstance(image, ImageFile)
    return image.path


def transcripts() -> dict[str, str]:
    return {page(sample): sample.references[0] for sample in samples("docs_mini")}


@pytest.mark.parametrize("name", [*OURS, "sroie", "sroie_kie"])
def test_the_card_is_valid_and_names_itself(name: str) -> None:
    assert card(name).name == name
    assert card(name).primary in card(name).metrics


@pytest.mark.parametrize(("name", "count"), [("docs_mini", 24), ("docs_mini_kie", 24), ("docs_mini_vqa", 48)])
def test_every_sample_is_whole(name: str, count: int) -> None:
    found = samples(name)
    assert len({sample.sample_id for sample in found}) == len(found) == count
    for sample in found:
        assert sample.problem is None
        assert (DATA / page(sample)).is_file()
        assert set(card(name).slices) <= set(sample.metadata)
    assert {sample.metadata["language"] for sample in found} == {"en", "ru"}


def test_images_alone_in_their_folder_and_small_together() -> None:
    files = sorted(path.name for path in (DATA / "images").iterdir())
    assert files == sorted(Path(path).name for path in transcripts())
    assert sum(path.stat().st_size for path in DATA.rglob("*")) < 2_500_000


def test_every_field_stands_in_the_transcript() -> None:
    texts = transcripts()
    for sample in samples("docs_mini_kie"):
        fields = json.loads(sample.references[0])
        assert all(value in texts[page(sample)] for value in fields.values())
        assert all(f'"{name}"' in sample.question for name in fields)


def test_every_answer_stands_in_the_transcript_and_not_in_the_question() -> None:
    texts = transcripts()
    for sample in samples("docs_mini_vqa"):
        assert sample.references[0] in texts[page(sample)]
        assert sample.references[0] not in sample.question


def test_the_generator_makes_the_committed_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        for name in ("LiberationSans-Regular.ttf", "DejaVuSans.ttf", "PTS55F.ttf"):
            ImageFont.truetype(name, 10)
    except OSError:
        pytest.skip("needs fonts-dejavu-core, fonts-liberation and fonts-paratype")
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    monkeypatch.setattr(sys, "argv", ["make_docs_mini.py", "--out", str(tmp_path)])
    runpy.run_path(str(ROOT / "tools/make_docs_mini.py"), run_name="__main__")
    for name in ("samples.jsonl", "kie.jsonl", "vqa.jsonl"):
        assert lines(tmp_path / name) == lines(DATA / name)
    assert len(list((tmp_path / "images").iterdir())) == 24


def lines(path: Path) -> list[Any]:
    """Where a line of a letter breaks depends on the font's version, so white space is not compared."""
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [{key: re.sub(r"\s+", " ", value) for key, value in row.items()} for row in rows]
