"""``netlab verify -f`` builds a lab, checks it and removes it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from netlab.kernel import netns

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.kernel
def test_verify_compares_every_pair_and_leaves_nothing(program: Program) -> None:
    """The document has the Topology's name, both verdicts of each row, and the counts."""
    before = set(netns.DIRECTORY.glob("netlab.two-nodes*"))
    done = program("verify", "-f", "topologies/two-nodes.yaml", "-f", "examples/shop", "--nodes", "-o", "json")
    document = json.loads(done.stdout)
    count = len(document["rows"])

    assert (0, "") == (done.returncode, done.stderr)
    assert "two-nodes" == document["lab"]
    assert {"expected", "measured"} < set(document["rows"][0])
    assert {"pairs": count, "agree": count, "differ": 0, "inconclusive": 0, "unknown": 0} == document["summary"]
    assert before == set(netns.DIRECTORY.glob("netlab.two-nodes*"))


@pytest.mark.kernel
def test_verify_prints_the_truth_table(program: Program) -> None:
    """It has the measured verdicts, and the counts below."""
    done = program("verify", "-f", "examples/shop")

    assert 0 == done.returncode
    assert "shop/web-0      X               .           X          -           X" in done.stdout.splitlines()
    assert "20 pairs: 20 agree, 0 differ, 0 inconclusive" == done.stdout.splitlines()[-1]


def test_verify_of_the_running_lab(program: Program, shared_lab: str) -> None:
    """``--port ICMP`` works as other ports do."""
    done = program("verify", "--lab", shared_lab, "--port", "ICMP", "--port", "53/UDP", "-o", "json")

    assert 0 == done.returncode
    assert {("ICMP", None), ("UDP", 53)} == {(r["protocol"], r["port"]) for r in json.loads(done.stdout)["rows"]}


def test_a_lab_whose_packets_differ_is_exit_code_1(program: Program, lab: str) -> None:
    """The rules were deleted by hand: pairs that differ are printed with both verdicts."""
    node = f"netlab.{lab}.node.node-1"
    subprocess.run(
        ["ip", "netns", "exec", node, "nft", "delete", "table", "inet", "netlab"], check=True, capture_output=True
    )
    done = program("verify", "--lab", lab)
    lines = done.stdout.splitlines()

    assert 1 == done.returncode
    assert any(line.startswith("! shop/web-0 -> shop/db-0 5432/TCP: expected deny, measured allow: ") for line in lines)
    assert lines[-1].endswith(" 0 inconclusive")
    assert " 0 differ" not in lines[-1]


def test_bad_input_builds_nothing(program: Program) -> None:
    """Exit code 2 before anything is made."""
    done = program("verify", "-f", "-", text="kind: Pod\n")

    assert 2 == done.returncode
    assert done.stderr.startswith("<stdin>:1: apiVersion: ")


_NO_PODS = "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {a: b}, ports: [{port: 80}]}}"
_NOTHING = "Warning: the input has no pods: nothing was proved"


@pytest.mark.kernel
def test_an_input_without_pods_proves_nothing(program: Program) -> None:
    """A warning says so. The pods that netlab adds for DNS do not count. The exit code is that of no difference."""
    done = program("verify", "-f", "-", text=_NO_PODS)

    assert (0, "0 pairs: 0 agree, 0 differ, 0 inconclusive\n") == (done.returncode, done.stdout)
    assert _NOTHING == done.stderr.splitlines()[-1]


@pytest.mark.kernel
def test_a_running_lab_without_pods_proves_nothing(program: Program, unique: Callable[[str], str]) -> None:
    """``verify`` and ``probe`` say so."""
    name = unique("cli")
    try:
        assert 0 == program("up", "-f", "-", "--lab", name, text=_NO_PODS).returncode
        found = [program(command, "--lab", name, "-o", "json") for command in ("verify", "probe")]
    finally:
        program("down", name)

    assert [(0, [_NOTHING])] * 2 == [(done.returncode, done.stderr.splitlines()) for done in found]


@pytest.mark.kernel
def test_one_pod_alone_is_no_pair(program: Program) -> None:
    """The warning has another cause then."""
    done = program("verify", "-f", "-", text="{apiVersion: v1, kind: Pod, metadata: {name: a}}")

    assert (0, "Warning: there is no pair to measure: nothing was proved\n") == (done.returncode, done.stderr)


@pytest.mark.kernel
def test_a_scenario_without_pods_proves_nothing(program: Program, tmp_path: Path) -> None:
    """The step compares all pairs, and there are none."""
    (tmp_path / "s.yaml").write_text(_NO_PODS)
    scenario = "spec: {resources: [s.yaml], steps: [{expect: [{oracle: true}]}]}"
    path = tmp_path / "x.yaml"
    path.write_text(f"apiVersion: netlab/v1alpha1\nkind: Scenario\nmetadata: {{name: empty}}\n{scenario}\n")
    done = program("test", path)

    assert 0 == done.returncode
    assert "Warning: empty: the input has no pods: nothing was proved" in done.stderr.splitlines()
    assert "1 scenario: 1 passed, 0 failed, 0 errors" == done.stdout.splitlines()[-1]
