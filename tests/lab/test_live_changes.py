"""A running lab is changed under traffic: flows that a change does not concern lose no packet."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from netlab.cluster.types import Pod
from netlab.conformance.shorthand import block, document, peer, pod, policy, rule
from netlab.dataplane import names
from netlab.kernel import netns
from netlab.lab.lab import Lab
from netlab.objects import Document, decode
from netlab.objects.scenarios import LabelChange, ObjectRef

ADDRESSES = {"x/a": "10.244.0.10", "x/b": "10.244.0.11", "y/a": "10.244.0.20"}
ONLY_A = policy("x/only-a", "pod=b", ingress=[rule("ingress", [peer("pod=a")], ["80/UDP"])])
OTHER_ONLY_A = policy("x/other", "pod", ingress=[rule("ingress", [peer("pod in (a,z)")], ["70-90/UDP"])])
NOBODY = policy("x/nobody", "pod=b", ingress=[])
ELSEWHERE = policy("x/elsewhere", "", ingress=[rule("ingress", [block("192.0.2.0/24")])], egress=[{}])
POSTURES = (ONLY_A, OTHER_ONLY_A, NOBODY, ELSEWHERE)
_PAUSE = 0.0005
_MOST = 20_000


def inputs(name: str, established: str = "keep") -> list[Document]:
    """Three pods on one bridge; x/b is open only to x/a, on 80/UDP."""
    pods = [pod(ref, f"pod={ref[-1]}", address) for ref, address in ADDRESSES.items()]
    return [document("Topology", name, {"policy": {"established": established}}), *pods, ONLY_A]


@pytest.fixture
def build(unique: Callable[[str], str]) -> Iterator[Callable[..., Lab]]:
    """Build a lab from what a function makes of its name; gone afterwards."""
    built: list[Lab] = []

    def up(make: Callable[..., Sequence[Document]], *arguments: object) -> Lab:
        objects, problems = decode(make(unique("live"), *arguments))
        assert [] == [problem for problem in problems if problem.severity == "error"]
        lab = Lab.up(objects)
        built.append(lab)
        return lab

    yield up
    for lab in built:
        lab.down()


def bound(lab: Lab, ref: str, port: int = 0) -> socket.socket:
    """A UDP socket inside a pod, with room for all that a test sends."""
    endpoint = lab.cluster.by_ref[ref]
    assert isinstance(endpoint, Pod)
    with netns.inside(names.pod_namespace(lab.name, endpoint)):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE, socket(7)
    made.bind((ADDRESSES[ref], port))
    made.settimeout(0.5)
    return made


@dataclass
class Flood:
    """Numbered datagrams from one pod to x/b, one by one until the block ends."""

    sender: socket.socket
    port: int = 80
    sent: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.is_set() and self.sent < _MOST:
            self.sender.sendto(self.sent.to_bytes(4, "big"), (ADDRESSES["x/b"], self.port))
            self.sent += 1
            time.sleep(_PAUSE)

    def __enter__(self) -> Flood:
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()


def received(receiver: socket.socket) -> Iterator[tuple[str, int]]:
    """The sender and number of each datagram that arrived."""
    with contextlib.suppress(TimeoutError):
        while True:
            data, (address, _) = receiver.recvfrom(64)
            yield address, int.from_bytes(data, "big")


def come_and_go(lab: Lab) -> None:
    """Policies, labels and pods that leave x/b open to x/a on 80/UDP, and to y/a never."""
    for _ in range(4):
        lab.apply([OTHER_ONLY_A])
        lab.apply([pod("x/new", "pod=z", "10.244.0.30"), policy("y/deny", ingress=[], egress=[])])
        lab.label([LabelChange("pod", "x/a", {"seen": "yes"}), LabelChange("namespace", "y", {"team": "red"})])
        lab.delete([ObjectRef("NetworkPolicy", "only-a", "x")])
        lab.delete([ObjectRef("Pod", "new", "x"), ObjectRef("NetworkPolicy", "deny", "y")])
        lab.apply([ONLY_A])
        lab.label([LabelChange("pod", "x/a", {"seen": None}), LabelChange("namespace", "y", {"team": None})])
        lab.delete([ObjectRef("NetworkPolicy", "other", "x")])


@pytest.mark.parametrize("established", ["keep", "reevaluate"])
def test_no_packet_of_an_allowed_flow_is_lost(build: Callable[..., Lab], established: str) -> None:
    """No program answers, so every datagram is a new connection to conntrack and meets the policies."""
    lab = build(inputs, established)
    with bound(lab, "x/a") as sender, bound(lab, "x/b", 80) as receiver:
        with Flood(sender) as flood:
            come_and_go(lab)
        arrived = [number for _, number in received(receiver)]

    assert 100 < flood.sent < _MOST
    assert list(range(flood.sent)) == arrived


def test_no_packet_of_an_answered_flow_is_lost(build: Callable[..., Lab]) -> None:
    """One that conntrack knows as established, in both directions."""
    lab = build(inputs)
    with bound(lab, "x/a") as sender, bound(lab, "x/b", 80) as receiver:
        sender.sendto(bytes(4), (ADDRESSES["x/b"], 80))
        receiver.sendto(bytes(4), receiver.recvfrom(64)[1])
        with Flood(sender) as flood:
            come_and_go(lab)
        arrived = [number for _, number in received(receiver)]
        receiver.sendto(bytes(4), sender.getsockname())
        answers = list(received(sender))

    assert list(range(flood.sent)) == arrived
    assert [(ADDRESSES["x/b"], 0)] * 2 == answers


def test_no_window_opens_while_one_policy_takes_the_place_of_another(build: Callable[..., Lab]) -> None:
    """Each denies y/a; only when the last of them is gone does its flood arrive."""
    lab = build(inputs)
    with bound(lab, "y/a") as sender, bound(lab, "x/b", 80) as receiver:
        with Flood(sender) as flood:
            come_and_go(lab)
            for _ in range(2):
                for new, old in zip((*POSTURES[1:], POSTURES[0]), POSTURES, strict=True):
                    lab.apply([new])
                    lab.delete([ObjectRef("NetworkPolicy", old.data["metadata"]["name"], "x")])
        while_denied = list(received(receiver))
        lab.delete([ObjectRef("NetworkPolicy", "only-a", "x")])
        sender.sendto(flood.sent.to_bytes(4, "big"), (ADDRESSES["x/b"], 80))
        afterwards = list(received(receiver))

    assert 100 < flood.sent < _MOST
    assert [] == while_denied
    assert [(ADDRESSES["y/a"], flood.sent)] == afterwards


def test_no_window_opens_while_the_first_cluster_wide_policy_comes_and_the_last_one_goes(
    build: Callable[..., Lab],
) -> None:
    """The rules differ then, and not only their elements; the flow that is allowed loses no packet."""
    lab = build(inputs)
    spec = {
        "tier": "Admin",
        "priority": 1,
        "subject": {"namespaces": {}},
        "ingress": [{"action": "Deny", "from": [{"pods": {"podSelector": {"matchLabels": {"pod": "none"}}}}]}],
    }
    admin = document("ClusterNetworkPolicy", "first", spec)
    with bound(lab, "y/a") as sender, bound(lab, "x/a") as allowed, bound(lab, "x/b", 80) as receiver:
        with Flood(sender) as denied, Flood(allowed) as flood:
            for _ in range(4):
                assert 1 == lab.apply([admin]).replaced
                lab.delete([ObjectRef("ClusterNetworkPolicy", "first")])
        found = list(received(receiver))

    assert 100 < denied.sent < _MOST
    assert [(ADDRESSES["x/a"], number) for number in range(flood.sent)] == found


@pytest.mark.parametrize(("established", "lives"), [("keep", True), ("reevaluate", False)])
def test_a_connection_that_is_no_longer_allowed(build: Callable[..., Lab], established: str, lives: bool) -> None:
    """Lives on or is cut in both directions, as ``spec.policy.established`` says; once allowed again it flows again."""
    lab = build(inputs, established)
    passed: list[tuple[bool, bool]] = []
    with bound(lab, "x/a") as client, bound(lab, "x/b", 80) as server:

        def ask() -> None:
            client.sendto(bytes(4), (ADDRESSES["x/b"], 80))
            there = any(received(server))
            server.sendto(bytes(4), client.getsockname())
            passed.append((there, any(received(client))))

        ask()
        lab.apply([policy("x/only-a", "pod=b", ingress=[], egress=[])])
        ask()
        lab.apply([ONLY_A])
        ask()

    assert [(True, True), (lives, lives), (True, True)] == passed


def crowd(name: str) -> list[Document]:
    """200 pods in ten groups, and 50 policies that admit one role each to a group; four pods have each role."""
    pods = [pod(f"x/p{i}", f"group=g{i % 10},role=r{i % 50}", f"10.244.1.{i + 2}") for i in range(200)]
    policies = [
        policy(f"x/n{i}", f"group=g{i % 10}", ingress=[rule("ingress", [peer(f"role=r{i}")], ["80"])])
        for i in range(50)
    ]
    return [document("Topology", name), *pods, *policies]


@pytest.mark.parametrize("labels", [{"role": "r1"}, {"group": "g1"}], ids=["as a peer", "as a subject"])
def test_a_label_touches_what_differs_and_nothing_else(build: Callable[..., Lab], labels: dict[str, str]) -> None:
    """In a lab of 200 pods and 50 policies: the pod's own identity, or its class, which others have already."""
    lab = build(crowd)
    changes = lab.label([LabelChange("pod", "x/p0", labels)])

    assert (1, 0, ()) == (changes.elements, changes.replaced, changes.steps)
    assert [] == lab.drift()
