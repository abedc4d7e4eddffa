"""``netlab control-plane`` where it cannot start: what it says, and that it makes nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from netlab.lab.lab import Lab

Call = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]
TOPOLOGY = "{apiVersion: netlab/v1alpha1, kind: Topology, metadata: {name: NAME}, spec: {nodes: [{name: n1}]}}\n"
POD = "---\n{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, image: x}]}}\n"


@pytest.fixture
def name(unique: Callable[[str], str]) -> str:
    return unique("cp")


@pytest.fixture
def file(tmp_path: Path, name: str) -> str:
    path = tmp_path / "lab.yaml"
    path.write_text(TOPOLOGY.replace("NAME", name))
    return str(path)


def test_a_missing_program_is_said_before_anything_is_made(netlab: Call, file: str, name: str, monkeypatch):
    """Exit code 3, with how to get it."""
    monkeypatch.setattr("shutil.which", lambda program, path: "/x/etcd" if program == "etcd" else None)
    done = netlab("control-plane", "up", "-f", file)

    assert 3 == done.exit_code
    assert "this host has no kube-apiserver, kube-controller-manager, kube-scheduler; name a folder" in done.stderr
    assert "KUBEBUILDER_ASSETS or by --assets" in done.stderr
    assert name not in Lab.names()


def test_a_rule_of_abac_that_is_none_is_named_by_its_line(netlab: Call, file: str, name: str, tmp_path):
    """The API server would only say it in its log."""
    rules = tmp_path / "rules"
    rules.write_text("# rules\n{}\n")
    done = netlab("control-plane", "up", "-f", file, "--abac", str(rules))

    assert 2 == done.exit_code
    assert f"{rules}:2: no rule: it must have apiVersion" in done.stderr
    assert name not in Lab.names()


def test_a_name_of_a_plugin_is_a_word(netlab: Call, file: str):
    """It becomes an argument of a program."""
    done = netlab("control-plane", "up", "-f", file, "--admission-plugins", "A,--b")

    assert 2 == done.exit_code
    assert "'--b' is no name of a plugin" in done.stderr


@pytest.mark.parametrize("command", ["status", "down"])
def test_a_lab_without_a_control_plane_is_named(program: Program, file: str, name: str, command: str):
    """`status` has nothing to say; `down` of a named lab removes it."""
    assert 0 == program("up", "-f", file).returncode
    try:
        done = program("control-plane", command, "--lab", name)
    finally:
        program("down", name)

    expected = (2, f"lab {name} has no control plane") if command == "status" else (0, "")
    assert expected[0] == done.returncode
    assert expected[1] in done.stderr


def test_a_lab_with_objects_of_its_own_is_left_alone(program: Program, file: str, name: str):
    """They are not those of an API server, which would take them away."""
    path = Path(file)
    path.write_text(path.read_text() + POD)
    assert 0 == program("up", "-f", file).returncode
    try:
        done = program("control-plane", "up", "-f", file)
        pods = program("get", "pods", "--lab", name).stdout
    finally:
        program("down", name)

    assert 2 == done.returncode
    assert f"lab {name} runs with objects of its own; remove it first: netlab down {name}" in done.stderr
    assert "default" in pods


def test_without_root_it_says_so(netlab: Call, file: str, monkeypatch):
    """Programs of a lab without root are where kubectl does not reach them."""
    monkeypatch.setattr("netlab.kernel.privilege.privileged", lambda: False)
    done = netlab("control-plane", "up", "-f", file)

    assert 3 == done.exit_code
    assert "a control plane needs root" in done.stderr
