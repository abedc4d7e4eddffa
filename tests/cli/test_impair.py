"""``netlab impair`` and ``spec.links``: arguments, and a host that has no netem."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from netlab.kernel import queues

Program = Callable[..., "subprocess.CompletedProcess[str]"]
TOPOLOGY = """
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: links}
spec:
  nodes: [{name: n1}, {name: n2}]
  links: [{between: [n1, n2], delay: 20ms}]
"""


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["n1", "n2"], ["say what to do: --delay, --jitter"]),
        (["--delay", "1ms"], ["name the machines of the link"]),
        (["n1", "n2", "n3", "--delay", "1ms"], ["a link has two ends at most, not 3: n1 n2 n3"]),
        (["n1", "n2", "--delay", "1", "--loss", "5"], ["--delay 1: must be a time", "--loss 5: must be a share"]),
        (["n1", "n2", "--delay", "1ms", "--jitter", "2ms"], ["--jitter: must be at most the delay"]),
        (["n1", "n2", "--clear", "--loss", "5%"], ["--clear goes with no other value: leave out --loss"]),
    ],
)
def test_wrong_arguments_are_all_named(
    netlab: Callable[..., Result], arguments: list[str], messages: list[str]
) -> None:
    """Before a lab is opened."""
    done = netlab("impair", *arguments)

    assert 2 == done.exit_code
    assert [] == [message for message in messages if message not in done.stderr], done.stderr


def test_a_file_with_a_wrong_link_is_refused_with_its_line(netlab: Callable[..., Result], tmp_path: Path) -> None:
    """Wrong units, and ends that are not there."""
    file = tmp_path / "x.yaml"
    file.write_text(TOPOLOGY.replace("20ms", "20 ms"), encoding="utf-8")
    done = netlab("check", "-f", file)
    assert 2 == done.exit_code
    assert f'{file}:7: Topology links: spec.links[0].delay: Invalid value: "20 ms"' in done.stderr + done.stdout

    file.write_text(TOPOLOGY.replace("[n1, n2]", "[n1, n22]"), encoding="utf-8")
    done = netlab("check", "-f", file)
    assert 2 == done.exit_code
    assert f"{file}:7: Topology links: spec.links[0].between" in done.stderr + done.stdout
    assert "did you mean n2?" in done.stderr + done.stdout


def test_a_kernel_without_netem_builds_nothing_and_says_so(
    program: Program, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """Commands without a lab work; ``up`` and ``impair`` exit with 3, name the module, and change nothing."""
    file = tmp_path / "x.yaml"
    file.write_text(TOPOLOGY, encoding="utf-8")
    name = unique("links")
    assert 0 == program("check", "-f", file).returncode
    assert 0 == program("reach", "-f", file).returncode
    try:
        built = program("up", "-f", file, "--lab", name)
        if not queues.missing_modules():
            assert 0 == built.returncode, built.stderr
            return
        assert 3 == built.returncode
        assert "lacks sch_netem" in built.stderr
        assert "sudo modprobe -a sch_netem" in built.stderr
        assert "" == program("get", "labs", name).stdout

        file.write_text(TOPOLOGY.replace("  links:", "  hosts: [] #"), encoding="utf-8")
        assert 0 == program("up", "-f", file, "--lab", name).returncode
        refused = program("impair", "n1", "n2", "--delay", "1ms", "--lab", name)
        assert 3 == refused.returncode
        assert "lacks sch_netem" in refused.stderr
        assert "no link is impaired" in program("impair", "--lab", name).stderr
        assert "unchanged" in program("up", "-f", file, "--lab", name).stderr
    finally:
        program("down", name)
