"""Cards: YAML descriptions of models, benchmarks and images, and the registry that looks them up."""

from .frameworks import canonical_framework, same_framework
from .load import images_dir, load_registry
from .registry import Registry
from .upstream import find_vlm_base, read_vlm_base

__all__ = [
    "Registry",
    "canonical_framework",
    "find_vlm_base",
    "images_dir",
    "load_registry",
    "read_vlm_base",
    "same_framework",
]
