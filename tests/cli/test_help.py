"""Help, version and completion: at hand at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netlab.cli.group import COMMANDS

REPOSITORY = Path(__file__).parents[2]
# What takes long to import; the rooms that speak to the kernel load ctypes.
HEAVY = ("yaml", "scapy", "networkx", "pyroute2", "ctypes", "netlab.kernel", "netlab.objects", "netlab.probe")


def imported(*arguments: str) -> set[str]:
    """Return which of the heavy modules a command line imports."""
    script = f"""
import json, sys
from netlab.cli import cli
try:
    cli.main({list(arguments)!r})
except SystemExit:
    pass
print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY, timeout=60
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["verify", "--help"], ["chekc"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """A user who asks for help, or mistypes, has the answer at once."""

    assert set() == imported(*arguments)


@pytest.mark.parametrize("command", ["check", "reach", "compile"])
def test_commands_without_a_kernel_do_not_import_what_speaks_to_one(command: str) -> None:
    """They work on every machine that has Python, and start fast."""

    assert {"scapy", "networkx", "pyroute2", "netlab.probe"}.isdisjoint(imported(command, "-f", "examples/shop"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(netlab: Callable[..., Any], name: str) -> None:
    """Its own page, with a sentence about it, and a line in the list of all."""
    page = netlab(name, "--help")

    assert 0 == page.exit_code
    assert page.stdout.startswith(f"Usage: cli {name} ")
    assert f"  {name} " in netlab("--help").stdout


def test_a_mistyped_command_gets_a_suggestion(netlab: Callable[..., Any]) -> None:
    """Exit code 2 and the name that comes close."""
    done = netlab("verfy")

    assert 2 == done.exit_code
    assert "No such command 'verfy'. Did you mean 'verify'?" in done.stderr


def test_options_have_environment_variables(netlab: Callable[..., Any]) -> None:
    """``NETLAB_COMMAND_OPTION`` is as good as the option."""
    done = netlab("reach", "-f", "examples/shop", env={"NETLAB_REACH_OUTPUT": "json"})

    assert done.stdout.startswith('{"apiVersion": "netlab/v1alpha1"')
