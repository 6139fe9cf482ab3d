"""The plan's own data: facts gathered beforehand, and stages with their decisions."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from vlmhb.engines.base import ImageSpec
from vlmhb.modelcard import Frozen
from vlmhb.store.hashing import TreeHash
from vlmhb.store.manifest import Manifest

Stage = Literal["prepare", "infer", "score", "evaluate", "report", "import"]
Decision = Literal["reuse", "resume", "run", "skip"]


class Facts(Frozen):
    """What the planner must know of the world for one evaluation; gathered by `facts.py`."""

    stages_image: ImageSpec
    model_image: ImageSpec | None = None
    stage_code: dict[str, str]  # stage -> sha256 of its modules
    interface_code: str
    kit_sha256: str
    dataset: TreeHash
    weights_sha256: str | None = None
    package_sha256: str | None = None  # a user's own model class
    system_sha256: str | None = None  # data that a venv takes from the machine (Tesseract's languages)
    answers_sha256: str | None = None
    few_shot_sha256: str | None = None  # the examples and their images
    metric_versions: dict[str, str] = {}  # of built-in metrics; the content's sha256 of the user's own
    backend_images: dict[str, ImageSpec] = {}  # of metric backends, by the image's name


class PlannedStage(Frozen):
    """`fingerprint` and `identity` are None while an earlier stage has yet to produce what they depend on."""

    stage: Stage
    part: str = ""  # which of several: the metric backend of a `score` stage
    subject: str
    decision: Decision
    reason: str
    fingerprint: str | None = None
    identity: dict[str, Any] | None = None
    reopens: int | None = (
        None  # the attempt that was sealed with failed samples; a later one is taken as it is
    )

    @property
    def name(self) -> str:
        """Of the link in the run's folder and of the stage's row in a plan: `score-<backend>`."""
        return f"{self.stage}-{self.part}" if self.part else self.stage


class PlannedEvaluation(Frozen):
    id: str
    stages: tuple[PlannedStage, ...]


class StoreView(Protocol):
    """Read-only look at the store."""

    def sealed(self, stage: str, fingerprint: str) -> Manifest | None:
        """The manifest of a sealed and verified artifact. Raises `ArtifactEdited`."""

    def started(self, stage: str, fingerprint: str) -> bool:
        """Whether an unsealed attempt is there to resume."""

    def maker(self, stage: str, fingerprint: str) -> str | None:
        """Who is making it right now; None when nobody is."""

    def identities(self, stage: str, subject: str) -> list[dict[str, Any]]:
        """Identities of earlier artifacts of the same subject, newest first, for reasons."""

    def sources(self, subject: str) -> dict[str, str] | None:
        """Hashes by file of the dataset that the newest `prepare` artifact of `subject` was made from."""

    def failed_samples(self, fingerprint: str) -> dict[str, int]:
        """Retryable error kinds and their counts in a sealed infer artifact."""
