"""Pages of reports in Chromium: each test has a page that can load nothing, and fails on an error of its script."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netlab.cluster import try_resolve
from netlab.cluster.flows import FlowSelection
from netlab.objects import read_input
from netlab.report import formats
from netlab.report.expected import Expected

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # The sandbox of Chromium does not work as root. The pages are the tests' own.
        browser = playwright.chromium.launch(executable_path=os.environ["NETLAB_CHROMIUM"], args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """Opens files in pages without a network, and notes what must not happen.

    Attributes:
      wrong: errors and warnings of the console, errors of scripts, and dialogs.
      requests: the addresses that pages asked for.
    """

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.wrong: list[str] = []
        self.requests: list[str] = []

    def __call__(
        self, file: Path, *, size: tuple[int, int] = (1440, 900), scheme: str = "light", fragment: str = ""
    ) -> Any:
        """Return the page of a file."""
        context = self._browser.new_context(
            offline=True, color_scheme=scheme, viewport={"width": size[0], "height": size[1]}
        )
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self.requests.append(request.url))
        page.set_default_timeout(20_000)
        page.goto(f"{file.as_uri()}{fragment}")
        return page

    def _dialog(self, dialog: Any) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def opened(chromium: Any) -> Iterator[Opened]:
    """Opens pages. At the end, nothing went wrong, and each page was the only thing that was loaded."""
    found = Opened(chromium)
    yield found
    found.close()

    assert [] == found.wrong
    assert [] == [url for url in found.requests if not url.split("#")[0].endswith(".html")]


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Return a function that writes the report of ``reach`` on an input, once for each name, and returns the file."""
    folder = tmp_path_factory.mktemp("reports")

    def write(name: str, text: str) -> Path:
        page = folder / f"{name}.html"
        if not page.exists():
            source = folder / f"{name}.yaml"
            source.write_text(text, encoding="utf-8")
            found = read_input([str(source)])
            cluster, _ = try_resolve(found.objects, unknown=found.unknown, warn=True)
            lines = formats.lines(Expected(cluster, FlowSelection()), "html")
            page.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return page

    return write
