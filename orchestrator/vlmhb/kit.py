"""The kit: our code as one zipapp, mounted read-only into every container, and its hashes.

Each stage has a code hash over just the modules that can change its output, so that a new report template
never invalidates an inference.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

from vlmhb.store.files import write_atomic
from vlmhb.store.hashing import sha256_json

PACKAGES = ("vlmhb_stages", "vlmhb_models", "vlmhb_benchmarks")
SUFFIXES = (".py", ".yaml", ".j2", ".css", ".js", ".json")
MAIN = b"import sys\n\nfrom vlmhb_stages.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"
FIXED_TIME = (2020, 1, 1, 0, 0, 0)  # equal content gives an equal file

SHARED = (
    "vlmhb_stages/contracts.py",
    "vlmhb_stages/specs.py",
    "vlmhb_stages/paths.py",
    "vlmhb_stages/journal.py",
    "vlmhb_stages/spec.py",
)
OCRBENCH_TYPES = "vlmhb_benchmarks/ocrbench_v2_types.py"  # names that a loader and a metric know
ANSWERS_FILE = ("vlmhb_stages/answers.py", "vlmhb_stages/text.py")
TIMES = ("vlmhb_stages/sketch.py", "vlmhb_stages/spans.py")  # how times are kept in records
SCORING = (
    *SHARED,
    "vlmhb_stages/evaluate/",
    "vlmhb_benchmarks/metrics/",
    OCRBENCH_TYPES,
    "vlmhb_benchmarks/extraction/",
    "vlmhb_benchmarks/loaders/base.py",  # how CSV files are read
    "vlmhb_benchmarks/loaders/csvfile.py",
)
STAGE_CODE: dict[str, tuple[str, ...]] = {
    "prepare": (
        *SHARED,
        "vlmhb_stages/prepare/",
        "vlmhb_benchmarks/loaders/",
        OCRBENCH_TYPES,
    ),
    "infer": (*SHARED, *ANSWERS_FILE, *TIMES, "vlmhb_stages/infer/"),
    "evaluate": (*SCORING, *ANSWERS_FILE, "vlmhb_stages/parts.py"),
    "score": (*SCORING, *ANSWERS_FILE, "vlmhb_stages/parts.py", "vlmhb_stages/score/"),
    "report": (
        *SHARED,
        *TIMES,
        "vlmhb_stages/parts.py",
        "vlmhb_stages/report/",
        "vlmhb_benchmarks/metrics/",
        OCRBENCH_TYPES,
    ),
    "import": (
        *SHARED,
        *ANSWERS_FILE,
        "vlmhb_stages/import_/",
        "vlmhb_benchmarks/loaders/base.py",
        "vlmhb_benchmarks/loaders/csvfile.py",
    ),
}
# Interfaces with modules of their own, by the start of their names: a change there leaves the answers of others valid.
INTERFACES = {
    "rapidocr": "rapidocr",
    "tesseract": "tesseract",
    "transformers": "transformers",
    "server": "launch",
    "command": "command",
    "upstream": "upstream",
}


@dataclass(frozen=True)
class Kit:
    """`files` maps archive names to bytes."""

    files: dict[str, bytes]

    @staticmethod
    def collect() -> Kit:
        return Kit({name: path.read_bytes() for name, path in _sources()})

    @cached_property
    def hashes(self) -> dict[str, str]:
        return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(self.files.items())}

    @cached_property
    def sha256(self) -> str:
        return sha256_json(self.hashes)

    def code_sha(self, prefixes: tuple[str, ...]) -> str:
        """Hash over the files whose names start with one of `prefixes`."""
        return sha256_json(
            {name: digest for name, digest in self.hashes.items() if name.startswith(prefixes)}
        )

    def stage_sha(self, stage: str) -> str:
        return self.code_sha(STAGE_CODE[stage])

    def interface_sha(self, interface: str) -> str:
        """Hash over the server and this interface's own modules."""
        others = tuple(f"vlmhb_models/{name}" for key, name in INTERFACES.items() if key != interface)
        names = [
            name
            for name in self.hashes
            if name.startswith("vlmhb_models/") and name.endswith(".py") and not name.startswith(others)
        ]
        return sha256_json({name: self.hashes[name] for name in (*names, "vlmhb_stages/paths.py")})

    def write(self, folder: Path) -> Path:
        """The archive in `folder`, made once per content."""
        path = folder / f"kit-{self.sha256[:16]}.pyz"
        if path.exists():
            return path
        folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in [("__main__.py", MAIN), *sorted(self.files.items())]:
                info = zipfile.ZipInfo(name, FIXED_TIME)
                info.external_attr = 0o644 << 16
                archive.writestr(info, data)
        write_atomic(path, buffer.getvalue())
        return path


def _sources() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        root = Path(str(import_module(package).__file__)).parent
        for path in sorted(root.rglob("*")):
            if path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                yield f"{package}/{path.relative_to(root).as_posix()}", path
