"""The cases of the API's own conformance suite (network-policy-api v0.3.0, ``conformance``).

All of it is asked in v1beta1. The tests that the suite of v0.1.7 has too are asked again in v1alpha1, with its kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from netlab.conformance.cases import Case, Cell, Stage, Verdict
from netlab.conformance.cluster_policies.houses import HOUSES, KEY, address, cluster, ref
from netlab.conformance.cluster_policies.shorthand import OLD, Policy, Version
from netlab.conformance.cluster_policies.upstream_policies import manifest
from netlab.conformance.cluster_policies.upstream_tests import TESTS
from netlab.conformance.shorthand import peer, policy
from netlab.objects.cluster_policies import ClusterTier
from netlab.objects.types import Document

_PROTOCOLS = {"t": "TCP", "u": "UDP", "s": "SCTP"}
_PROBE = re.compile(r"(?P<source>\w+)>(?P<destination>\w+) (?P<protocol>[tus])(?P<port>\d+)(?P<verdict>[+-])")
# Not in the suite of v1alpha1.
_NEW = ("PodSelector", "PortRange", "SamePriority")


@dataclass
class _Run:
    """One test in the making: the state after the steps so far, and its stages."""

    mode: str
    version: Version
    policies: list[Policy]
    network_policies: list[Document]
    houses: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    table: dict[Cell, Verdict | None] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    name: str = "as applied"

    def step(self, text: str) -> None:
        """Take a step: probes, or a change."""
        if ">" in text:
            for cell, verdict in probes(text):
                self.table[cell] = verdict
            return
        self.end_stage()
        self._change(text)

    def end_stage(self) -> None:
        """Make a stage of the probes since the last change."""
        if not self.table:
            return
        documents = (
            *cluster(self.mode, self.houses, self.roles),
            *self.network_policies,
            *(one.document(self.version) for one in self.policies),
        )
        self.stages.append(Stage(f"{len(self.stages) + 1}: {self.name}", documents, self.table))
        self.table = {}

    def _change(self, text: str) -> None:
        self.name = text
        verb, *words = text.split()
        first = self.policies[0]
        if verb == "swap":
            self.policies[0] = first.swapped(words[0], int(words[1]), int(words[2]))
        elif verb == "ports":
            self.policies[0] = first.changed(words[0], int(words[1]), ports=words[2])
        elif verb == "action":
            self.policies[0] = first.changed(words[0], int(words[1]), action=words[2])
        elif verb == "prepend":
            networks = " ".join(f"{address(key)}/32" for key in words[1:])
            self.policies[0] = first.prepended("egress", f"{words[0]} net {networks}")
        elif verb == "priority":
            self.policies[1] = replace(self.policies[1], priority=int(words[0]))
        elif verb == "delete":
            self.network_policies = []
        elif verb == "namespace":
            self.houses[words[0]] = words[1]
        elif verb == "role":
            self.roles[words[0]] = words[1] if len(words) > 1 else ""
        else:
            raise ValueError(f"not a step: {text!r}")


def probes(text: str) -> Iterator[tuple[Cell, Verdict]]:
    """Yield the cells of a line of probes with their verdicts; raises ValueError for another text."""
    for one in text.split(", "):
        match = _PROBE.fullmatch(one)
        if match is None:
            raise ValueError(f"not a probe: {one!r}")
        cell = Cell(ref(match["source"]), ref(match["destination"]), _PROTOCOLS[match["protocol"]], int(match["port"]))
        yield cell, "allow" if match["verdict"] == "+" else "deny"


def tests() -> Mapping[tuple[str, str], list[str]]:
    """Return the steps of each test, by its name and its manifest."""
    found: dict[tuple[str, str], list[str]] = {}
    steps: list[str] = []
    for line in TESTS.splitlines():
        if line.startswith("  "):
            steps.append(line.strip())
        else:
            name, _, of = line.partition(" ")
            steps = found[name, of] = []
    return found


def cases(mode: str) -> Iterator[Case]:
    """Yield every test in v1beta1, then those of the older suite in v1alpha1."""
    for version in ("v1beta1", OLD):
        for (name, of), steps in tests().items():
            if version == OLD and name.endswith(_NEW):
                continue
            yield _case(mode, version, name, of, steps)


def _case(mode: str, version: Version, name: str, of: str, steps: list[str]) -> Case:
    tier: ClusterTier = "Admin" if name.startswith("Admin:") else "Baseline"
    run = _Run(mode, version, manifest(of, tier), [_allow_s()] if of == "anp-np-banp" else [])
    for text in steps:
        if not (text.startswith("! ") and version == OLD):
            run.step(text.removeprefix("! "))
    run.end_stage()
    return Case(f"upstream/{version}/{name}", f"upstream {version}", tuple(run.stages))


def _allow_s() -> Document:
    """Return the NetworkPolicy of the manifest with all three tiers."""
    rules = [peer(ns=f"{KEY}={HOUSES['S'].name}")]
    name = f"{HOUSES['G'].namespace}/allow-gress-from-to-slytherin-to-gryffindor"
    return policy(name, ingress=[{"from": rules}], egress=[{"to": rules}])
