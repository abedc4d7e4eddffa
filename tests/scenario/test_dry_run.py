"""The dry run finds all errors of a scenario before a lab is built."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netlab.errors import InputError
from netlab.objects.scenarios import Scenario
from netlab.scenario import dry_run

Write = Callable[[str], Scenario]


def problems(found: Scenario) -> list[str]:
    """Return what is wrong as ``LINE: field: message``, without the file and the object."""
    with pytest.raises(InputError) as error:
        dry_run(found)
    return [f"{p.line}: {p.path}: {p.message}" for p in error.value.problems]


def test_a_correct_scenario_returns_the_objects_of_its_lab(scenario: Write) -> None:
    """They are those of its resources; the steps change them later."""
    checked = dry_run(
        scenario(
            """\
  - apply: [deny.yaml]
    expect: [{from: shop/web, to: shop/db, verdict: deny}]
"""
        )
    )

    assert ["web", "db"] == [pod.meta.name for pod in checked.objects.pods]
    assert () == checked.objects.policies


def test_every_expectation_that_matches_no_pair_is_an_error(scenario: Write) -> None:
    """All are reported at once, each with its line."""
    found = scenario(
        """\
  - expect:
    - {from: shop/web, to: shop/dbb, verdict: deny}
    - {from: shop/web, to: shop/db, verdict: allow}
    - {from: "other/*", to: shop/db, verdict: allow}
"""
    )

    assert [
        "8: spec.steps[0].expect[0]: no pod or workload 'shop/dbb'; did you mean shop/db or shop/web?",
        "10: spec.steps[0].expect[2]: matches no pair: 'other/*' matches nothing",
    ] == problems(found)


def test_expectations_are_about_the_objects_after_the_steps_so_far(scenario: Write) -> None:
    """An expectation may name a pod of its own or an earlier step, and no pod of a later one."""
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: late, namespace: shop}}"
    late = "{from: shop/web, to: shop/late, verdict: allow}"

    assert dry_run(scenario(f"  - apply: [{pod}]\n    expect: [{late}]\n")).pods
    assert 1 == len(problems(scenario(f"  - expect: [{late}]\n  - apply: [{pod}]\n")))


def test_a_later_expectation_cannot_name_a_deleted_pod(scenario: Write) -> None:
    """``delete`` comes before ``expect`` in a step."""
    found = scenario(
        """\
  - delete: [{kind: Pod, namespace: shop, name: db}]
    expect: [{from: shop/web, to: shop/db, verdict: allow}]
"""
    )

    assert ["8: spec.steps[0].expect[0]: no pod or workload 'shop/db'; did you mean shop/web?"] == (problems(found))


def test_objects_that_do_not_fit_together_after_a_step_are_an_error(scenario: Write) -> None:
    """An unknown node in the last step is reported with the errors of the first."""
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {nodeName: moon}}"
    node = "{apiVersion: v1, kind: Node, metadata: {name: earth}}"
    found = scenario(
        f"""\
  - expect: [{{from: shop/web, to: shop/nobody, verdict: allow}}]
  - apply: [{node}, {pod}]
"""
    )

    first, second = problems(found)

    assert "7: spec.steps[0].expect[0]: no pod" in first
    assert "moon" in second


def test_every_step_is_checked_after_an_error_too(scenario: Write) -> None:
    """A later step may name a pod that cannot be placed. A missing endpoint is an error in every step."""
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {nodeName: moon}}"
    node = "{apiVersion: v1, kind: Node, metadata: {name: earth}}"
    found = scenario(
        f"""\
  - apply: [{node}, {pod}]
  - expect: [{{from: shop/p, to: shop/nobody, verdict: allow}}]
  - expect: [{{from: "host:zz", to: "node:zz", verdict: allow}}]
