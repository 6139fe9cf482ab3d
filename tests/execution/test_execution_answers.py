"""What an inference is given of answers that are there already, and what it leaves to later ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scripted import QuietProgress, ScriptedEngine, make_session
from vlmhb.contracts import BenchmarkCard, EvaluationRow, Place, ResolvedEvaluation
from vlmhb.execution.answers import KnownAnswers
from vlmhb.execution.session import Session
from vlmhb.modelcard import ModelCard
from vlmhb.store.artifacts import Artifact
from vlmhb.store.hashing import sha256_json
from vlmhb.store.responses import ResponseCache
from vlmhb_stages.contracts import Counts, InferSummary, Prediction
from vlmhb_stages.specs import Decoding, RetryPolicy

IDENTITY: dict[str, object] = {"name": "m"}
EVALUATION = ResolvedEvaluation(
    id="b-m",
    row=EvaluationRow(place=Place(file="c.csv", row=2), dataset="b", model_name="m"),
    model=ModelCard(name="m", framework="F", interface="openai", tasks=("ocr",), network="egress"),
    benchmark=BenchmarkCard(name="b", task_type="ocr", loader="jsonl", metrics=("cer",)),
    dataset_path=Path("/data"),
    decoding=Decoding(),
    retry=RetryPolicy(),
    concurrency=1,
    metrics=("cer",),
    primary="cer",
    aggregators=(),
    profile="default",
    error_policy="continue",
)


def messages(session: Session) -> list[str]:
    assert isinstance(session.progress, QuietProgress)
    return [said for kind, *rest in session.progress.told if kind == "message" for said in rest]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    cache = ResponseCache(folder=tmp_path / "responses")
    return make_session(tmp_path, ScriptedEngine(), responses=cache)


def answered(session: Session, *, cached: int = 0) -> Artifact:
    """An inference that was interrupted after one answer."""
    artifact = session.workspace.artifact("infer", "f" * 64)
    artifact.out.mkdir(parents=True)
    record = Prediction(sample_id="a", request_hash="0" * 64, status="ok", text="x")
    (artifact.out / "predictions.jsonl").write_text(record.model_dump_json() + "\n" + '{"half')
    summary = InferSummary(counts=Counts(planned=9, ok=1, error=0), cached=cached)
    (artifact.out / "summary.json").write_text(summary.model_dump_json())
    return artifact


def known(session: Session, **changes: Any) -> KnownAnswers:
    evaluation = EVALUATION.model_copy(update=changes)
    return KnownAnswers(evaluation, identity=IDENTITY, fingerprint=None, session=session)


def cached_file(session: Session) -> Path:
    assert session.responses is not None
    return session.responses.file(sha256_json(IDENTITY))


def test_answers_of_one_inference_are_mounted_into_the_next(session: Session) -> None:
    first = known(session)
    assert (first.cache, first.mounts()) == (None, ())
    first.keep(answered(session))
    second = known(session)
    assert second.cache == "/vlmhb/in/cache"
    (mount,) = second.mounts()
    assert mount.source == cached_file(session) and not mount.writable
    assert mount.target == f"/vlmhb/in/cache/{mount.source.name}"
    record = json.loads(mount.source.read_text())
    assert (record["sample_id"], record["imported_from"]) == ("a", "cache:" + "f" * 64)


@pytest.mark.parametrize(
    ("changes", "takes", "gives"),
    [
        ({}, True, True),
        ({"row": EVALUATION.row.model_copy(update={"fresh": True})}, False, True),
        ({"mode": "benchmark"}, False, False),
        ({"decoding": Decoding(temperature=0.1)}, False, False),
        ({"answers_file": Path("/a.csv")}, False, False),
        ({"model": EVALUATION.model.model_copy(update={"interface": "replay"})}, False, False),
    ],
)
def test_who_takes_and_who_gives(session: Session, changes: dict[str, Any], takes: bool, gives: bool) -> None:
    artifact = answered(session)
    known(session, **changes).keep(artifact)
    assert cached_file(session).exists() == gives
    known(session).keep(artifact)
    assert (known(session, **changes).cache is not None) == takes


def test_answers_from_the_cache_are_told_in_words(session: Session) -> None:
    known(session).keep(answered(session, cached=3))
    assert messages(session) == ["b-m infer: 3 answers came from the response cache"]


def test_a_cache_that_cannot_be_written_fails_nothing(session: Session, tmp_path: Path) -> None:
    (tmp_path / "responses").write_text("a file where a folder should be")
    known(session).keep(answered(session))
    assert "is not kept" in messages(session)[0]


def test_without_a_cache_nothing_is_kept(tmp_path: Path) -> None:
    session = make_session(tmp_path, ScriptedEngine())
    answers = known(session)
    answers.keep(answered(session))
    assert answers.cache is None and not answers.mounts()
