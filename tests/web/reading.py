"""Reads a page as a browser would, far enough to see what is on it."""

from html.parser import HTMLParser

VOID = frozenset(("meta", "br", "img", "link", "input", "hr"))


class Page(HTMLParser):
    """Every element with its attributes, and all text outside `<style>`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())


def check(html: str) -> Page:
    """Assert what holds for every page, and return it parsed."""
    page = Page(html)
    names = [name for name, _ in page.elements]
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert html.encode().decode() == html
    assert not page.unbalanced and not page.open
    assert not {"script", "img", "iframe", "link", "object", "form", "base"} & set(names)
    assert len(ids) == len(set(ids))
    for name, attrs in page.elements:
        assert not any(attribute.startswith("on") for attribute in attrs)
        assert not {"src", "srcset", "action"} & set(attrs)
        assert attrs.get("href", "#").startswith("#") and attrs.get("href", "#")[1:] in ("", *ids)
        assert name != "th" or "scope" in attrs
        assert name != "svg" or attrs["role"] == "img"
    policy = next(attrs["content"] for _, attrs in page.elements if attrs.get("http-equiv"))
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in policy
    assert ("html", {"lang": "en"}) in page.elements
    assert "nan" not in page.text.lower().split() and "None" not in page.text.split()
    assert not any(ord(char) < 32 and char not in "\n\t" for char in html)
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in html
    return page
