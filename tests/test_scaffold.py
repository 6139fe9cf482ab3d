"""`vlmhb init benchmark` writes something that works, explains every field, and overwrites nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from vlmhb.cards import load_registry
from vlmhb.cards.parse import parse_file
from vlmhb.config import read_run_config
from vlmhb.config.resolve import Roots, resolve
from vlmhb.contracts import BenchmarkCard
from vlmhb.errors import BadValue
from vlmhb.scaffold import write_benchmark
from vlmhb_benchmarks.loaders import load


@pytest.mark.parametrize(
    ("folder", "name"), [("invoices", "invoices"), ("My Счета!", "my_счета"), ("...", "my_benchmark")]
)
def test_every_name_in_it_resolves(tmp_path: Path, folder: str, name: str) -> None:
    place = tmp_path / folder / "x" if folder == "..." else tmp_path / folder
    written = write_benchmark(place)
    name = "x" if folder == "..." else name
    assert len(written) == len(set(written)) == 6
    (card_file,) = (path for path in written if path.suffix == ".yaml")
    assert card_file == place / f"cards/{name}.yaml"
    config = read_run_config(place / "run.csv")
    assert config.config is not None and not config.errors
    resolved = resolve(
        config.config,
        registry=load_registry(user_dirs=(place / "cards",)),
        roots=Roots.around(place / "run.csv"),
        workspace=tmp_path,
    )
    assert resolved.errors == ()
    (evaluation,) = resolved.evaluations
    assert (evaluation.benchmark.name, evaluation.dataset_path) == (name, place / "data")
    samples = list(load("jsonl", place / "data", evaluation.benchmark.params))
    assert [sample.problem for sample in samples] == [None, None]


def test_the_card_explains_every_field(tmp_path: Path) -> None:
    write_benchmark(tmp_path / "b")
    text = (tmp_path / "b/cards/b.yaml").read_text(encoding="utf-8")
    for field in set(BenchmarkCard.model_fields) - {"origin"}:
        assert re.search(rf"^(# )?{field}: ", text, re.MULTILINE), field


def test_its_commented_fields_are_valid_when_they_are_set(tmp_path: Path) -> None:
    write_benchmark(tmp_path / "b")
    path = tmp_path / "b/cards/b.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"^# (\w+: )", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    parsed = parse_file(path, kind="benchmark")
    assert parsed.errors == ()
    assert isinstance(parsed.cards[0], BenchmarkCard) and parsed.cards[0].hub is not None


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "file").touch()
    for name in ("full", "file"):
        with pytest.raises(BadValue, match="there is something already"):
            write_benchmark(tmp_path / name)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    assert write_benchmark(tmp_path / "empty")