"""
    )

    assert [
        "7: spec.nodeName",
        "8: spec.steps[1].expect[0]",
        "9: spec.steps[2].expect[0]",
        "9: spec.steps[2].expect[0]",
    ] == [": ".join(problem.split(": ")[:2]) for problem in problems(found)]


def test_labels_of_a_missing_pod_are_an_error(scenario: Write) -> None:
    """A step may label a pod of an earlier step, but none that an earlier step deleted."""
    found = scenario(
        """\
  - label: [{pod: a/b, labels: {a: b}}]
  - apply: [{apiVersion: v1, kind: Pod, metadata: {name: a}}]
    label: [{pod: default/a, labels: {x: "1"}}]
    delete: [{kind: Pod, name: a}]
  - label: [{pod: a, labels: {x: "1"}}]
"""
    )

    assert [
        "7: spec.steps[0].label[0]: pod a/b does not exist",
        "11: spec.steps[2].label[0]: pod default/a does not exist",
    ] == problems(found)


SERVICE = """\
  - apply:
    - apiVersion: v1
      kind: Service
      metadata: {name: db, namespace: shop}
      spec: {selector: {app: db}, ports: [{name: pg, port: 80, targetPort: 5432}]}
    expect:
"""


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            '{from: shop/web, to: "service:shop/dbb", verdict: allow}',
            "no Service 'shop/dbb'; did you mean service:shop/db?",
        ),
        (
            '{from: shop/web, to: "service:other/*", verdict: allow}',
            "matches no pair: 'service:other/*' matches no Service",
        ),
        (
            '{from: shop/web, to: "service:shop/db", port: 5432, verdict: allow}',
            "Service shop/db has no port 5432/TCP; it has pg 80/TCP",
        ),
        (
            '{from: shop/web, to: "service:shop/db", port: http, verdict: allow}',
            "Service shop/db has no port http; it has pg 80/TCP",
        ),
        (
            "{from: shop/wob, lookup: db, addresses: []}",
            "no pod or workload 'shop/wob'; did you mean shop/web or shop/db?",
        ),
        ('{from: "host:x", run: [ls]}', "no host 'x'"),
        ('{from: shop/web, to: "http://dbb.shop.svc/", status: 200}', "no Service 'shop/dbb'"),
        ('{from: "x/*", to: "http://db.shop/", status: 200}', "matches no pair: 'x/*' matches nothing"),
    ],
)
def test_what_an_expectation_names_must_exist(scenario: Write, item: str, message: str) -> None:
    """Services, ports of Services, and sources of requests, look-ups and programs."""
    (found,) = problems(scenario(f"{SERVICE}    - {item}\n"))

    assert found.startswith(f"13: spec.steps[0].expect[0]: {message}")


@pytest.mark.parametrize(
    "item",
    [
        '{from: shop/web, to: "service:shop/d*", verdict: allow}',
        '{from: shop/web, to: "service:shop/db", port: pg, verdict: allow}',
        '{from: shop/web, to: "service:kube-system/kube-dns", port: dns, verdict: allow}',
        '{from: shop/web, to: "http://nosuch.shop.svc/", verdict: deny}',
        '{from: shop/web, to: "http://elsewhere.example/", status: 200}',
        "{from: shop/web, lookup: nosuch, addresses: []}",
    ],
)
def test_what_exists_or_must_not_exist_is_no_error(scenario: Write, item: str) -> None:
    """A name that does not exist may be what is expected."""

    assert dry_run(scenario(f"{SERVICE}    - {item}\n"))


def test_a_service_is_not_missed_while_the_objects_have_errors(scenario: Write) -> None:
    """It may exist once they are right."""
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {nodeName: moon}}"
    node = "{apiVersion: v1, kind: Node, metadata: {name: earth}}"
    late = '{from: shop/web, to: "service:shop/late", verdict: allow}'
    found = problems(scenario(f"  - apply: [{pod}, {node}]\n    expect: [{late}]\n"))

    assert not any("service" in one.lower() for one in found)


@pytest.mark.parametrize(
    ("item", "expected"),
    [("{from: shop/web, run: [ls]}", True), ("{from: shop/web, to: shop/db, verdict: allow}", False)],
)
def test_a_scenario_that_runs_programs_has_the_system_objects(scenario: Write, item: str, expected: bool) -> None:
    """A scenario without them and without Services is as before."""
    found = dry_run(scenario(f"  - expect: [{item}]\n"))

    assert expected == any(pod.system for pod in found.cluster.pods)
