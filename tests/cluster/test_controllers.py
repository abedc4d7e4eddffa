"""Labels that controllers add to the pods that they make."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from builders import cluster, labels, node, objects, peer, policy, rule, verdict, workload

from netlab.cluster import resolve
from netlab.objects import controllers, names

UNKNOWN = re.compile(r"unknown-[0-9a-f]{8}")


@pytest.mark.parametrize(
    ("kind", "known", "unknown"),
    [
        ("Deployment", "", ["pod-template-hash"]),
        ("ReplicaSet", "", []),
        ("ReplicationController", "", []),
        (
            "StatefulSet",
            "statefulset.kubernetes.io/pod-name=web-0,apps.kubernetes.io/pod-index=0",
            ["controller-revision-hash"],
        ),
        ("DaemonSet", "", ["controller-revision-hash", "pod-template-generation"]),
        (
            "Job",
            "job-name=web,batch.kubernetes.io/job-name=web",
            ["controller-uid", "batch.kubernetes.io/controller-uid"],
        ),
    ],
)
def test_each_controller_adds_its_labels(kind: str, known: str, unknown: list[str]) -> None:
    """It adds them to the template's. A label whose value is unknown has a valid value that no other label has."""
    replicas = None if kind == "DaemonSet" else 1
    (pod,) = cluster(workload(kind, "x/web", replicas, "app=web")).pods

    assert {"app": "web", **labels(known)} == {k: v for k, v in pod.labels.items() if k not in unknown}
    assert labels(known).keys() | {*unknown, "app"} == pod.labels.keys()
    assert all(UNKNOWN.fullmatch(pod.labels[key]) and not names.label_value(pod.labels[key]) for key in unknown)
    assert {"app": "web", **labels(known)} == controllers.known_labels(pod.labels)


def test_a_cron_jobs_pod_has_the_labels_of_a_job_of_an_unknown_name() -> None:
    """The Job's name begins with the CronJob's name."""
    (pod,) = cluster(workload("CronJob", "x/nightly", 1)).pods

    assert pod.labels["job-name"] == pod.labels["batch.kubernetes.io/job-name"]
    assert re.fullmatch(r"nightly-unknown-[0-9a-f]{8}", pod.labels["job-name"])
    assert not controllers.is_known("job-name", pod.labels["job-name"])
    assert controllers.may_be(pod.labels["job-name"], "nightly-29000000")
    assert not controllers.may_be(pod.labels["job-name"], "migrate")
    (long,) = cluster(workload("CronJob", f"x/{'a' * 52}", 1)).pods
    assert not names.label_value(long.labels["job-name"])


def test_pods_of_an_indexed_job_have_their_number() -> None:
    """In a label and in the older annotation. Pods of other Jobs have neither."""
    of = cluster(replace(workload("Job", "x/a", 2), indexed=True), workload("Job", "x/b", 1))
    key = "batch.kubernetes.io/job-completion-index"

    assert {"a-0": "0", "a-1": "1", "b-0": None} == {p.name: p.labels.get(key) for p in of.pods}
    assert {"a-0": "0", "a-1": "1", "b-0": None} == {p.name: p.annotations.get(key) for p in of.pods}


def test_a_job_with_a_manual_selector_adds_no_labels() -> None:
    """Its selector matches labels of the template."""
    (pod,) = cluster(replace(workload("Job", "x/a", 1, "app=a"), manual_selector=True)).pods

    assert {"app": "a"} == pod.labels


def test_controllers_overwrite_what_a_template_says() -> None:
    """A Job's labels do not: the API server adds them only if the template does not have them."""
    of = cluster(
        workload("StatefulSet", "x/s", 1, "apps.kubernetes.io/pod-index=7,controller-revision-hash=a"),
        workload("Deployment", "x/d", 1, "pod-template-hash=a"),
        workload("Job", "x/j", 1, "controller-uid=a"),
    )
    found = {p.name: p.labels for p in of.pods}

    assert "0" == found["s-0"]["apps.kubernetes.io/pod-index"]
    assert UNKNOWN.fullmatch(found["s-0"]["controller-revision-hash"])
    assert UNKNOWN.fullmatch(found["d-0"]["pod-template-hash"])
    assert "a" == found["j-0"]["controller-uid"]


def test_an_exported_daemon_set_states_its_generation() -> None:
    """In an annotation, which the controller reads."""
    daemons = workload("DaemonSet", "x/d")
    stated = {"deprecated.daemonset.template.generation": "4"}
    (pod,) = cluster(node("n"), replace(daemons, meta=replace(daemons.meta, annotations=stated))).pods

    assert "4" == pod.labels["pod-template-generation"]


def test_unknown_values_are_the_same_each_time_and_another_for_each_workload() -> None:
    """They depend on the kind and the name only."""
    of = [workload("Deployment", f"x/{name}", 2) for name in "ab"]
    values = {p.name: p.labels["pod-template-hash"] for p in cluster(*of).pods}

    assert values == {p.name: p.labels["pod-template-hash"] for p in cluster(*reversed(of)).pods}
    assert values["a-0"] == values["a-1"] != values["b-0"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("pod-template-hash", "allow"),
        ("!pod-template-hash", "deny"),
        ("pod-template-hash notin (abc)", "allow"),
        ("pod-template-hash=abc", "deny"),
        ("pod-template-hash in (abc,def)", "deny"),
    ],
)
def test_a_label_of_an_unknown_value_exists(selector: str, expected: str) -> None:
    """So selectors with Exists match as on a cluster."""
    of = cluster(
        workload("Deployment", "x/web", 1),
        workload("ReplicaSet", "x/db", 1, "app=db"),
        policy("x/p", "app=db", ingress=[rule(peer(selector))]),
    )

    assert expected == verdict(of, "x/web-0", "x/db-0")


def test_a_policy_by_ordinal() -> None:
    """Peers with two indexes match these two pods only. A selector may also match a pod by its name."""
    index = "apps.kubernetes.io/pod-index"
    of = cluster(
        workload("StatefulSet", "x/db", 3, "app=db"),
        workload("Job", "x/migrate", 1),
        workload("ReplicaSet", "x/api", 1, "app=api"),
        policy("x/learned", "app=api", ingress=[rule(peer(f"{index}=0")), rule(peer(f"{index} in (1)"))]),
        policy("x/primary", "statefulset.kubernetes.io/pod-name=db-0", ingress=[rule(peer("job-name=migrate"))]),
    )

    assert ["allow", "allow", "deny"] == [verdict(of, f"x/db-{i}", "x/api-0") for i in range(3)]
    assert ["allow", "deny"] == [verdict(of, f"x/{name}-0", "x/db-0") for name in ("migrate", "api")]
    assert "allow" == verdict(of, "x/api-0", "x/db-1")


def test_a_label_that_a_controller_set_may_be_changed() -> None:
    """As on a cluster, where the change lasts until the pod is replaced."""
    index = "apps.kubernetes.io/pod-index"
    changed = {"x/db-1": {index: "0", "controller-revision-hash": None}}
    of = resolve(objects(workload("StatefulSet", "x/db", 2), pod_labels=changed))

    assert ["0", "0"] == [p.labels[index] for p in of.pods]
    assert [True, False] == ["controller-revision-hash" in p.labels for p in of.pods]
