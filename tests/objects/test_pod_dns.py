"""The DNS fields of pods: decoding, and the API server's rules in its words.

Source: kubernetes pkg/apis/core/validation (``validatePodDNSConfig``, ``ValidateHostAliases``).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from name_messages import SUBDOMAIN, UNDERSCORED

from netlab.cluster import resolve
from netlab.errors import Problem
from netlab.objects import Objects
from netlab.objects.types import DnsConfig, HostAlias, PodSpec

Read = Callable[[str], tuple[Objects, list[Problem]]]
Errors = Callable[[str], list[str]]

IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NO_SPACE = "must have no space and no control character"
LONG = [f"{'a' * 60}.{'b' * 60}{n}" for n in range(10, 27)]


def pod(spec: str, more: str = "", metadata: str = "") -> str:
    return f"{{apiVersion: v1, kind: Pod, metadata: {{name: p{metadata}}}, spec: {{{spec}}}{more}}}"


WRONG = [
    ("hostname: a.b", ['spec.hostname: Invalid value: "a.b": must not contain dots']),
    ("subdomain: a.b", ['spec.subdomain: Invalid value: "a.b": must not contain dots']),
    (
        "dnsPolicy: Other",
        [
            'spec.dnsPolicy: Unsupported value: "Other": supported values: "ClusterFirstWithHostNet", "ClusterFirst", '
            '"Default", "None"'
        ],
    ),
    ("dnsPolicy: None", ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
    (
        "dnsPolicy: None, dnsConfig: {}",
        [
            "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is "
            "None"
        ],
    ),
    (
        "dnsConfig: {nameservers: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4]}",
        [
            'spec.dnsConfig.nameservers: Invalid value: ["10.0.0.1","10.0.0.2","10.0.0.3","10.0.0.4"]: must not have '
            "more than 3 nameservers"
        ],
    ),
    ("dnsConfig: {nameservers: [x]}", [f'spec.dnsConfig.nameservers[0]: Invalid value: "x": {IP}']),
    ('dnsConfig: {searches: ["a b"]}', [f'spec.dnsConfig.searches[0]: Invalid value: "a b": {UNDERSCORED}']),
    ('dnsConfig: {searches: ["a\\nb"]}', [f'spec.dnsConfig.searches[0]: Invalid value: "a\\nb": {UNDERSCORED}']),
    ("dnsConfig: {options: [{value: a}]}", ["spec.dnsConfig.options[0]: Required value: must not be empty"]),
    (
        'dnsConfig: {options: [{name: "ndots:5\\nnameserver", value: "a b"}]}',
        [
            f'spec.dnsConfig.options[0].name: Invalid value: "ndots:5\\nnameserver": {NO_SPACE}',
            f'spec.dnsConfig.options[0].value: Invalid value: "a b": {NO_SPACE}',
        ],
    ),
    ("hostAliases: [{ip: x, hostnames: [a]}]", [f'spec.hostAliases[0].ip: Invalid value: "x": {IP}']),
    (
        'hostAliases: [{ip: 10.0.0.1, hostnames: ["a b"]}]',
        [f'spec.hostAliases[0].hostnames[0]: Invalid value: "a b": {SUBDOMAIN}'],
    ),
]


@pytest.mark.parametrize(("spec", "messages"), WRONG, ids=[spec for spec, _ in WRONG])
def test_what_the_api_server_refuses_is_an_error(problems: Errors, spec: str, messages: list[str]) -> None:
    """No value can become a second line of a file of the pod."""
    assert messages == problems(pod(spec))


@pytest.mark.parametrize(
    ("searches", "message"),
    [
        ([f"a{n}" for n in range(33)], "must not have more than 32 search paths"),
        (LONG, "must not have more than 2048 characters (including spaces) in the search list"),
    ],
)
def test_the_list_of_domains_is_bounded(problems: Errors, searches: list[str], message: str) -> None:
    """Their number and their length have limits."""
    (found,) = problems(pod(f"dnsConfig: {{searches: [{','.join(searches)}]}}"))

    assert found.endswith(message)


def test_the_fields_are_decoded(read_text: Read) -> None:
    """The pod of the cluster has them."""
    objects, problems = read_text(
        pod(
            "hostname: web-0, subdomain: web, dnsPolicy: None, dnsConfig: {nameservers: [10.0.0.1], "
            'searches: [a.b., c_d.e, "."], options: [{name: ndots, value: "2"}, {name: edns0}]}, '
            "hostAliases: [{ip: 10.0.0.9, hostnames: [a, b.c]}]"
        )
    )
    config = DnsConfig(("10.0.0.1",), ("a.b.", "c_d.e", "."), (("ndots", "2"), ("edns0", "")))
    (found,) = resolve(objects).pods

    assert [] == problems
    assert (
        PodSpec(
            hostname="web-0",
            subdomain="web",
            dns_policy="None",
            dns_config=config,
            host_aliases=(HostAlias("10.0.0.9", ("a", "b.c")),),
        )
        == objects.pods[0].spec
    )
    assert ("web-0", "web", "None", config, (HostAlias("10.0.0.9", ("a", "b.c")),)) == (
        found.hostname,
        found.subdomain,
        found.dns_policy,
        found.dns_config,
        found.host_aliases,
    )


@pytest.mark.parametrize(
    ("status", "metadata", "ready", "terminating"),
    [
        ("", "", True, False),
        (", status: {phase: Pending}", "", True, False),
        (", status: {conditions: [{type: Ready, status: 'True'}]}", "", True, False),
        (", status: {conditions: [{type: Initialized, status: 'False'}]}", "", True, False),
        (", status: {conditions: [{type: Ready, status: 'False'}]}", "", False, False),
        (", status: {conditions: [{type: Ready, status: Unknown}]}", "", False, False),
        ("", ", deletionTimestamp: 2026-11-26T00:00:00Z", True, True),
    ],
)
def test_an_exported_pod_says_whether_it_is_ready(
    read_text: Read, status: str, metadata: str, ready: bool, terminating: bool
) -> None:
    """A pod without a condition is, as netlab's own pods are."""
    objects, problems = read_text(pod("", status, metadata))
    (found,) = resolve(objects).pods

    assert [] == problems
    assert (ready, terminating) == (objects.pods[0].ready, objects.pods[0].terminating)
    assert (ready, terminating) == (found.ready, found.terminating)


def test_the_service_of_a_statefulset_is_a_label(problems: Errors) -> None:
    """The name becomes the subdomain of the pods."""
    text = "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, spec: {serviceName: a.b}}"

    assert ['spec.serviceName: Invalid value: "a.b": must not contain dots'] == problems(text)


def test_pods_with_stable_names_have_them_as_host_names(read_text: Read) -> None:
    """These are pods of a StatefulSet, below its Service, and of an indexed Job."""
    template = "template: {spec: {hostname: x, subdomain: sub}}"
    objects, _ = read_text(
        "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, "
        f"spec: {{replicas: 2, serviceName: sql, {template}}}}}\n---\n"
        "{apiVersion: batch/v1, kind: Job, metadata: {name: job}, "
        f"spec: {{completionMode: Indexed, completions: 1, {template}}}}}\n---\n"
        f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web}}, spec: {{{template}}}}}"
    )

    assert [("db-0", "sql"), ("db-1", "sql"), ("job-0", "sub"), ("x", "sub")] == [
        (pod.hostname, pod.subdomain) for pod in resolve(objects).pods
    ]
