"""Services under each choice of wiring: what masquerades, and which source address policies see."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from wiring_choices.choices import CHOICES, Choice, topology_of

Call = Callable[..., Result]

OBJECTS = """
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: x}
spec: {type: NodePort, ipFamilyPolicy: RequireDualStack, selector: {svc: web}, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: v1
kind: Service
metadata: {name: near, namespace: x}
spec:
  type: NodePort
  externalTrafficPolicy: Local
  ipFamilyPolicy: RequireDualStack
  selector: {svc: web}
  ports: [{port: 80, nodePort: 30081}]
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {app: a, svc: web}}, spec: {nodeName: node-1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: x, labels: {app: b, svc: web}}, spec: {nodeName: node-2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: c, namespace: x, labels: {app: c}}, spec: {nodeName: node-1}}
---
apiVersion: v1
kind: Pod
metadata: {name: h, namespace: x, labels: {app: h}}
spec: {nodeName: node-2, hostNetwork: true}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: pods, namespace: x}
spec:
  podSelector: {matchLabels: {app: a}}
  ingress: [{from: [{ipBlock: {cidr: 10.244.0.0/16}}, {ipBlock: {cidr: "fd00:10:244::/56"}}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nodes, namespace: x}
spec:
  podSelector: {matchLabels: {app: b}}
  ingress:
  - from:
    - ipBlock: {cidr: 100.64.0.0/16}
    - ipBlock: {cidr: "fd00:100:64::/64"}
    - podSelector: {matchLabels: {app: h}}
"""


@pytest.mark.kernel
@pytest.mark.parametrize("choice", CHOICES.values(), ids=[*CHOICES])
def test_packets_agree_on_services(netlab: Call, choice: Choice) -> None:
    """At cluster IPs and node ports, from pods, nodes, host-network pods and outside hosts, in both families."""
    topology = json.loads(json.dumps(topology_of(choice).data))
    topology["spec"]["networks"][0]["podCIDRs"] = ["10.244.0.0/16", "fd00:10:244::/56"]
    topology["spec"]["hosts"][0]["addresses"] = ["192.0.2.10", "2001:db8::10"]
    ports = [word for port in ("80", "30080", "30081") for word in ("--port", port)]
    text = f"{json.dumps(topology)}\n{OBJECTS}"
    done = netlab("verify", "-f", "-", "--nodes", "--self", "--services", *ports, "-o", "json", input=text)
    document = json.loads(done.stdout)

    assert (0, len(document["rows"])) == (done.exit_code, document["summary"]["agree"])
    assert {(family, v) for family in (4, 6) for v in ("allow", "deny")} <= {
        (row["family"], row["measured"]) for row in document["rows"]
    }
