"""One build of one image for Apptainer: what is wanted, where, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vlmhb.contracts import ImageCard
from vlmhb.engines.apptainer import ApptainerEngine


@dataclass(frozen=True, kw_only=True)
class ApptainerBuild:
    """`image`: a card, or a foreign reference. `base`: the user's own base folder, None or `auto` for ours."""

    image: ImageCard | str
    engine: ApptainerEngine
    base: str | None
    wheelhouse: Path | None
    workspace: Path
    log: Path

    @property
    def card(self) -> ImageCard | None:
        return self.image if isinstance(self.image, ImageCard) else None

    @property
    def name(self) -> str:
        return self.image.name if isinstance(self.image, ImageCard) else self.image

    @property
    def given_base(self) -> str | None:
        return None if self.base == "auto" else self.base
