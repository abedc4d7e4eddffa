"""Check a built site: ``python docs/check_site.py SITE``.

Every link and anchor inside it leads somewhere, and no page loads a script, a style, a font or a picture from another
host. Links that a reader may follow to other hosts are not tried.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser loads by itself, by tag and attribute.
_LOADED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "video": "src", "object": "data"}
_LOADED_LINKS = {"stylesheet", "icon", "preconnect", "preload", "dns-prefetch", "manifest"}
_STYLE = re.compile(r"""(?:url\(|@import\s+)["']?(?:https?:)?//""")


class _Page(HTMLParser):
    """The links, the anchors and what is loaded, of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and _LOADED_LINKS & set(found.get("rel", "").split()):
            self.loaded.append(found.get("href", ""))
        if found.get(_LOADED.get(tag, "")):
            self.loaded.append(found[_LOADED[tag]])


def problems(site: Path) -> Iterator[str]:
    """Yield a line for each problem of a site."""
    pages = {path.resolve(): _Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        # The page that a server shows for an address that it does not have; its links are those of a server's root.
        if path.name == "404.html":
            continue
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    yield f"{name}: loads {link}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                yield f"{name}: {link}: no such file"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name}: {link}: no such anchor"
    for path in sorted(site.rglob("*.css")):
        if _STYLE.search(path.read_text()):
            yield f"{path.relative_to(site)}: loads from another host"


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1])))
    for line in found:
        print(f"netlab: {line}", file=sys.stderr)
    sys.exit(bool(found))
