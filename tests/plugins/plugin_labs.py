"""Labs whose pods the reference plugins attach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ALL = ', podCIDRs: [10.60.0.0/16, "fd00:60::/56"]'
IPV4 = ", podCIDRs: [10.60.0.0/16]"

_TOPOLOGY = """
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  networks: [{{name: default, mode: cni, conflist: net/pods.conflist{cidrs}}}]
  nodes: [{{name: node-a}}, {{name: node-b}}]
  hosts: [{{name: client, addresses: [192.0.2.10, "2001:db8::10"]}}]
"""
_POD = """
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}, annotations: {annotations}}}
spec: {{nodeName: {node}, containers: [{{name: m, image: x, ports: [{port}]}}]}}
"""
_POLICY = """
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-a}
spec: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}]}]}
"""


def bridge(**fields: Any) -> dict[str, Any]:
    """Return a bridge plugin with addresses of ``host-local``."""
    return {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": {"type": "host-local"}, **fields}


def write(
    folder: Path,
    name: str,
    plugins: list[dict[str, Any]],
    cidrs: str = ALL,
    *,
    version: str = "1.0.0",
    host_port: int = 0,
    annotations: str = "{}",
    **more: Any,
) -> Path:
    """Write a lab of three pods on two nodes, and its list; return the file of the Topology.

    Pods ``a`` and ``b`` are on node-a, ``c`` is on node-b. A policy lets only ``a`` open ports of ``b``.
    """
    (folder / "net").mkdir(exist_ok=True)
    data = {"cniVersion": version, "name": "pods", "plugins": plugins, **more}
    (folder / "net" / "pods.conflist").write_text(json.dumps(data))
    text = _TOPOLOGY.format(name=name, cidrs=cidrs)
    for pod, node in (("a", "node-a"), ("b", "node-a"), ("c", "node-b")):
        port = f"{{containerPort: 80, hostPort: {host_port}}}" if host_port and pod == "b" else "{containerPort: 80}"
        text += _POD.format(name=pod, node=node, port=port, annotations=annotations)
    file = folder / "lab.yaml"
    file.write_text(text + _POLICY)
    return file
