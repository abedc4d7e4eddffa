"""A mirror that a test drives, and the objects of its cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from mirror.watched_server import WatchedServer
from sources.api_server import Object

from netlab.cluster import resolve_input
from netlab.lab.outcome import Changes
from netlab.mirror.mirror import Mirror
from netlab.objects import read_input
from netlab.objects.policies import NetworkPolicy
from netlab.sources import SOURCES
from netlab.testing import FakeKernel

HANGS = 60.0


def one(kind: str, name: str, namespace: str = "", version: str = "v1", **more: object) -> Object:
    metadata: Object = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}  # type: ignore[dict-item]
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def node(number: int) -> Object:
    status = {"addresses": [{"type": "InternalIP", "address": f"172.18.0.{number + 10}"}]}
    return one("Node", f"n{number}", spec={"podCIDRs": [f"10.244.{number}.0/24"]}, status=status)


def pod(name: str, address: str = "", on: int = 1, phase: str = "Running", **more: object) -> Object:
    status: Object = {"phase": phase, **({"podIP": address, "podIPs": [{"ip": address}]} if address else {})}
    spec: Object = {
        "containers": [{"name": "c", "ports": [{"containerPort": 80}]}],
        **({"nodeName": f"n{on}"} if on else {}),
    }
    return one("Pod", name, "shop", spec={**spec, **more.pop("spec", {})}, status=status, **more)  # type: ignore[dict-item,arg-type]


def policy(name: str, **spec: object) -> Object:
    return one("NetworkPolicy", name, "shop", "networking.k8s.io/v1", spec={"podSelector": {}, **spec})


def first_objects() -> list[Object]:
    return [
        one("Namespace", "shop"),
        node(1),
        node(2),
        pod("a", "10.244.1.5"),
        pod("b", "10.244.2.5", on=2),
        policy("deny"),
    ]


class Running:
    """A mirror that a test drives; ``lines`` is what it said, ``outcomes`` the changes that are in force."""

    def __init__(self, server: WatchedServer, mirror: Mirror, machine: FakeKernel) -> None:
        self.server = server
        self.mirror = mirror
        self.machine = machine
        self.lines: list[str] = []
        self.outcomes: list[Changes] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def changes(self, lab: str, changes: Changes) -> None:
        self.outcomes.append(changes)

    def until(self, done: Callable[[], object]) -> None:
        """Follow until something holds."""
        end = time.monotonic() + HANGS
        while not done():
            assert time.monotonic() < end, (self.lines, self.names())
            self.mirror.step(0.1)

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def names(self) -> set[str]:
        """Return the pods and policies of the lab."""
        cluster = self.mirror.lab.cluster
        return {pod.ref for pod in cluster.pods} | {one.meta.key for one in cluster.policies}

    def changed(self) -> list[set[tuple[str, str]]]:
        """Return the changed objects of each change."""
        return [{(name, verb) for name, verb in one.objects if verb != "unchanged"} for one in self.outcomes]

    def assert_mirrors(self) -> None:
        """The lab has the objects of a fresh reading and their addresses, and the kernel has all of the lab."""
        found = read_input(["cluster:"], sources=SOURCES)
        cluster, _ = resolve_input(found)
        lab = self.mirror.lab.cluster

        fresh, mine = (
            {(p.ref, p.node, p.addresses, *p.labels.items()) for p in of.pods if not p.system} for of in (cluster, lab)
        )
        assert fresh == mine, fresh ^ mine
        assert _policies(cluster.policies) == _policies(lab.policies)
        assert [n.name for n in cluster.nodes] == [n.name for n in lab.nodes]
        assert {s.meta.key: s.cluster_ips for s in cluster.services} == {
            s.meta.key: s.cluster_ips for s in lab.services
        }
        assert [] == self.mirror.lab.drift()


def _policies(of: Iterable[NetworkPolicy]) -> dict[str, object]:
    return {one.meta.key: (one.pod_selector, one.ingress, one.egress) for one in of}


Begin = Callable[..., Running]
