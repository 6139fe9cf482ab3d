"""What a server that did not start has to say: one line out of its output that tells the cause, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 300  # characters; with its frame and its hint it has to fit where 500 are shown
# Prefixes that log frameworks and multi-process servers put in front of the words themselves.
_PREFIX = re.compile(
    r"^(\x1b\[[0-9;]*m|\([^()]*pid=\d+\)|\[[^\]]*\]"
    r"|(ERROR|CRITICAL|FATAL|WARNING|INFO)\b:?( +\d\d-\d\d)?( +\d\d:\d\d:\d\d)?|\s)+"
)
_RAISED = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Exit|NotFound|Failure)\b(: .*|$)")
_TOLD = re.compile(
    r"\berror\b[:]|\b(fatal|failed to|cannot|could not|unable to|not found|no such file)\b", re.IGNORECASE
)
# Second-hand news: the process that started the one that failed says only that it did.
_SECOND_HAND = re.compile(
    r"Engine core initialization failed|root cause above|Engine process failed to start|EngineDeadError"
    r"|Initialization failed|scheduler died|leaked (semaphore|shared_memory)|resource_tracker|^SystemExit",
    re.IGNORECASE,
)
_HEADED = re.compile(r"validation errors? for ")

_HINTS = (
    (r"out of memory|no available memory for the cache|OutOfMemory|free memory on device|failed to allocate",
     "fewer parallel requests (batch_size), a shorter context, or more GPUs"),
    (r"max_model_len|max_position_embeddings|context.length", "lower the context length in server.command"),
    (r"trust.remote.code", "read the code that comes with the weights, then set trust_remote_code: true"),
    (r"architectures?\b.*\b(not|un)supported|not support(ed)?\b.*architecture|unknown (model )?architecture"
     r"|does not recognize this architecture", "a newer server image, or interface transformers"),
    (r"config\.json|\.safetensors|\.gguf|tokenizer file|repo id must be|does not appear to have a file|no such file"
     r"|not a valid model",
     "check that the weights folder is complete"),
    (r"address already in use|\[Errno 98\]", "write {port} in server.command"),
    (r"unrecognized arguments|invalid (choice|value)|no such option|unknown argument|error: argument",
     "this server version has other options: check server.command"),
    (r"libcuda|no cuda|cuda driver|nvidia driver|no nvidia|device_type|infer device",
     "the card asks for no GPU: set gpus"),
)  # fmt: skip


@dataclass(frozen=True)
class Cause:
    words: str
    hint: str = ""


def telling(output: str) -> Cause:
    """The line that tells why, and a hint where its words are known ones."""
    lines = [_PREFIX.sub("", line).rstrip() for line in output.splitlines()]
    line = _chosen(lines)[:LONGEST]
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, line, re.IGNORECASE)), "")
    return Cause(words=line or "it said nothing", hint=hint)


def _chosen(lines: list[str]) -> str:
    """Best is the last exception that is no second-hand news, then the last line that speaks of an error."""
    for pattern in (_RAISED, _TOLD):
        for number in range(len(lines) - 1, -1, -1):
            if pattern.search(lines[number]) and not _SECOND_HAND.search(lines[number]):
                return _with_detail(lines, number)
    spoken = [line for line in lines if line]
    return spoken[-1] if spoken else ""


def _with_detail(lines: list[str], number: int) -> str:
    """A validation error says what is wrong in the lines below its head."""
    headed = _HEADED.search(lines[number])
    if headed is None:
        return lines[number]
    below = [line for line in lines[number + 1 : number + 4] if line and not _RAISED.search(line)]
    return f"{lines[number][headed.end() :]}: {' '.join(below[:2])}"
