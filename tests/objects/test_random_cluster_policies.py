"""Random valid cluster-wide policies: each becomes the value that it was made with, also after a lab's record."""

from __future__ import annotations

import json
from ipaddress import ip_network
from random import Random
from typing import Any

import jsonschema
import pytest

from netlab.objects import Document, decode, from_record, schema, to_record
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, ClusterRule, PodsPeer
from netlab.objects.kind import get
from netlab.objects.policies import PolicyPort
from netlab.objects.reduced import reduced
from netlab.objects.selectors import LabelSelector, Requirement
from netlab.objects.types import Meta, Source
from netlab.verdicts import Action

GROUP = "policy.networking.k8s.io"
CNP, ANP, BANP = "ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"
ACTIONS: dict[str, dict[str, Action]] = {
    CNP: {"Accept": "allow", "Deny": "deny", "Pass": "pass"},
    ANP: {"Allow": "allow", "Deny": "deny", "Pass": "pass"},
    BANP: {"Allow": "allow", "Deny": "deny"},
}
NETWORKS = ("10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "192.0.2.1/32", "2001:db8::/64")
NAMES = ("a.example", "*.example.com", "x.y.example.")
Pair = tuple[Any, Any]


class Drawn:
    """One random policy: ``data``, and ``value``, which it must become."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = Random(seed)  # noqa: S311
        self.kind = dice.choice([CNP, ANP, BANP])
        version = dice.choice(["v1beta1", "v1alpha2"]) if self.kind == CNP else "v1alpha1"
        name = "default" if self.kind == BANP else dice.choice(["a", "b.c"])
        spec: dict[str, Any] = {}
        tier, priority = "Baseline" if self.kind == BANP else "Admin", 0
        if self.kind == CNP:
            spec["tier"] = tier = dice.choice(["Admin", "Baseline"])
        if self.kind != BANP:
            spec["priority"] = priority = dice.choice([0, 7, 1000])
        spec["subject"], subject = self.pods()
        rules = {}
        for direction, field in (("ingress", "from"), ("egress", "to")):
            pairs = [self.rule(direction, field, number) for number in range(dice.randrange(4))]
            if pairs or dice.random() < 0.5:
                spec[direction] = [data for data, _ in pairs]
            rules[direction] = tuple(value for _, value in pairs)
        self.data = {
            "apiVersion": f"{GROUP}/{version}",
            "kind": self.kind,
            "metadata": {"name": name, "labels": {"a": "b"}},
            "spec": spec,
        }
        meta = Meta(name, "", {"a": "b"})
        self.value = ClusterPolicy(meta, self.kind, tier, priority, subject, rules["ingress"], rules["egress"])  # type: ignore[arg-type]

    def selector(self) -> Pair:
        """Draw a label selector."""
        labels = {key: value for key, value in (("app", "web"), ("x/tier", "")) if self.dice.random() < 0.4}
        needed: list[Pair] = []
        if self.dice.random() < 0.3:
            operator = self.dice.choice(["In", "NotIn"])
            needed.append(({"key": "k", "operator": operator, "values": ["b", "a", "b"]}, (operator, ("a", "b"))))
        if self.dice.random() < 0.3:
            operator = self.dice.choice(["Exists", "DoesNotExist"])
            needed.append(({"key": "k", "operator": operator}, (operator, ())))
        data: dict[str, Any] = {"matchLabels": labels} if labels or self.dice.random() < 0.2 else {}
        if needed:
            data["matchExpressions"] = [one for one, _ in needed]
        requirements = tuple(Requirement("k", operator, values) for _, (operator, values) in needed)
        return data, LabelSelector(tuple(sorted(labels.items())), requirements)

    def pods(self) -> Pair:
        """Draw a field ``namespaces`` or ``pods``."""
        data, namespaces = self.selector()
        if self.dice.random() < 0.5:
            return {"namespaces": data}, PodsPeer(namespaces)
        inner, pods = self.selector()
        if self.kind == CNP and self.dice.random() < 0.4:
            return {"pods": {"podSelector": inner}}, PodsPeer(None, pods)
        return {"pods": {"namespaceSelector": data, "podSelector": inner}}, PodsPeer(namespaces, pods)

    def peer(self, direction: str, action: Action, named: bool) -> Pair:
        """Draw a peer; a rule with named ports has pods only."""
        form = self.dice.choice(["pods", "networks", "nodes", "domainNames"])
        if direction == "egress" and not named:
            if form == "networks":
                some = self.dice.sample(NETWORKS, self.dice.randint(1, 3))
                return {"networks": some}, ClusterPeer(networks=tuple(map(ip_network, some)))
            if form == "nodes":
                data, nodes = self.selector()
                return {"nodes": data}, ClusterPeer(nodes=nodes)
            if form == "domainNames" and action == "allow" and self.kind != BANP:
                names = self.dice.sample(NAMES, self.dice.randint(1, 3))
                return {"domainNames": names}, ClusterPeer(domain_names=tuple(names))
        data, pods = self.pods()
        return data, ClusterPeer(pods)

    def port(self, named: bool) -> Pair:
        """Draw a port of the kind's version."""
        protocol = self.dice.choice(["TCP", "UDP", "SCTP"])
        first = self.dice.choice([1, 80])
        last = self.dice.choice([81, 65535])
        form = self.dice.choice(["number", "range", "name" if named else "number"])
        if form == "name":
            return {"destinationNamedPort" if self.kind == CNP else "namedPort": "web"}, PolicyPort(port="web")
        end = last if form == "range" else None
        value = PolicyPort(protocol, first, end)  # type: ignore[arg-type]
        if self.kind == CNP:
            port = {"range": {"start": first, "end": last}} if end else {"number": first}
            return {protocol.lower(): {"destinationPort": port}}, value
        written = {} if protocol == "TCP" and self.dice.random() < 0.5 else {"protocol": protocol}
        if end:
            return {"portRange": {**written, "start": first, "end": last}}, value
        return {"portNumber": {**written, "port": first}}, value

    def rule(self, direction: str, field: str, number: int) -> Pair:
        """Draw a rule."""
        word, action = self.dice.choice([*ACTIONS[self.kind].items()])
        named = self.dice.random() < 0.3
        peers = [self.peer(direction, action, named) for _ in range(self.dice.randint(1, 3))]
        ports = [self.port(named) for _ in range(self.dice.choice([0, 1, 3]))]
        data: dict[str, Any] = {"action": word, field: [one for one, _ in peers]}
        name = self.dice.choice(["", "n", "x" * 100])
        if name:
            data["name"] = name
        if ports:
            data["protocols" if self.kind == CNP else "ports"] = [one for one, _ in ports]
        values = tuple(one for _, one in peers), tuple(one for _, one in ports)
        return data, ClusterRule(action, *values, name, f"spec.{direction}[{number}]", 1)


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_a_valid_policy_becomes_the_value_that_it_was_made_with(first: int) -> None:
    """Also after a lab's record; the schema for editors accepts it."""
    for seed in range(first, first + 50):
        drawn = Drawn(seed)
        document = Document(drawn.data, Source("x.yaml", {"": 1}))

        objects, problems = decode([document])
        back = from_record(json.loads(json.dumps(to_record(reduced([document])))))

        assert [] == problems, drawn.data
        assert (drawn.value,) == objects.cluster_policies, drawn.data
        assert (drawn.value,) == decode(back)[0].cluster_policies
        validator(drawn.kind).validate(drawn.data)


_VALIDATORS: dict[str, Any] = {}


def validator(name: str) -> Any:
    """Return the validator of a kind's schema."""
    if name not in _VALIDATORS:
        kind = get(name)
        assert kind is not None
        _VALIDATORS[name] = jsonschema.Draft202012Validator(schema.schema_of(kind))
    return _VALIDATORS[name]
