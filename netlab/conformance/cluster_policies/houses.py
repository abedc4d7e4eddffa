"""The cluster of the API's own conformance suite: five namespaces with two pods each, on two nodes.

Namespaces and pods are labelled ``conformance-house=HOUSE``. Pods of the house F are host-network pods.

Source: network-policy-api v0.3.0, ``conformance/base/manifests.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from netlab.conformance.cluster_policies.nodes import NODES, topology
from netlab.conformance.dual_stack import documents
from netlab.conformance.shorthand import document, pod
from netlab.frozen import frozen
from netlab.objects.types import Document


@frozen
class House:
    """A namespace, with the name and the container ports of its pods."""

    name: str
    pod: str
    ports: tuple[str, ...] = ("web=80/TCP", "dns=53/UDP")
    host_network: bool = False

    @property
    def namespace(self) -> str:
        return f"network-policy-conformance-{self.name}"


HOUSES = {
    "G": House("gryffindor", "harry-potter"),
    "S": House("slytherin", "draco-malfoy"),
    "H": House("hufflepuff", "cedric-diggory"),
    "R": House("ravenclaw", "luna-lovegood"),
    "F": House("forbidden-forrest", "centaur", (), host_network=True),
}
KEY = "conformance-house"
ROLE = "conformance-role"
POD_NAME = "statefulset.kubernetes.io/pod-name"


def ref(key: str) -> str:
    """Return the reference of a pod: ``G0`` is the first one of house G."""
    house = HOUSES[key[0]]
    return f"{house.namespace}/{house.pod}-{key[1]}"


def address(key: str) -> str:
    """Return the address of a pod. Pods with number 1 are in the range of the second node."""
    return f"10.244.{key[1]}.{16 * (1 + list(HOUSES).index(key[0]))}"


def cluster(mode: str, houses: Mapping[str, str], roles: Mapping[str, str]) -> tuple[Document, ...]:
    """Return the documents of the cluster.

    Args:
      mode: the mode of the pod network.
      houses: labels of namespaces that differ from their names, by key.
      roles: the roles of pods, by key.
    """
    found = [topology(mode)]
    for key, house in HOUSES.items():
        found.append(_namespace(house.namespace, houses.get(key, house.name)))
        found += (_pod(f"{key}{number}", roles.get(f"{key}{number}", "")) for number in range(2))
    return tuple(found)


@cache
def _namespace(name: str, house: str) -> Document:
    return document("Namespace", name, labels=f"{KEY}={house}")


@cache
def _pod(key: str, role: str) -> Document:
    house, number = HOUSES[key[0]], int(key[1])
    labels = f"{KEY}={house.name},{POD_NAME}={house.pod}-{number}{f',{ROLE}={role}' if role else ''}"
    if house.host_network:
        spec = {"hostNetwork": True, "nodeName": NODES[number], "containers": [{"name": "c"}]}
        return document("Pod", ref(key), spec, labels=labels)
    (found,) = documents([pod(ref(key), labels, address(key), house.ports, NODES[number])])
    return found
