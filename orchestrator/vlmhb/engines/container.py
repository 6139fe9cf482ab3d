"""Docker and Podman: one container per task, followed by the engine's own attached client."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb.command import CommandResult, run_command, spawn
from vlmhb.engines.base import ContainerTask, RenderedTask
from vlmhb.engines.container_args import ContainerDialect, ContainerProgram
from vlmhb.engines.container_handle import ContainerHandle
from vlmhb.errors import EngineUnavailable, ImageMissing
from vlmhb.store.private import make_private

ROOT_PREFIX = "vlmhb-run-"
CONFIG_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ABSENT = re.compile(r"no such image|image not known|unable to find|no such object", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ContainerEngine:
    """`name` is the dialect, `program` what is run (a path, or another name for the same command line)."""

    name: ContainerProgram
    program: str = ""
    rootless: bool = False
    ulimits: tuple[str, ...] = ()
    limits_work: bool = True
    isolation: str = field(default="container", init=False)

    @property
    def dialect(self) -> ContainerDialect:
        return ContainerDialect(
            name=self.name,
            program=self.program or self.name,
            rootless=self.rootless,
            ulimits=self.ulimits,
            limits_work=self.limits_work,
        )

    def render(self, task: ContainerTask, *, root: Path | None = None) -> RenderedTask:
        """Pure. `root` is a private folder for the file in which the engine writes the container's id."""
        return self.dialect.render(task, root=root)

    def start(self, task: ContainerTask, *, log: Path) -> ContainerHandle:
        self._check_image(task)
        root = make_private(Path(tempfile.gettempdir()), stem=ROOT_PREFIX)
        rendered = self.render(task, root=root)
        log_start = log.stat().st_size if log.exists() else 0
        try:
            client = spawn(rendered.argv, log=log, cwd=root)
        except OSError as error:
            root.rmdir()
            raise EngineUnavailable(f"{self.name} cannot be started: {error}") from error
        program = self.dialect.program
        return ContainerHandle(
            program=program, task=task, client=client, root=root, log=log, log_start=log_start
        )

    def cleanup(self, *, labels: dict[str, str]) -> int:
        if not labels:
            raise ValueError("cleanup without labels would remove containers of other programs")
        filters = [
            word for key, value in sorted(labels.items()) for word in ("--filter", f"label={key}={value}")
        ]
        found = self.cli("ps", "--all", "--quiet", "--no-trunc", *filters)
        ids = found.stdout.split()
        if ids:
            form = "{{.HostConfig.ContainerIDFile}}"
            id_files = self.cli("container", "inspect", "--format", form, *ids).stdout.splitlines()
            self.cli("rm", "--force", "--volumes", *ids, timeout_s=120)
            for folder in {Path(line).parent for line in id_files}:
                if folder.name.startswith(ROOT_PREFIX):
                    shutil.rmtree(folder, ignore_errors=True)
        return len(ids)

    def image_id(self, ref: str) -> str | None:
        """The config digest (`sha256:...`) of a local image, or None. Raises `EngineUnavailable`."""
        result = self.cli("image", "inspect", "--format", "{{.Id}}", ref)
        if result.ok:
            digest = result.stdout.strip()
            return digest if digest.startswith("sha256:") else f"sha256:{digest}"
        if ABSENT.search(result.stderr):
            return None
        raise EngineUnavailable(
            f"{self.name} does not answer: {last_line(result.stderr)}",
            hint="`vlmhb doctor` looks for the cause",
        )

    def image_labels(self, ref: str) -> dict[str, str]:
        """Labels of a local image; none when it is not there."""
        result = self.cli("image", "inspect", "--format", "{{json .Config.Labels}}", ref)
        found = json.loads(result.stdout) if result.ok else None
        return found if isinstance(found, dict) else {}

    def cli(self, *words: str, timeout_s: float = 60.0) -> CommandResult:
        return run_command([self.dialect.program, *words], timeout_s=timeout_s)

    def _check_image(self, task: ContainerTask) -> None:
        """The image is there, and still the one that the plan was made for: a tag can be moved meanwhile."""
        image = task.image
        found = self.image_id(image.ref)
        if found is None:
            foreign = image.name == image.ref
            hint = f"{self.name} pull {image.ref}" if foreign else f"vlmhb images build {image.name}"
            raise ImageMissing(f"image {image.ref} is not in {self.name}", hint=hint)
        if CONFIG_DIGEST.fullmatch(image.identity) and image.identity != found:
            raise ImageMissing(
                f"image {image.ref} is now {found[:19]}, planned was {image.identity[:19]}",
                hint="run again, so that the plan is made anew",
            )


def last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2] or "no message"
