"""Nodes and pods of a lab on three machines fail, and workloads are rolled out, by commands on any machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from machines.agents import Agents
from machines.labs import documents, written

APPS = """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "VERSION", ports: [{containerPort: 80}]}]}
"""
SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
SCENARIO = """
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: failing}
spec:
  resources: [RESOURCES]
  steps:
  - name: a pod is killed
    kill: [default/web-0]
    expect: [{oracle: true}]
  - name: a node stops
    stop: [n2]
    expect: [{oracle: true}, {from: default/p1, to: default/p2, port: 80, verdict: deny}]
  - name: it is back
    start: [n2]
    MEANWHILE
    expect: [{oracle: true}]
"""
MEANWHILE = 'meanwhile: [{from: default/p1, to: "service:default/web", port: 80, lost: {atMost: 0}}]'


def apps(version: str = "1") -> str:
    return APPS.replace("VERSION", version)


def nodes(on: Agents, lab: str, machine: str = "m1") -> dict[str, str]:
    """Return the node of each pod of the Deployment by the pod's name, as a machine lists them."""
    found = json.loads(on.netlab(machine, "get", "pods", "--lab", lab, "-o", "json"))
    items = ((one["metadata"]["name"], one["spec"]["nodeName"]) for one in found["items"])
    return {name: node for name, node in items if name.startswith("web")}


def test_nodes_stop_and_pods_are_killed_on_all_machines(agents, unique, tmp_path):
    """Each step is in force everywhere; packets between the machines agree with the evaluator."""
    lab, on = unique("failing"), agents("m1", "m2", "m3")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "overlay", 3) + apps() + SERVICE))
    before = nodes(on, lab)
    stopped = on.netlab("m2", "node", "stop", "n3", "--lab", lab)

    gone = [name for name, node in before.items() if node == "n3"]
    assert gone
    assert "node/n3 stopped" in stopped
    assert all(f"pod/default/{name} ended on n3" in stopped for name in gone)
    assert "n3" not in nodes(on, lab, "m3").values()
    on.netlab("m3", "verify", "--lab", lab)
    assert [] == on.drift(lab)
    assert "node/n3 unchanged" in on.netlab("m1", "node", "stop", "n3", "--lab", lab)

    on.netlab("m1", "node", "start", "n3", "--lab", lab)
    killed = on.netlab("m2", "pod", "kill", "web-0", "--lab", lab)
    assert "pod/default/web-0 ended" in killed
    on.netlab("m3", "verify", "--lab", lab)
    assert [] == on.drift(lab)


def test_a_rolling_update_takes_its_steps_on_all_machines(agents, unique, tmp_path):
    """The pods have other names afterwards, and an etcd has one lab and no proposal."""
    lab, on = unique("rolling"), agents("m1", "m2", "m3")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 3) + apps() + SERVICE))
    before = nodes(on, lab)
    on.netlab("m2", "apply", "--rollout", "--lab", lab, "-f", written(tmp_path, apps("2")))

    after = nodes(on, lab)
    assert 3 == len(after)
    assert not before.keys() & after.keys()
    on.netlab("m3", "verify", "--lab", lab)
    assert [] == on.drift(lab)
    assert not [key for key in on.etcd_keys() if "next/" in key]


def test_a_node_of_a_machine_that_is_away_cannot_be_stopped(agents, unique, tmp_path):
    """The change would not be in force there, so nothing changes; the error names the machine."""
    lab, on = unique("away"), agents("m1", "m2")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "overlay", 2)))
    on.kill("m2")
    code, error = on.refused("m1", "node", "stop", "n1", "--lab", lab)

    assert 3 == code
    assert f"machine m2 of lab {lab} is away" in error


def test_a_scenario_has_failures_on_machines(agents, unique, tmp_path):
    """Its steps are in force everywhere. Clients that ask meanwhile are for labs of one machine, and are refused."""
    lab, on = unique("scenario"), agents("m1", "m2", "m3")
    resources = written(tmp_path, documents(lab, "overlay", 3) + apps() + SERVICE)
    done = _tested(on, tmp_path, resources, "")
    assert 0 == done[0], done[1]
    code, said = _tested(on, tmp_path, resources, MEANWHILE)

    assert 0 != code
    assert "meanwhile: clients ask in a lab of one machine only" in said


def _tested(on: Agents, folder: Path, resources: Path, meanwhile: str) -> tuple[int, str]:
    """Run the scenario on a machine; return the exit code and what was printed."""
    text = SCENARIO.replace("RESOURCES", str(resources)).replace("MEANWHILE", meanwhile or "label: []")
    text = text.replace(
        "  - name: it is back\n    start: [n2]\n    name: it is back", "  - name: it is back\n    start: [n2]"
    )
    file = written(folder, text)
    done = on.on["m2"].run(sys.executable, "-m", "netlab", "test", file)
    return done.returncode, done.stdout + done.stderr
