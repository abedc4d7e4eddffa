"""Commands print a line for a macvlan network, as nothing enforces policy on it."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SAID = "network default: macvlan: policy is not enforced"


@pytest.mark.parametrize("command", ["compile", "reach"])
def test_a_macvlan_network_is_named_without_a_kernel(netlab, command):
    """A line on standard error names it; standard output is unchanged."""
    called = netlab(command, "-f", REPOSITORY / "topologies" / "macvlan.yaml")

    assert 0 == called.exit_code
    assert SAID in called.stderr.splitlines()
    assert SAID not in called.stdout


def test_other_modes_say_nothing(netlab):
    """They enforce policies."""
    called = netlab("compile", "-f", REPOSITORY / "topologies" / "overlay.yaml")

    assert "" == called.stderr


def test_verify_and_up_name_it_too(program, unique):
    """Commands that build or check a lab."""
    name = unique("mute")
    topology = REPOSITORY / "topologies" / "macvlan.yaml"
    up = program("up", "-f", topology, "--lab", name)
    verified = program("verify", "--lab", name)
    down = program("down", name)

    assert SAID in up.stderr.splitlines()
    assert SAID in verified.stderr.splitlines()
    assert (0, 0) == (up.returncode, down.returncode)
