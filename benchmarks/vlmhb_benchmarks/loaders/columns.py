"""Which columns of a table mean what: the params of a card, else the names that datasets usually have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from string import ascii_uppercase
from typing import Any

from vlmhb_benchmarks.loaders.base import LoaderError, check_params, choice, texts, whole
from vlmhb_benchmarks.loaders.values import ANSWER_CHOICES

PARAMS = (
    "columns",
    "metadata",
    "labels",
    "where",
    "split",
    "derive",
    "hint",
    "lists",
    "reference",
    "answer_choice",
    "list_choices",
    "image_path",
    "explode",
    "image_optional",
    "dpi",
    "max_pages",
    "file",
    "empty_answer",
)
OURS = ("id", "question", "answers", "image", "choices", "hint", "pdf", "page", "response_schema")
WHOLE_ROW = "*"  # as a column: the row itself, as one JSON text
SINGLE = ("id", "question", "hint", "pdf", "page", "response_schema")
NUMBERED = range(1, 101)
# Columns that the inference side may see. All others go to the labels: a rationale or an answer in another
# form often stands beside the answer.
METADATA = (
    "category",
    "l2-category",
    "l3-category",
    "split",
    "doc_class",
    "question_type",
    "language",
    "type",
    "task",
    "source",
)
# Tried in this order where the card names no column.
USUAL: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "sample_id", "questionId", "question_id", "index"),
    "question": ("question",),
    "answers": ("answers", "answer"),
    "image": ("images", "image"),
    "choices": ("choices", "options"),
    "hint": ("hint",),
    "pdf": (),
    "page": (),
    "response_schema": ("response_schema",),
}


class MissingColumn(Exception):
    """A column that the card names, or that every dataset needs, is not there."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Column names, all of one table's header; empty where it has none."""

    answers: tuple[str, ...]
    image: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    id: str | None = None
    question: str | None = None
    hint: str | None = None
    pdf: str | None = None
    page: str | None = None
    response_schema: str | None = None

    @cached_property
    def used(self) -> frozenset[str]:
        """Columns that mean something of ours, so are no further metadata."""
        singles = (getattr(self, name) for name in SINGLE)
        return frozenset((*self.answers, *self.image, *self.choices, *filter(None, singles)))


@dataclass(frozen=True, kw_only=True)
class TableParams:
    """The params of a card for `parquet`, `tsv` and `jsonl` (docs/benchmarks.md), checked.

    `metadata`: our name -> column; `columns`: ours -> columns, empty = there is none; None in `labels` = all;
    `empty_answer`: what an empty answer means."""

    usual: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: USUAL)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    derive: tuple[str, ...] = ()
    hint: bool = False
    lists: bool = False
    reference: str = "any"
    answer_choice: str = "written"
    list_choices: bool = True
    image_path: str = "{}"
    image_optional: bool = False
    explode: tuple[str, ...] = ()
    dpi: int = 144
    max_pages: int | None = None
    empty_answer: str = ""


def read_params(
    params: Mapping[str, Any],
    *,
    loader: str,
    own: tuple[str, ...] = (),
    lists: bool = False,
    usual: Mapping[str, tuple[str, ...]] | None = None,
) -> TableParams:
    """Raises `LoaderError` for what the loader does not know. `file` is the loader's own affair; `split: test` is
    short for `where: {split: test}`.

    `own`: params of this loader alone; `usual`: names that it tries in place of those of `USUAL`."""
    check_params(params, known=(*PARAMS, *own), loader=loader)
    split = {} if params.get("split") is None else {"split": params["split"]}
    image_path = params.get("image_path", "{}")
    if not isinstance(image_path, str) or "{}" not in image_path:
        raise LoaderError("image_path must hold {}", file="card", hint="e.g. images/{}.jpg")
    return TableParams(
        usual={**USUAL, **(usual or {})},
        columns=_columns(_mapping(params, "columns")),
        metadata=_metadata(params.get("metadata")),
        labels=texts(params, "labels"),
        where={key: _wanted(value) for key, value in {**split, **_mapping(params, "where")}.items()},
        derive=texts(params, "derive") or (),
        hint=_flag(params, "hint", default=False),
        lists=_flag(params, "lists", default=lists),
        reference=choice(params, "reference", of=("any", "json")),
        answer_choice=choice(params, "answer_choice", of=ANSWER_CHOICES),
        list_choices=_flag(params, "list_choices", default=True),
        image_path=image_path,
        image_optional=_flag(params, "image_optional", default=False),
        explode=texts(params, "explode") or (),
        dpi=whole(params, "dpi") or TableParams.dpi,
        max_pages=whole(params, "max_pages"),
        empty_answer=str(params.get("empty_answer", "")),
    )


