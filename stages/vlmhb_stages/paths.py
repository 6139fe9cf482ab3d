"""Where a stage finds its files: every path lies under one root, `/vlmhb`, on every engine.

Specs always say `/vlmhb/...`. In a container that is the real path. The `process` engine has no
mounts: it gives each task a private folder of links and names it in `VLMHB_ROOT`, so the very same
spec (and so the same fingerprint) serves every engine. Standard library only, Python 3.9.
"""

import os
from pathlib import Path

ROOT = "/vlmhb"
ROOT_ENV = "VLMHB_ROOT"

SPEC = f"{ROOT}/spec.json"
OUT = f"{ROOT}/out"
EVENTS = f"{OUT}/events.jsonl"
SOCKET_DIR = f"{ROOT}/sock"
SOCKET = f"{SOCKET_DIR}/model.sock"
SECRETS = f"{ROOT}/secrets"


def resolve(path: str) -> Path:
    """The real path of a `/vlmhb/...` path; any other path is returned as it is."""
    root = os.environ.get(ROOT_ENV)
    if root and (path == ROOT or path.startswith(ROOT + "/")):
        return Path(root + path[len(ROOT) :])
    return Path(path)
