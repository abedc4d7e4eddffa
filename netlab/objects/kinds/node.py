"""Node: labels, podCIDRs and addresses for a node of the lab."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects.core_v1 import addresses, check_cidr_form, prefixes
from netlab.objects.field_types import CIDR, Part, Parts, Root, Text, Texts
from netlab.objects.fields import invalid
from netlab.objects.kind import Kind
from netlab.objects.meta import CLUSTER_METADATA, object_meta, open_document
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Node
from netlab.objects.usable import whole


class _Spec(Shape):
    """The spec of a Node."""

    pod_cidrs = Texts("podCIDRs", "The ranges of the node's pods, one per IP family.", pattern=CIDR)
    pod_cidr = Text("podCIDR", "The range of the node's pods, if there are no `podCIDRs`.")


class _Address(Shape):
    """An address of a Node."""

    type = Text("type", "The type of the address; only InternalIP is read.")
    address = Text("address", "The address.")


class _Status(Shape):
    """The status of a Node that a cluster exported."""

    addresses = Parts("addresses", "The node's addresses.", shape=_Address)


class _Root(Root):
    """A node of the cluster."""

    metadata = CLUSTER_METADATA
    spec = Part("spec", "The ranges of the node's pods.", shape=_Spec)
    status = Part("status", "The addresses of an exported node.", shape=_Status)


def node(document: Document) -> tuple[Node, list[Problem]]:
    """Decode a Node: its labels, its podCIDRs (or podCIDR) and the InternalIP addresses of its status."""
    root = open_document(document)
    meta = object_meta(root, metadata=_Root.metadata)
    spec = _Root.spec.read(root)
    written, cidr = _Spec.pod_cidrs.read(spec), _Spec.pod_cidr.read(spec)
    if cidr and (not written or written[0][1] != cidr):
        prefixes(spec, written)
        # The API server takes podCIDR then.
        written = [(f"{_Spec.pod_cidrs.at(spec)}[0]", cidr)]
    cidrs = prefixes(spec, written)
    for path, _ in cidrs:
        check_cidr_form(root.report, path, dict(written)[path])
    if len(written) == len(cidrs) > 1 and sorted(one.version for _, one in cidrs) != [4, 6]:
        message = "may specify no more than one CIDR for each IP family"
        _Spec.pod_cidrs.error(spec, invalid([text for _, text in written], message))
    stated = _Status.addresses.read(_Root.status.read(root))
    internal = [item for item in stated if _Address.type.read(item) == "InternalIP"]
    found = Node(
        meta,
        tuple(one for _, one in cidrs),
        tuple(a for _, a in addresses(root, ((_Address.address.at(i), _Address.address.read(i)) for i in internal))),
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
    unknown_if_wrong=(
        (r"(spec\.podCIDRs?|status)\b.*", ("addresses",)),
        (r".*", ("nodes", "addresses", "places")),
    ),
    usable=whole,
    shape=_Root,
)
