"""An image made with no engine but Apptainer: Debian's base system, and the wheels of a lock installed inside it."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import sys
from pathlib import Path

from vlmhb.command import run_command
from vlmhb.contracts import ImageCard
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.apptainer_args import mount_word
from vlmhb.engines.base import Mount
from vlmhb.engines.container import last_line
from vlmhb.errors import BuildFailed
from vlmhb.images.apptainer_job import ApptainerBuild
from vlmhb.images.apptainer_store import store_folder
from vlmhb.images.base import FACTS
from vlmhb.images.inputs import FINISH, card_folder, finish_file, lock_file, lock_sha256
from vlmhb.images.steps import run_step
from vlmhb.images.wheels import Target, fetch_wheels
from vlmhb.store.hashing import sha256_json

PACKAGES_OF = "var/lib/dpkg/status"
ENV_SCRIPT = ".singularity.d/env/20-image.sh"  # `apptainer build` puts its own scripts around it
PYTHON = "/opt/venv/bin/python3"
INSIDE = "/mnt"  # is there in every Debian, so nothing has to be made for a mount
PIP = ("-m", "pip", "install", "--no-index", "--find-links", f"{INSIDE}/wheels")
PIP_QUIET = ("--no-cache-dir", "--disable-pip-version-check", "--requirement", f"{INSIDE}/requirements.lock")


def base_folder(job: ApptainerBuild, card: ImageCard) -> Path:
    """The user's own, or one per list of Debian packages, shared by all images of a workspace."""
    if job.given_base is not None:
        return _given(job.given_base)
    extra = card.system_packages
    name = f"base-{sha256_json(list(extra))[:8]}" if extra else "base"
    return store_folder(job.workspace) / name


def rootfs_identity(job: ApptainerBuild, card: ImageCard) -> str:
    """From the lock, the variables, and the packages of the base, which is made here if it is not there yet."""
    base = base_folder(job, card)
    if not (base / PACKAGES_OF).is_file():
        _make_base(base, card=card, log=job.log)
    packages = hashlib.sha256((base / PACKAGES_OF).read_bytes()).hexdigest()
    return f"built:{sha256_json([lock_sha256(card), image_env(card), packages])}"


def make_rootfs(job: ApptainerBuild, card: ImageCard, *, scratch: Path) -> Path:
    """A folder below `scratch` with the whole image."""
    base, image, inputs = base_folder(job, card), scratch / "rootfs", scratch / "inputs"
    (inputs / "wheels").mkdir(parents=True)
    fetch_wheels(
        lock_file(card),
        into=inputs / "wheels",
        target=_target(base, engine=job.engine),
        wheelhouse=job.wheelhouse,
        scratch=scratch,
        log=job.log,
    )
    shutil.copyfile(lock_file(card), inputs / "requirements.lock")
    steps = [["/usr/bin/python3", "-m", "venv", "/opt/venv"], [PYTHON, *PIP, *PIP_QUIET]]
    if (finish := finish_file(card)) is not None:
        shutil.copyfile(finish, inputs / FINISH)
        steps.append([PYTHON, f"{INSIDE}/{FINISH}"])
    run_step(["cp", "-a", f"{base}/.", str(image)], what="copying the base system", log=job.log)
    mounts = ("--writable", "--mount", mount_word(Mount(source=inputs, target=INSIDE)))
    for words in steps:
        argv = _argv(job.engine, image=image, words=words, extra=mounts)
        run_step(argv, what=f"installing the packages of {card.name}", log=job.log)
    _write_env(image, image_env(card))
    return image


def image_env(card: ImageCard) -> dict[str, str]:
    """The variables that the last stage of the card's Dockerfile sets."""
    text = (card_folder(card) / card.dockerfile).read_text(encoding="utf-8").replace("\\\n", " ")
    last_stage = re.split(r"(?m)^FROM ", text)[-1]
    words = [word for line in re.findall(r"(?m)^ENV (.*)$", last_stage) for word in shlex.split(line)]
    return dict(word.split("=", 1) for word in words)


def _write_env(image: Path, variables: dict[str, str]) -> None:
    script = image / ENV_SCRIPT
    script.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    script.write_text("".join(lines), encoding="utf-8")
    script.chmod(0o755)


def _given(base: str) -> Path:
    folder = Path(base).absolute()
    if not (folder / PACKAGES_OF).is_file():
        raise BuildFailed(
            f"--base {base} is no folder with a Debian system",
            hint="for Apptainer, give the folder that images/base/make_base.py --folder has made",
        )
    return folder


def _make_base(base: Path, *, card: ImageCard, log: Path) -> None:
    maker = card_folder(card).parent / "base" / "make_base.py"
    include = [word for name in card.system_packages for word in ("--include", name)]
    run_step(
        [sys.executable, str(maker), "--folder", str(base), *include],
        what="making the base system",
        log=log,
        hint="give --base a folder with a Debian system that has Python: see docs/engines.md",
    )


def _target(base: Path, *, engine: ApptainerEngine) -> Target:
    result = run_command(_argv(engine, image=base, words=["python3", "-c", FACTS]), timeout_s=60)
    facts = result.stdout.split()
    if not result.ok or len(facts) != 3:
        raise BuildFailed(f"base system {base} has no usable python3: {last_line(result.stderr)}")
    return Target(python=facts[0], machine=facts[1], glibc=facts[2])


def _argv(
    engine: ApptainerEngine, *, image: Path, words: list[str], extra: tuple[str, ...] = ()
) -> list[str]:
    """As closed as a task, but for the image itself, which is being made."""
    dialect = engine.dialect
    network = ("--net", "--network", "none") if dialect.cut_network else ()
    alone = ("--containall", "--cleanenv", "--no-home", "--no-mount", "hostfs,bind-paths", "--pwd", "/")
    return [dialect.program, "--silent", "exec", *alone, *network, *extra, str(image), *words]