def _mapping(params: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = params.get(name) or {}
    if not isinstance(value, Mapping):
        raise LoaderError(f"{name} must be a mapping", file="card", hint="{our name: column}")
    return value


def _flag(params: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = params.get(name, default)
    if not isinstance(value, bool):
        raise LoaderError(f"{name} must be true or false", file="card")
    return value


def _columns(given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    renamed = {"answer": "answers", "images": "image", "index": "id"}
    columns = {renamed.get(ours, ours): value for ours, value in given.items()}
    unknown = sorted(set(columns) - set(OURS))
    if unknown:
        hint = f"it knows: {', '.join(OURS)}"
        raise LoaderError(f"columns has no {', '.join(unknown)}", file="card", hint=hint)
    found = {ours: texts(columns, ours) or () for ours in columns}
    several = [ours for ours in SINGLE if len(found.get(ours, ())) > 1]
    if several:
        raise LoaderError(f"columns.{several[0]} is one column", file="card")
    return found


def _metadata(given: Any) -> dict[str, str]:
    if isinstance(given, Mapping):
        return {str(ours): str(theirs) for ours, theirs in given.items()}
    return {name: name for name in texts({"metadata": given}, "metadata") or ()}


def _wanted(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in values)


def resolve(params: TableParams, header: Sequence[str]) -> Table:
    """What the columns of `header` mean. Raises `MissingColumn`; `LoaderError` for metadata that is the answer."""
    named = [name for names in params.columns.values() for name in names]
    for name in (*named, *params.metadata.values(), *params.where, *params.explode):
        if name not in (*header, WHOLE_ROW) and name.partition(".")[0] not in header:
            raise MissingColumn(name)
    table = loose_table(params, header)
    if "answers" not in params.columns and table.answers[0] not in header:
        raise MissingColumn(table.answers[0])
    return table


def loose_table(params: TableParams, header: Sequence[str]) -> Table:
    """As `resolve` for files without a header, whose rows may each lack something."""
    answers = _one_of("answers", params=params, header=header)
    if not answers and "answers" not in params.columns:
        answers = params.usual["answers"][-1:]
    gold = {name.partition(".")[0] for name in answers} & {
        name.partition(".")[0] for name in params.metadata.values()
    }
    if gold:
        raise LoaderError(f"metadata names {', '.join(sorted(gold))}, the answer", file="card")

    def single(ours: str) -> str | None:
        return next(iter(_one_of(ours, params=params, header=header)), None)

    return Table(
        answers=answers,
        image=_one_of("image", params=params, header=header) or _numbered(params, header=header),
        choices=_one_of("choices", params=params, header=header) or _letters(params, header=header),
        id=single("id"),
        question=single("question"),
        hint=single("hint"),
        pdf=single("pdf"),
        page=single("page"),
        response_schema=single("response_schema"),
    )


def _one_of(ours: str, *, params: TableParams, header: Sequence[str]) -> tuple[str, ...]:
    if ours in params.columns:
        return params.columns[ours]
    return tuple(name for name in params.usual[ours] if name in header)[:1]


def _numbered(params: TableParams, *, header: Sequence[str]) -> tuple[str, ...]:
    """`image_1`, `image_2`, ... or the pages of a deck; `image_path` where images lie beside the table."""
    if "image" in params.columns or params.columns.get("pdf"):
        return ()
    for stem in ("image", "page"):
        found = tuple(name for n in NUMBERED if (name := f"{stem}_{n}") in header)
        if found:
            return found
    return ("image_path",) if "image_path" in header else ()


def _letters(params: TableParams, *, header: Sequence[str]) -> tuple[str, ...]:
    if "choices" in params.columns or "A" not in header or "B" not in header:
        return ()
    return tuple(letter for letter in ascii_uppercase if letter in header)


def lookup(data: Mapping[str, Any], name: str) -> Any:
    """The value of a column or of a dotted path; a path through a list gives the list of its values."""
    if name in data:
        return data[name]
    if name == WHOLE_ROW:
        return dict(data)
    head, _, rest = name.partition(".")
    return _inside(data.get(head), rest)


def _inside(value: Any, path: str) -> Any:
    if not path or value is None:
        return value
    if isinstance(value, list):
        return [_inside(item, path) for item in value]
    head, _, rest = path.partition(".")
    return _inside(value.get(head), rest) if isinstance(value, dict) else None
