"""Reading a git revision runs nothing of the repository, fetches nothing, and reads no variable of the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from repositories import git

from netlab.errors import HostError
from netlab.kernel import git as program
from netlab.objects import read_input
from netlab.sources import SOURCES

Call = Callable[..., Result]
Commit = Callable[[], None]
POD = "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def manifests(repository: Path, commit: Commit) -> Path:
    """Return a repository with one pod, committed."""
    (repository / "m").mkdir()
    (repository / "m" / "a.yaml").write_text(POD)
    commit()
    return repository


@pytest.fixture
def trap(tmp_path: Path) -> tuple[Path, Path]:
    """Return a program that leaves a file behind, and that file."""
    mark, script = tmp_path / "it-ran", tmp_path / "trap"
    script.write_text(f"#!/bin/sh\n: > {mark}\nexit 0\n")
    script.chmod(0o755)
    return script, mark


def problems_of(*paths: str) -> list[str]:
    return [str(one) for one in read_input(paths, sources=SOURCES).problems]


def test_what_a_repository_configures_does_not_run(manifests: Path, trap: tuple[Path, Path]) -> None:
    """Hooks, monitors, filters, pagers, aliases and helpers are a stranger's programs."""
    script, mark = trap
    settings = {
        "core.fsmonitor": script,
        "core.hooksPath": script.parent,
        "core.pager": script,
        "core.sshCommand": script,
        "core.askPass": script,
        "core.editor": script,
        "core.alternateRefsCommand": script,
        "pager.ls-tree": script,
        "pager.cat-file": "true",
        "alias.ls-tree": f"!{script}",
        "credential.helper": f"!{script}",
        "diff.external": script,
        "filter.trap.smudge": script,
        "filter.trap.clean": script,
        "filter.trap.process": script,
        "filter.trap.required": "true",
        "diff.trap.textconv": script,
        "gpg.program": script,
        "protocol.ext.allow": "always",
        "trace2.normalTarget": mark,
    }
    for name, value in settings.items():
        git(manifests, "config", name, str(value))
    (manifests / ".git" / "info" / "attributes").write_text("* filter=trap diff=trap text eol=crlf\n")
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (manifests / ".git" / "hooks").mkdir(exist_ok=True)
        shutil.copy(script, manifests / ".git" / "hooks" / hook)

    assert [] == problems_of("HEAD:m")
    assert [] == problems_of("HEAD:m/a.yaml")
    assert not mark.exists()
    _plain("status")
    assert mark.exists()


