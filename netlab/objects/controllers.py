"""Labels that Kubernetes' controllers set on the pods that they make, beside those of the template.

Sources (kubernetes/kubernetes): ``updateIdentity`` and ``setPodRevision`` of pkg/controller/statefulset, the Deployment
controller's ``getNewReplicaSet``, ``CreatePodTemplate`` of pkg/controller/daemon/util, ``addCompletionIndexLabel`` of
pkg/controller/job and ``generateSelector`` of pkg/registry/batch/job, which the API server calls. All of them overwrite
what the template has, but for the last one, which keeps it. A ReplicaSet and a ReplicationController set none: the hash
that a Deployment gives its ReplicaSet stands in the ReplicaSet's template.

Hashes, uids and the names of a CronJob's Jobs are not known before the pods are made. netlab gives such a label a value
that no user writes, so that Exists and NotIn mean what they do on a cluster; ``is_known`` tells it from others.
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
# The label has the name of the annotation, which is older.
JOB_INDEX = "batch.kubernetes.io/job-completion-index"
TEMPLATE_HASH = "pod-template-hash"
REVISION_HASH = "controller-revision-hash"
TEMPLATE_GENERATION = "pod-template-generation"

CHANGING = frozenset({TEMPLATE_HASH, REVISION_HASH, TEMPLATE_GENERATION, *JOB_UIDS})
"""Keys whose values no manifest states: they are another with every template or object."""

KEYS = CHANGING | {POD_NAME, POD_INDEX, *JOB_NAMES, JOB_INDEX}
"""The keys of all labels that controllers set."""

_MADE_UP = pattern(r"(?P<stem>.*-)?unknown-[0-9a-f]{8}")


def shared_labels(workload: Workload) -> Mapping[str, str]:
    """Return the labels that all pods of a workload have: the template's, and what the controller sets on each."""
    return template_of(workload.kind).labels(workload)


def own_labels(workload: Workload, pod: str) -> Mapping[str, str]:
    """Return the labels that the controller sets on one pod, by its name: those that tell it from its siblings."""
    if template_of(workload.kind).stable_names:
        return {POD_NAME: pod, POD_INDEX: pod.rpartition("-")[2]}
    return own_annotations(workload, pod)


def own_annotations(workload: Workload, pod: str) -> Mapping[str, str]:
    """Return the annotations that the controller sets on one pod, by its name."""
    return {JOB_INDEX: pod.rpartition("-")[2]} if workload.indexed else {}


def is_known(key: str, value: str) -> bool:
    """Say whether a label's value is one that a cluster has too, and not one that netlab made up."""
    return key not in KEYS or _MADE_UP.fullmatch(value) is None


def job_labels(workload: Workload, job: str) -> Mapping[str, str]:
    """Return the labels of the pods of a Job, by its name; a template's own come first, as the API server has it."""
    written = workload.template_meta.labels
    if workload.manual_selector:
        return written
    uid = made_up(workload, JOB_UIDS[0])
    return {**dict.fromkeys(JOB_NAMES, job), **dict.fromkeys(JOB_UIDS, uid), **written}


def with_unknown(workload: Workload, *keys: str) -> dict[str, str]:
    """Return the labels of a workload's template, with a value for each key that is known on a cluster only."""
    return {**workload.template_meta.labels, **{key: made_up(workload, key) for key in keys}}


def may_be(value: str, asked: str) -> bool:
    """Say whether a label whose value is made up may have another value on a cluster."""
    found = _MADE_UP.fullmatch(value)
    stem = found["stem"] if found else None
    return stem is None or (asked.startswith(stem) and asked.removeprefix(stem).isdecimal())


def known_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels whose values are known."""
    return {key: value for key, value in labels.items() if is_known(key, value)}


def made_up(workload: Workload, key: str) -> str:
    """Return a value for a label that is not known; the same for the same workload, and valid as a label."""
    text = f"{workload.kind} {workload.meta.key} {key}"
    return f"unknown-{crc32(text.encode()):08x}"
