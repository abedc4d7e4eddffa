"""A repository with manifests and a scenario, a pull request for it, and a server that has GitHub's API."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from action.act import REPOSITORY, Job, run_workflow
from action.fake_github import FakeGitHub, serving
from action.shop import SCENARIO, WORKFLOW


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The checkout: the example shop, and a scenario."""
    folder = tmp_path / "work" / "shop"
    shutil.copytree(REPOSITORY / "examples/shop", folder / "manifests")
    (folder / ".git").mkdir()
    (folder / "scenarios").mkdir()
    (folder / "scenarios/shop.yaml").write_text(SCENARIO)
    return folder


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with serving() as found:
        yield found


@pytest.fixture
def push(workspace: Path, tmp_path: Path, github: FakeGitHub) -> Callable[..., Job]:
    """Run the workflow of docs/ci.md for a push to a pull request: push(fork=True, name="...", VARIABLE="...")."""
    numbers = itertools.count()

    def run(
        text: str = WORKFLOW,
        *,
        event_name: str = "pull_request",
        fork: bool = False,
        name: str = "topic",
        **environment: str,
    ) -> Job:
        head: dict[str, Any] = {
            "ref": name,
            "sha": "f" * 40,
            "repo": {"full_name": "me/shop" if fork else "owner/shop"},
        }
        request = {"number": 7, "title": name, "head": head, "changed_files": 0}
        event = {"pull_request": request} if event_name.startswith("pull_request") else {}
        github.writable = not fork
        runner = tmp_path / f"runner-{next(numbers)}"
        return run_workflow(text, workspace, runner, event_name, event, github.url, **environment)

    return run
