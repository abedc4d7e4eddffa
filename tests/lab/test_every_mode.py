"""One set of policies in every mode and both IP families: packets and the documentation agree on every pair."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]

CLUSTER = """
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  networks: [{{name: default, mode: {mode}, podCIDRs: {cidrs}}}]
  nodes: [{{name: node-a}}, {{name: node-b}}]
  hosts: [{{name: client, addresses: {client}}}, {{name: other, addresses: {other}}}]
"""

POLICIES = """
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: 2, template: {
  metadata: {labels: {app: web}}, spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: shop}, spec: {replicas: 2, template: {
  metadata: {labels: {app: api}}, spec: {containers: [{name: c, ports: [
    {name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]}]}}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: stranger, namespace: other}, spec: {nodeName: node-b, containers: []}}
---
{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: other}, spec: {
  hostNetwork: true, nodeName: node-b, containers: [{name: c, ports: [{containerPort: 9100}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: sealed, namespace: other, annotations: {netlab/network: none}}, spec: {}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: http}]
  - from:
    - ipBlock: {cidr: 0.0.0.0/0, except: [198.51.100.0/24, 10.0.0.0/8]}
    - ipBlock: {cidr: "::/0", except: ["2001:db8:2::/48", "fd00::/8"]}
  egress:
  - to: [{ipBlock: {cidr: 192.0.2.0/24}}, {ipBlock: {cidr: "2001:db8:1::/48"}}]
  - to: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}}]
    ports: [{port: http}, {port: 53, protocol: UDP}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{podSelector: {matchLabels: {app: api}}}]
"""

FAMILIES = {
    "IPv4": ('["10.244.0.0/16"]', '["192.0.2.10"]', '["198.51.100.7"]'),
    "IPv6": ('["fd00:10:244::/56"]', '["2001:db8:1::10"]', '["2001:db8:2::7"]'),
    "dual": (
        '["10.244.0.0/16", "fd00:10:244::/56"]',
        '["192.0.2.10", "2001:db8:1::10"]',
        '["198.51.100.7", "2001:db8:2::7"]',
    ),
    # No outside host has IPv6, so no packet made the nodes known to one another before the pods' packets.
    "dual, outside IPv4": ('["10.244.0.0/16", "fd00:10:244::/56"]', '["192.0.2.10"]', '["198.51.100.7"]'),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_packets_and_documentation_agree(
    program: Program, unique: Callable[[str], str], mode: str, family: str
) -> None:
    """Ingress, egress, ipBlock with except, named ports, host network and no network: every pair."""
    cidrs, client, other = FAMILIES[family]
    nodes = [] if "outside" in family else ["--nodes"]
    text = CLUSTER.format(name=unique("m"), mode=mode, cidrs=cidrs, client=client, other=other) + POLICIES
    done = program("verify", "-f", "-", *nodes, "-o", "json", text=text)
    found: dict[str, Any] = json.loads(done.stdout)
    verdicts = {row["measured"] for row in found["rows"]}

    assert 0 == done.returncode, done.stderr
    assert found["summary"]["pairs"] == found["summary"]["agree"] > 100
    assert {"allow", "deny"} == verdicts
