"""Pod: written by a user, or exported from a cluster."""

from __future__ import annotations

from dataclasses import replace

from netlab.errors import Problem
from netlab.objects import usable
from netlab.objects.core_v1 import addresses
from netlab.objects.field_types import Part, Parts, Root, Text
from netlab.objects.fields import Fields
from netlab.objects.kind import Kind
from netlab.objects.meta import METADATA, NamespacedMeta, object_meta, open_document
from netlab.objects.pods import PodSpecShape, pod_spec
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Pod


class _Metadata(NamespacedMeta):
    """The metadata of a pod."""

    deletion_timestamp = Text(  # type: ignore[assignment]  # declared anew
        "deletionTimestamp", "When the pod has to end; a pod with it is about to end."
    )


class _Condition(Shape):
    """A condition of the pod."""

    type = Text("type", "The condition; only Ready is read.")
    status = Text("status", "`True`, `False` or `Unknown`.")


class _Ip(Shape):
    """An address."""

    ip = Text("ip", "The address.")


class _Status(Shape):
    """The status of a Pod that a cluster exported."""

    conditions = Parts("conditions", "The pod's conditions.", shape=_Condition)
    phase = Text("phase", "The phase; a pod that is Succeeded or Failed has no address and is not in the lab.")
    pod_ips = Parts("podIPs", "The pod's addresses, one per IP family.", shape=_Ip)
    pod_ip = Text("podIP", "The pod's address, if there are no `podIPs`.")
    host_ips = Parts("hostIPs", "The addresses of the pod's node, one per IP family.", shape=_Ip)
    host_ip = Text("hostIP", "The address of the pod's node, if there are no `hostIPs`.")


class _Root(Root):
    """A pod."""

    metadata = Part(METADATA.name, METADATA.about, shape=_Metadata, required=True)
    spec = Part("spec", "The fields that the network depends on.", shape=PodSpecShape)
    status = Part("status", "The status in an export of a cluster.", shape=_Status)


def pod(document: Document) -> tuple[Pod, list[Problem]]:
    """Decode a Pod, with the phase, the addresses and the node's addresses in its status."""
    root = open_document(document)
    meta = object_meta(root, metadata=_Root.metadata)
    status = _Root.status.read(root)
    written = _written(status, _Status.pod_ips, _Status.pod_ip)
    hosts = _written(status, _Status.host_ips, _Status.host_ip)
    found = Pod(
        meta,
        pod_spec(_Root.spec.read(root), of_pod=True),
        _Status.phase.read(status),
        tuple(address for _, address in addresses(root, written)),
        document.source,
        tuple(address for _, address in addresses(root, hosts)),
        _ready(status),
        bool(_Metadata.deletion_timestamp.read(_Root.metadata.read(root))),
    )
    return found, root.report.problems


def _ready(status: Fields) -> bool:
    """Say whether a pod is ready; one without the condition Ready, as in a manifest, is."""
    if not status.data:
        return True
    conditions = [(_Condition.type.read(c), _Condition.status.read(c)) for c in _Status.conditions.read(status)]
    return all(state == "True" for name, state in conditions if name == "Ready")


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
