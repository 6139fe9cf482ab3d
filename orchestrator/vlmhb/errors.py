"""Every user error, on one page: a code, an exit code and a hint. The CLI prints them as one line.

Ranges: 1xx config · 2xx cards and names · 3xx engines and images · 4xx workspace and artifacts · 5xx stages.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    BAD_CONFIG = 2
    CANNOT_START = 3
    FAILURES = 4
    BUDGET = 5
    CONTRACT = 6
    INTERRUPTED = 130


class VlmhbError(Exception):
    """A mistake or a fault that the user can act on.

    `where` is a place (`file.csv, row 3, column metrics`), `hint` what to do next."""

    code = "VHB000"
    exit_code = ExitCode.BAD_CONFIG

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(self.line())

    def line(self) -> str:
        parts = [self.what]
        if self.where:
            parts.append(f"in {self.where}")
        text = f"{self.code}: {', '.join(parts)}"
        return one_line(f"{text}; hint: {self.hint}" if self.hint else text)


def one_line(text: str) -> str:
    """`text` with every line end, control and invisible character written as its escape.

    A name copied from a web page can hold a zero-width blank: the message must show it."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class ErrorList(VlmhbError):
    """Several errors found together; each prints as its own line, the first `SHOWN` of them."""

    code = "VHB001"
    SHOWN = 100

    def __init__(self, errors: Sequence[VlmhbError]) -> None:
        self.errors = tuple(errors)
        super().__init__(f"{len(errors)} errors")

    def line(self) -> str:
        lines = [error.line() for error in self.errors[: self.SHOWN]]
        left = len(self.errors) - len(lines)
        if left:
            lines.append(f"{self.code}: {left} more errors are not shown; hint: mend the first ones")
        return "\n".join(lines)


# --- 1xx config --------------------------------------------------------------------------------


class ConfigUnreadable(VlmhbError):
    code = "VHB101"


class WrongEncoding(VlmhbError):
    code = "VHB102"


class UnknownColumn(VlmhbError):
    code = "VHB103"


class BadValue(VlmhbError):
    code = "VHB104"


class MissingValue(VlmhbError):
    code = "VHB105"


class BadList(VlmhbError):
    code = "VHB106"


class NoRows(VlmhbError):
    code = "VHB107"


class MissingPrompts(VlmhbError):
    code = "VHB108"


class SecretInConfig(VlmhbError):
    code = "VHB109"


class NotInForce(VlmhbError):
    """A wish that this version understands and cannot fulfil: refused, never ignored."""

    code = "VHB110"


class BadPrices(VlmhbError):
    """A price table that is not there or cannot be used."""

    code = "VHB120"


class NoPrice(VlmhbError):
    """A budget that could not be kept, because nobody says what the model costs."""

    code = "VHB121"


class BadPrompts(VlmhbError):
    """A prompt template or a file of prompts that cannot be used."""

    code = "VHB111"


class LeakedExample(VlmhbError):
    """A worked example that is one of the samples that it should help with."""

    code = "VHB112"


# --- 2xx cards and names -----------------------------------------------------------------------


class UnknownName(VlmhbError):
    """A model, benchmark, metric or image that no card describes."""

    code = "VHB201"


class BadCard(VlmhbError):
    code = "VHB202"


class NotHonest(VlmhbError):
    """The model cannot take this task (an OCR engine asked a question)."""

    code = "VHB203"


class DatasetMissing(VlmhbError):
    code = "VHB204"


class BadDataset(VlmhbError):
    code = "VHB205"


class BadImport(VlmhbError):
    """A file of another tool's results that cannot be read, or that belongs to another benchmark."""

    code = "VHB206"


class DownloadFailed(VlmhbError):
    """The hub cannot be reached, refuses, or sends something else than it lists. `benchmarks fetch` only."""

    code = "VHB208"
    exit_code = ExitCode.CANNOT_START


# --- 3xx engines and images --------------------------------------------------------------------


class EngineUnavailable(VlmhbError):
    code = "VHB301"
    exit_code = ExitCode.CANNOT_START


class ImageMissing(VlmhbError):
    code = "VHB302"
    exit_code = ExitCode.CANNOT_START


class OptionNotAllowed(VlmhbError):
    code = "VHB303"


class SecretMissing(VlmhbError):
    code = "VHB304"
    exit_code = ExitCode.CANNOT_START


class BuildFailed(VlmhbError):
    code = "VHB305"
    exit_code = ExitCode.CANNOT_START


class GpuMissing(VlmhbError):
    code = "VHB306"
    exit_code = ExitCode.CANNOT_START


# --- 4xx workspace and artifacts ---------------------------------------------------------------


class WorkspaceNotWritable(VlmhbError):
    code = "VHB401"
    exit_code = ExitCode.CANNOT_START


class ArtifactEdited(VlmhbError):
    """The files of a sealed artifact are not those that were sealed."""

    code = "VHB402"
    exit_code = ExitCode.CONTRACT


class ArtifactBusy(VlmhbError):
    code = "VHB403"
    exit_code = ExitCode.CANNOT_START


class UnknownRun(VlmhbError):
    code = "VHB404"


class DiskFull(VlmhbError):
    code = "VHB405"
    exit_code = ExitCode.FAILURES


class NotSealed(VlmhbError):
    """Answers that are not complete cannot be evaluated again."""

    code = "VHB406"
    exit_code = ExitCode.CANNOT_START


class ExportRefused(VlmhbError):
    """An export that would overwrite files, or that the format or the run cannot give."""

    code = "VHB407"


class BadLedger(VlmhbError):
    """The workspace's record of what was spent cannot be read: to begin a new one would forget it."""

    code = "VHB408"
    exit_code = ExitCode.CANNOT_START


def disk_error(error: OSError) -> VlmhbError | None:
    """A fault of the file system that the user can mend; None for any other `OSError`: that one is ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space; the same command continues"
        return DiskFull("no space left on the device", where=str(error.filename or ""), hint=hint)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WorkspaceNotWritable(f"cannot write ({error.strerror})", where=str(error.filename or ""))
    return None


# --- 5xx stages --------------------------------------------------------------------------------


class StageFailed(VlmhbError):
    code = "VHB501"
    exit_code = ExitCode.FAILURES


class ModelFailed(VlmhbError):
    """The model server did not become healthy, or died more often than it may."""

    code = "VHB502"
    exit_code = ExitCode.FAILURES


class BudgetReached(VlmhbError):
    """A budget is used up: the rest of the samples waits until it is raised."""

    code = "VHB506"
    exit_code = ExitCode.BUDGET


class Interrupted(VlmhbError):
    code = "VHB530"
    exit_code = ExitCode.INTERRUPTED


class InternalError(VlmhbError):
    """A fault of ours in one evaluation; the others go on."""

    code = "VHB599"
    exit_code = ExitCode.FAILURES


def error_class(code: str) -> type[VlmhbError]:
    """The class of a code that a stage told; `StageFailed` for one that is not on this page."""
    return next((found for found in VlmhbError.__subclasses__() if found.code == code), StageFailed)
