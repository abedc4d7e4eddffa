"""The version is the newest tag, wherever netlab is built."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
VCS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["version"]
FALLBACK = VCS["raw-options"]["fallback_version"]


def git(folder: Path, *words: str) -> None:
    """Run git without the settings of this machine's user."""
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, timeout=30)


def version(folder: Path) -> str:
    """Return the version that the build backend sees."""
    command = [sys.executable, "-m", "hatchling", "version"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with what decides the version, without git."""
    if "$Format" not in (REPOSITORY / ".git_archival.txt").read_text():
        pytest.skip("this copy is an archive of git: its version is in .git_archival.txt")
    folder = tmp_path / "netlab"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", ".git_archival.txt", ".gitattributes"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


@pytest.fixture
def clone(copy: Path) -> Path:
    """The same as a repository of one commit with a tag."""
    git(copy, "init", "--quiet")
    git(copy, "add", ".")
    git(copy, "commit", "--quiet", "--message", "one")
    git(copy, "tag", "v7.8.9")
    return copy


def test_a_copy_without_git_has_the_version_that_is_being_made(copy: Path) -> None:
    """A zip of a working tree, or a build in a container without .git."""

    assert FALLBACK == version(copy)


def test_a_tag_is_the_version_and_a_commit_after_it_is_on_the_way_to_the_next(clone: Path) -> None:
    """A shallow clone with its tag counts as well."""
    assert "7.8.9" == version(clone)

    git(clone, "commit", "--quiet", "--allow-empty", "--message", "two")

    assert re.fullmatch(r"7\.8\.10\.dev1\+g[0-9a-f]+", version(clone))


def test_an_archive_of_a_tag_has_its_version(clone: Path, tmp_path: Path) -> None:
    """The zip that a forge makes of a tag has no git, and a file that says which tag it is."""
    unpacked = tmp_path / "unpacked"
    git(clone, "archive", f"--output={tmp_path}/netlab.zip", "v7.8.9")
    shutil.unpack_archive(tmp_path / "netlab.zip", unpacked)

    assert "7.8.9" == version(unpacked)


def test_the_version_without_a_tag_is_the_top_release_of_the_changelog() -> None:
    """Whoever begins a section of CHANGELOG.md changes it too."""
    (top, *_) = re.findall(r"^## \[(\d\S*)\]", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert f"{top}.dev0" == FALLBACK
