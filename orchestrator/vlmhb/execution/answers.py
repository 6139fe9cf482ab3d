"""What an inference takes from other artifacts and the response cache, and what it gives to the cache afterwards."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from vlmhb_stages.contracts import InferSummary

from vlmhb.contracts import ResolvedEvaluation
from vlmhb.engines.base import Mount
from vlmhb.execution.session import Session
from vlmhb.plan.specs import CACHE, PREVIOUS
from vlmhb.store.artifacts import Artifact
from vlmhb.store.files import read_json
from vlmhb.store.hashing import sha256_json

MAX_PREVIOUS = 20


class KnownAnswers:
    """Of one evaluation, by the identity of its model."""

    def __init__(
        self,
        evaluation: ResolvedEvaluation,
        *,
        identity: dict[str, object],
        fingerprint: str | None,
        session: Session,
    ) -> None:
        self._session = session
        self._identity = sha256_json(identity)
        self._cache = session.responses if may_share(evaluation) else None
        self._evaluation_id = evaluation.id
        self.previous: tuple[str, ...] = ()
        self._cached: Path | None = None
        if takes_nothing(evaluation):
            return
        others = (name for name in session.view.same_model(identity) if name != fingerprint)
        self.previous = tuple(islice(others, MAX_PREVIOUS))
        self._cached = self._cache.use(self._identity) if self._cache is not None else None

    @property
    def cache(self) -> str | None:
        """For the spec."""
        return str(CACHE) if self._cached is not None else None

    def mounts(self) -> tuple[Mount, ...]:
        found = [
            Mount(source=self._session.workspace.artifact("infer", name).out, target=str(PREVIOUS / name))
            for name in self.previous
        ]
        if self._cached is not None:
            found.append(Mount(source=self._cached, target=str(CACHE / self._cached.name)))
        return tuple(found)

    def keep(self, artifact: Artifact) -> None:
        """Once its containers have ended, in whatever way: what was answered is not lost with the artifact."""
        tell = self._session.progress.message
        summary = read_json(artifact.out / "summary.json")
        cached = InferSummary.model_validate(summary).cached if summary else 0
        if cached:
            answers = "answer" if cached == 1 else "answers"
            tell(f"{self._evaluation_id} infer: {cached} {answers} came from the response cache")
        if self._cache is None:
            return
        try:
            self._cache.add(
                artifact.out / "predictions.jsonl",
                fingerprint=artifact.fingerprint,
                model_identity=self._identity,
            )
        except OSError as error:  # a cache that cannot be written costs time later, not this run
            tell(
                f"{self._evaluation_id} infer: the response cache {self._cache.folder} is not kept: {error.strerror}"
            )


def may_share(evaluation: ResolvedEvaluation) -> bool:
    """Whether the same request would get the same answer every time, and from a model at all."""
    recorded = evaluation.answers_file is not None or evaluation.model.interface == "replay"
    return not recorded and evaluation.decoding.temperature == 0.0 and evaluation.mode != "benchmark"


def takes_nothing(evaluation: ResolvedEvaluation) -> bool:
    """Every answer is to be asked for: the user says so, or timings are what is measured."""
    return evaluation.row.fresh or evaluation.mode == "benchmark"
