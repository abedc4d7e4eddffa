"""Labels that Kubernetes' controllers add to the pods that they make.

Sources (kubernetes/kubernetes): ``updateIdentity`` and ``setPodRevision`` of pkg/controller/statefulset, the Deployment
controller's ``getNewReplicaSet``, ``CreatePodTemplate`` of pkg/controller/daemon/util, ``addCompletionIndexLabel`` of
pkg/controller/job and ``generateSelector`` of pkg/registry/batch/job, which the API server calls. All overwrite labels
of the template, except the last one. A ReplicaSet and a ReplicationController add none: the hash that a Deployment
gives its ReplicaSet is in the ReplicaSet's template.

Hashes, uids and the names of a CronJob's Jobs are known on a cluster only. netlab gives such a label a value that no
user writes (``unknown-…``), so that Exists and NotIn match as on a cluster. ``is_known`` recognises these values.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Mapping

from netlab.objects.kind import template_of
from netlab.objects.types import Workload
from netlab.patterns import pattern

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
JOB_NAMES = ("job-name", "batch.kubernetes.io/job-name")
JOB_UIDS = ("controller-uid", "batch.kubernetes.io/controller-uid")
# The name of the label, and of the older annotation.
JOB_INDEX = "batch.kubernetes.io/job-completion-index"
TEMPLATE_HASH = "pod-template-hash"
REVISION_HASH = "controller-revision-hash"
TEMPLATE_GENERATION = "pod-template-generation"

CHANGING = frozenset({TEMPLATE_HASH, REVISION_HASH, TEMPLATE_GENERATION, *JOB_UIDS})
"""Keys whose values differ with each template or object, so that no manifest states them."""

KEYS = CHANGING | {POD_NAME, POD_INDEX, *JOB_NAMES, JOB_INDEX}
"""The keys of all labels that controllers set."""

_MADE_UP = pattern(r"(?P<stem>.*-)?unknown-[0-9a-f]{8}")


def shared_labels(workload: Workload) -> Mapping[str, str]:
    """Return the labels that all pods of a workload have: the template's, and those that the controller adds."""
    return template_of(workload.kind).labels(workload)


def own_labels(workload: Workload, pod: str) -> Mapping[str, str]:
    """Return the labels that the controller adds to one pod of a workload only, such as its ordinal."""
    if template_of(workload.kind).stable_names:
        return {POD_NAME: pod, POD_INDEX: pod.rpartition("-")[2]}
    return own_annotations(workload, pod)


def own_annotations(workload: Workload, pod: str) -> Mapping[str, str]:
    """Return the annotations that the controller adds to one pod of a workload only."""
    return {JOB_INDEX: pod.rpartition("-")[2]} if workload.indexed else {}


def is_known(key: str, value: str) -> bool:
    """Say whether a label has the same value on a cluster; not if netlab made the value up."""
    return key not in KEYS or _MADE_UP.fullmatch(value) is None


def job_labels(workload: Workload, job: str) -> Mapping[str, str]:
    """Return the labels of the pods of the Job of a name; labels of the template have precedence."""
    written = workload.template_meta.labels
    if workload.manual_selector:
        return written
    uid = made_up(workload, JOB_UIDS[0])
    return {**dict.fromkeys(JOB_NAMES, job), **dict.fromkeys(JOB_UIDS, uid), **written}


def with_unknown(workload: Workload, *keys: str) -> dict[str, str]:
    """Return the labels of a workload's template, with a made-up value for each of the keys."""
    return {**workload.template_meta.labels, **{key: made_up(workload, key) for key in keys}}


def may_be(value: str, asked: str) -> bool:
    """Say whether a label with a made-up value may have the value ``asked`` on a cluster."""
    found = _MADE_UP.fullmatch(value)
    stem = found["stem"] if found else None
    return stem is None or (asked.startswith(stem) and asked.removeprefix(stem).isdecimal())


def known_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels whose values are the same on a cluster."""
    return {key: value for key, value in labels.items() if is_known(key, value)}


def made_up(workload: Workload, key: str) -> str:
    """Return a value for a label whose value is unknown; it depends on the workload and the key only."""
    text = f"{workload.kind} {workload.meta.key} {key}"
    return f"unknown-{crc32(text.encode()):08x}"
