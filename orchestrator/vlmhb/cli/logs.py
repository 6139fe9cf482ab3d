"""`vlmhb logs`: what the containers of a run have printed, once or as it comes."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vlmhb.cli.following import POLL_S, find_run
from vlmhb.cli.options import DEFAULT_WORKSPACE, RunName, WorkspaceOption
from vlmhb.console import printable

if TYPE_CHECKING:
    from vlmhb.runs import RunRecord

STAGES = ("prepare", "import", "infer", "score", "evaluate")
_BLOCK = 1 << 20
_DECODER = codecs.getincrementaldecoder("utf-8")


def logs(
    run_name: RunName = None,
    evaluation: Annotated[
        str | None, typer.Option("--evaluation", "-e", help="Only this evaluation.")
    ] = None,
    stage: Annotated[
        Literal["prepare", "import", "infer", "score", "evaluate"] | None,
        typer.Option("--stage", "-s", help="Only this stage."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is printed until the run ends.")
    ] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Print the logs of a run's containers.

    Example: vlmhb logs quickstart-1a2b3c4d --stage infer -f
    """
    from vlmhb.errors import UnknownRun

    record = find_run(run_name, workspace)
    known = sorted(folder.name for folder in (record.folder / "evaluations").glob("*"))
    if evaluation is not None and evaluation not in known:
        raise UnknownRun(
            f"no evaluation {evaluation!r}", where=record.id, hint=f"there are {', '.join(known)}"
        )
    wanted = _Wanted(
        record=record,
        workspace=workspace,
        evaluation=evaluation,
        stages=STAGES if stage is None else (stage,),
    )
    printer = _Printer()
    try:
        while True:
            ended = not (
                follow and record.is_running
            )  # asked first: what was printed before is then read below
            for title, path in wanted.found():
                printer.show(path, title=title)
            if ended:
                return
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """The logs that are asked for; more of them appear while a run goes on."""

    record: RunRecord
    workspace: Path
    evaluation: str | None
    stages: Sequence[str]

    def found(self) -> Iterator[tuple[str, Path]]:
        """Title and path of each log that is there."""
        for folder in sorted((self.record.folder / "evaluations").glob(self.evaluation or "*")):
            for name in _links(folder, stages=self.stages):
                yield f"{folder.name} {name}", folder / name / "log.txt"
                if name == "infer":
                    for server in _server_logs(folder / name, workspace=self.workspace):
                        yield f"{folder.name} model server", server


@dataclass(kw_only=True)
class _Printer:
    """Prints what is new of each file below a line that names it; the line comes again when another one spoke."""

    speaker: Path | None = None
    places: dict[Path, int] = field(default_factory=dict)
    decoders: dict[Path, codecs.IncrementalDecoder] = field(default_factory=dict)

    def show(self, path: Path, *, title: str) -> None:
        if not path.exists():
            return
        real = path.resolve()  # one server's log may belong to several evaluations
        first = real not in self.places
        with real.open("rb") as file:
            if file.seek(0, 2) < self.places.get(real, 0):  # cut because it grew too long, or begun anew
                self.places[real] = 0
            file.seek(self.places.get(real, 0))
            while (block := file.read(_BLOCK)) or first:
                if first or self.speaker != real:
                    typer.echo(f"--- {title} ({real})")
                first, self.speaker = False, real
                text = self.decoders.setdefault(real, _DECODER("replace")).decode(block)
                typer.echo(printable(text) if sys.stdout.isatty() else text, nl=False)
            self.places[real] = file.tell()


def _links(folder: Path, *, stages: Sequence[str]) -> list[str]:
    """Names of the links to artifacts of these stages: a stage's own, or `score-<backend>`."""
    names = sorted(path.name for path in folder.iterdir())
    return [name for stage in stages for name in names if name == stage or name.startswith(f"{stage}-")]


def _server_logs(artifact: Path, *, workspace: Path) -> list[Path]:
    """Logs of the newest servers, one for each replica, of the model that this artifact asked."""
    from vlmhb.store.files import read_json
    from vlmhb.store.workspace import Workspace

    identity = (read_json(artifact / "spec.json") or {}).get("model_identity")
    if not identity:
        return []
    first = Workspace(workspace).server_file(str(identity), suffix=".log")
    return sorted(first.parent.glob(f"{first.stem}*.log"))
