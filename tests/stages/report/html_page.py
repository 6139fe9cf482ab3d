"""A strict reader of the report's page: unbalanced tags are an error, references and visible text are collected."""

from __future__ import annotations

from html.parser import HTMLParser

BLOCKS = frozenset({"td", "th", "tr", "dt", "dd", "p", "div", "li", "h1", "h2", "h3", "h4", "h5", "summary"})
VOID = frozenset({"meta", "input", "br", "wbr", "line", "rect", "circle"})


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self._text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], self.open

    @property
    def text(self) -> str:
        return " ".join("".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in BLOCKS:
            self._text.append(" ")
        for name, value in attrs:
            if name in ("src", "href", "srcset", "xlink:href", "action", "poster", "data"):
                self.references.append(value or "")
            if name.startswith("on"):
                self.handlers.append(f"{tag} {name}")
            if name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self._text.append(data)
