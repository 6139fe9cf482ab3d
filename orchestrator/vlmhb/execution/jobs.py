"""From a resolved evaluation and sealed artifacts to the containers of its stages: specs, mounts, networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from vlmhb_stages.specs import Host, ReplayBackend, Target

from vlmhb.contracts import ResolvedEvaluation
from vlmhb.dataset_files import dataset_mount
from vlmhb.engines.base import Mount, Network
from vlmhb.execution.answers import KnownAnswers
from vlmhb.execution.paying import Paying
from vlmhb.execution.session import Session
from vlmhb.execution.stages import Companion, StageJob
from vlmhb.plan.fallbacks import fallback_targets, secret_references
from vlmhb.plan.fingerprint import annotation_name, model_identity
from vlmhb.plan.metrics import BackendPlan, metric_mounts, own_metrics
from vlmhb.plan.model import Facts
from vlmhb.plan.specs import (
    FEW_SHOT,
    answers_target,
    backend_of,
    evaluate_spec,
    infer_spec,
    legacy_stem,
    prepare_spec,
    score_spec,
)
from vlmhb.store.artifacts import Artifact
from vlmhb.store.files import read_json
from vlmhb.store.hashing import sha256_json
from vlmhb.store.manifest import Manifest

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class Chain:
    """One evaluation on its way: what is known of it, and the artifacts made so far."""

    evaluation: ResolvedEvaluation
    facts: Facts

    @property
    def url(self) -> str | None:
        """Where the model is, if it is neither ours nor a file of answers."""
        ours = self.facts.model_image is not None or self.evaluation.answers_file is not None
        return None if ours else self.evaluation.base_url

    @property
    def fallbacks(self) -> tuple[Target, ...]:
        """Where else it is asked."""
        return fallback_targets(self.evaluation)

    @property
    def secrets(self) -> dict[str, str]:
        """`secret:NAME` of each file that the driver is given."""
        return secret_references(self.evaluation)


def prepare_job(chain: Chain) -> StageJob:
    mounted = dataset_mount(chain.evaluation)
    target = "/vlmhb/in/dataset"
    if mounted.is_file():
        target = f"{target}/{mounted.name}"
    return StageJob(
        spec=prepare_spec(chain.evaluation),
        image=chain.facts.stages_image,
        mounts=(Mount(source=mounted, target=target), *_example_mounts(chain.evaluation)),
        extra={"dataset_sha256": chain.facts.dataset.sha256},
        sources=chain.facts.dataset.files,
    )


def _example_mounts(evaluation: ResolvedEvaluation) -> tuple[Mount, ...]:
    """Worked examples, with the images beside them."""
    path = evaluation.few_shot
    return (Mount(source=path.parent, target=FEW_SHOT),) if path is not None else ()


def infer_job(
    chain: Chain,
    *,
    fingerprint: str | None,
    session: Session,
    prepared: Manifest,
    server: Companion | None,
    secrets: Path | None,
) -> StageJob:
    """`server` lives beside the driver where the model is ours; `secrets` is the folder with the API keys."""
    evaluation = chain.evaluation
    identity = model_identity(evaluation, chain.facts)
    known = KnownAnswers(evaluation, identity=identity, fingerprint=fingerprint, session=session)
    inputs = session.workspace.artifact("prepare", prepared.fingerprint)
    spec = infer_spec(
        evaluation,
        model_identity=sha256_json(identity),
        previous=known.previous,
        backend=backend_of(evaluation, base_url=chain.url),
        fallbacks=chain.fallbacks,
        budgeted=isinstance(server, Paying) and server.limited,
        cache=known.cache,
    )
    if not isinstance(spec.backend, ReplayBackend):  # which asks nobody
        spec = spec.model_copy(update={"host": Host()})
    mounts = [
        Mount(source=inputs.out / "inputs", target="/vlmhb/in/inputs"),
        *media_mounts(evaluation, inputs),
        *known.mounts(),
    ]
    if evaluation.answers_file is not None and (target := answers_target(evaluation)):
        mounts.append(Mount(source=evaluation.answers_file, target=target))
    if secrets is not None:
        mounts.append(Mount(source=secrets, target="/vlmhb/secrets"))

    image = chain.facts.model_image
    return StageJob(
        spec=spec,
        image=chain.facts.stages_image,
        mounts=tuple(mounts),
        network=network_of(urls_of(chain), container=session.engine.isolation == "container"),
        extra={
            "model_identity": sha256_json(identity),
            "server_image": image.ref if image else None,
            "server_image_identity": image.identity if image else None,
            "weights_sha256": chain.facts.weights_sha256,
        },
        companion=server or Companion(),
        samples=inputs.out / "inputs" / "samples.jsonl",
        ended=known.keep,
    )


def media_mounts(evaluation: ResolvedEvaluation, inputs: Artifact) -> list[Mount]:
    """The images: the dataset's own folder where it holds nothing else, else prepare's copies."""
    folder = inputs.out / "inputs"
    media = read_json(folder / "media.json") or {}
    if media.get("mode") == "mount":
        return [Mount(source=dataset_mount(evaluation) / str(media["root"]), target="/vlmhb/in/media")]
    copies = folder / "media"
    return [Mount(source=copies, target="/vlmhb/in/media")] if copies.is_dir() else []


def urls_of(chain: Chain) -> tuple[str, ...]:
    """Every URL that its driver may ask."""
    own = (chain.url,) if chain.url is not None else ()
    return (*own, *(target.backend.base_url for target in chain.fallbacks))


def network_of(urls: Iterable[str], *, container: bool) -> Network:
    """No network, unless a model is behind a URL; a URL on this very host needs the host's network."""
    hosts = [urlsplit(url).hostname for url in urls]
    if not hosts:
        return "none"
    return "host" if container and any(host in LOOPBACK for host in hosts) else "egress"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The sealed artifacts that everything behind an inference reads."""

    prepared: Manifest
    inferred: Manifest

    def mounts(self, session: Session) -> tuple[Mount, ...]:
        inputs = session.workspace.artifact("prepare", self.prepared.fingerprint).out
        return (
            Mount(source=self._predictions(session).out, target="/vlmhb/in/predictions"),
            Mount(source=inputs / "labels", target="/vlmhb/in/labels"),
            Mount(source=inputs / "inputs", target="/vlmhb/in/inputs"),
        )

    def reads(self, session: Session) -> tuple[tuple[Artifact, Manifest], ...]:
        return ((self._predictions(session), self.inferred),)

    def _predictions(self, session: Session) -> Artifact:
        return session.workspace.artifact("infer", self.inferred.fingerprint)


def score_job(chain: Chain, backend: BackendPlan, *, session: Session, answered: Answered) -> StageJob:
    """A metric backend: in its own image, with what `evaluate` gets and the code of its metrics."""
    return StageJob(
        spec=score_spec(chain.evaluation, backend, versions=chain.facts.metric_versions),
        image=chain.facts.backend_images[backend.image],
        mounts=(*answered.mounts(session), *metric_mounts(backend.metrics)),
        reads=answered.reads(session),
    )


def evaluate_job(
    chain: Chain, *, session: Session, answered: Answered, scored: Mapping[str, Manifest]
) -> StageJob:
    """`scored`: sealed scores of metric backends, by backend."""
    evaluation = chain.evaluation
    annotation = annotation_name(evaluation, chain.facts)
    spec = evaluate_spec(
        evaluation,
        versions=chain.facts.metric_versions,
        annotation=annotation is not None,
        legacy_stem=legacy_stem(evaluation, created=answered.inferred.created),
    )
    mounts = [*answered.mounts(session), *metric_mounts(own_metrics(evaluation))]
    if annotation is not None and spec.annotation is not None:
        mounts.append(Mount(source=dataset_mount(evaluation) / annotation, target=spec.annotation))
    if spec.answers is not None and evaluation.answers_file is not None:
        mounts.append(Mount(source=evaluation.answers_file, target=spec.answers))
    for backend in spec.backends:
        scores = session.workspace.artifact("score", scored[backend.name].fingerprint)
        mounts.append(Mount(source=scores.out, target=backend.folder))
    return StageJob(
        spec=spec,
        image=chain.facts.stages_image,
        mounts=tuple(mounts),
        reads=answered.reads(session),
    )
