"""Workloads: the number of pods, and the template."""

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
_MISMATCH = 'Invalid value: {"app":"web"}: `selector` does not match template `labels`'


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
        ("v1", "ReplicationController", "replicas: 2, selector: {app: web}, ", 2),
        ("v1", "ReplicationController", "", 1),
        ("batch/v1", "Job", "parallelism: 2, completions: 5, ", 2),
        ("batch/v1", "Job", "parallelism: 4, completions: 1, ", 1),
        ("batch/v1", "Job", "parallelism: 4, completions: null, ", 4),
        ("batch/v1", "Job", "parallelism: 4, completions: 0, ", 0),
        ("batch/v1", "Job", "parallelism: 0, ", 0),
        ("batch/v1", "Job", "parallelism: null, completions: 5, completionMode: Indexed, ", 1),
        ("batch/v1", "Job", "parallelism: 2, suspend: true, ", 0),
        ("batch/v1", "Job", "completions: 1000000, suspend: null, ", 1),
        ("batch/v1", "Job", "", 1),
    ],
)
def test_a_workload_has_as_many_pods_as_it_says(
    read_text: Read, version: str, kind: str, spec: str, replicas: int | None
) -> None:
    """One where it says nothing; a DaemonSet has one on every node, which it does not know.

    A Job has no more at a time than it has to complete, and none while it is suspended.
    """
    objects, problems = read_text(workload(version, kind, f"{spec}template: {TEMPLATE}"))
    (found,) = objects.workloads

    assert [] == problems
    assert (kind, "shop/web", replicas) == (found.kind, found.meta.key, found.replicas)
    check_template(found, "spec.template")


def test_a_cron_job_has_one_pod(read_text: Read) -> None:
    """Its pod template is in the Job template."""
    objects, problems = read_text(
        workload("batch/v1", "CronJob", f"jobTemplate: {{spec: {{parallelism: 5, template: {TEMPLATE}}}}}")
    )
    (found,) = objects.workloads

    assert [] == problems
    assert 1 == found.replicas
    check_template(found, "spec.jobTemplate.spec.template")


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [
        ("suspend: true, jobTemplate: {spec: {parallelism: 2}}", 0),
        ("suspend: null, jobTemplate: {spec: {parallelism: 2}}", 1),
        ("jobTemplate: {spec: {suspend: true}}", 0),
        ("jobTemplate: {spec: {parallelism: 0}}", 0),
        ("jobTemplate: {spec: {completions: 0}}", 0),
    ],
)
def test_a_cron_job_may_have_no_pod(read_text: Read, spec: str, replicas: int) -> None:
    """If it or its Job template is suspended, or if the Job has no pods."""
    objects, problems = read_text(workload("batch/v1", "CronJob", spec))

    assert [] == problems
    assert [replicas] == [w.replicas for w in objects.workloads]


@pytest.mark.parametrize(
    ("spec", "first"), [("ordinals: {start: 5}", 5), ("ordinals: {start: null}", 0), ("ordinals: null", 0), ("", 0)]
)
def test_a_stateful_set_may_begin_at_another_number(read_text: Read, spec: str, first: int) -> None:
    """By ``ordinals.start``. A null is the default."""
    objects, problems = read_text(workload("apps/v1", "StatefulSet", spec))

    assert [] == problems
    assert [first] == [w.first for w in objects.workloads]


@pytest.mark.parametrize(
    ("version", "kind", "spec", "message"),
    [
        (
            "batch/v1",
            "Job",
            "parallelism: 200000, completions: 300000",
            "spec.parallelism: Invalid value: 200000: must be less than or equal to 100000 in a lab",
        ),
        (
            "batch/v1",
            "Job",
            "completions: -1",
            "spec.completions: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "batch/v1",
            "Job",
            "completionMode: Indexed, parallelism: 2",
            "spec.completions: Required value: when completion mode is Indexed",
        ),
        ("batch/v1", "Job", "suspend: 'yes'", 'spec.suspend: Invalid value: "yes": must be a boolean'),
        (
            "batch/v1",
            "CronJob",
            "jobTemplate: {spec: {parallelism: -1}}",
            "spec.jobTemplate.spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "apps/v1",
            "StatefulSet",
            "ordinals: {start: -1}",
            "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "apps/v1",
            "StatefulSet",
            "ordinals: {start: 2147483647}",
            "spec.ordinals.start: Invalid value: 2147483647: must be less than or equal to 2147383647 in a lab",
        ),
        (
            "batch/v1",
            "Job",
            "template: {metadata: {labels: {job-name: other}}}",
            "spec.template.metadata.labels.job-name: Invalid value: \"other\": must be 'web'",
        ),
    ],
)
def test_fields_that_set_the_number_of_pods_are_checked(
    problems: Callable[[str], list[str]], version: str, kind: str, spec: str, message: str
) -> None:
    """As in the API server, except the limit of netlab."""
    assert [message] == problems(workload(version, kind, spec))


