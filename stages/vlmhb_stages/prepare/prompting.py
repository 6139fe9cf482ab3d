"""What turns the samples of one dataset into conversations: templates, worked examples and the check for leaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vlmhb_benchmarks.loaders import RawSample

from vlmhb_stages.contracts import ImageRef
from vlmhb_stages.prepare.chosen import Templates
from vlmhb_stages.prepare.conversation import Conversation, Conversations
from vlmhb_stages.prepare.leaks import LeakCheck
from vlmhb_stages.prepare.output import RecordFile
from vlmhb_stages.prepare.prompts import asked
from vlmhb_stages.prepare.renderer import Renderer
from vlmhb_stages.prepare.shots import Examples, Shots, place_shots, read_examples
from vlmhb_stages.prepare.survey import is_selected
from vlmhb_stages.prepare.wording import Wording
from vlmhb_stages.prepare.worked import Worked, worked
from vlmhb_stages.specs import PrepareSpec

VERSIONS = "prompts.jsonl"


class Prompting:
    """`examples`: worked ones, where there are any, in `folder`. Raises `PrepareFailed` for wrong templates."""

    def __init__(
        self, spec: PrepareSpec, *, renderer: Renderer, examples: Examples | None, folder: Path
    ) -> None:
        self._spec, self._examples, self._folder = spec, examples, folder
        self._templates = Templates(spec, renderer=renderer)
        self._wording = Wording(spec, templates=self._templates)
        self._leaks = LeakCheck(examples) if examples is not None else None
        self._shots: Shots | None = None
        self._conversations = Conversations(spec, wording=self._wording, worked=Worked())

    def place(self, media: Path) -> None:
        """Puts the images of the examples where the model can be shown them. Raises `PrepareFailed`."""
        if self._examples is None or self._leaks is None:
            return
        limit = self._spec.max_image_pixels
        self._shots = place_shots(self._examples, folder=self._folder, media=media, max_pixels=limit)
        self._leaks.know(self._shots)
        turns = worked(self._shots, spec=self._spec, wording=self._wording)
        self._conversations = Conversations(self._spec, wording=self._wording, worked=turns)

    def watched(self, samples: Iterable[RawSample]) -> Iterator[RawSample]:
        """The same samples; one that is an example as well raises `PrepareFailed`."""
        for sample in samples:
            if self._leaks is not None and is_selected(sample, spec=self._spec):
                self._leaks.look(sample)
            yield sample

    def asks(self, sample: RawSample) -> bool:
        """Whether anybody says what to ask."""
        return (
            bool(asked(sample, spec=self._spec).text)
            or self._templates.chosen(sample.metadata).user is not None
        )

    def conversation(self, sample: RawSample, *, images: Sequence[ImageRef], usable: bool) -> Conversation:
        """Raises `PrepareFailed` for a template that cannot be rendered, or an image that an example shows."""
        if not usable:
            return self._conversations.unusable(sample)
        if self._leaks is not None:
            self._leaks.look_at_images(sample, images)
        return self._conversations.of(sample, images)

    def warnings(self) -> list[str]:
        shown = self._shots.warnings if self._shots is not None else ()
        leaks = self._leaks.warnings() if self._leaks is not None else ()
        return [*self._conversations.warnings(), *shown, *leaks]

    def write_versions(self, inputs: Path) -> None:
        with RecordFile(inputs / VERSIONS) as file:
            for version in self._conversations.versions:
                file.write(version)


@contextmanager
def open_prompting(spec: PrepareSpec, *, resolve: Callable[[str], Path]) -> Iterator[Prompting]:
    """Templates and examples are checked. Raises `PrepareFailed`.

    To be opened before the dataset: the process that renders is forked without anything of it."""
    path = resolve(spec.few_shot) if spec.few_shot is not None else None
    examples = read_examples(spec, path=path) if path is not None else None
    with Renderer() as renderer:
        yield Prompting(
            spec, renderer=renderer, examples=examples, folder=path.parent if path is not None else Path()
        )
