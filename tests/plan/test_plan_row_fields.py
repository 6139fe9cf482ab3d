"""Every field of a row is what its mark says: a semantic one changes an identity, a runtime one changes none.

Through the real resolver and the real hashes; only images are made up, since none is built here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from vlmhb.cards import load_registry
from vlmhb.config.resolve import Roots, resolve
from vlmhb.contracts import EvaluationRow, Place, ResolvedEvaluation, RunConfig
from vlmhb.engines.base import ImageSpec
from vlmhb.engines.container import ContainerEngine
from vlmhb.facts import FactFinder
from vlmhb.kit import Kit
from vlmhb.plan.fingerprint import evaluate_identity, fingerprint, infer_identity, prepare_identity
from vlmhb.plan.model import Facts
from vlmhb.store.workspace import Workspace

MODELS = """\
name: m
framework: One
interface: python
class_path: a:B
image: img:1
tasks: [ocr, vqa]
---
name: m
framework: Two
interface: python
class_path: c:D
image: img:1
tasks: [ocr, vqa]
---
name: n
framework: One
interface: python
class_path: a:B
image: img:1
tasks: [ocr, vqa]
---
name: api
framework: One
interface: openai
base_url: http://one/v1
tasks: [ocr, vqa]
"""
ANNOTATION = (
    "image_path;question;answer;doc_class;question_type\n"
    "1.jpg;Q;{answer};passport;Name\n"
    "2.jpg;Q;{answer};invoice;Total\n"
)
COLLECTION = "prompt;doc_class_question_type\nWho?;passport Name\nHow much?;invoice Total\n"
FILES = {
    "cards/models/m.yaml": MODELS,
    "Datasets/VQA/d/annotation.csv": ANNOTATION.format(answer="A"),
    "Datasets/OCR/d/annotation.csv": ANNOTATION.format(answer="B"),
    "Datasets/VQA/other/annotation.csv": ANNOTATION.format(answer="C"),
    "moved/annotation.csv": ANNOTATION.format(answer="A"),
    "collection.csv": COLLECTION,
    "system.txt": "Be exact.",
    "one.csv": "id;model_answer\n0;A\n",
    "two.csv": "id;model_answer\n0;B\n",
    "weights.bin": "weights",
    "prompts.yaml": "default: {user: '{{ question }} Be brief.'}\n",
    "examples.jsonl": '{"question": "Q1", "answer": "A1"}\n{"question": "Q2", "answer": "A2"}\n',
    "schema.json": '{"type": "object"}',
}
BASE: dict[str, Any] = {
    "place": Place(file="c.csv", row=2),
    "dataset": "d",
    "task": "VQA",
    "framework": "One",
    "model_name": "m",
    "metrics": ("cer",),
}


@dataclass(frozen=True)
class Change:
    """From one value of a field to another; `with_` are other fields that make it possible."""

    to: Any
    start: Any = None
    with_: dict[str, Any] = field(default_factory=dict)


CHANGES = {
    "place": Change(Place(file="other.csv", row=9)),
    "dataset": Change("other"),
    "task": Change("OCR"),
    "framework": Change("Two"),
    "model_name": Change("n"),
    "system_prompt": Change("system.txt"),
    "prompt_collection": Change("collection.csv"),
    "metrics": Change(("cer", "wer")),
    "only_evaluate_metrics": Change(True, with_={"answers_file": "one.csv"}),
    "metrics_aggregators": Change(("by_id",)),
    "filter_doc_class": Change("passport"),
    "filter_question_type": Change("Name"),
    "dataset_path": Change("moved"),
    "limit": Change(1),
    "seed": Change(7),
    "temperature": Change(0.5),
    "max_tokens": Change(7),
    "concurrency": Change(9),
    "batch_size": Change(9),
    "gpus": Change(("GPU-1",)),
    "replicas": Change(2),
    "base_url": Change("http://two/v1", with_={"model_name": "api"}),
    "api_key": Change("secret:OTHER", start="secret:ONE", with_={"model_name": "api"}),
    "docker_image": Change("img:2"),
    "model_params": Change('{"max_pixels": 100000}'),
    "weights": Change("weights.bin"),
    "answers_file": Change("two.csv", start="one.csv", with_={"only_evaluate_metrics": True}),
    "metrics_profile": Change("upstream-0.1", with_={"metrics": ("anls",)}),
    "error_policy": Change("stop"),
    "budget": Change("5"),
    "prompt": Change("Read it."),
    "prompt_config": Change("prompts.yaml"),
    "few_shot": Change("examples.jsonl"),
    "few_shot_n": Change(1, start=2, with_={"few_shot": "examples.jsonl"}),
    "chain_of_thought": Change("on"),
    "response_schema": Change("schema.json"),
    "fallbacks": Change(("api",)),
    "overflow": Change(("shrink_images",)),
    "max_image_side": Change(500),
    "mode": Change("benchmark"),
    "warmup": Change(3),
    "slo": Change("ttft=0.5"),
    "rate_limit": Change("60 requests"),
    "fresh": Change(True),
    "extraction": Change("answer_marker"),
    "tags": Change(("a", "b")),
}


class MadeUpImages(FactFinder):
    def image(self, name: str) -> ImageSpec:
        return ImageSpec(name=name, ref=name, identity=f"digest of {name}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def identities(root: Path, values: dict[str, Any]) -> dict[str, str]:
    registry = load_registry(user_dirs=[root / "cards"])
    workspace = Workspace.open(root / "workspace")
    config = RunConfig(path=root / "c.csv", rows=(EvaluationRow(**values),))
    resolved = resolve(
        config, registry=registry, roots=Roots(config_dir=root, cwd=root), workspace=workspace.root
    )
    assert [error.line() for error in resolved.errors] == []
    finder = MadeUpImages(
        workspace=workspace,
        engine=ContainerEngine(name="docker"),
        kit=Kit({"vlmhb_stages/paths.py": b""}),
        registry=registry,
        warn=lambda _: None,
    )
    (evaluation,) = resolved.evaluations
    return fingerprints(evaluation, finder.facts(evaluation))


def fingerprints(evaluation: ResolvedEvaluation, facts: Facts) -> dict[str, str]:
    evaluate = evaluate_identity(
        evaluation, facts, read={"inputs": "i", "labels": "l", "predictions": "p"}, backends={}
    )
    return {
        "prepare": fingerprint(prepare_identity(evaluation, facts)),
        "infer": fingerprint(infer_identity(evaluation, facts, inputs="i")),
        "evaluate": fingerprint(evaluate),
    }


def test_every_field_is_tried() -> None:
    assert set(CHANGES) == set(EvaluationRow.model_fields)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_field_does_what_its_mark_says(root: Path, name: str) -> None:
    change = CHANGES[name]
    before = {**BASE, **change.with_}
    if name == "only_evaluate_metrics":
        before.pop("answers_file")
    if change.start is not None:
        before[name] = change.start
    extra = EvaluationRow.model_fields[name].json_schema_extra
    assert isinstance(extra, dict)
    first, second = identities(root, before), identities(root, {**BASE, **change.with_, name: change.to})
    if extra["mark"] == "runtime":
        assert second == first
    else:
        assert second != first
