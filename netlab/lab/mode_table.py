"""The table of network modes, measured: one small dual-stack lab for each mode and one packet for each cell.

A test compares the table with the one in docs/modes.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from netlab import modes
from netlab.cluster.flows import Flow
from netlab.cluster.ranges import NETWORK_ANNOTATION
from netlab.cluster.types import Cluster, address_of
from netlab.errors import InputError
from netlab.frozen import frozen
from netlab.lab.temporary import temporary
from netlab.objects.documents import parse
from netlab.objects.load import decode
from netlab.objects.topology import LOOPBACK_ONLY
from netlab.policy.evaluate import evaluate

MODES = tuple(mode.name for mode in modes.every() if not mode.attachment.by_plugins)

# Title, source, destination and port of each column. Pod b publishes its port 80 as 8080.
COLUMNS = (
    ("same node", "default/a", "default/b", 80),
    ("other node", "default/a", "default/c", 80),
    ("node to own pod", "node:node-a", "default/a", 80),
    ("other node to pod", "node:node-b", "default/a", 80),
    ("outside to pod", "host:client", "default/a", 80),
    ("pod to outside", "default/a", "host:client", 80),
    ("published port", "host:client", "node:node-a", 8080),
)

_TOPOLOGY = """
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {{name: modes}}
spec:
  networks: [{{name: default, mode: {network}, podCIDRs: [10.244.0.0/16, "fd00:10:244::/56"]}}]
  nodes: [{{name: node-a}}, {{name: node-b}}]
  hosts: [{{name: client, addresses: [192.0.2.10, "2001:db8::10"]}}]
"""

_POD = """
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, annotations: {annotations}}}
spec:
  nodeName: {node}
  hostNetwork: {host}
  containers:
  - name: main
    image: none
    ports: [{port}]
"""


@frozen
class Cell:
    """One measured cell: ``verdict`` and ``expected`` are allow, deny or (the verdict only) inconclusive."""

    mode: str
    column: str
    family: int
    expected: str
    verdict: str
    reason: str


def survey(names: tuple[str, ...] = MODES) -> Iterator[Cell]:
    """Build a lab for each mode, send one packet for each column and family, and yield the cells.

    Raises:
      HostError, KernelError: where this host cannot build the lab.
    """
    for name in names:
        mode = modes.of(name)
        documents, _ = parse(_text(mode), f"<{name}>")
        objects, problems = decode(documents)
        if any(problem.severity == "error" for problem in problems):
            raise InputError(problems)
        with temporary(objects) as lab:
            flows = [*_flows(lab.cluster, mode)]
            for (title, flow), measured in zip(flows, lab.probe([f for _, f in flows]), strict=True):
                expected = evaluate(lab.cluster, flow).verdict
                yield Cell(name, title, flow.family, expected, measured.verdict, measured.reason)


def _text(mode: modes.Mode) -> str:
    attachment = mode.attachment
    network = mode.name if attachment.on_network else modes.ONE_NODE
    annotations = f"{{{NETWORK_ANNOTATION}: {LOOPBACK_ONLY}}}" if attachment.loopback_only else "{}"
    host = str(attachment.host_network).lower()
    text = _TOPOLOGY.format(network=network)
    for name, node in (("a", "node-a"), ("b", "node-a"), ("c", "node-b")):
        port = "{containerPort: 80, hostPort: 8080}" if name == "b" and attachment.published else "{containerPort: 80}"
        text += _POD.format(name=name, node=node, annotations=annotations, host=host, port=port)
    return text


def _flows(cluster: Cluster, mode: modes.Mode) -> Iterator[tuple[str, Flow]]:
    for title, source, destination, port in COLUMNS:
        if title == "published port" and not (mode.attachment.published or mode.attachment.host_network):
            continue
        for family in (4, 6):
            to = cluster.by_ref[destination]
            yield title, Flow(cluster.by_ref[source], to, family, "TCP", port, address_of(to, family))
