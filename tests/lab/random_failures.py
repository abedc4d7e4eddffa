"""Random histories of labs whose workloads change while nodes stop and pods are killed; the seed decides everything."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from failing import Data, document, pod, service, topology, workload

from netlab.lab.lab import Lab
from netlab.objects import Objects, decode
from netlab.objects.scenarios import LabelChange, ObjectRef

NODES = ("n1", "n2", "n3")
MODES = ("bridge", "overlay", "routed", "macvlan")
OWN = ("StoppedNode", "WorkloadPods", "PodLabels")
"""The kinds of documents that netlab adds to a lab itself."""
Step = tuple[str, Callable[[], object]]


def objects_of(*data: Data) -> Objects:
    return decode([document(one) for one in data])[0]


def given(lab: Lab) -> Objects:
    """Return the objects of a lab that a user gave."""
    return decode([one for one in lab.documents if one.kind not in OWN])[0]


class History:
    """What happens to a lab: ``objects`` is what it is built from, ``step`` what comes next."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # no secret
        self.mode = MODES[seed % len(MODES)]
        self._dual = bool(seed % 2)
        ranges = ["10.244.0.0/16", *(["fd00:10:244::/56"] if self._dual else [])]
        network = {"name": "default", "mode": self.mode, "podCIDRs": ranges}
        hosts = [{"name": "client", "addresses": ["192.0.2.10", *(["2001:db8::10"] if self._dual else [])]}]
        self.objects = objects_of(
            topology(*NODES, networks=[network], hosts=hosts),
            workload("Deployment", "web", 3),
            workload("StatefulSet", "db", 2),
            workload("DaemonSet", "agent"),
            service("web"),
            pod("client", "n1"),
            self._policy(),
        )

    def step(self, lab: Lab) -> Step:
        """Return what is done next, as text and as a function."""
        pods = [one.ref for one in lab.cluster.pods if not one.system]
        share = self._random.random()
        if share < 0.2:
            data = self._object()
            return f"apply {data}", lambda: lab.apply([document(data)])
        if share < 0.4:
            more = [self._object() for _ in range(self._pick(1, 1, 2))]
            return f"rollout {more}", lambda: lab.rollout([document(one) for one in more])
        if share < 0.5 and pods:
            change = LabelChange("pod", self._pick(*pods), {"app": self._pick("web", "db", "other", None)})
            return f"label {change}", lambda: lab.label([change])
        if share < 0.65 and pods:
            killed = self._random.sample(pods, min(len(pods), self._pick(1, 1, 2, 5)))
            return f"kill {killed}", lambda: lab.kill(killed)
        if share < 0.78:
            stopped = self._pick(*NODES)
            return f"stop {stopped}", lambda: lab.stop_node(stopped)
        if share < 0.92:
            started = self._pick(*NODES)
            return f"start {started}", lambda: lab.start_node(started)
        if share < 0.97:
            found = self._pick(*(one for one in lab.documents if one.kind not in (*OWN, "Topology")))
            metadata = found.data["metadata"]
            ref = ObjectRef(found.kind, metadata["name"], metadata.get("namespace", ""))
            return f"delete {ref}", lambda: lab.delete([ref])
        return "up", lambda: Lab.up(given(lab), name=lab.name, machine=lab.machine).close()

    def _pick(self, *of: Any) -> Any:
        return self._random.choice(of)

    def _object(self) -> Data:
        made: Data = self._pick(
            self._workload, self._workload, self._workload, self._policy, self._service, self._pod
        )()
        return made

    def _workload(self) -> Data:
        kind, name = self._pick(
            ("Deployment", "web"),
            ("Deployment", "api"),
            ("StatefulSet", "db"),
            ("DaemonSet", "agent"),
            ("Job", "batch"),
        )
        of_pods = self._pick({}, {}, {}, {"hostNetwork": True}, {"nodeSelector": {"own": self._pick(*NODES)}})
        spec: Data = {"of_pods": of_pods}
        surge, unavailable = self._pick((0, 1), (1, 0), ("100%", "100%"), ("0%", "50%"), (1_000_000, 0), (2, 2))
        if kind == "Deployment":
            update = {"maxSurge": surge, "maxUnavailable": unavailable}
            spec["strategy"] = self._pick({"type": "Recreate"}, {"rollingUpdate": update})
        elif kind == "StatefulSet":
            update = {"partition": self._pick(0, 1, 9), "maxUnavailable": self._pick(1, "100%")}
            spec["updateStrategy"] = self._pick({"type": "OnDelete"}, {"rollingUpdate": update})
            spec["ordinals"] = {"start": self._pick(0, 0, 5)}
        elif kind == "DaemonSet":
            update = self._pick({"maxUnavailable": "100%"}, {"maxSurge": 1, "maxUnavailable": 0})
            spec["updateStrategy"] = self._pick({"type": "OnDelete"}, {"rollingUpdate": update})
        elif self._pick(True, False):
            spec |= {"completions": self._pick(1, 5), "completionMode": "Indexed", "backoffLimit": 0}
        replicas = None if kind == "DaemonSet" else self._random.randrange(5)
        made = workload(kind, name, replicas, image=self._pick("one", "two", "three"), **spec)
        if self.mode != "macvlan" and self._pick(True, *[False] * 9):
            ports = made["spec"]["template"]["spec"]["containers"][0]["ports"]
            ports[0]["hostPort"] = 8000 + self._random.randrange(3)
        return made

    def _policy(self) -> Data:
        peers = self._pick(
            [{"podSelector": {"matchLabels": {"app": self._pick("web", "db", "agent")}}}],
            [{"ipBlock": {"cidr": self._pick("10.244.0.0/24", "100.64.0.0/30", "192.0.2.0/24")}}],
        )
        selected = self._pick({}, {"matchLabels": {"app": "web"}}, {"matchLabels": {"image": "two"}})
        spec = {"podSelector": selected, "ingress": self._pick([], [{}], [{"from": peers, "ports": [{"port": 80}]}])}
        if self._pick(True, False):
            spec |= {"policyTypes": ["Ingress", "Egress"], "egress": self._pick([], [{"to": peers}])}
        metadata = {"name": self._pick("p", "q"), "namespace": "x"}
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}

    def _service(self) -> Data:
        made = service(self._pick("web", "db", "agent", "batch"))
        made["spec"] |= self._pick({}, {"type": "NodePort", "externalTrafficPolicy": "Local"}, {"clusterIP": "None"})
        made["spec"] |= self._pick({}, {"sessionAffinity": "ClientIP"}, {"publishNotReadyAddresses": True})
        return made

    def _pod(self) -> Data:
        owner = self._pick("", "", "ReplicaSet gone", "Node n1", "DaemonSet gone", "StatefulSet gone")
        return pod(self._pick("client", "solo", "web-1"), self._pick("", *NODES), owner)
