"""The code blocks of every Markdown file, and how a test proves each.

``python tests/doc_blocks.py`` lists them. A block that no test proves has a comment on a line above it:
``<!-- not run: REASON -->``. A page whose blocks a test of its own proves says so in a comment on its first lines:
``<!-- proven by tests/FILE -->``.

- ``console``: a session. Each line after ``$ `` is a command; a here-document may follow it. The lines up to the next
  command are what it prints; a line ``  ...`` stands for any number of lines, and `` ...`` at an end for its rest.
- ``sh``: commands, each with exit code 0.
- ``yaml``, ``json``: documents. Those of a kind that netlab reads are free of errors.
- ``python``: a program that ends without an error.

The blocks of a file run in order in one folder, which has copies of ``examples``, ``scenarios`` and ``topologies``, and
``manifests``, a copy of ``examples/shop``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n\s*)?"
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_OWN_TEST = re.compile(r"^<!-- proven by (tests/[\w/.-]+) -->$", re.MULTILINE)
_SKIPPED = re.compile(r"^ *\.\.\.$", re.MULTILINE)
_HERE = re.compile(r"<<'?(\w+)'?")

# The commands that need no kernel: `make test` runs them, in its own process.
_QUICK = {
    "check",
    "lint",
    "reach",
    "explain",
    "compare",
    "diff",
    "suggest",
    "exposure",
    "selects",
    "graph",
    "compile",
    "schema",
    "profiles",
    "examples",
}
_PLAIN = re.compile(r"[^|&;<>`$]*(?:> [\w./-]+)?")


@dataclass(frozen=True)
class Command:
    """A command line of a block and the pattern of its output, None where it does not matter."""

    line: str
    expected: str | None = None

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line.partition("\n")[0], comments=True)

    @property
    def kernel(self) -> bool:
        """Whether it makes namespaces."""
        return self.words[1:2] == ["verify"]


@dataclass(frozen=True)
class Block:
    """A code block.

    - ``page``: relative to the repository. ``line``: that of its fence.
    - ``reason``: why no test proves it, or "". ``own_test``: the test of the page alone, or "".
    """

    page: str
    line: int
    language: str
    text: str
    reason: str
    own_test: str = ""

    @property
    def commands(self) -> list[Command]:
        return [*(_session(self.text) if self.language == "console" else _script(self.text))]

    @property
    def plain(self) -> bool:
        """Whether it needs no shell and no lab; ``make test`` runs those of the README that build one, too."""
        return self.language in ("console", "sh") and all(
            _PLAIN.fullmatch(one.line.partition("  #")[0])
            and one.words[:1] == ["netlab"]
            and one.words[1:2] != []
            and (one.words[1] in _QUICK or (one.kernel and self.page == "README.md"))
            for one in self.commands
        )

    @property
    def how(self) -> str:
        """How a test proves it, in words."""
        if self.reason:
            return f"not run: {self.reason}"
        if self.own_test:
            return f"proven by {self.own_test}"
        if self.language in ("yaml", "json"):
            return "read by make test"
        if self.language in ("console", "sh"):
            return "run by make test and make test-docs" if self in quick(self.page) else "run by make test-docs"
        return "run by make test-docs" if self.language == "python" else "not proven"


def _session(text: str) -> Iterator[Command]:
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        if not lines[number].startswith("$ "):
            number += 1
            continue
        command = lines[number][2:]
        number += 1
        if here := _HERE.search(command):
            while number < len(lines):
                command += "\n" + lines[number]
                number += 1
                if lines[number - 1] == here[1]:
                    break
        first = number
        while number < len(lines) and not lines[number].startswith("$ "):
            number += 1
        yield Command(command, "\n".join(lines[first:number]).strip("\n"))


def _script(text: str) -> Iterator[Command]:
    for line in text.split("\n"):
        if line.strip() and not line.startswith("#"):
            yield Command(line)


def fits(expected: str, found: str) -> bool:
    """Return whether the output of a command is what a session shows."""
    parts = _SKIPPED.split("\n" + expected + "\n")
    texts = (re.sub(r"\\ \\\.\\\.\\\.\\\n", r" .*\n", re.escape(part.removeprefix("\n"))) for part in parts)
    pattern = "(?:.*\n)*?".join(texts)
    return re.fullmatch(pattern, found.rstrip("\n") + "\n" if found.strip() else "\n") is not None


def pages() -> list[Path]:
    """Return the Markdown files of the repository's root and of ``docs``."""
    return [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]


@cache
def blocks() -> tuple[Block, ...]:
    """Return every block of every page."""
    return tuple(
        Block(
            path.relative_to(REPOSITORY).as_posix(),
            text[: found.start("language")].count("\n") + 1,
            found["language"],
            _dedented(found["text"], len(found["indent"])),
            found["reason"] or "",
            own[1] if (own := _OWN_TEST.search(text)) else "",
        )
        for path in pages()
        for text in [path.read_text()]
        for found in _FENCE.finditer(text)
    )


def quick(page: str) -> list[Block]:
    """Return the blocks of a page that ``make test`` runs: plain ones that read no file of one that it leaves out."""
    found, whole = [], True
    for block in blocks():
        if block.page == page and block.language in ("console", "sh") and not (block.reason or block.own_test):
            if block.plain and whole:
                found.append(block)
            elif not block.plain and re.search(r"<<|> \w", block.text):
                whole = False
    return found


def _dedented(text: str, indent: int) -> str:
    return "".join(line[indent:] if line.strip() else line for line in text.splitlines(keepends=True))


if __name__ == "__main__":
    for block in blocks():
        print(f"{block.page}:{block.line}: {block.language or 'text'}: {block.how}")
