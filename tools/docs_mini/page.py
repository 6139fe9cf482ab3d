"""A page that remembers its own text: whatever is printed is also the next line of the transcript."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random

from PIL import Image, ImageDraw, ImageFont

# A regular and a bold face, all with Cyrillic; from fonts-dejavu-core, fonts-liberation, fonts-paratype.
FACES = {
    "sans": ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf"),
    "serif": ("LiberationSerif-Regular.ttf", "LiberationSerif-Bold.ttf"),
    "dejavu": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    "pt": ("PTS55F.ttf", "PTS75F.ttf"),
    "mono": ("LiberationMono-Regular.ttf", "LiberationMono-Bold.ttf"),
    "ptmono": ("PTM55F.ttf", "PTM75F.ttf"),
}
SPACING = 1.42  # line height / font size


@lru_cache(maxsize=64)
def font(face: str, size: int, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FACES[face][1 if bold else 0], size)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A text at `x` pixels; `anchor` l, m or r says which end of the text stands there."""

    text: str
    x: int
    anchor: str = "l"


class Page:
    """A grayscale page, filled from the top. `margin` and all positions in pixels."""

    def __init__(self, *, width: int, height: int, face: str, rng: Random, margin: int = 60) -> None:
        self.width, self.margin, self.face = width, margin, face
        self.y = margin
        self.lines: list[str] = []
        self._ink = rng.randint(10, 60)
        self.image = Image.new("L", (width, height), rng.randint(246, 255))
        self.draw = ImageDraw.Draw(self.image)

    @property
    def right(self) -> int:
        return self.width - self.margin

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def row(self, *cells: Cell, size: int = 22, bold: bool = False) -> None:
        """Prints the cells on one line, left to right."""
        used = font(self.face, size, bold)
        for cell in cells:
            left, _, right, bottom = self.draw.textbbox(
                (cell.x, self.y), cell.text, font=used, anchor=f"{cell.anchor}a"
            )
            if left < 0 or right > self.width or bottom > self.image.height:
                raise ValueError(f"text leaves the page: {cell.text}")
            self.draw.text((cell.x, self.y), cell.text, font=used, fill=self._ink, anchor=f"{cell.anchor}a")
        self.lines.append(" ".join(cell.text for cell in cells))
        self.y += round(size * SPACING)

    def left(self, text: str, *, size: int = 22, bold: bool = False) -> None:
        self.row(Cell(text=text, x=self.margin), size=size, bold=bold)

    def centre(self, text: str, *, size: int = 22, bold: bool = False) -> None:
        self.row(Cell(text=text, x=self.width // 2, anchor="m"), size=size, bold=bold)

    def pair(self, label: str, value: str, *, size: int = 22, bold: bool = False) -> None:
        """A label at the left margin, its value at the right one."""
        self.row(
            Cell(text=label, x=self.margin), Cell(text=value, x=self.right, anchor="r"), size=size, bold=bold
        )

    def paragraph(self, text: str, *, size: int = 22) -> None:
        """Breaks the text into lines that fit."""
        used, line = font(self.face, size, False), ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if used.getlength(longer) > self.right - self.margin:
                self.left(line, size=size)
                longer = word
            line = longer
        self.left(line, size=size)

    def gap(self, height: int) -> None:
        self.y += height

    def rule(self, *, width: int = 2) -> None:
        self.draw.line((self.margin, self.y, self.right, self.y), fill=self._ink, width=width)
        self.y += 12

    def signature(self, *, x: int, y: int, rng: Random) -> None:
        """A pen stroke, no text."""
        points = [(x + step * 9, y + rng.randint(-16, 16)) for step in range(16)]
        self.draw.line(points, fill=90, width=2, joint="curve")

    def stamp(self, *, x: int, y: int, radius: int) -> None:
        """Two rings and a star, no text."""
        for ring in (radius, radius - 8):
            self.draw.ellipse((x - ring, y - ring, x + ring, y + ring), outline=150, width=3)
        self.draw.regular_polygon((x, y, radius // 2), 5, fill=None, outline=150)

    def photo(self, *, x: int, y: int, width: int, height: int) -> None:
        """A grey box with the outline of nobody."""
        self.draw.rectangle((x, y, x + width, y + height), fill=215, outline=120, width=2)
        head = width // 5
        middle, top = x + width // 2, y + height // 4
        self.draw.ellipse((middle - head, top, middle + head, top + head * 5 // 2), fill=165)
        self.draw.pieslice(
            (x + width // 8, y + height * 6 // 10, x + width * 7 // 8, y + height * 14 // 10),
            180,
            360,
            fill=165,
        )

    def bars(self, *, rng: Random, height: int = 60) -> None:
        """A bar code, no text."""
        x = self.margin + 60
        while x < self.right - 60:
            wide = rng.choice((2, 2, 4, 6))
            self.draw.rectangle((x, self.y, x + wide - 1, self.y + height), fill=self._ink)
            x += wide + rng.choice((3, 3, 5))
        self.y += height

    def cut(self) -> None:
        """Ends the page a margin below the last line, like a receipt."""
        self.image = self.image.crop((0, 0, self.width, min(self.image.height, self.y + self.margin)))
