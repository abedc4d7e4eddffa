"""``netlab mirror`` with a real API server: rights, what it leaves alone, restarts, and minutes of random changes."""

from __future__ import annotations

import contextlib
import json
import operator
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from control_plane.control_plane import ControlPlane, Object
from control_plane.test_live_cluster import _object as plain
from control_plane.test_live_cluster import grant
from mirror.mirrors import Running
from waiting import eventually

from netlab.cluster import resolve_input
from netlab.kernel.linux import Linux
from netlab.lab.lab import Lab
from netlab.mirror import inventory
from netlab.mirror.mirror import Mirror, Source
from netlab.objects import read_input
from netlab.objects.reduced import reduced
from netlab.sources import SOURCES
from netlab.sources.cluster import opened
from netlab.sources.cluster_kinds import cluster_role
from netlab.testing import FakeKernel

REPOSITORY = Path(__file__).parents[2]
SOAK_SECONDS = float(os.environ.get("NETLAB_SOAK_SECONDS", "40"))
Unique = Callable[..., str]
Begin = Callable[[], Running]


def node(number: int) -> Object:
    status = {"addresses": [{"type": "InternalIP", "address": f"172.18.0.{number + 10}"}]}
    cidr = f"10.244.{number}.0/24"
    return plain("Node", f"m{number}", spec={"podCIDR": cidr, "podCIDRs": [cidr]}, status=status)


def pod(name: str, number: int, on: int, **labels: str) -> Object:
    """Return a pod that runs, with its address in the range of its node."""
    address = f"10.244.{on}.{number + 5}"
    spec = {"containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 80}]}], "nodeName": f"m{on}"}
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    one = plain("Pod", name, "mir", spec=spec, status=status)
    one["metadata"]["labels"] = labels
    return one


def policy(name: str, app: str, peer: str) -> Object:
    peers = [{"podSelector": {"matchLabels": {"app": peer}}}]
    spec = {"podSelector": {"matchLabels": {"app": app}}, "ingress": [{"from": peers}]}
    return {**plain("NetworkPolicy", name, "mir", spec=spec), "apiVersion": "networking.k8s.io/v1"}


def path(one: Object) -> str:
    base = "/apis/networking.k8s.io/v1" if one["kind"] == "NetworkPolicy" else "/api/v1"
    plural = {"NetworkPolicy": "networkpolicies"}.get(one["kind"], f"{one['kind'].lower()}s")
    where = f"/namespaces/{one['metadata']['namespace']}" if one["metadata"].get("namespace") else ""
    return f"{base}{where}/{plural}/{one['metadata']['name']}"


def delete(plane: ControlPlane, one: Object) -> None:
    assert plane.call("DELETE", f"{path(one)}?gracePeriodSeconds=0")[0] == 200


@pytest.fixture
def estate(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    """Return the API server with two nodes, four pods, a policy and a Service."""
    for one in plane.call("GET", "/api/v1/nodes")[1]["items"]:
        plane.call("DELETE", f"/api/v1/nodes/{one['metadata']['name']}")
    for one in (plain("Namespace", "mir"), node(1), node(2)):
        plane.create(one)
    for number in range(4):
        plane.create(pod(f"p{number}", number, number % 2 + 1, app=f"a{number}"))
    plane.create(policy("first", "a0", "a1"))
    plane.create(plain("Service", "web", "mir", spec={"selector": {"app": "a0"}, "ports": [{"port": 80}]}))
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig("admin")))
    yield plane
    for number in range(10):
        plane.call("DELETE", f"/api/v1/nodes/m{number}")


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Return a function that makes a mirror of the current context, whose lab is in a kernel in memory."""
    with contextlib.ExitStack() as stack:

        def started() -> Running:
            process = stack.enter_context(opened("cluster:", watches=True))
            running = Running(None, None, FakeKernel())  # type: ignore[arg-type]
            running.mirror = Mirror(Source(process, f"cluster:{process.context}"), (), running)
            given, cluster, warnings = running.mirror.read()
            running.lines += [str(one) for one in warnings if one.rule == "not-listed"]
            stack.callback(running.mirror.build(given, cluster, "mirrored", running.machine).close)
            return running

        yield started


# --- rights ---------------------------------------------------------------------------------------------------------


def asked(plane: ControlPlane, since: int) -> set[tuple[str, str, str]]:
    """Return verb, group and resource of each request of a mirror."""
    refs = [(e["verb"], e.get("objectRef", {})) for e in plane.audited()[since:]]
    return {(verb, ref.get("apiGroup", ""), ref["resource"]) for verb, ref in refs if "resource" in ref}


def test_exactly_the_printed_role_suffices(estate: ControlPlane, begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it, lists and watches are allowed; without one resource of it that the cluster has, a line says so."""
    rules = yaml.safe_load(cluster_role(watches=True))["rules"]
    grant(estate, "reader", rules)
    monkeypatch.setenv("KUBECONFIG", str(estate.kubeconfig("reader")))
    before = len(estate.audited())
    whole = begin()
    estate.create(policy("second", "a1", "a2"))
    whole.until(lambda: "mir/second" in whole.names())
    needed = asked(estate, before)
    granted = {
        (verb, g, r) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for verb in rule["verbs"]
    }

    assert [] == whole.lines
    assert needed <= granted
    assert {verb for verb, _, _ in needed} == {"list", "watch"}
    for group, resource in sorted({(g, r) for _, g, r in needed}):
        left = [
            {**rule, "resources": [r for r in rule["resources"] if r != resource or group not in rule["apiGroups"]]}
            for rule in rules
        ]
        grant(estate, "reader", [rule for rule in left if rule["resources"]])
        less = begin()

        assert less.lines or less.mirror.lab.cluster.unread, resource


