"""`vlmhb import`: answers that another tool has collected, evaluated here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from vlmhb.cli.ending import conclude, introduce, told
from vlmhb.cli.options import DEFAULT_WORKSPACE, CardsOption, EngineOption, WorkspaceOption

Format = Literal["auto", "vlmevalkit", "lmms-eval", "evalscope", "lighteval", "inspect", "upstream", "jsonl"]


def import_(
    format_: Annotated[
        Format, typer.Argument(metavar="FORMAT", help="The tool that wrote it, or auto.", show_default=False)
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="One file of predictions.", show_default=False)
    ],
    benchmark: Annotated[str, typer.Option("--benchmark", help="The benchmark that was asked.")],
    model: Annotated[str, typer.Option("--model", help="The model that answered.")],
    dataset_path: Annotated[
        Path | None, typer.Option("--dataset-path", help="Its data, where the card's are not here.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="Task of the benchmark: VQA, OCR ...")] = None,
    framework: Annotated[str | None, typer.Option("--framework", help="What the model ran on.")] = None,
    metrics: Annotated[
        str | None, typer.Option("--metrics", help="Names with commas between them; the card's if left out.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first N samples were asked.")
    ] = None,
    ids: Annotated[
        Literal["auto", "id", "position"], typer.Option("--ids", help="How rows find their samples.")
    ] = "auto",
    id_key: Annotated[
        str | None, typer.Option("--id-key", help="Field of the file with our ids: metadata.questionId")
    ] = None,
    cards: CardsOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    engine: EngineOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object as the last line on stdout.")
    ] = False,
) -> None:
    """Evaluate answers of VLMEvalKit, lmms-eval, EvalScope, LightEval, inspect_ai or the prototype.

    The file is read in a container without a network. Failed and cut answers are states, never texts.

    Example: vlmhb import lmms-eval 20260806_samples_docvqa_val.jsonl --benchmark docvqa --model gpt-x
    """
    from vlmhb import application, importing
    from vlmhb.console import Console

    console = Console()
    row = {
        "dataset": benchmark,
        "model_name": model,
        "dataset_path": str(dataset_path) if dataset_path else None,
        "task": task,
        "framework": framework,
        "metrics": [name.strip() for name in metrics.split(",") if name.strip()] if metrics else None,
        "limit": limit,
    }
    asked = importing.Import(
        format=format_,
        file=file,
        row=row,
        workspace=workspace,
        engine=engine,
        cards=tuple(cards or ()),
        ids=ids,
        id_key=id_key,
    )
    with told(as_json=as_json):
        imported = importing.import_answers(asked, console=console)
        prepared = importing.evaluate(asked, imported, console=console)
        introduce(prepared)
        result = application.execute(prepared, console=console, command=sys.argv)
        importing.link(result, imported, prepared=prepared)
    ours = importing.own_values(result)
    for line in importing.told(imported, ours=ours):
        console.say(line)
    more = {"import": {"fingerprint": imported.fingerprint, **imported.summary.model_dump(mode="json")}}
    conclude(result, as_json=as_json, more=more)
