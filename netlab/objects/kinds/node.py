"""Node: labels, podCIDRs and addresses for a node of the lab."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects.core import addresses, prefixes
from netlab.objects.kind import Kind
from netlab.objects.meta import object_meta, open_document
from netlab.objects.sound import as_it_is
from netlab.objects.types import Document, Node


def node(document: Document) -> tuple[Node, list[Problem]]:
    """Decode a Node: labels, podCIDRs (or podCIDR) and, of an exported one, its InternalIP addresses."""
    root = open_document(document)
    meta = object_meta(root, namespaced=False)
    spec = root.sub("spec")
    written = spec.strings("podCIDRs") or [(spec.at("podCIDR"), c) for c in [spec.string("podCIDR")] if c]
    internal = [a for a in root.sub("status").mappings("addresses") if a.string("type") == "InternalIP"]
    found = Node(
        meta,
        tuple(cidr for _, cidr in prefixes(spec, written)),
        tuple(a for _, a in addresses(root, ((i.at("address"), i.string("address")) for i in internal))),
        document.source,
    )
    return found, root.report.problems


KIND = Kind(
    "Node",
    "v1",
    Node,
    node,
    plural="nodes",
    short=("no",),
    namespaced=False,
    columns=(),
    doubts=(
        (r"(spec\.podCIDRs?|status)\b.*", ("addresses",)),
        (r".*", ("nodes", "addresses", "places")),
    ),
    sound=as_it_is,
)
