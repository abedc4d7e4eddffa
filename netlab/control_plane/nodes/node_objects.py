"""Node objects, their status and their leases, as kubelets write them.

Source: core/v1 NodeStatus; coordination.k8s.io/v1 Lease; kubelet, Node registration and heartbeats.
"""

from __future__ import annotations

import platform
from typing import Any

from netlab.cluster import Cluster, Node

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
LEASE_SECONDS = 40
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
# What a node has room for. Pods without programs need none, so the scheduler does not run out of it.
_ROOM = {"cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti"}
_MOST_PODS = 10_000
# Addresses of a range that pods do not get, those of netlab's own pods among them.
_OWN_ADDRESSES = 5
_PRESSURES = {
    "MemoryPressure": "KubeletHasSufficientMemory",
    "DiskPressure": "KubeletHasNoDiskPressure",
    "PIDPressure": "KubeletHasSufficientPID",
}


def node_object(cluster: Cluster, node: Node) -> dict[str, Any]:
    """Return the Node of a node of the lab: its labels, and the ranges of its pods' addresses."""
    labels = {
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": _architecture(),
        **node.labels,
    }
    found: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name, "labels": labels}}
    ranges = [str(cidr) for cidr in node.pod_cidrs.get(cluster.networks[0].name, ())] if cluster.networks else []
    if ranges:
        found["spec"] = {"podCIDR": ranges[0], "podCIDRs": ranges}
    return found


def node_status(node: Node, version: str, kubelet_port: int, now: str) -> dict[str, Any]:
    """Return the status of a node that is ready; ``version`` is that of the API server, ``now`` a time."""
    addresses = [
        *({"type": "InternalIP", "address": str(one)} for one in node.addresses),
        {"type": "Hostname", "address": node.name},
    ]
    room = {**_ROOM, "pods": str(_pods(node))}
    return {
        "addresses": addresses,
        "capacity": room,
        "allocatable": room,
        "conditions": [
            *(_condition(kind, "False", reason, now) for kind, reason in _PRESSURES.items()),
            _condition("Ready", "True", "KubeletReady", now),
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
        # So the API server passes the WebSocket of `kubectl exec` on; before 1.36 it speaks SPDY.
        "declaredFeatures": ["ExtendWebSocketsToKubelet"],
        "nodeInfo": {
            "architecture": _architecture(),
            "bootID": "",
            "containerRuntimeVersion": "netlab://1",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": "",
            "kubeletVersion": version,
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "netlab",
            "systemUUID": "",
        },
    }


def _pods(node: Node) -> int:
    """Return how many pods have addresses on a node: the scheduler binds no more."""
    sizes = [cidr.num_addresses for cidrs in node.pod_cidrs.values() for cidr in cidrs]
    return max(1, min([_MOST_PODS, *(size - _OWN_ADDRESSES for size in sizes)]))


def lease(name: str, uid: str, now: str) -> dict[str, Any]:
    """Return the Lease of a node; ``now`` is a time with microseconds."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease", "ownerReferences": [owner]},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now},
    }


def _condition(kind: str, state: str, reason: str, now: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": state,
        "reason": reason,
        "message": "netlab is the node",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }


def _architecture() -> str:
    machine = platform.machine()
    return _MACHINES.get(machine, machine)
