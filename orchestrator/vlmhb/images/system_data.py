"""What a model in a virtual environment takes from the machine itself: part of its identity, and checked early.

In a container the image holds everything; here Tesseract's language data may be Debian's own.
"""

from __future__ import annotations

from vlmhb_models.base import LoadError
from vlmhb_models.tesseract_data import data_folders, find_tesseract, package_in

from vlmhb.engines.base import ImageSpec
from vlmhb.errors import ImageMissing
from vlmhb.modelcard import ModelCard
from vlmhb.store.hashing import sha256_file, sha256_json


def system_data_sha(model: ModelCard, image: ImageSpec) -> str | None:
    """Hash of the data files that come from the machine; None where none do. Raises `ImageMissing`."""
    if model.interface != "tesseract" or image.env is None:
        return None
    package = package_in(image.env)
    languages = str(model.params.get("lang", "eng"))
    try:
        found = find_tesseract(languages, package=package, folders=data_folders(package=package))
    except LoadError as error:
        raise ImageMissing(f"model {model.name}: {error}", hint=error.hint) from error
    if package is not None and found.data.is_relative_to(package):
        return None  # pinned by the lock already
    return sha256_json([sha256_file(path) for path in found.files()])
