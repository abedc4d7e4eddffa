"""Packets against rules for SCTP, for ranges of ports, and for ports that leave out their protocol or everything."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]

RULES = {
    "sctp": "{port: 80, protocol: SCTP}",
    "range": "{port: 80, endPort: 90}",
    "empty": "{}",
    "number": "{port: 80}",
}
POD = "{{apiVersion: v1, kind: Pod, metadata: {{name: {0}, namespace: x, labels: {{pod: {0}}}}}, spec: {{}}}}"
POLICY = (
    "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {0}, namespace: x}}, "
    "spec: {{podSelector: {{matchLabels: {{pod: {0}}}}}, ingress: [{{ports: [{1}]}}]}}}}"
)
INPUT = "\n---\n".join(
    [POD.format(name) for name in ("client", *RULES)] + [POLICY.format(name, rule) for name, rule in RULES.items()]
)
ASKED = ("79", "80", "90", "91", "80/UDP", "79/SCTP", "80/SCTP", "90/SCTP", "ICMP")
ALLOWED = {"sctp": {"80/SCTP"}, "range": {"80/TCP", "90/TCP"}, "number": {"80/TCP"}}
ALLOWED["empty"] = {"79/TCP", "80/TCP", "90/TCP", "91/TCP"}


@pytest.mark.kernel
def test_packets_agree_with_rules_for_protocols_and_ports(program: Program) -> None:
    """A rule lets through its own protocol and its own ports, both ends of a range included, and nothing else."""
    ports = [word for text in ASKED for word in ("--port", text)]
    rows = json.loads(program("verify", "-f", "-", *ports, "-o", "json", text=INPUT).stdout)["rows"]
    passed: dict[str, set[str]] = {name: set() for name in RULES}
    for row in rows:
        name = row["destination"].removeprefix("x/")
        if row["source"] == "x/client" and row["measured"] == "allow":
            passed[name].add(f"{row['port']}/{row['protocol']}")

    assert [] == [row for row in rows if row["expected"] != row["measured"]]
    assert ALLOWED == passed
