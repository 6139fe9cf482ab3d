"""Where the metrics of an evaluation are scored: the users' own beside ours, or in backends of their own. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from vlmhb_stages.specs import UserMetric

from vlmhb.contracts import FoundMetric, ResolvedEvaluation
from vlmhb.engines.base import Mount
from vlmhb.modelcard import Frozen
from vlmhb.naming import slug

ROOT = "/vlmhb/in/metrics"
BACKENDS = "/vlmhb/in/backends"
SHORT = 12  # hex digits of a content hash that stand for a version


class BackendPlan(Frozen):
    """The metrics of one evaluation that one image scores. `name` is that of a folder and a link."""

    name: str
    image: str
    metrics: tuple[FoundMetric, ...]


def own_metrics(evaluation: ResolvedEvaluation) -> tuple[FoundMetric, ...]:
    """The user metrics that run in `evaluate` itself."""
    return tuple(metric for metric in evaluation.user_metrics if metric.image is None)


def backends_of(evaluation: ResolvedEvaluation) -> tuple[BackendPlan, ...]:
    """One per image, in order of first appearance."""
    by_image: dict[str, list[FoundMetric]] = {}
    for metric in evaluation.user_metrics:
        if metric.image is not None:
            by_image.setdefault(metric.image, []).append(metric)
    names: set[str] = set()
    plans = []
    for image, metrics in by_image.items():
        name = slug(image)
        while name in names:
            name += "-2"
        names.add(name)
        plans.append(BackendPlan(name=name, image=image, metrics=tuple(metrics)))
    return tuple(plans)


def user_metric(metric: FoundMetric, *, versions: Mapping[str, str]) -> UserMetric:
    """`versions`: content hashes by name; the first digits stand for the version of a metric without one."""
    path = None
    if metric.path is not None:
        path = f"{ROOT}/{metric.name}" if metric.importable else _target(metric)
    return UserMetric(
        name=metric.name,
        module=metric.module,
        attribute=metric.attribute,
        version=metric.version or versions.get(metric.name, "")[:SHORT],
        path=path,
        direction=metric.direction,
    )


def metric_mounts(metrics: tuple[FoundMetric, ...]) -> tuple[Mount, ...]:
    return tuple(
        Mount(source=metric.path, target=_target(metric)) for metric in metrics if metric.path is not None
    )


def _target(metric: FoundMetric) -> str:
    return f"{ROOT}/{metric.name}/{metric.inside}".rstrip("/")
