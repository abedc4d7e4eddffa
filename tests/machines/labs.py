"""Documents of labs for tests on several machines."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

_RANGES = {4: "10.244.0.0/16", 6: "fd00:10:244::/56"}
_POD = """---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec: {{nodeName: {node}, containers: [{{name: c, ports: [{{containerPort: 80}}]}}]}}
"""
_HOST = '  hosts:\n  - {name: internet, addresses: [198.51.100.10, "2001:db8:1::10"]}\n'


def documents(name: str, mode: str, nodes: int, *, families: tuple[int, ...] = (4, 6), hosts: bool = False) -> str:
    """Return a lab of nodes ``n1``, ``n2`` and so on, with the pods ``p1``, ``p2`` and so on, one on each."""
    ranges = ", ".join(f'"{_RANGES[family]}"' for family in families)
    topology = f"""apiVersion: netlab/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  networks:
  - name: default
    mode: {mode}
    podCIDRs: [{ranges}]
  nodes: [{", ".join(f"{{name: n{number}}}" for number in range(1, nodes + 1))}]
"""
    pods = (_POD.format(name=f"p{number}", node=f"n{number}") for number in range(1, nodes + 1))
    return topology + (_HOST if hosts else "") + "".join(pods)


def allowing(target: str, *sources: str) -> str:
    """Return a policy that lets only these pods reach port 80 of a pod."""
    peers = ", ".join(f"{{podSelector: {{matchLabels: {{app: {one}}}}}}}" for one in sources)
    return f"""---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: only-{target}}}
spec:
  podSelector: {{matchLabels: {{app: {target}}}}}
  ingress: [{{from: [{peers}], ports: [{{port: 80}}]}}]
"""


def written(folder: Path, text: str) -> Path:
    """Return a new file with a text."""
    file = folder / f"{blake2b(text.encode(), digest_size=6).hexdigest()}.yaml"
    file.write_text(text)
    return file