def test_a_role_without_watches_is_polled(estate: ControlPlane, begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The role of -f cluster: lists only: changes come with the next list."""
    monkeypatch.setattr(inventory, "POLL_SECONDS", 0.5)
    grant(estate, "reader", yaml.safe_load(cluster_role())["rules"])
    monkeypatch.setenv("KUBECONFIG", str(estate.kubeconfig("reader")))
    running = begin()
    estate.create(policy("second", "a1", "a2"))
    running.until(lambda: "mir/second" in running.names())

    assert [] == running.lines


def test_a_mirror_writes_nothing(estate: ControlPlane, begin: Begin) -> None:
    """As the server's audit log has it: lists, watches, and reading single Secrets."""
    before = len(estate.audited())
    running = begin()
    estate.create(pod("late", 50, 1))
    running.until(lambda: "mir/late" in running.names())
    verbs = {verb for verb, _, _ in asked(estate, before)}

    assert {"list", "watch"} == verbs
    assert {"get", "list", "watch"} >= {event["verb"] for event in estate.audited()}


# --- restarts -------------------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_and_comes_back(estate: ControlPlane, begin: Begin) -> None:
    """The lab stays. Then each list goes on, or is asked for anew, as the new server forgot the events before it."""
    assert estate.server is not None
    running = begin()
    estate.create(policy("before", "a1", "a2"))
    running.until(lambda: "mir/before" in running.names())
    estate.create(pod("unseen", 60, 1))
    delete(estate, pod("p3", 3, 2))
    estate.server.kill()
    estate.close()
    running.until(lambda: running.said("the API server does not answer (Connection refused)"))
    for _ in range(20):
        running.mirror.step(0.1)
    assert {"mir/p0", "mir/p1", "mir/p2"} <= running.names()
    estate.server.start()
    estate.wait()
    estate.create(policy("after", "a2", "a3"))
    running.until(lambda: "mir/after" in running.names())
    running.until(lambda: "mir/unseen" in running.names() and "mir/p3" not in running.names())

    # A server that starts may answer that it is busy, for some kinds longer than for others. That is said as a further
    # outage, and each has its end.
    def counts() -> set[int]:
        return {sum(text in line for line in running.lines) for text in ("does not answer", "answers again")}

    running.until(lambda: len(counts()) == 1)
    assert counts() == {len(running.lines) // 2}, running.lines
    running.assert_mirrors()


# --- the command, with a kernel -------------------------------------------------------------------------------------


@contextlib.contextmanager
def mirroring(lab: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run the command until it follows; yield it with the lines that it prints."""
    words = [sys.executable, "-u", "-m", "netlab", "mirror", "cluster:", "--lab", lab, *options]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY)
    assert process.stdout is not None
    lines: list[str] = []
    follows = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if "follows" in line:
                follows.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        assert follows.wait(60), lines
        yield process, lines
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        thread.join(10)
        process.stdout.close()


@pytest.mark.kernel
def test_ctrl_c_leaves_the_lab_and_verify_proves_it(estate: ControlPlane, unique: Unique) -> None:
    """The mirrored cluster agrees with itself, by packets; the last line says how to remove the lab."""
    name = unique("mirror")
    try:
        with mirroring(name) as (process, lines):
            estate.create(policy("second", "a1", "a2"))
            assert eventually(lambda: any("networkpolicy/mir/second created" in line for line in lines))
        proof = subprocess.run(
            [sys.executable, "-m", "netlab", "verify", "--lab", name], capture_output=True, text=True, cwd=REPOSITORY
        )

        assert 0 == process.returncode
        assert f"lab {name} stays as it is; remove it with: netlab down {name}" == lines[-1]
        assert 0 == proof.returncode, proof.stdout + proof.stderr
        with Lab.open(name) as lab:
            assert [] == lab.drift()
    finally:
        if name in Lab.names():
            Lab.open(name).down()


@pytest.mark.kernel
def test_rm_removes_the_lab(estate: ControlPlane, unique: Unique) -> None:
    """With the end of the command."""
    name = unique("mirror")
    with mirroring(name, "--rm"):
        assert name in Lab.names()

    assert name not in Lab.names()


@pytest.mark.kernel
def test_a_policy_is_soon_in_force(estate: ControlPlane, unique: Unique) -> None:
    """Twenty policies, one after the other; the time from the server's answer to the command's line is printed."""
    taken = []
    with mirroring(unique("mirror"), "--rm") as (_, lines):
        for number in range(20):
            estate.create(policy(f"l{number}", f"a{number % 4}", "a1"))
            answered = time.monotonic()
            assert eventually(lambda number=number: any(f"/l{number} created" in line for line in lines))  # type: ignore[misc]
            taken.append(time.monotonic() - answered)
            time.sleep(0.2)
    print(f"\nmirror: a policy is in force {1000 * statistics.median(taken):.0f} ms after the answer (median of 20)")


class Changes:
    """Random changes of a cluster: pods, labels, policies, Services, namespaces, nodes and restarts of watches."""

    def __init__(self, plane: ControlPlane, seed: int) -> None:
        self._plane = plane
        self.random = random.Random(seed)  # noqa: S311
        self._pods: dict[str, Object] = {}
        self._policies: dict[str, Object] = {}
        self._spaces: set[str] = set()
        self._nodes = {1, 2}
        self._count = 0

    def one(self) -> None:
        """Make one change, or a burst of some."""
        kinds = [self._add_pod, self._drop_pod, self._label, self._add_policy, self._drop_policy, self._move_pod]
        kinds += [self._pending, self._node, self._space]
        weights = [8, 5, 6, 5, 4, 2, 2, 1, 1]
        for _ in range(self.random.choice((1, 1, 1, 2, 5, 20))):
            self.random.choices(kinds, weights)[0]()

    def _app(self) -> str:
        return f"a{self.random.randrange(5)}"

    def _add_pod(self) -> None:
        if len(self._pods) > 60:
            return
        self._count += 1
        free = [n for n in range(20, 220) if n not in {o["number"] for o in self._pods.values()}]
        number, on = self.random.choice(free), self.random.choice(sorted(self._nodes))
        one = pod(f"r{self._count}", number, on, app=self._app())
        self._plane.create(one)
        self._pods[one["metadata"]["name"]] = {**one, "number": number}

    def _drop_pod(self) -> None:
        if self._pods:
            name = self.random.choice(sorted(self._pods))
            delete(self._plane, self._pods.pop(name))

    def _move_pod(self) -> None:
        """As a StatefulSet's pod that is made anew on another node."""
        if self._pods:
            name = self.random.choice(sorted(self._pods))
            old = self._pods.pop(name)
            delete(self._plane, old)
            new = pod(name, old["number"], self.random.choice(sorted(self._nodes)), app=self._app())
            self._plane.create(new)
            self._pods[name] = {**new, "number": old["number"]}

    def _label(self) -> None:
        if self._pods:
            one = self._pods[self.random.choice(sorted(self._pods))]
            labels = {"metadata": {"labels": {"app": self._app()}}}
            assert self._plane.call("PATCH", path(one), labels)[0] == 200

    def _add_policy(self) -> None:
        self._count += 1
        one = policy(f"r{self._count}", self._app(), self._app())
        self._plane.create(one)
        self._policies[one["metadata"]["name"]] = one

    def _drop_policy(self) -> None:
        if self._policies:
            delete(self._plane, self._policies.pop(self.random.choice(sorted(self._policies))))

    def _pending(self) -> None:
        """A pod that is seen before it has a node."""
        self._count += 1
        one = pod(f"w{self._count}", 0, 1)
        del one["spec"]["nodeName"], one["status"]
        self._plane.create(one)
        delete(self._plane, one)

    def _node(self) -> None:
        number = self.random.choice((3, 4))
        if number not in self._nodes:
            self._plane.create(node(number))
            self._nodes.add(number)
            return
        self._nodes.remove(number)
        self._plane.call("DELETE", f"/api/v1/nodes/m{number}")
        for name in [name for name, one in self._pods.items() if one["spec"]["nodeName"] == f"m{number}"]:
            delete(self._plane, self._pods.pop(name))

    def _space(self) -> None:
        labels = {"metadata": {"labels": {"team": self._app()}}}
        assert self._plane.call("PATCH", "/api/v1/namespaces/mir", labels)[0] == 200


def readings(name: str) -> list[tuple[set[str], set[tuple[object, ...]]]]:
    """Return the objects, and the places of the pods: of a fresh reading, and of a lab."""
    found = read_input(["cluster:"], sources=SOURCES)
    fresh, _ = resolve_input(found)
    with Lab.open(name, Linux()) as lab, lab.held(shared=True):
        both = (reduced(found.objects.documents), fresh), (lab.documents, lab.cluster)
        return [
            (
                {json.dumps(one.data, sort_keys=True) for one in documents},
                {(p.ref, p.node, p.addresses) for p in cluster.pods if not p.system},
            )
            for documents, cluster in both
        ]


@pytest.mark.kernel
@pytest.mark.timeout(SOAK_SECONDS + 240)
def test_minutes_of_random_changes_end_as_a_fresh_reading(estate: ControlPlane, unique: Unique) -> None:
    """Objects, nodes and addresses are those of -f cluster:, and the kernel has all of the lab and nothing else."""
    seed = int(os.environ.get("NETLAB_SEED", "17"))
    changes, name = Changes(estate, seed), unique("soak")
    end = time.monotonic() + SOAK_SECONDS
    try:
        with mirroring(name) as (process, lines):
            while time.monotonic() < end:
                changes.one()
                time.sleep(changes.random.random() * 0.3)
            estate.create(policy("last", "a0", "a1"))
            assert eventually(lambda: any("/last created" in line for line in lines)), lines[-10:]
            eventually(lambda: operator.eq(*readings(name)))
            assert process.poll() is None
        fresh, mine = readings(name)
        assert fresh == mine
        with Lab.open(name, Linux()) as lab:
            assert [] == lab.drift()
        print(f"\nmirror: {sum('in force after' in line for line in lines)} changes in {SOAK_SECONDS:g} s, seed {seed}")
    finally:
        if name in Lab.names():
            Lab.open(name).down()
