"""The hooks of pre-commit, run by pre-commit itself in another repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from netlab.cli.command_group import COMMANDS

REPOSITORY = Path(__file__).parents[2]
HOOKS = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
PARTS = ["netlab", "man", "examples", "scenarios", "topologies", "pyproject.toml", "README.md", "LICENSE"]

# What pip says where the registry does not answer.
NO_ANSWER = re.compile("Could not find a version that satisfies|No matching distribution found|Read timed out")


def git(folder: Path, *words: str) -> None:
    name = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True, timeout=60)


def commit(folder: Path) -> None:
    git(folder, "init")
    git(folder, "add", "--all")
    git(folder, "commit", "--message", "all")


@pytest.fixture(scope="module")
def hook_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of netlab: what a wheel is built from, and the hooks."""
    folder = tmp_path_factory.mktemp("netlab")
    for name in (*PARTS, ".pre-commit-hooks.yaml"):
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder / name)
    commit(folder)
    return folder


@pytest.fixture
def run(hook_source: Path, workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run a hook in the workspace; return the exit code and the output."""
    home = tmp_path_factory.getbasetemp() / "pre-commit"
    shutil.rmtree(workspace / ".git")
    commit(workspace)

    def call(hook: str) -> str:
        git(workspace, "add", "--all")
        # The program timeout ends pip too, which pre-commit starts.
        done = subprocess.run(
            ["timeout", "300", "pre-commit", "try-repo", hook_source, hook, "--all-files", "--verbose"],
            cwd=workspace,
            env={**os.environ, "PRE_COMMIT_HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{done.returncode}\n{done.stdout}{done.stderr}"
        if done.returncode == 124 or (done.returncode and NO_ANSWER.search(said)):
            pytest.skip("a registry did not bring what netlab needs in time")
        return said

    return call


def test_a_hook_calls_a_command() -> None:
    """Of netlab, with options that the command has."""
    for hook in HOOKS:
        assert re.fullmatch(r"netlab (\w+)", hook["entry"]).group(1) in COMMANDS  # type: ignore[union-attr]
        assert (hook["language"], hook["pass_filenames"]) == ("python", False)


@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("pre-commit") is None, reason="needs pre-commit")
def test_pre_commit_runs_the_hooks(run: Callable[..., str], workspace: Path) -> None:
    """pre-commit installs netlab from a clone; a broken manifest and a wrong verdict stop the commit."""
    passed = run("netlab-check")
    assert passed.startswith("0\n"), passed
    assert "5 NetworkPolicies, 1 scenario: 0 errors" in passed
    if os.geteuid() == 0:
        tested = run("netlab-test")
        assert tested.startswith("0\n"), tested
    (workspace / "manifests/broken.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: A}\n")

    failed = run("netlab-check")

    assert failed.startswith("1\n"), failed
    assert re.search(r"manifests/broken.yaml:3: ", failed)
