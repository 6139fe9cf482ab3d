"""How a run of the driver can end: exit codes, and what is said about it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import IntEnum

from vlmhb_stages.answers import BadAnswers
from vlmhb_stages.infer.backends import NoBackend
from vlmhb_stages.infer.budget import BadSpending, GrantGone
from vlmhb_stages.infer.policy import BadPolicy
from vlmhb_stages.infer.samples import BadSamples
from vlmhb_stages.infer.server import ServerGone


class Exit(IntEnum):
    DONE = 0  # every sample has a record; errors are counted in the summary
    BAD_USE = 2  # a value in the spec that means nothing
    CANNOT_START = 3  # no server, no key, no answers file; the journal is intact
    TOO_MANY_ERRORS = 4
    DISK_FULL = 5
    CONTRACT = 6  # samples.jsonl is not what prepare writes
    BUDGET = 7  # every sample has a record, but some were not asked for want of money
    INTERRUPTED = 130


KNOWN = (ServerGone, NoBackend, BadAnswers, BadSamples, BadSpending, GrantGone, BadPolicy, OSError)


@dataclass(frozen=True, kw_only=True)
class End:
    """The exit code of a run that could not do all its work, and its `fatal` event."""

    exit: Exit
    code: str
    message: str
    hint: str


def end_of(error: BaseException) -> End | None:
    """What a known failure means; None for one that is a bug and deserves its traceback."""
    message = str(error)
    if isinstance(error, ServerGone):
        hint = "see the model server's log; the same command continues where this one stopped"
        return End(
            exit=Exit.CANNOT_START, code="VHB502", message=f"the model server is gone: {message}", hint=hint
        )
    if isinstance(error, NoBackend):
        return End(exit=Exit.CANNOT_START, code="VHB501", message=message, hint="check base_url and api_key")
    if isinstance(error, BadAnswers):
        return End(exit=Exit.CANNOT_START, code="VHB501", message=message, hint="check answers_file")
    if isinstance(error, BadPolicy):
        return End(exit=Exit.BAD_USE, code="VHB104", message=message, hint="")
    if isinstance(error, BadSamples):
        return End(
            exit=Exit.CONTRACT,
            code="VHB402",
            message=message,
            hint="remove the prepare artifact and run again",
        )
    if isinstance(error, BadSpending):
        hint = "remove this file if you know what was spent: it begins at nothing then"
        return End(exit=Exit.CONTRACT, code="VHB402", message=message, hint=hint)
    if isinstance(error, GrantGone):
        hint = "the same command continues where this one stopped"
        return End(exit=Exit.CONTRACT, code="VHB402", message=message, hint=hint)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space; the same command continues where this one stopped"
        return End(exit=Exit.DISK_FULL, code="VHB405", message="no space left on the device", hint=hint)
    return None
