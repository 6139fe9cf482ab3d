"""Gathers what the planner must know: hashes of datasets, weights and code, identities of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from vlmhb.cards import Registry
from vlmhb.contracts import FoundMetric, ResolvedEvaluation
from vlmhb.dataset_files import dataset_mount, example_files, referenced_files
from vlmhb.engines.base import Engine, ImageSpec
from vlmhb.errors import BadDataset, VlmhbError
from vlmhb.images.resolve import resolve_image
from vlmhb.images.system_data import system_data_sha
from vlmhb.kit import STAGE_CODE, Kit
from vlmhb.modelcard import URL_INTERFACES
from vlmhb.plan.metrics import backends_of
from vlmhb.plan.model import Facts
from vlmhb.store.hashing import TreeHash, sha256_json
from vlmhb.store.workspace import Workspace
from vlmhb.usercode import source_names

STAGES_IMAGE = "stages"


class FactFinder:
    """Looks each thing up once per command, however many evaluations share it."""

    def __init__(
        self,
        *,
        workspace: Workspace,
        engine: Engine,
        kit: Kit,
        registry: Registry,
        warn: Callable[[str], None],
    ) -> None:
        self._workspace = workspace
        self._engine = engine
        self._kit = kit
        self._cards = {card.name: card for card in registry.images}
        self._warn = warn
        self._images: dict[str, ImageSpec] = {}
        self._trees: dict[tuple[Path, tuple[str, ...] | None], TreeHash] = {}

    def facts(self, evaluation: ResolvedEvaluation) -> Facts:
        """Raises `ImageMissing` and the like."""
        model = evaluation.model
        name = server_image(evaluation)
        image = self.image(name) if name is not None else None
        return Facts(
            stages_image=self.image(STAGES_IMAGE),
            model_image=image,
            system_sha256=system_data_sha(model, image) if image is not None else None,
            stage_code={stage: self._kit.stage_sha(stage) for stage in STAGE_CODE},
            interface_code=self._kit.interface_sha(model.interface),
            kit_sha256=self._kit.sha256,
            dataset=self.tree(dataset_mount(evaluation), names=referenced_files(evaluation)),
            weights_sha256=self._optional(evaluation.weights),
            package_sha256=self._optional(model.code_path),
            answers_sha256=self._optional(evaluation.answers_file),
            few_shot_sha256=self._examples(evaluation.few_shot),
            metric_versions=self.metrics(evaluation),
            backend_images=self.backends(evaluation),
        )

    def image(self, name: str) -> ImageSpec:
        if name not in self._images:
            self._images[name] = resolve_image(
                name, engine=self._engine, workspace=self._workspace.root, cards=self._cards, warn=self._warn
            )
        return self._images[name]

    def tree(self, path: Path, *, names: tuple[str, ...] | None = None) -> TreeHash:
        """Of a file or folder; of the files `names` in it alone where they are given."""
        if (path, names) not in self._trees:
            try:
                self._trees[path, names] = self._workspace.memo.tree(path, names=names)
            except PermissionError as error:
                what = f"cannot read it ({error.strerror})"
                raise BadDataset(what, where=str(error.filename), hint="it is part of the input") from None
        return self._trees[path, names]

    def metrics(self, evaluation: ResolvedEvaluation) -> dict[str, str]:
        """What tells one state of a metric from another: the version of ours, the content of the users' own."""
        own = {metric.name: self._content(metric) for metric in evaluation.user_metrics}
        gate = (evaluation.gate,) if evaluation.gate else ()
        return {**built_in_versions((*evaluation.metrics, *gate)), **own}

    def _content(self, metric: FoundMetric) -> str:
        """sha256; a module of an image has that image's identity, which is part of every fingerprint."""
        if metric.path is None:
            return sha256_json([metric.module, metric.attribute, metric.version])
        return self.tree(metric.path, names=source_names(metric.path)).sha256

    def backends(self, evaluation: ResolvedEvaluation) -> dict[str, ImageSpec]:
        return {backend.image: self.image(backend.image) for backend in backends_of(evaluation)}

    def _examples(self, path: Path | None) -> str | None:
        """Of the file and of the images that it names: the file's own name does not count."""
        if path is None:
            return None
        names = example_files(path)
        files = self.tree(path.parent, names=names).files
        return sha256_json({"" if name == path.name else name: digest for name, digest in files.items()})

    def _optional(self, path: Path | None) -> str | None:
        return self.tree(path).sha256 if path is not None else None


def server_image(evaluation: ResolvedEvaluation) -> str | None:
    """Image of our own model server; None where the answers come from a URL or a file."""
    if evaluation.answers_file is not None or evaluation.model.interface in (*URL_INTERFACES, "replay"):
        return None
    return evaluation.row.docker_image or evaluation.model.image


def built_in_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Version by name, as the config writes it (`name@version` too), of those that are built in."""
    from vlmhb_benchmarks.metrics.registry import BUILT_IN

    known = {metric.info.name: metric.info.version for metric in BUILT_IN}
    return {name: known[base] for name in names if (base := name.partition("@")[0]) in known}


def gather(
    evaluations: tuple[ResolvedEvaluation, ...],
    *,
    finder: FactFinder,
    failed: Callable[[str, VlmhbError], None],
) -> Mapping[str, Facts]:
    """Facts by evaluation id; an evaluation that cannot start is told to `failed` and left out."""
    found: dict[str, Facts] = {}
    for evaluation in evaluations:
        try:
            found[evaluation.id] = finder.facts(evaluation)
        except VlmhbError as error:
            failed(evaluation.id, error)
    return found
