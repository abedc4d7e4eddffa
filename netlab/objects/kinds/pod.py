"""Pod: written by a user, or exported from a cluster."""

from __future__ import annotations

from dataclasses import replace

from netlab.errors import Problem
from netlab.objects import usable
from netlab.objects.core_v1 import addresses
from netlab.objects.field_types import Part, Parts, Root, Text
from netlab.objects.fields import Fields
from netlab.objects.kind import Kind
from netlab.objects.meta import METADATA, object_meta, open_document
from netlab.objects.pods import PodSpecShape, pod_spec
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Pod


class _Ip(Shape):
    """An address."""

    ip = Text("ip", "The address.")


class _Status(Shape):
    """The status of a Pod that a cluster exported."""

    phase = Text("phase", "The phase; a pod that is Succeeded or Failed has no address and is not in the lab.")
    pod_ips = Parts("podIPs", "The pod's addresses, one per IP family.", shape=_Ip)
    pod_ip = Text("podIP", "The pod's address, if there are no `podIPs`.")
    host_ips = Parts("hostIPs", "The addresses of the pod's node, one per IP family.", shape=_Ip)
    host_ip = Text("hostIP", "The address of the pod's node, if there are no `hostIPs`.")


class _Root(Root):
    """A pod."""

    metadata = METADATA
    spec = Part("spec", "The fields that the network depends on.", shape=PodSpecShape)
    status = Part("status", "The status in an export of a cluster.", shape=_Status)


def pod(document: Document) -> tuple[Pod, list[Problem]]:
    """Decode a Pod, with the phase, the addresses and the node's addresses in its status."""
    root = open_document(document)
    meta = object_meta(root)
    status = _Root.status.read(root)
    written = _written(status, _Status.pod_ips, _Status.pod_ip)
    hosts = _written(status, _Status.host_ips, _Status.host_ip)
    found = Pod(
        meta,
        pod_spec(_Root.spec.read(root)),
        _Status.phase.read(status),
        tuple(address for _, address in addresses(root, written)),
        document.source,
        tuple(address for _, address in addresses(root, hosts)),
    )
    return found, root.report.problems


def _written(status: Fields, several: Parts, single: Text) -> list[tuple[str, str]]:
    """Return the addresses of a list with their paths, or if it is empty, the address of the single field."""
    found = [(_Ip.ip.at(item), _Ip.ip.read(item)) for item in several.read(status)]
    return [item for item in found or [(single.at(status), single.read(status))] if item[1]]


def _usable(pod: Pod, wrong: list[str]) -> Pod:
    meta = usable.pod_meta(pod.meta, "metadata", "spec", wrong)
    stated = () if usable.affected("status", wrong) else pod.addresses
    return replace(pod, meta=meta, spec=usable.pod_spec(pod.spec, "spec", wrong), addresses=stated)


KIND = Kind(
    "Pod",
    "v1",
    Pod,
    pod,
    plural="pods",
    short=("po",),
    columns=(),
    unknown_if_wrong=usable.POD_FACTS,
    usable=_usable,
    shape=_Root,
)
