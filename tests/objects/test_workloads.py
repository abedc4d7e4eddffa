"""Workloads: how many pods, of which template."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netlab.errors import Problem
from netlab.objects import Objects
from netlab.objects.types import Workload

Read = Callable[[str], tuple[Objects, list[Problem]]]

TEMPLATE = (
    "{metadata: {labels: {app: web}, annotations: {a: b, netlab/network: blue}},"
    " spec: {containers: [{ports: [{containerPort: 80}]}]}}"
)


def workload(version: str, kind: str, spec: str) -> str:
    return f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: web, namespace: shop}}, spec: {{{spec}}}}}"


@pytest.mark.parametrize(
    ("version", "kind", "spec", "replicas"),
    [
        ("apps/v1", "Deployment", "replicas: 3, ", 3),
        ("apps/v1", "Deployment", "", 1),
        ("apps/v1", "Deployment", "replicas: null, ", 1),
        ("apps/v1", "ReplicaSet", "replicas: 0, ", 0),
        ("apps/v1", "StatefulSet", "replicas: 2, ", 2),
        ("apps/v1", "DaemonSet", "", None),
        ("batch/v1", "Job", "parallelism: 2, completions: 5, ", 2),
        ("batch/v1", "Job", "", 1),
    ],
)
def test_a_workload_has_as_many_pods_as_it_says(
    read_text: Read, version: str, kind: str, spec: str, replicas: int | None
) -> None:
    """One where it says nothing; a DaemonSet has one on every node, which it does not know."""
    objects, problems = read_text(workload(version, kind, f"{spec}template: {TEMPLATE}"))
    (found,) = objects.workloads

    assert [] == problems
    assert (kind, "shop/web", replicas) == (found.kind, found.meta.key, found.replicas)
    check_template(found, "spec.template")


def test_a_cron_job_has_one_pod(read_text: Read) -> None:
    """Its template stands deeper."""
    objects, problems = read_text(
        workload("batch/v1", "CronJob", f"jobTemplate: {{spec: {{parallelism: 5, template: {TEMPLATE}}}}}")
    )
    (found,) = objects.workloads

    assert [] == problems
    assert 1 == found.replicas
    check_template(found, "spec.jobTemplate.spec.template")


def check_template(found: Workload, path: str) -> None:
    assert path == found.template_path
    assert ({"app": "web"}, {"netlab/network": "blue"}) == (found.template_meta.labels, found.template_meta.annotations)
    assert [(80, f"{path}.spec.containers[0].ports[0]")] == [(p.port, p.path) for p in found.template.ports]


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        ("Deployment", "replicas: -1", "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ("Deployment", "replicas: '3'", 'spec.replicas: Invalid value: "3": must be an integer'),
        (
            "Deployment",
            "replicas: 1000000000",
            "spec.replicas: Invalid value: 1000000000: must be less than or equal to 100000 in a lab",
        ),
        ("Deployment", "replicas: true", "spec.replicas: Invalid value: true: must be an integer"),
        (
            "DaemonSet",
            "template: {metadata: {labels: {a: 1}}}",
            "spec.template.metadata.labels.a: Invalid value: 1: must be a string; put it in quotes",
        ),
        (
            "StatefulSet",
            "template: {spec: {containers: [{ports: [{}]}]}}",
            "spec.template.spec.containers[0].ports[0].containerPort: Required value",
        ),
        ("StatefulSet", "template: []", "spec.template: Invalid value: []: must be a mapping"),
    ],
)
def test_what_netlab_reads_is_checked(problems: Callable[[str], list[str]], kind: str, spec: str, message: str) -> None:
    """Each with its path, through the template."""
    assert [message] == problems(workload("apps/v1", kind, spec))
