"""The user that a task runs as inside: the caller, but never root."""

from __future__ import annotations

import os

NOBODY = 65534


def task_user(*, uid: int | None = None, gid: int | None = None) -> str:
    """`uid:gid` for `ContainerTask.user`: the caller's own, so that outputs are theirs; nobody for root."""
    uid = os.getuid() if uid is None else uid
    gid = os.getgid() if gid is None else gid
    return f"{NOBODY}:{NOBODY}" if uid == 0 else f"{uid}:{gid}"
