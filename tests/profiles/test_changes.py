"""A lab that gets another profile, and one that is damaged: it is wired as a new one afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import netlab
from netlab.dataplane import names
from netlab.kernel import netns
from netlab.lab.lab import Lab

# Each step changes the attachment, the transport, or the names of devices.
STEPS = ["flannel", "weave", "calico-vxlan", "docker", "canal", "romana", "kube-router", "cilium", "flannel"]
_TEXT = """
apiVersion: netlab/v1alpha1
kind: Topology
spec: {profile: PROFILE, nodes: [{name: a}, {name: b}], hosts: [{name: client, addresses: [192.0.2.10]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-a, namespace: x}
spec: {podSelector: {matchLabels: {app: c}}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}]}]}
"""
_POD = """---
apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: x, labels: {app: NAME}}
spec: {nodeName: NODE, containers: [{name: c, image: i}]}
"""


@pytest.fixture
def up(tmp_path: Path, unique: Callable[[str], str]) -> Iterator[Callable[..., Lab]]:
    """Build a lab of some pods with a profile, or change it to this; it is gone afterwards."""
    name, made = unique("changes"), list[Lab]()

    def build(profile: str, pods: str = "abc") -> Lab:
        file = tmp_path / "lab.yaml"
        nodes = {"a": "a", "b": "a", "c": "b", "d": "b"}
        text = "".join(_POD.replace("NAME", pod).replace("NODE", nodes[pod]) for pod in pods)
        file.write_text(_TEXT.replace("PROFILE", profile) + text, encoding="utf-8")
        objects, _ = netlab.load([str(file)])
        for former in made:
            former.close()
        made[:] = [Lab.up(objects, name=name)]
        return made[0]

    yield build
    for lab in made:
        lab.down()


def test_a_lab_changes_from_profile_to_profile(up: Callable[..., Lab], disagreements: Any) -> None:
    """Nothing of the former wiring stays, and packets agree with the evaluator at each step."""
    wrong = {}
    for at, profile in enumerate(STEPS):
        running = up(profile)
        wrong[at, profile] = [*running.drift(), *disagreements(running)]

    assert {} == {step: found for step, found in wrong.items() if found}


def test_a_pod_comes_and_goes_on_one_link(up: Callable[..., Lab], disagreements: Any) -> None:
    """Other nodes learn of it, and forget it."""
    wrong = []
    for pods in ("abc", "abcd", "ab"):
        running = up("weave", pods)
        wrong += [*running.drift(), *disagreements(running)]

    assert [] == wrong


@pytest.mark.parametrize("profile", ["weave", "canal", "romana"])
def test_a_damaged_lab_is_repaired(up: Callable[..., Lab], disagreements: Any, profile: str) -> None:
    """A tunnel, a pod's link and the routes of a pod are gone."""
    running = up(profile)
    pod = running.cluster.by_ref["x/a"]
    network = running.cluster.networks[0]
    with netns.inside(names.endpoint_namespace(running.name, running.cluster.by_ref["node:a"])):
        gone = [names.port_name(running.cluster.by_ref["x/b"])]  # type: ignore[arg-type]
        gone += [names.tunnel_name(running.cluster, network)] if network.traits.transport.tunnel else []
        for link in gone:
            subprocess.run(["ip", "link", "delete", link], check=True)
    with netns.inside(names.endpoint_namespace(running.name, pod)):
        subprocess.run(["ip", "route", "flush", "table", "main"], check=True)
    damaged = running.drift()
    repaired = up(profile)

    assert damaged
    assert [] == [*repaired.drift(), *disagreements(repaired)]
