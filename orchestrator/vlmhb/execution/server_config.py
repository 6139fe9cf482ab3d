"""What a model server is started with: its `model.json`, its command and its container. Pure but for one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb_models.placeholders import DEFAULT_BATCH, filled

from vlmhb.engines.base import ContainerTask, ImageSpec, Limits, Mount
from vlmhb.errors import BadCard
from vlmhb.execution.jobs import Chain
from vlmhb.execution.session import Session
from vlmhb.modelcard import ModelCard, ServerCard
from vlmhb.plan.fingerprint import model_identity
from vlmhb.store.files import write_atomic
from vlmhb.store.hashing import sha256_json

SOCKET = "/vlmhb/sock/model.sock"
WEIGHTS = "/vlmhb/in/weights"
KIT_SERVE = ("python3", "/vlmhb/kit.pyz", "serve", "--config", "/vlmhb/model.json")


@dataclass(frozen=True, kw_only=True)
class ServerRequest:
    """A model to be served. `identity` is the sha256 of all that could change an answer.

    `concurrency`: threads that may call the model at the same time: the card knows whether it stands that."""

    model: ModelCard
    identity: str
    image: ImageSpec
    mounts: tuple[Mount, ...] = ()
    weights: bool = False  # mounted at `WEIGHTS`
    batch_size: int | None = None
    concurrency: int = 1


def request_of(chain: Chain, *, image: ImageSpec) -> ServerRequest:
    evaluation, model = chain.evaluation, chain.evaluation.model
    mounts = []
    if evaluation.weights is not None:
        mounts.append(Mount(source=evaluation.weights, target=WEIGHTS))
    if model.code_path is not None:
        mounts.append(Mount(source=model.code_path, target=code_target(model.code_path)))
    return ServerRequest(
        model=model,
        identity=sha256_json(model_identity(evaluation, chain.facts)),
        image=image,
        mounts=tuple(mounts),
        weights=evaluation.weights is not None,
        batch_size=evaluation.row.batch_size,
        concurrency=model.concurrency,
    )


def write_config(path: Path, request: ServerRequest, *, gpus: int = 0, oom_level: int = 0) -> Path:
    """`model.json` of `vlmhb_models.serve`; keys at their defaults are left out."""
    model = request.model
    value: dict[str, Any] = {
        "name": model.name,
        "interface": model.interface,
        "class_path": model.class_path,
        "upstream": model.upstream.model_dump(mode="json", exclude={"path"}) if model.upstream else None,
        "path": code_target(model.code_path) if model.code_path else None,
        "params": model.params,
        "weights": WEIGHTS if request.weights else None,
        "socket": SOCKET,
        "concurrency": request.concurrency,
        "max_batch": request.batch_size,
        "gpus": gpus or None,
        "oom_level": oom_level or None,
        "on_oom": list(model.on_oom) or None,
        "server": model.server.model_dump(mode="json") if model.server else None,
        "command": list(model.command) or None,
        "trust_remote_code": model.trust_remote_code or None,
    }
    told = {key: item for key, item in value.items() if item is not None}
    write_atomic(path, json.dumps(told, ensure_ascii=False).encode())
    return path


def code_target(source: Path) -> str:
    """A folder is mounted as `model`; a wheel keeps its name, which the import system needs."""
    return f"/vlmhb/in/{source.name}" if source.is_file() else "/vlmhb/in/model"


def server_command(request: ServerRequest, *, gpus: int, oom_level: int = 0) -> tuple[str, ...]:
    """Our launcher, or the card's own command where the image has no Python to run it. Raises `BadCard`."""
    server = request.model.server
    if server is None or server.python:
        return KIT_SERVE
    if not any("{socket}" in word for word in server.command):
        raise BadCard(
            f"{request.model.name}: server.python is false, but its command does not listen on {{socket}}",
            where=request.model.origin,
            hint="without Python in the image nothing can pass a socket on to a port",
        )
    batch = lowered_batch(request, oom_level=oom_level)
    values = {
        "weights": WEIGHTS,
        "name": request.model.name,
        "socket": SOCKET,
        "port": str(server.port),
        "max_batch": str(batch or max(1, DEFAULT_BATCH >> oom_level)),
        "gpus": str(max(1, gpus)),
    }
    return tuple(filled(word, values) for word in server.command)


def lowered_batch(request: ServerRequest, *, oom_level: int) -> int | None:
    """None: the interface's own, which the host does not know."""
    return max(1, request.batch_size >> oom_level) if request.batch_size is not None else None


def server_task(
    session: Session,
    request: ServerRequest,
    *,
    number: int,
    copies: int,
    config: Path,
    folder: Path,
    gpus: tuple[str, ...],
    oom_level: int,
) -> ContainerTask:
    own = (
        Mount(source=session.kit_path, target="/vlmhb/kit.pyz"),
        Mount(source=config, target="/vlmhb/model.json"),
        Mount(source=folder, target="/vlmhb/sock", writable=True),
    )
    model = request.model
    return ContainerTask(
        name=f"vlmhb-server-{request.identity[:12]}" + (f"-{number}" if copies > 1 else ""),
        image=request.image,
        command=server_command(request, gpus=len(gpus), oom_level=oom_level),
        mounts=(*own, *request.mounts),
        env=_env(model.server),
        limits=Limits(**model.limits.model_dump()),
        gpus=gpus,
        options=model.options,
        labels=session.labels(model=request.identity[:24], role="server"),
        user=session.user,
    )


def _env(server: ServerCard | None) -> Mapping[str, str]:
    own = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
    }
    return {**own, **(server.env if server is not None else {})}
