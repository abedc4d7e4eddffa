"""A dual-stack lab with nothing as by default in ``spec.policy``: published ports, host-network pods, the nodes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

Program = Callable[..., "subprocess.CompletedProcess[str]"]

INPUT = """\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: all}
spec:
  networks: [{name: default, mode: overlay, podCIDRs: [10.244.0.0/16, "fd00:10:244::/56"]}]
  nodes: [{name: n1}, {name: n2}]
  hosts: [{name: out, addresses: [192.0.2.10, "2001:db8::10"]}]
  policy:
    icmp: allow
    deny: reject
    ipBlockPods: ignore
    ownNode: enforce
    hostNetworkPeers: match
    established: reevaluate
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {app: a}}, spec: {nodeName: n1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: x, labels: {app: b}}, spec: {nodeName: n2}}
---
apiVersion: v1
kind: Pod
metadata: {name: h, namespace: x, labels: {app: h}}
spec: {nodeName: n2, hostNetwork: true}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: x, labels: {app: p}}
spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: 80, hostPort: 9090}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: all, namespace: x}
spec:
  podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [b]}]}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: h}}}, {podSelector: {matchLabels: {app: a}}}]
    ports: [{port: 80}]
  - from: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: "::/0"}}]
    ports: [{port: 81, endPort: 82}]
  egress:
  - to: [{podSelector: {}}]
    ports: [{port: 80}, {port: 81, endPort: 82}]
"""


def test_packets_agree_with_the_evaluator_under_every_setting_at_once(program: Program) -> None:
    """On every pair, nodes and pods themselves included, in both families, with both verdicts."""
    ports = [word for port in ("80", "82", "9090", "80/UDP", "ICMP") for word in ("--port", port)]
    done = program("verify", "-f", "-", "--nodes", "--self", *ports, "-o", "json", text=INPUT)
    document = json.loads(done.stdout)
    rows = document["rows"]

    assert (0, len(rows)) == (done.returncode, document["summary"]["agree"])
    assert {(f, v) for f in (4, 6) for v in ("allow", "deny")} == {(r["family"], r["measured"]) for r in rows}
    assert {"allow"} == {r["measured"] for r in rows if r["protocol"] == "ICMP" and r["source"] != "host:out"}
