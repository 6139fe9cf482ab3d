"""A dataset on disk and the prepare stage run on it, as a container would see both."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from vlmhb_stages.contracts import Label, Sample
from vlmhb_stages.events import EventWriter
from vlmhb_stages.prepare import run
from vlmhb_stages.specs import PrepareSpec


@dataclass(frozen=True, kw_only=True)
class Prepared:
    code: int
    out: Path
    events: list[dict[str, Any]]

    @property
    def samples(self) -> list[Sample]:
        lines = (self.out / "inputs/samples.jsonl").read_text(encoding="utf-8").splitlines()
        return [Sample.model_validate_json(line) for line in lines]

    @property
    def labels(self) -> list[Label]:
        lines = (self.out / "labels/labels.jsonl").read_text(encoding="utf-8").splitlines()
        return [Label.model_validate_json(line) for line in lines]

    @property
    def media(self) -> dict[str, str]:
        data: dict[str, str] = json.loads((self.out / "inputs/media.json").read_text(encoding="utf-8"))
        return data

    @property
    def fatal(self) -> dict[str, Any]:
        (event,) = (event for event in self.events if event["type"] == "fatal")
        return event

    @property
    def warnings(self) -> list[str]:
        return [event["message"] for event in self.events if event["type"] == "warning"]


class Bench:
    """`root` is the dataset folder; `prepare(**spec)` runs the stage on it into a fresh out folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = 0
        self.root = folder / "dataset"
        self.root.mkdir()
        self.clock: Callable[[], float] = lambda: 0.0

    def image(self, path: str, *, size: tuple[int, int] = (40, 30), shade: int = 200) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, shade).save(target)
        return target

    def rows(self, *rows: Mapping[str, Any], file: str = "samples.jsonl") -> None:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (self.root / file).write_text(text, encoding="utf-8")

    def annotation(self, *rows: str) -> None:
        header = "data_index;split;image_path;question;answer;doc_class;question_type;answer_bbox"
        (self.root / "annotation.csv").write_text("\n".join((header, *rows)), encoding="utf-8-sig")

    def prepare(self, *, dataset: Path | None = None, out: Path | None = None, **spec: Any) -> Prepared:
        self._runs += 1
        out = out or self._folder / f"out{self._runs}"
        places = {"/vlmhb/in/dataset": dataset or self.root, "/vlmhb/out": out}
        events = EventWriter(out / "events.jsonl")
        code = run(
            PrepareSpec(**{"loader": "jsonl", **spec}),
            events=events,
            resolve=lambda name: places.get(name, Path(name)),
            clock=self.clock,
        )
        events.close()
        lines = (out / "events.jsonl").read_text(encoding="utf-8").splitlines()
        return Prepared(code=code, out=out, events=[json.loads(line) for line in lines])