def test_a_cron_job_whose_jobs_are_refused_has_a_warning(read_text: Read) -> None:
    """A cluster accepts it, and then refuses its Jobs."""
    _, (problem,) = read_text(
        workload(
            "batch/v1",
            "CronJob",
            "jobTemplate: {spec: {template: {metadata: {labels: {batch.kubernetes.io/job-name: a}}}}}",
        )
    )

    assert "warning" == problem.severity
    assert "the API server refuses the Jobs of this CronJob: each has a name of its own" == problem.message


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
    """Each error has its path in the template."""
    assert [message] == problems(workload("apps/v1", kind, spec))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Deployment", "deployment"),
        ("ReplicaSet", "deployment"),
        ("StatefulSet", "statefulset"),
        ("DaemonSet", "daemonset"),
    ],
)
@pytest.mark.parametrize(
    ("selector", "at", "message"),
    [
        ("{matchLabels: {app: wbe}}", "spec.template.metadata.labels", _MISMATCH),
        (
            "{matchExpressions: [{key: app, operator: NotIn, values: [web]}]}",
            "spec.template.metadata.labels",
            _MISMATCH,
        ),
        (
            "{matchLabels: {app: web}, matchExpressions: [{key: tier, operator: Exists}]}",
            "spec.template.metadata.labels",
            _MISMATCH,
        ),
        ("{}", "spec.selector", "Invalid value: {}: empty selector is invalid for NAME"),
        (
            "{matchLabels: {}, matchExpressions: null}",
            "spec.selector",
            "Invalid value: {}: empty selector is invalid for NAME",
        ),
        ("{app: web}", "spec.selector.app", 'unknown field "app"'),
        (
            "{matchLabels: {app: -x}}",
            "spec.selector.matchLabels",
            'Invalid value: "-x": a valid label must be an empty string or consist of alphanumeric characters',
        ),
        ("[app]", "spec.selector", 'Invalid value: ["app"]: must be a mapping'),
    ],
)
def test_a_selector_must_match_the_template(
    read_text: Read, kind: str, name: str, selector: str, at: str, message: str
) -> None:
    """The API server refuses such a workload, and says so in these words. An error of a selector is the only one."""
    _, (problem,) = read_text(workload("apps/v1", kind, f"selector: {selector}, template: {TEMPLATE}"))

    assert ("error", at, 1) == (problem.severity, problem.path, problem.line)
    assert problem.message.startswith(message.replace("NAME", name))


def test_the_line_of_a_selector_that_does_not_match_is_that_of_the_labels(read_text: Read) -> None:
    """Or of the template, if that has no labels."""
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n"
    )

    _, (of_labels,) = read_text(f"{text}  template:\n    metadata:\n      labels: {{app: wbe}}\n")
    _, (of_template,) = read_text(f"{text}  template:\n    spec: {{}}\n")

    assert 8 == of_labels.line
    assert 6 == of_template.line
    assert "Invalid value: null: `selector` does not match template `labels`" == of_template.message


@pytest.mark.parametrize(
    "spec",
    [
        "selector: {matchLabels: {app: web}}, ",
        "selector: {matchExpressions: [{key: app, operator: In, values: [web, db]}]}, ",
        "selector: null, ",
        "",
    ],
)
@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"])
def test_a_selector_that_matches_is_taken(read_text: Read, kind: str, spec: str) -> None:
    """A lab needs none."""
    _, problems = read_text(workload("apps/v1", kind, f"{spec}template: {TEMPLATE}"))

    assert [] == problems


@pytest.mark.parametrize(
    ("version", "kind", "spec", "wrong"),
    [
        ("v1", "ReplicationController", "selector: {app: wbe}", True),
        ("v1", "ReplicationController", "selector: {app: web, tier: front}", True),
        ("v1", "ReplicationController", "selector: {app: web}", False),
        ("v1", "ReplicationController", "selector: {}", False),
        ("v1", "ReplicationController", "selector: null", False),
        ("batch/v1", "Job", "manualSelector: true, selector: {matchLabels: {app: wbe}}", True),
        ("batch/v1", "Job", "manualSelector: true, selector: {matchLabels: {app: web}}", False),
        ("batch/v1", "Job", "manualSelector: true, selector: {}", False),
        # The API server adds the labels that this selector asks for, with a uid that it makes.
        ("batch/v1", "Job", "selector: {matchLabels: {controller-uid: x}}", False),
    ],
)
def test_selectors_of_other_workloads_must_match_too(
    read_text: Read, version: str, kind: str, spec: str, wrong: bool
) -> None:
    """A ReplicationController has a mapping of labels. Of a Job only the user's own selector counts."""
    _, problems = read_text(workload(version, kind, f"{spec}, template: {TEMPLATE}"))

    found = [("error", "spec.template.metadata.labels", _MISMATCH)] if wrong else []
    assert found == [(one.severity, one.path, one.message) for one in problems]


def test_a_replication_controller_without_labels_has_no_selector(read_text: Read) -> None:
    """The API server takes the labels of the template, and there are none."""
    _, problems = read_text(workload("v1", "ReplicationController", "selector: {}, template: {}"))

    assert ["spec.selector: Required value"] == [f"{one.path}: {one.message}" for one in problems]
