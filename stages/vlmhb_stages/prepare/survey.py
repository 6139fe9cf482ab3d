"""First pass over a dataset: everything that must be known before the first sample may be written.

It looks at the whole file, whatever `limit` says: a raised limit must not change the earlier samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vlmhb_benchmarks.loaders import ImageFile, RawSample
from vlmhb_benchmarks.loaders.base import PdfPage

from vlmhb_stages.prepare.failure import PrepareFailed
from vlmhb_stages.prepare.images import normal_path
from vlmhb_stages.prepare.kinds import UnmetKinds
from vlmhb_stages.prepare.media import CommonFolder
from vlmhb_stages.prepare.prompts import lacks_prompt, prompt_key
from vlmhb_stages.specs import PrepareSpec

SHOWN_VALUES = 10


@dataclass(frozen=True, kw_only=True)
class Survey:
    """`folder` holds all image files of the dataset; None when there is no such folder below the dataset's own."""

    selected: int  # samples that this stage will write
    folder: str | None
    warnings: tuple[str, ...] = ()


def is_selected(sample: RawSample, *, spec: PrepareSpec) -> bool:
    """Both filters compare exactly; a filter that is not given lets everything through."""
    wanted = {"doc_class": spec.filter_doc_class, "question_type": spec.filter_question_type}
    return all(value is None or sample.metadata.get(key, "") == value for key, value in wanted.items())


def survey(samples: Iterable[RawSample], *, spec: PrepareSpec, beat: Callable[[], None]) -> Survey:
    """Raises `PrepareFailed` for duplicate ids, missing prompts, paths out of the dataset, and no samples.

    `beat` is called for every sample."""
    seen = _Seen(spec)
    for sample in samples:
        beat()
        seen.add(sample)
    seen.check()
    return Survey(
        selected=min(seen.selected, spec.limit or seen.selected),
        folder=seen.folder.path,
        warnings=seen.warnings,
    )


class _Seen:
    """What the first pass remembers: an id and a number a sample, all else is small."""

    def __init__(self, spec: PrepareSpec) -> None:
        self._spec = spec
        self._rows: dict[str, int] = {}
        self._missing: dict[str, None] = {}  # ordered
        self._values: dict[str, None] = {}
        self.folder = CommonFolder()
        self.selected = 0
        self._kinds = UnmetKinds(spec)
        self._hidden = 0  # damaged rows that a filter cannot judge
        self._first_hidden = ""

    def add(self, sample: RawSample) -> None:
        self._add_id(sample)
        self._add_images(sample)
        if len(self._values) < SHOWN_VALUES:
            self._values.setdefault(prompt_key(sample))
        self._kinds.add(sample)
        if is_selected(sample, spec=self._spec):
            self.selected += 1
            if sample.problem is None and lacks_prompt(sample, spec=self._spec):
                self._missing.setdefault(prompt_key(sample))
        elif sample.problem is not None:
            self._hidden += 1
            self._first_hidden = self._first_hidden or f"{sample.file}, row {sample.row}: {sample.problem}"

    @property
    def warnings(self) -> tuple[str, ...]:
        hidden = f"{self._hidden} damaged rows did not reach the filters; first: {self._first_hidden}"
        return (*((hidden,) if self._hidden else ()), *self._kinds.warnings())

    def _add_id(self, sample: RawSample) -> None:
        first = self._rows.get(sample.sample_id)
        self._rows[sample.sample_id] = sample.row
        if first is not None:  # also in one row, or in the same row of another file
            raise PrepareFailed(
                f"sample id {sample.sample_id} stands twice, in {sample.file}, rows {first} and {sample.row}",
                hint="every sample of a dataset needs an id of its own",
            )

    def _add_images(self, sample: RawSample) -> None:
        for image in sample.images:
            if isinstance(image, ImageFile | PdfPage):
                try:
                    path = normal_path(image.path)
                    if isinstance(image, ImageFile):
                        self.folder.add(path)
                except PrepareFailed as error:
                    message = f"{error.message}, in {sample.file}, row {sample.row}"
                    raise PrepareFailed(message, hint=error.hint) from error

    def check(self) -> None:
        if not self._rows:
            raise PrepareFailed("the dataset has no samples")
        if not self.selected:
            wanted = f"{self._spec.filter_doc_class or '*'} {self._spec.filter_question_type or '*'}"
            hint = f"filters compare exactly; the dataset has: {'; '.join(self._values)}"
            raise PrepareFailed(f"no sample passes the filters ({wanted})", hint=hint)
        if self._missing:
            raise PrepareFailed(
                f"the prompt collection has no prompt for: {'; '.join(self._missing)}",
                hint="add these keys; an empty prompt means the dataset's own question",
                code="VHB108",
            )
