"""Policy sets that are right by construction have no finding of severity error, and no warning of an exact rule.

A set begins with needs: which workload may reach which port of which other workload, what is open to the outside, and
what may go there. Its policies are made from the needs, in one of several ways to write each: a default deny, and for
each need an egress rule at the client and an ingress rule at the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from linting import given_of
from sizes import some

from netlab.objects.input import input_of
from netlab.objects.types import Document, Source
from netlab.policy.lint import all_rules
from netlab.policy.lint.findings import lint

# Rules that also find what is a choice and no mistake.
OF_TASTE = {"block-covers-pods"}
SPACES = ("shop", "pay", "ops")
TEAMS = {"shop": "front", "pay": "back", "ops": "back"}
Data = dict[str, Any]


def _object(kind: str, version: str, name: str, space: str = "", **rest: Any) -> Data:
    metadata: Data = {"name": name, **({"namespace": space} if space else {}), **rest.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


class CleanSet:
    """A random set: workloads, needs and the policies that allow exactly the needs."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)  # noqa: S311
        self.dns = self.rng.random() < 0.5
        self.expressions = self.rng.random() < 0.3
        self.apps = {
            (space, f"app-{number}"): (8000 + 10 * at + number, self.rng.choice(("TCP", "TCP", "UDP")))
            for at, space in enumerate(SPACES)
            for number in range(self.rng.randint(1, 4))
        }

    def documents(self) -> Iterator[Data]:
        """Yield the objects, in random order."""
        found = [*self._objects(), *self._policies()]
        self.rng.shuffle(found)
        yield from found

    def _objects(self) -> Iterator[Data]:
        for space in (*SPACES, *(("kube-system",) if self.dns else ())):
            yield _object("Namespace", "v1", space, metadata={"labels": {"team": TEAMS.get(space, "system")}})
        for (space, app), (port, protocol) in self.apps.items():
            yield self._deployment(space, app, [{"name": app, "containerPort": port, "protocol": protocol}])
            if self.rng.random() < 0.5:
                yield _object(
                    "Service",
                    "v1",
                    app,
                    space,
                    spec={
                        "selector": {"app": app},
                        "ports": [{"port": port, "targetPort": self.rng.choice((port, app)), "protocol": protocol}],
                    },
                )
        if self.dns:
            ports = [{"name": "dns", "containerPort": 53, "protocol": "UDP"}, {"name": "dns-tcp", "containerPort": 53}]
            yield self._deployment("kube-system", "coredns", ports, {"k8s-app": "kube-dns"})
            yield _object(
                "Service",
                "v1",
                "kube-dns",
                "kube-system",
                spec={
                    "selector": {"k8s-app": "kube-dns"},
                    "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53}],
                },
            )

    def _deployment(self, space: str, app: str, ports: list[Data], labels: dict[str, str] | None = None) -> Data:
        labels = labels or {"app": app}
        template = {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": app, "image": app, "ports": ports}]},
        }
        spec = {"replicas": self.rng.randint(1, 3), "selector": {"matchLabels": labels}, "template": template}
        return _object("Deployment", "apps/v1", app, space, spec=spec)

    # --- policies ---------------------------------------------------------------------------------------------------

    def _policies(self) -> Iterator[Data]:
        for space in SPACES:
            deny = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
            if self.rng.random() < 0.5:
                deny |= {"ingress": [], "egress": []}
            yield self._policy(space, "default-deny", deny)
            yield self._policy(
                space, "dns", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [self._dns_rule()]}
            )
        ends = list(self.apps)
        # Each need once, as the policies of a second one would change nothing.
        needs = {(self.rng.choice(ends), self.rng.choice(ends)): None for _ in range(self.rng.randint(1, 8))}
        for number, (client, server) in enumerate(needs):
            if client != server:
                yield from self._need(number, client, server)
        for space, app in self.rng.sample(ends, self.rng.randint(0, len(ends) // 2)):
            yield self._outside(space, app)

    def _need(self, number: int, client: tuple[str, str], server: tuple[str, str]) -> Iterator[Data]:
        """Yield the two policies that allow a client to reach a server."""
        port, protocol = self.apps[server]
        for own, other, direction in ((client, server, "egress"), (server, client, "ingress")):
            item: Data = {"port": self.rng.choice((port, server[1]))}
            if protocol != "TCP" or self.rng.random() < 0.5:
                item["protocol"] = protocol
            if isinstance(item["port"], int) and self.rng.random() < 0.2:
                item["endPort"] = port
            rule = {"to" if direction == "egress" else "from": [self._peer(own[0], other)], "ports": [item]}
            spec: Data = {"podSelector": self._selector("app", own[1]), direction: [rule]}
            if direction == "egress" or self.rng.random() < 0.5:
                spec["policyTypes"] = [direction.capitalize()]
            yield self._policy(own[0], f"{direction}-{number}", spec)

    def _outside(self, space: str, app: str) -> Data:
        """Return a policy that allows the outside world: into the workload, or out of it."""
        selector = self._selector("app", app)
        block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "192.168.0.0/16"]}}
        if self.rng.random() < 0.5:
            port, protocol = self.apps[space, app]
            rule = {"from": [block], "ports": [{"port": port, "protocol": protocol}]}
            return self._policy(space, f"{app}-from-outside", {"podSelector": selector, "ingress": [rule]})
        rule = {"to": [block], "ports": [{"port": 443, "protocol": "TCP"}]}
        spec = {"podSelector": selector, "policyTypes": ["Egress"], "egress": [rule]}
        return self._policy(space, f"{app}-to-outside", spec)

    def _dns_rule(self) -> Data:
        both = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
        space = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
        to = [{"namespaceSelector": space, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]
        return {"to": to, "ports": both} if self.rng.random() < 0.7 else {"ports": both}

    def _peer(self, own: str, other: tuple[str, str]) -> Data:
        space, app = other
        peer: Data = {"podSelector": self._selector("app", app)}
        if space != own or self.rng.random() < 0.3:
            peer["namespaceSelector"] = self._selector("kubernetes.io/metadata.name", space)
        return peer

    def _selector(self, key: str, value: str) -> Data:
        if self.expressions:
            return {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}
        return {"matchLabels": {key: value}}

    def _policy(self, space: str, name: str, spec: Data) -> Data:
        return _object("NetworkPolicy", "networking.k8s.io/v1", name, space, spec=spec)


@pytest.mark.parametrize("seed", some(range(100)))
def test_a_set_that_is_right_has_no_error(seed: int) -> None:
    """Nor a warning, but for those that are a matter of taste."""
    documents = [Document(data, Source(f"{seed}.yaml")) for data in CleanSet(seed).documents()]
    given = given_of(input_of(documents))
    found = lint(given, all_rules()).found

    assert [] == [str(one) for one in given.problems if one.severity == "error"]
    assert [] == [one for one in found if one.severity == "error"]
    assert [] == [one for one in found if one.severity == "warning" and one.rule not in OF_TASTE]
