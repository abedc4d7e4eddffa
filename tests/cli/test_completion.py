"""Completion offers names fast, without the kernel; a name that is no word of a shell is not offered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import Result

from netlab.cli import completion
from netlab.cli.command_group import COMMANDS, cli

REPOSITORY = Path(__file__).parents[2]


def offered(*words: str) -> list[str]:
    """Return what is offered for the last word of a command line."""
    shell = ShellComplete(cli, {"auto_envvar_prefix": "NETLAB"}, "netlab", "_NETLAB_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


def in_bash(*words: str) -> list[str]:
    """Return what bash inserts for the last of the words that it has made of a line."""
    done = subprocess.run(
        [sys.executable, "-m", "netlab"],
        env={
            **os.environ,
            "_NETLAB_COMPLETE": "bash_complete",
            "COMP_WORDS": "\n".join(["netlab", *words]),
            "COMP_CWORD": str(len(words)),
        },
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record of a lab, as ``Records.save`` writes it."""
    head = {"placement": {"shop/web-0": ["node-1", []], "shop/$(x)": ["node-1", []]}, "documents": []}
    topology = {"data": {"kind": "Topology", "spec": {"hosts": [{"name": "client"}]}}}
    (tmp_path / "one").mkdir()
    text = f"{json.dumps(head, separators=(',', ':'))[:-2]}\n{json.dumps(topology)}\n]}}\n"
    (tmp_path / "one/record.json").write_text(text)
    monkeypatch.setattr(completion, "_directory", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (("",), list(COMMANDS)),
        (("ver",), ["verify"]),
        (("get", "po"), ["pods"]),
        (("delete", "net"), ["networkpolicy"]),
        (("schema", "scen"), ["scenario"]),
        (("reach", "--as", "calico-v"), ["calico-vxlan"]),
        (("profiles", "rom"), ["romana"]),
        (("lint", "--rule", "and-"), ["and-or-slip"]),
        (("reach", "--gr"), ["--group"]),
        (("reach", "-o", "js"), ["json"]),
        (("explain", "-f", "examples/shop", "other/"), ["other/stranger"]),
        (("examples", "examples/sh"), ["examples/shop"]),
        (("learn", "sta"), ["start"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_word_is_completed(words: Sequence[str], some: list[str]) -> None:
    """Commands, options, formats, kinds, profiles, and pods of files."""

    assert some == offered(*words)


def test_the_pods_of_the_running_lab_are_offered(records: Path) -> None:
    """By the lab's record; nodes and outside hosts too. A name that a shell would not take as a word is left out."""

    assert ["host:client", "node:node-1", "shop/web-0"] == offered("exec", "")
    assert ["web-0"] == offered("exec", "-n", "shop", "we")
    assert ["one"] == offered("down", "")
    (records / "one/record.json").write_text("{damaged")
    assert [] == offered("exec", "")


def test_files_are_left_to_the_shell() -> None:
    """The shell completes paths after -f and for scenarios."""
    shell = ShellComplete(cli, {}, "netlab", "_NETLAB_COMPLETE")

    assert ["file"] == [item.type for item in shell.get_completions(["reach", "-f"], "ex")]
    assert ["file"] == [item.type for item in shell.get_completions(["test"], "sc")]


def test_contexts_are_offered_after_their_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of every kubeconfig; bash has ended the words at the colon and the at sign."""
    (tmp_path / "one").write_text("contexts: [{name: prod}, {name: team/a@prod}, {name: $(x)}]\n")
    (tmp_path / "two").write_text("{")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'two'}:{tmp_path / 'one'}:{tmp_path / 'gone'}")

    assert ["cluster:prod", "cluster:team/a@prod"] == offered("reach", "-f", "cluster:")
    assert ["prod"] == in_bash("reach", "-f", "cluster", ":", "team/a", "@", "pr")


def test_bash_inserts_what_follows_a_colon() -> None:
    """bash has made three words of ``node:node-1``."""

    assert ["node-1"] == in_bash("explain", "-f", "examples/shop", "node", ":", "no")


def test_completion_imports_no_kernel() -> None:
    """A shell starts netlab for each press of the key."""
    script = (
        "import sys; from netlab.cli import completion, command_group\n"
        "from click.shell_completion import ShellComplete\n"
        "s = ShellComplete(command_group.cli, {}, 'netlab', 'X')\n"
        "s.get_completions([], ''); s.get_completions(['exec'], ''); s.get_completions(['down'], '')\n"
        "print([m for m in sys.modules if m.startswith(('netlab.kernel', 'netlab.objects', 'netlab.cluster', 'yaml'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )

    assert "[]\n" == done.stdout


def test_the_script_of_each_shell_is_printed(netlab: Callable[..., Result]) -> None:
    """It calls netlab back."""
    for shell in ("bash", "zsh", "fish"):
        assert f"_NETLAB_COMPLETE={shell}_complete" in netlab("completion", shell).stdout
