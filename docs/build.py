"""Gather the pages of the site in a folder, where zensical builds it: ``python docs/build.py FOLDER``.

The site has the pages of ``docs``, the documents of the repository's root in ``ROOT_PAGES``, and one page with the
files of ``examples``, ``topologies`` and ``scenarios``. Links between them work in the repository as they stand; here
they are rewritten to work in the site. A page in the navigation that does not exist is left out, and named.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
CONFIGURATION = REPOSITORY / "mkdocs.yml"
ROOT_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "reporting.md"}
EXAMPLES = ("examples", "topologies", "scenarios")
_FILES_PAGE = "files.md"
_LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)(#[^)\s]*)?(?=\))")
_FENCE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_PAGES = (".md", ".svg", ".png", ".css", ".html")


def gather(folder: Path) -> list[str]:
    """Write ``mkdocs.yml`` and the folder ``docs`` into an empty folder; return the pages that are left out."""
    pages = folder / "docs"
    for path in _own():
        target = pages / path.relative_to(DOCS)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(_rewritten(path))
        else:
            shutil.copy(path, target)
    for name, page in ROOT_PAGES.items():
        (pages / page).write_text(_rewritten(REPOSITORY / name))
    (pages / _FILES_PAGE).write_text("\n".join(_files()) + "\n")
    configuration = yaml.safe_load(CONFIGURATION.read_text())
    left_out: list[str] = []
    configuration["nav"] = _existing(configuration["nav"], pages, left_out)
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    return left_out


def _own() -> Iterator[Path]:
    yield from (path for path in sorted(DOCS.rglob("*")) if path.is_file() and path.suffix in _PAGES)


def _rewritten(path: Path) -> str:
    """Return the text of a page with the links of the site; code stays as it is."""
    parts = _FENCE.split(path.read_text())
    parts[::2] = [_LINK.sub(lambda link: _address(path, link[1]) + (link[2] or ""), part) for part in parts[::2]]
    # In a table GitHub wants a backslash before this sign, also in code; zensical would print it.
    parts[1::2] = [part if part.startswith("```") else part.replace("\\|", "|") for part in parts[1::2]]
    return "".join(parts)


def _address(page: Path, link: str) -> str:
    """Return a link of a page as the site has it; one that leads to no page stays, and zensical reports it."""
    target = Path(os.path.normpath(page.parent / link))
    place = page.relative_to(DOCS).parent if DOCS in page.parents else Path()
    if DOCS in target.parents:
        found = target.relative_to(DOCS).as_posix()
    elif target.parent == REPOSITORY and target.name in ROOT_PAGES:
        found = ROOT_PAGES[target.name]
    elif target == REPOSITORY / "README.md":
        found = "index.md"
    elif (name := target.relative_to(REPOSITORY).as_posix()).startswith(EXAMPLES):
        return f"{_relative(_FILES_PAGE, place)}#{_anchor(name)}"
    else:
        return link
    return _relative(found, place)


def _relative(page: str, place: Path) -> str:
    return os.path.relpath(page, place)


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _files() -> Iterator[str]:
    """Yield the lines of the page with the files that come with netlab."""
    yield "# Files that come with netlab\n"
    yield "`netlab examples` lists them, and `netlab examples --to DIR` copies them.\n"
    for folder in EXAMPLES:
        yield f"## {folder} {{ #{folder} }}\n"
        above = ""
        for path in sorted((REPOSITORY / folder).rglob("*.y*ml")):
            name = path.relative_to(REPOSITORY).as_posix()
            if (parent := os.path.dirname(name)) not in (above, folder):
                above = parent
                yield f"### {parent} {{ #{_anchor(parent)} }}\n"
            yield f"#### {name} {{ #{_anchor(name)} }}\n\n```yaml\n{path.read_text().rstrip()}\n```\n"


def _existing(entries: list[Any], pages: Path, left_out: list[str]) -> list[Any]:
    """Return the navigation without pages that do not exist."""
    found: list[Any] = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            if below := _existing(target, pages, left_out):
                found.append({title: below})
        elif (pages / target).exists():
            found.append(entry)
        else:
            left_out.append(target)
    return found


if __name__ == "__main__":
    for name in gather(Path(sys.argv[1])):
        print(f"netlab: not yet written, and left out: docs/{name}", file=sys.stderr)
