"""Whether images can be single files (SIF) here: who makes them needs mksquashfs, who runs them a way to mount them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

LOOP = Path("/dev/loop-control")
FUSE = Path("/dev/fuse")
MOUNTERS = ("squashfuse_ll", "squashfuse")


def sif_obstacle(
    *,
    root: bool,
    which: Callable[[str], object] = shutil.which,
    usable: Callable[[Path], bool] = lambda path: os.access(path, os.R_OK | os.W_OK),
) -> str:
    """Why images are folders here, which every installation can run; "" where they are single files."""
    if which("mksquashfs") is None:
        return "mksquashfs is missing (Debian: squashfs-tools)"
    if root:
        return "" if usable(LOOP) else f"there are no loop devices ({LOOP})"
    if not any(which(name) for name in MOUNTERS):
        return "squashfuse is missing"
    return "" if usable(FUSE) else f"this user may not open {FUSE}"
