"""Pod: one that users write, or that a cluster exported."""

from __future__ import annotations

from dataclasses import replace

from netlab.errors import Problem
from netlab.objects import sound
from netlab.objects.core import addresses
from netlab.objects.kind import Kind
from netlab.objects.meta import object_meta, open_document
from netlab.objects.pods import pod_spec
from netlab.objects.types import Document, Pod


def pod(document: Document) -> tuple[Pod, list[Problem]]:
    """Decode a Pod; of an exported one's status the phase and the addresses, its node's too, count."""
    root = open_document(document)
    meta = object_meta(root)
    status = root.sub("status")
    written = [(item.at("ip"), item.string("ip")) for item in status.mappings("podIPs")]
    written = written or [(status.at("podIP"), status.string("podIP"))]
    hosts = [(item.at("ip"), item.string("ip")) for item in status.mappings("hostIPs")]
    hosts = hosts or [(status.at("hostIP"), status.string("hostIP"))]
    found = Pod(
        meta,
        pod_spec(root.sub("spec")),
        status.string("phase"),
        tuple(address for _, address in addresses(root, (item for item in written if item[1]))),
        document.source,
        tuple(address for _, address in addresses(root, (item for item in hosts if item[1]))),
    )
    return found, root.report.problems


def _sound(pod: Pod, wrong: list[str]) -> Pod:
    meta = sound.pod_meta(pod.meta, "metadata", "spec", wrong)
    stated = () if sound.touched("status", wrong) else pod.addresses
    return replace(pod, meta=meta, spec=sound.pod_spec(pod.spec, "spec", wrong), addresses=stated)


KIND = Kind("Pod", "v1", Pod, pod, plural="pods", short=("po",), columns=(), doubts=sound.POD_DOUBTS, sound=_sound)
