"""A page as the parser of the standard library sees it."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """The elements, texts and comments that an independent parser finds in a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] not in ("style", "script"):
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def is_closed_to_the_world(self) -> bool:
        links = [
            a[key] or "" for _, a in self.elements for key in ("src", "href", "action", "data", "poster") if key in a
        ]
        handlers = [key for _, a in self.elements for key in a if key.startswith("on") or key == "style"]
        inner = all(link.startswith(("data:image/jpeg;base64,", "#f")) for link in links)
        single = len(self.all("script")) == len(self.all("style")) == 1
        return inner and single and not handlers and not self.comments


def shape(page: Page) -> list[str]:
    return [tag for tag, _ in page.elements]