def test_a_missing_object_is_not_fetched(
    manifests: Path, trap: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a partial clone git would fetch it, by a command that the repository's configuration can name."""
    script, mark = trap
    git(manifests, "config", "uploadpack.allowFilter", "true")
    git(manifests.parent, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{manifests}", "partial")
    partial = manifests.parent / "partial"
    monkeypatch.chdir(partial)
    for url in (f"file://{manifests}", f"ext::{script}"):
        git(partial, "config", "remote.origin.url", url)
        git(partial, "config", "remote.origin.uploadpack", str(script))
        git(partial, "config", "protocol.ext.allow", "always")
        git(partial, "config", "protocol.file.allow", "always")

        assert [
            "HEAD:m/a.yaml: is not in this clone of the repository, which is a partial one: git fetch it, or read"
            " a checkout"
        ] == problems_of("HEAD:m")
        assert not mark.exists()
    _plain("-c", "remote.origin.url=file:///nowhere", "cat-file", "-p", "HEAD:m/a.yaml")
    assert mark.exists()


def _plain(*arguments: str) -> None:
    """Run git without protection: it runs what the repository configures."""
    subprocess.run(["git", *arguments], check=False, capture_output=True)


def test_no_object_is_replaced(manifests: Path, commit: Commit) -> None:
    """A revision is what its name says, without replace references."""
    (manifests / "m" / "a.yaml").write_text(POD.replace("name: a", "name: other"))
    commit()
    git(
        manifests,
        "replace",
        git(manifests, "rev-parse", "HEAD~1:m/a.yaml"),
        git(manifests, "rev-parse", "HEAD:m/a.yaml"),
    )
    (pod,) = read_input(["HEAD~1:m"], sources=SOURCES).objects.pods

    assert "a" == pod.meta.name


def test_no_variable_of_the_environment_counts(
    manifests: Path, monkeypatch: pytest.MonkeyPatch, trap: tuple[Path, Path], tmp_path: Path
) -> None:
    """git would read a repository, a configuration and programs from variables."""
    script, mark = trap
    variables = {
        "GIT_DIR": "/nonexistent",
        "GIT_OBJECT_DIRECTORY": "/nonexistent",
        "GIT_INDEX_FILE": "/nonexistent",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": str(script),
        "GIT_EXTERNAL_DIFF": str(script),
        "GIT_PAGER": str(script),
        "GIT_EXEC_PATH": str(script.parent),
        "GIT_TRACE": str(mark),
        "GIT_TRACE2": str(mark),
        "GIT_TRACE_SETUP": str(mark),
        "PAGER": str(script),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert [] == problems_of("HEAD:m")
    assert not mark.exists()


def test_nothing_is_written(manifests: Path) -> None:
    """Neither the repository nor its index or work tree changes."""

    def state() -> list[tuple[str, int, int]]:
        found = [(str(path), path.lstat()) for path in sorted(manifests.rglob("*"))]
        return [(path, one.st_mtime_ns, one.st_size) for path, one in found]

    (manifests / "m" / "a.yaml").touch()
    before = state()

    assert [] == problems_of("HEAD:m")
    assert before == state()


@AS_ROOT
def test_a_repository_of_another_user_is_refused_with_the_way_out(
    manifests: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """git decides; the message names the command that says that the repository is safe."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    _give(manifests, 12345)
    (message,) = problems_of("HEAD:m")
    command = f"git config --global --add safe.directory {manifests}"

    assert (
        message == f"HEAD:m: git does not read {manifests}, which belongs to another user; if you trust it: {command}"
    )
    subprocess.run(command.split(), check=True, env={"HOME": str(home), "PATH": os.environ["PATH"]})
    assert [] == problems_of("HEAD:m")


@AS_ROOT
def test_under_sudo_git_runs_as_the_user_who_called_sudo(manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own repository is read, and what the user may not read is not."""
    # Folders of tests are private.
    above = [one for one in manifests.parents if not one.stat().st_mode & 0o001]
    for folder in above:
        folder.chmod(0o711)
    try:
        _under_sudo(manifests, monkeypatch)
    finally:
        for folder in above:
            folder.chmod(0o700)


def _under_sudo(manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _give(manifests, 65534)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    assert [] == problems_of("HEAD:m")
    os.chown(manifests / ".git" / "HEAD", 0, 0)
    (manifests / ".git" / "HEAD").chmod(0o600)
    assert [] != problems_of("HEAD:m")


def _give(folder: Path, user: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)


def test_a_host_without_git_says_what_to_install(
    manifests: Path, monkeypatch: pytest.MonkeyPatch, netlab: Call, tmp_path: Path
) -> None:
    """Exit code 3, as this host cannot read a revision."""
    monkeypatch.setattr(program, "program", lambda: _raise(program.MISSING))
    done = netlab("reach", "-f", "HEAD:m")

    assert 3 == done.exit_code
    assert "no git program on this host; install it, for example: sudo apt-get install git" in done.stderr


def _raise(error: HostError) -> str:
    raise error


@pytest.mark.parametrize("body", ["exec sleep 60", "while :; do :; done", "exec cat /dev/zero", "kill -9 $$", "exit 0"])
def test_a_git_that_does_not_answer_ends_in_one_line(
    manifests: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str
) -> None:
    """It hangs, prints without end, is killed, or says nothing."""
    fake = tmp_path / "git"
    fake.write_text(f"#!/bin/sh\n{body}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(program, "program", lambda: str(fake))
    monkeypatch.setattr(program, "SECONDS", 0.2)
    monkeypatch.setattr(program, "_MOST_LISTED", 1 << 20)
    (message,) = problems_of("HEAD:m")

    assert message.startswith("HEAD:m: ")
    assert "\n" not in message
