"""Repositories for tests of ``REV:PATH``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from repositories import git

Commit = Callable[[], None]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a new repository, which is the current folder."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    made = tmp_path / "repository"
    made.mkdir()
    git(made, "init", "-q", "-b", "main")
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def commit(repository: Path) -> Commit:
    """Return a function that commits all files of the repository."""

    def all_files() -> None:
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "-m", "files", "--allow-empty")

    return all_files
