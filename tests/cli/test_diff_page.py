"""``docs/diff.md`` shows what ``netlab diff`` prints; its comments for pull requests are those of the examples.

``python tests/cli/test_diff_page.py`` writes the comments into the page anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doc_blocks import blocks, fits

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "diff.md"
_COMMENT = re.compile(r"(?<=<!-- comment )(?P<name>[\w-]+) -->\n(?P<text>.*?)(?=<!-- end -->)", re.DOTALL)

Netlab = Callable[..., Any]


@pytest.fixture(autouse=True)
def in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def comment(markdown: str) -> str:
    """Return a comment as the page has it: its headings are three levels lower, and no marker is in it."""
    text = re.sub(r"^<!-- .*? -->\n\n", "", markdown)
    return re.sub(r"^(#+ )", r"###\1", text, flags=re.MULTILINE)


def command(name: str) -> list[str]:
    folder = f"docs/pull-requests/{name}"
    return ["diff", f"{folder}/old", f"{folder}/new", "-o", "markdown"]


@pytest.mark.parametrize("found", [*_COMMENT.finditer(PAGE.read_text())], ids=lambda found: found["name"])
def test_the_comment_of_a_pull_request_is_as_the_page_shows_it(netlab: Netlab, found: re.Match[str]) -> None:
    """Byte for byte; the exit code is 1, as each opens something."""
    done = netlab(*command(found["name"]))

    assert comment(done.stdout) == found["text"]
    assert 1 == done.exit_code


def sessions() -> Iterator[tuple[str, str | None]]:
    for block in blocks():
        if block.page == "docs/diff.md" and block.language == "console":
            yield from ((one.line, one.expected) for one in block.commands)


@pytest.mark.parametrize(("line", "expected"), [*sessions()])
def test_a_session_of_the_page_prints_what_it_shows(netlab: Netlab, line: str, expected: str) -> None:
    """Commands that need no kernel."""
    done = netlab(*line.split()[1:], env={"COLUMNS": "120"}, prog_name="netlab")

    assert fits(expected, done.stdout), done.output


if __name__ == "__main__":
    import subprocess
    import sys

    def written(found: re.Match[str]) -> str:
        run = [sys.executable, "-m", "netlab", *command(found["name"])]
        done = subprocess.run(run, capture_output=True, text=True, cwd=REPOSITORY, check=False)
        return f"{found['name']} -->\n{comment(done.stdout)}"

    PAGE.write_text(_COMMENT.sub(written, PAGE.read_text()))
