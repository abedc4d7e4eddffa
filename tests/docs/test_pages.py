"""Every block of code in the documentation does what its page says, typed one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import REPOSITORY, blocks

RUN = ("console", "sh", "python")
PAGES = sorted({block.page for block in blocks() if block.language in RUN and not (block.reason or block.own_test)})


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(page: str, tmp_path: Path) -> None:
    """Sessions print what is shown; commands and programs end with exit code 0."""
    done = subprocess.run(
        [sys.executable, REPOSITORY / "tests" / "docs" / "page.py", page, tmp_path],
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
