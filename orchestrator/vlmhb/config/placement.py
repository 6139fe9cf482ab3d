"""Where a row's model runs: its GPUs and replicas, checked as far as the row and the card alone can tell."""

from __future__ import annotations

from vlmhb.errors import BadValue
from vlmhb.modelcard import URL_INTERFACES, ModelCard

from .problems import Problems


def check_placement(problems: Problems, *, model: ModelCard) -> None:
    """Warns of wishes without an effect. Raises `BadValue` for those that cannot be fulfilled."""
    row = problems.row
    if model.interface in (*URL_INTERFACES, "replay") or row.answers_file is not None:
        for column, value in (("gpus", row.gpus), ("replicas", row.replicas)):
            if value is not None:
                problems.warn("no effect: no model server is started for this row", column=column)
        return
    if row.gpus is not None and row.replicas is not None and len(row.gpus) % row.replicas:
        what = f"{len(row.gpus)} GPUs cannot be shared out evenly to {row.replicas} replicas"
        raise BadValue(what, where=problems.where("gpus"), hint="give each replica the same number of GPUs")
