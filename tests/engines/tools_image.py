"""A tiny image made of this machine's own programs: no registry and no download."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from vlmhb.engines.apptainer import record_file
from vlmhb.engines.base import ImageSpec
from vlmhb.engines.container import ContainerEngine
from vlmhb.store.files import write_json

PROGRAMS = ("sh", "cat", "dd", "env", "id", "ls", "sleep", "touch", "true")


def tools_image(engine: ContainerEngine) -> str:
    """An image with a shell and a few programs of this machine; imported once per content."""
    archive = _tools_archive()
    tag = f"localhost/vlmhb-test/tools:{hashlib.sha256(archive).hexdigest()[:12]}"
    if engine.image_id(tag) is None:
        words = [engine.dialect.program, "import", "--change", "ENV PATH=/bin", "-", tag]
        subprocess.run(words, input=archive, check=True, capture_output=True)
    return tag


def tools_folder(program: str, *, where: Path) -> ImageSpec:
    """The same image as a folder, as Apptainer builds it, with the record that our builds write beside it."""
    archive = _tools_archive()
    raw, folder = where / "raw", where / "tools"
    raw.mkdir()
    subprocess.run(["tar", "--extract", f"--directory={raw}"], input=archive, check=True)
    for name in ("passwd", "group"):
        (raw / "etc").mkdir(exist_ok=True)
        (raw / "etc" / name).touch()
    words = [program, "--silent", "build", "--disable-cache", "--sandbox", str(folder), str(raw)]
    subprocess.run(words, check=True, capture_output=True)
    identity = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    write_json(record_file(folder), {"identity": identity})
    return ImageSpec(name="tools", ref=str(folder), identity=identity)


def _tools_archive() -> bytes:
    """A tar that depends only on the programs: equal content, equal bytes."""
    files: dict[str, Path] = {}
    for name in PROGRAMS:
        path = Path(str(shutil.which(name))).resolve()
        files[f"bin/{name}"] = path
        listed = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False).stdout
        files.update(
            {library.lstrip("/"): Path(library).resolve() for library in re.findall(r"(/\S+) \(", listed)}
        )
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = path.stat().st_size, 0o755
            with path.open("rb") as source:
                archive.addfile(entry, source)
    return text.getvalue()
