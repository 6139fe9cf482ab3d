"""Cards: YAML descriptions of models, benchmarks, metrics and images, and the registry that looks them up."""

from .frameworks import canonical_framework, same_framework
from .load import images_dir, load_registry
from .plugins import metric_points
from .registry import Registry
from .tasks import TASK_TYPES, is_page_set, task_type_of
from .upstream import find_vlm_base, read_vlm_base

__all__ = [
    "TASK_TYPES",
    "Registry",
    "canonical_framework",
    "find_vlm_base",
    "images_dir",
    "is_page_set",
    "load_registry",
    "metric_points",
    "read_vlm_base",
    "same_framework",
    "task_type_of",
]
