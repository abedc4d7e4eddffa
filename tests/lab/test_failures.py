"""Nodes and pods of running labs fail, and packets show what is left."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from failing import Data, document, pod, service, topology, workload

from netlab.cluster.flows import FlowSelection
from netlab.dataplane import names
from netlab.errors import InputError
from netlab.kernel.linux import Linux
from netlab.lab import convergence
from netlab.lab.lab import Lab
from netlab.lab.temporary import temporary
from netlab.objects import decode
from netlab.objects.scenarios import ObjectRef
from netlab.policy.evaluate import evaluate
from netlab.report.yaml_text import lines as yaml_lines

pytestmark = pytest.mark.kernel

Program = Callable[..., "subprocess.CompletedProcess[str]"]
Unique = Callable[[str], str]
ALL = FlowSelection(nodes=True, self_pairs=True, system=True, services=True)
DUAL = {"networks": [{"name": "default", "podCIDRs": ["10.244.0.0/16", "fd00:10:244::/56"]}]}
HOSTS = [{"name": "client", "addresses": ["192.0.2.10", "2001:db8::10"]}]
POLICY: Data = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "db", "namespace": "x"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 80}]}],
    },
}


def objects_of(mode: str = "overlay", *more: Data) -> list[Data]:
    networks = [{**DUAL["networks"][0], "mode": mode}]
    hosted = workload("DaemonSet", "agent", of_pods={"hostNetwork": True})
    return [
        topology("n1", "n2", "n3", networks=networks, hosts=HOSTS),
        workload("Deployment", "web", 3),
        workload("StatefulSet", "db", 3),
        hosted,
        {**service("web"), "spec": {**service("web")["spec"], "type": "LoadBalancer"}},
        service("db"),
        pod("client", "n1"),
        POLICY,
        *more,
    ]


@contextmanager
def lab_of(*data: Data) -> Iterator[Lab]:
    objects, problems = decode([document(one) for one in data])
    assert [] == [one for one in problems if one.severity == "error"]
    with temporary(objects) as lab:
        yield lab


def differing(lab: Lab) -> list[str]:
    """Return every pair whose packets differ from the evaluator, and every difference from the wanted state."""
    rows = ((one, evaluate(lab.cluster, one.flow)) for one in lab.probe(ALL.flows(lab.cluster)))
    wrong = [
        f"{one.flow.source.ref} {one.flow.target} IPv{one.flow.family}: {one.verdict} ({one.reason}), {two.verdict}"
        for one, two in rows
        if one.verdict != two.verdict
    ]
    return wrong + lab.drift()


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_packets_agree_while_nodes_stop_and_start(mode: str) -> None:
    """In every mode and both families, with Services, hosts, nodes, and each pod with itself."""
    with lab_of(*objects_of(mode)) as lab:
        lab.stop_node("n2")
        one = differing(lab), [*lab.cluster.stopped_nodes]
        lab.stop_node("n3")
        two = differing(lab), sorted(lab.cluster.stopped_nodes)
        lab.start_node("n2")
        lab.start_node("n3")
        three = differing(lab), [*lab.cluster.stopped_nodes]

    assert ([], ["n2"]) == one
    assert ([], ["n2", "n3"]) == two
    assert ([], []) == three


def test_packets_agree_while_the_only_node_is_stopped() -> None:
    """Nothing reaches anything; then all is as before."""
    with lab_of(topology("n1", hosts=HOSTS), workload("Deployment", "web", 2), service("web")) as lab:
        lab.stop_node("n1")
        verdicts = {one.verdict for one in lab.probe(ALL.flows(lab.cluster))}
        lab.start_node("n1")

        assert {"deny"} == verdicts
        assert [] == differing(lab)


def test_packets_agree_after_kills_and_a_rolling_update() -> None:
    """Policies select the new pods, and Services lead to them."""
    with lab_of(*objects_of()) as lab:
        lab.kill(["x/web-0", "x/db-1", "x/agent-n3", "x/client"])
        killed = differing(lab), {one.name for one in lab.cluster.pods if one.namespace == "x"}
        lab.rollout([document(workload("Deployment", "web", 3, image="two"))])
        rolled = differing(lab), {one.name for one in lab.cluster.pods if one.labels.get("image") == "two"}

    agents, databases = {"agent-n1", "agent-n2", "agent-n3"}, {"db-0", "db-1", "db-2"}
    assert ([], {"web-1", "web-2", "web-3"} | databases | agents) == killed
    assert ([], {"web-4", "web-5", "web-6"}) == rolled


def test_a_killed_pod_has_another_namespace() -> None:
    """Also one that keeps its name: its connections and programs are gone."""
    with lab_of(*objects_of()) as lab:
        path = Path(lab.netns_path(lab.cluster.by_ref["x/db-0"]))  # type: ignore[arg-type]
        # While it is open, the kernel gives its number to no other namespace.
        with path.open("rb") as kept:
            with lab.machine.inside(names.own_namespace(lab.name, "x", "db-0")):
                sleeper = subprocess.Popen(["sleep", "60"])
            lab.kill(["x/db-0"])
            before, after = os.fstat(kept.fileno()).st_ino, path.stat().st_ino
        try:
            assert before != after
            assert sleeper.wait(10) != 0
        finally:
            sleeper.kill()
            sleeper.wait()


def test_an_opened_lab_knows_its_stopped_nodes() -> None:
    """The record keeps them, as it keeps changed labels; another change leaves them."""
    with lab_of(*objects_of()) as lab:
        lab.stop_node("n2")
        with Lab.open(lab.name) as other:
            other.apply([document({**POLICY, "metadata": {"name": "more", "namespace": "x"}})])
            other.label([])

            assert {"n2"} == other.cluster.stopped_nodes
            assert [] == differing(other)
        with Lab.open(lab.name) as last:
            last.start_node("n2")

            assert set() == last.cluster.stopped_nodes
            assert [] == differing(last)


def test_a_rolling_update_that_does_not_fit_changes_nothing() -> None:
    """The error is found before the first step."""
    with lab_of(topology("n1"), workload("Deployment", "web", 2)) as lab:
        before = lab.cluster.pods
        nowhere = workload("Deployment", "web", 2, image="two", of_pods={"nodeSelector": {"own": "n9"}})

        with pytest.raises(InputError, match="no node has the labels own=n9"):
            lab.rollout([document(nowhere)])

        assert before == lab.cluster.pods


def yaml_file(path: Path, data: list[Data]) -> Path:
    path.write_text("\n---\n".join("\n".join(yaml_lines(one)) for one in data) + "\n")
    return path


@pytest.fixture
def running(program: Program, unique: Unique, tmp_path: Path) -> Iterator[tuple[Callable[..., Any], Path]]:
    """A lab of the command line: a function that runs a command on it, and the file that it is built from."""
    name = unique("failures")
    made = yaml_file(tmp_path / "lab.yaml", [topology("n1", "n2", name=name), *objects_of()[1:]])

    def run(*words: object, code: int = 0) -> str:
        done = program(*words, "--lab", name)
        assert code == done.returncode, done.stderr
        return done.stdout + done.stderr

    run("up", "-f", made)
    yield run, made
    program("down", name)


def test_the_commands_say_what_became_of_pods(running: tuple[Callable[..., str], Path]) -> None:
    """Which ended, which began where, and which are on stopped nodes; `up` brings the lab to its files."""
    run, made = running

    stopped = run("node", "stop", "n2")
    again = run("node", "stop", "node:n2")
    nodes = run("get", "nodes")
    unready = run("get", "nodes", "n2", "-o", "json")
    left = json.loads(run("get", "pods", "agent-n2", "-n", "x", "-o", "json"))["items"]
    agree = run("verify", "--nodes")
    reason = run("explain", "x/client", "node:n2:80")
    killed = run("pod", "kill", "client", "-n", "x")
    unknown = run("node", "start", "n7", code=2)
    back = run("up", "-f", made)

    assert "node/n2 stopped\n" in stopped
    assert "pod/x/web-3 began on n1\n" in stopped
    assert "on stopped nodes: x/agent-n2" in stopped
    assert "node/n2 unchanged\n" in again
    assert ["n1", "Ready"] == nodes.splitlines()[1].split()[:2]
    assert ["n2", "NotReady"] == nodes.splitlines()[2].split()[:2]
    assert '"node.kubernetes.io/unreachable"' in unready
    assert [[{"type": "Ready", "status": "False"}]] == [one["status"]["conditions"] for one in left]
    assert " 0 differ, 0 inconclusive" in agree
    assert "node n2 is stopped" in reason
    assert "pod/x/client ended on n1\n" in killed
    assert "began" not in killed
    assert "no node 'n7' in the lab, which has n1, n2" in unknown
    assert "node/n2 configured\n" in back
    assert "workloadpods" not in back
    assert ["Ready", "Ready"] == [line.split()[1] for line in run("get", "nodes").splitlines()[1:]]


def test_apply_rolls_out(running: tuple[Callable[..., str], Path], tmp_path: Path) -> None:
    """Pods have new names; without the option they keep them."""
    run, _ = running
    changed = yaml_file(tmp_path / "two.yaml", [workload("Deployment", "web", 3, image="two")])
    once_more = yaml_file(tmp_path / "three.yaml", [workload("Deployment", "web", 3, image="three")])

    rolled = run("apply", "--rollout", "-f", changed)
    at_once = run("apply", "-f", once_more)

    assert "deployment/x/web configured\n" in rolled
    assert all(f"pod/x/web-{number} began on" in rolled for number in (3, 4, 5))
    assert "began" not in at_once
    assert "web-5 " in run("get", "pods", "-n", "x")


def lab_name(made: Path) -> str:
    found = next(line.split("name:")[1].strip() for line in made.read_text().splitlines() if "name: " in line)
    return found.strip('"')


class Broken(Exception):
    """Stands for the kill of a process."""


def broken(*_: object) -> None:
    raise Broken


def test_a_rollout_that_was_killed_goes_on(
    running: tuple[Callable[..., str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lab is half-changed, and other commands refuse it; what is stopped stays so."""
    run, made = running
    name = lab_name(made)
    run("node", "stop", "n2")
    changed = yaml_file(tmp_path / "two.yaml", [workload("Deployment", "web", 3, image="two")])
    with Lab.open(name) as lab:
        # A killed process undoes nothing.
        monkeypatch.setattr(Linux, "apply", broken)
        monkeypatch.setattr(convergence, "_undo", lambda *_: None)
        with pytest.raises(Broken):
            lab.rollout([document(workload("Deployment", "web", 3, image="two"))])
    monkeypatch.undo()
    refused = run("verify", code=2)
    rolled = run("apply", "--rollout", "-f", changed)

    assert "half-changed" in refused
    assert "deployment/x/web" in rolled
    assert "n2 " in run("get", "nodes", "n2")
    with Lab.open(name) as lab:
        assert {"n2"} == lab.cluster.stopped_nodes
        assert [] == lab.drift()
        assert {"web-4", "web-5", "web-6"} == {pod.name for pod in lab.cluster.pods if pod.name.startswith("web-")}


def test_a_lab_with_failures_is_an_input(running: tuple[Callable[..., str], Path], program: Program) -> None:
    """Commands that read ``lab:NAME`` see the stopped node."""
    run, made = running
    run("node", "stop", "n2")
    name = lab_name(made)

    done = program("explain", "x/client", "node:n2:80", "-f", f"lab:{name}")

    assert "node n2 is stopped" in done.stdout


def test_a_program_that_keeps_the_lab_open_deletes_only_the_links_that_it_means(unique: Unique) -> None:
    """Another command made the links of a node anew, so their indexes are those of other links now."""
    objects, _ = decode([document(topology("n1", "n2", networks=[{"name": "default", "mode": "overlay"}]))])
    with Lab.up(objects, name=unique("open")) as kept:
        try:
            kept.apply([document(pod(name, "n2")) for name in ("a", "b", "c")])
            with Lab.open(kept.name) as other:
                other.stop_node("n2")
                other.start_node("n2")
            kept.delete([ObjectRef("Pod", name, "x") for name in ("a", "b", "c")])

            assert [] == kept.drift()
        finally:
            kept.down()
