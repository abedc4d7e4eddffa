"""Kinds and lists that are similar to those that netlab reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netlab.errors import Problem
from netlab.objects import Objects
from netlab.objects.kind import every
from netlab.objects.similar_names import close_to, misspelt

Read = Callable[[str], tuple[Objects, list[Problem]]]


def test_every_kind_that_is_read_has_its_near_misses() -> None:
    """Every kind that users write. Kinds that only a lab's record has are not suggested."""
    for kind in every():
        assert (kind.name if kind.written else None) == misspelt(f"{kind.name.upper()}s"), kind.name
        assert (kind.name if kind.written else None) == close_to(f"{kind.name}x"), kind.name


@pytest.mark.parametrize(
    ("kind", "right"),
    [
        ("networkpolicy", "NetworkPolicy"),
        ("NetworkPolicies", "NetworkPolicy"),
        ('" NetworkPolicy"', "NetworkPolicy"),
        ('"NetworkPolicy\\t"', "NetworkPolicy"),
        ("Networkpolicy", "NetworkPolicy"),
        ("NETWORKPOLICY", "NetworkPolicy"),
        ("Pods", "Pod"),
        ("deployments", "Deployment"),
        ("Statefulset", "StatefulSet"),
        ("networkpolicyList", "NetworkPolicyList"),
        ("list", "List"),
    ],
)
@pytest.mark.parametrize("version", ["networking.k8s.io/v1", "v1", "Networking.k8s.io/v1"])
def test_a_kind_in_other_letters_or_number_is_an_error(
    problems: Callable[[str], list[str]], kind: str, right: str, version: str
) -> None:
    """To skip it could let more traffic through."""
    (problem,) = problems(f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: a}}}}")

    assert problem.startswith("kind: Invalid value: ")
    assert problem.endswith(f'write "{right}"')


@pytest.mark.parametrize("version", ["Networking.k8s.io/v1", '" networking.k8s.io/v1"', "networking.k8s.io/V1"])
def test_a_version_in_other_letters_is_an_error(problems: Callable[[str], list[str]], version: str) -> None:
    """The message has the right one."""
    (problem,) = problems(f"{{apiVersion: {version}, kind: NetworkPolicy, metadata: {{name: a}}}}")

    assert problem.startswith("apiVersion: Invalid value: ")
    assert problem.endswith('write "networking.k8s.io/v1"')


@pytest.mark.parametrize(
    ("version", "kind", "right"),
    [
        ("networking.k8s.io/v1", "NetworkPolcy", "NetworkPolicy"),
        ("networking.k8s.io/v1", "NetworkPolicyy", "NetworkPolicy"),
        ("apps/v1", "Deploymnet", "Deployment"),
        ("v1", "Namespcae", "Namespace"),
    ],
)
def test_a_kind_that_is_close_in_the_version_of_what_is_meant_is_an_error(
    problems: Callable[[str], list[str]], version: str, kind: str, right: str
) -> None:
    """No cluster serves such a kind. To skip it could let more traffic through."""
    (problem,) = problems(f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: a}}}}")

    assert problem.endswith(f'write "{right}"')


@pytest.mark.parametrize("kind", ["ReplicaSett", "NetworkPolcy", "NetworkPolicyy"])
def test_a_similar_kind_has_a_warning(read_text: Read, kind: str) -> None:
    """It is skipped like any kind that netlab does not read."""
    objects, (problem,) = read_text(f"{{apiVersion: batch/v1, kind: {kind}, metadata: {{name: a}}}}")

    assert {kind: 1} == objects.skipped
    assert problem.severity == "warning"
    assert problem.message.startswith(f'netlab does not read "{kind}"; did you mean ')


@pytest.mark.parametrize("kind", ["HTTPRoute", "ServiceAccount", "PodMonitor", "IngressRoute", "ConfigMap"])
def test_other_kinds_are_not_close(read_text: Read, kind: str) -> None:
    """They get no warning."""
    assert [] == read_text(f"{{apiVersion: v1, kind: {kind}, metadata: {{name: a}}}}")[1]


@pytest.mark.parametrize("kind", ["deployment", "Pods"])
def test_kinds_of_other_groups_have_no_warning(read_text: Read, kind: str) -> None:
    """A kind of another API may have any name."""
    assert [] == read_text(f"{{apiVersion: crd.example.org/v1, kind: {kind}, metadata: {{name: a}}}}")[1]


@pytest.mark.parametrize("kind", ["List", "NetworkPolicyList", "PodList"])
@pytest.mark.parametrize(
    ("items", "message"), [("items: {a: 1}", "must be a list"), ("x: 1", "Required value: a List has items")]
)
def test_a_list_has_items(read_text: Read, kind: str, items: str, message: str) -> None:
    """A list without items, or with other items, is an error."""
    _, (problem,) = read_text(f"{{apiVersion: v1, kind: {kind}, {items}}}")

    assert ("error", "items", message) == (problem.severity, problem.path, problem.message)


@pytest.mark.parametrize(
    ("metadata", "path", "what"),
    [
        ("{continue: abc, remainingItemCount: 7}", "metadata.remainingItemCount", "7 more objects are on the server"),
        ("{continue: abc}", "metadata.continue", "the rest is on the server"),
    ],
)
def test_a_list_that_was_cut_off_has_a_warning(read_text: Read, metadata: str, path: str, what: str) -> None:
    """A policy may be missing."""
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}}"
    objects, (problem,) = read_text(f"{{apiVersion: v1, kind: List, metadata: {metadata}, items: [{pod}]}}")

    assert 1 == len(objects.pods)
    assert ("warning", path) == (problem.severity, problem.path)
    assert what in problem.message


def test_a_complete_list_has_no_warning(read_text: Read) -> None:
    """kubectl writes both fields with empty values."""
    assert (
        [] == read_text("{apiVersion: v1, kind: PodList, metadata: {continue: '', resourceVersion: ''}, items: []}")[1]
    )


@pytest.mark.parametrize(("number", "value"), [("80.0", 80), ("8e1", 80), ("8000E-2", 80)])
def test_a_whole_number_is_an_integer_however_it_is_written(read_text: Read, number: str, value: int) -> None:
    """JSON has one type of number."""
    head = '{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": '
    objects, problems = read_text(f'{head}{{"ingress": [{{"ports": [{{"port": {number}, "endPort": {number}}}]}}]}}}}')
    (port,) = objects.policies[0].ingress[0].ports

    assert [] == problems
    assert (value, value) == (port.port, port.end_port)
