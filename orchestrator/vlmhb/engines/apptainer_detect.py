"""What this machine's Apptainer can do for this user: found out by starting a container of the machine's own `/usr`."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vlmhb.command import CommandResult, Run
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.apptainer_args import ApptainerDialect
from vlmhb.engines.base import ContainerTask, ImageSpec, Limits, Mount

PROGRAMS = ("apptainer", "singularity")  # older installations have only the second name
OLDEST = {"apptainer": (1, 1), "singularity": (3, 10)}  # --no-eval and --mount
VERSION = re.compile(r"(apptainer|singularity)\S* version (\d+)\.(\d+)")
KEPT = ("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "LD_LIBRARY_PATH")
BY_HAND = "try `apptainer exec` by hand, and ask who installed it"
NAMESPACES = (
    "have user namespaces allowed (sysctl user.max_user_namespaces), or Apptainer installed with setuid"
)
ABOUT_NAMESPACES = re.compile(r"user namespace|unprivileged|setuid|operation not permitted", re.IGNORECASE)
PROBED_LIMITS = Limits(memory_mib=256, cpus=1.0, pids=512)


@dataclass(frozen=True, kw_only=True)
class Unusable:
    reason: str
    hint: str


def find_apptainer(
    run: Run, *, env: Mapping[str, str] | None = None, uid: int | None = None
) -> ApptainerEngine | Unusable:
    """The engine with what works here, or why it does not."""
    env = os.environ if env is None else env
    for program in PROGRAMS:
        result = run([program, "--version"])
        if result.code == 127:
            continue
        found = VERSION.search(result.stdout)
        if not result.ok or not found:
            return Unusable(reason=_last(result), hint=f"`{program} --version` should work: reinstall it")
        if (int(found[2]), int(found[3])) < OLDEST[found[1]]:
            oldest = ".".join(map(str, OLDEST[found[1]]))
            return Unusable(reason=f"{found[0]} is too old", hint=f"install {oldest} or newer")
        dialect = ApptainerDialect(
            program=program,
            family=found[1],
            root=(os.getuid() if uid is None else uid) == 0,
            limits_work=True,
            client_env={name: env[name] for name in KEPT if name in env},
        )
        return _probe(dialect, run=run)
    return Unusable(
        reason="neither `apptainer` nor `singularity` is installed",
        hint="on Debian and Ubuntu: scripts/apptainer_up.sh; or use --engine process",
    )


def _probe(dialect: ApptainerDialect, *, run: Run) -> ApptainerEngine | Unusable:
    """With everything, then without what an installation may not permit: limits, a network of its own."""
    with tempfile.TemporaryDirectory(prefix="vlmhb-probe-") as folder:
        task = probe_task(Path(folder))
        no_limits = replace(dialect, limits_work=False)
        for candidate in (dialect, no_limits, replace(no_limits, cut_network=False)):
            rendered = candidate.render(task, root=Path(folder))
            words = [f"{name}={value}" for name, value in rendered.env.items()]
            result = run(["env", "--ignore-environment", *words, *rendered.argv])
            if result.ok:
                return ApptainerEngine(dialect=candidate)
    reason = _last(result)
    return Unusable(reason=reason, hint=NAMESPACES if ABOUT_NAMESPACES.search(reason) else BY_HAND)


def probe_task(folder: Path) -> ContainerTask:
    """An image of nothing but mount points for this machine's own `/usr`."""
    image = folder / "image"
    for name in ("tmp", "usr", "proc", "sys", "dev", "etc"):
        (image / name).mkdir(parents=True)
    (folder / "tmp").mkdir(exist_ok=True)
    mounts = [Mount(source=Path("/usr"), target="/usr")]
    for name in ("bin", "lib", "lib64"):
        path = Path("/") / name
        if path.is_symlink():
            (image / name).symlink_to(path.readlink())
        elif path.is_dir():
            (image / name).mkdir()
            mounts.append(Mount(source=path, target=str(path)))
    return ContainerTask(
        name="vlmhb-probe",
        image=ImageSpec(name="probe", ref=str(image), identity=""),
        command=("true",),
        mounts=tuple(mounts),
        limits=PROBED_LIMITS,
        user="65534:65534",
    )


def _last(result: CommandResult) -> str:
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("FATAL")]
    return " ".join((fatal or lines or ["it gives no reason"])[-1].removeprefix("FATAL:").split())
