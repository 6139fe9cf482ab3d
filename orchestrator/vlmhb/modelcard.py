"""The card of a model: what it is, how it is started or reached, and what it needs. Frozen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from vlmhb_stages.specs import BreakerPolicy, Decoding, Overflow, RateLimit, RetryPolicy

TaskType = Literal["ocr", "vqa", "kie", "classification", "tables", "parsing", "sorting"]
Interface = Literal[
    "rapidocr",
    "tesseract",
    "transformers",
    "server",  # a vendor's OpenAI-compatible server in its own image: vLLM, SGLang, LMDeploy, llama.cpp
    "command",  # an executable: JSONL in, JSONL out
    "openai",
    "anthropic",
    "gemini",
    "replay",
    "upstream",
    "python",
]
Capability = Literal["structured", "multi_image", "text_only", "tools", "reasoning"]
URL_INTERFACES = ("openai", "anthropic", "gemini")  # a server that is not ours, behind a URL

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = "VLMHB_"
_LOADING = ("LD_PRELOAD", "LD_AUDIT", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "BASH_ENV", "ENV")


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LimitsCard(Frozen):
    memory_mib: int | None = None
    cpus: float | None = None
    pids: int = 512
    shm_mib: int | None = None


class UpstreamClass(Frozen):
    """A prototype-style model class: `<module>:<class_name>`, from the image or from a local path."""

    module: str
    class_name: str
    python_package: str | None = None
    path: str | None = None  # folder or wheel on the host, mounted read-only and put on sys.path


class ServerCard(Frozen):
    """How a vendor's server is started inside its image. In `command`, `{weights}`, `{name}`, `{socket}`, `{port}`,
    `{max_batch}` and `{gpus}` (their number) are replaced; with `{socket}` it listens there itself, else our launcher
    passes what arrives at the socket on to `127.0.0.1:{port}`."""

    command: tuple[str, ...]
    port: int = 8000
    health: str = "/health"
    metrics: str | None = "/metrics"  # Prometheus text, where there is one
    python: bool = True  # False: the image has no Python; the command is the container's own
    env: dict[str, str] = {}

    @field_validator("env")
    @classmethod
    def _only_settings(cls, env: dict[str, str]) -> dict[str, str]:
        """Not what makes every program in the container load other code, our launcher's Python among them."""
        for name, value in env.items():
            if not _VARIABLE.fullmatch(name) or "\0" in value:
                raise ValueError(f"{name!r} is no name of a variable with a text")
            if name.startswith(_OURS) or name in _LOADING:
                raise ValueError(f"the variable {name} may not come from a card")
        return env


class ModelCard(Frozen):
    """`(framework, name)` identifies a model. `tasks` = the task types it can honestly take."""

    name: str
    framework: str
    interface: Interface
    image: str | None = None  # image card name or a full reference; None: no server of ours (openai, replay)
    tasks: tuple[TaskType, ...]
    params: dict[str, Any] = {}  # given to ModelInterface.load; semantic
    upstream: UpstreamClass | None = None
    class_path: str | None = None  # interface `python`: module:Class implementing ModelInterface
    server: ServerCard | None = None  # interface `server`
    command: tuple[str, ...] = ()  # interface `command`
    revision: str = ""  # of the weights that the card was written for
    capabilities: tuple[Capability, ...] = ()
    trust_remote_code: bool = False  # Python code that comes with the weights may run
    path: str | None = None  # folder or wheel with the user's own model code; relative to the card
    base_url: str | None = None
    api_key: str | None = None  # secret:NAME
    network: Literal["none", "egress"] = "none"
    weights: str | None = None
    prompts: dict[
        TaskType, str
    ] = {}  # that it was trained on; they stand where a row says nothing of prompts
    decoding: Decoding = Decoding()
    concurrency: int = 1
    adaptive: bool | None = None  # None: for URLs only
    rate: RateLimit = RateLimit()
    breaker: BreakerPolicy = BreakerPolicy()
    fallback_urls: tuple[str, ...] = ()  # further places of the same model
    overflow: tuple[Overflow, ...] = ()
    max_image_side: int | None = Field(default=None, ge=16)
    on_oom: tuple[Literal["batch", "images"], ...] = ()  # what may be lowered when memory runs out
    warmup: int = Field(default=0, ge=0)
    gpus: int = 0
    min_vram_gib: float | None = None  # of all its GPUs together
    limits: LimitsCard = LimitsCard()
    options: tuple[str, ...] = ()
    load_timeout_s: float = 600.0
    retry: RetryPolicy = RetryPolicy()
    description: str = ""
    languages: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    origin: str = ""  # file that the card came from; filled on load

    @property
    def code_path(self) -> Path | None:
        """Where the user's own model code lies on the host; None when it is in the image."""
        path = self.path or (self.upstream.path if self.upstream else None)
        return (Path(self.origin).parent / path).absolute() if path else None
