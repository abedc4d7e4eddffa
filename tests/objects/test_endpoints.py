"""EndpointSlices and Endpoints: decoding, and the API server's rules in its words.

Source: kubernetes pkg/apis/discovery/validation, ``ValidateEndpoints`` of pkg/apis/core/validation.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from name_messages import LABEL, SUBDOMAIN, VALUE

from netlab.errors import Problem
from netlab.objects import Objects
from netlab.objects.services import SliceEndpoint, SlicePort

Read = Callable[[str], tuple[Objects, list[Problem]]]
Errors = Callable[[str], list[str]]

IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
RANGE = "must be between 1 and 65535, inclusive"
ADDRESSES = "endpoints[0].addresses"


def endpoint_slice(fields: str) -> str:
    labels = "{kubernetes.io/service-name: db}"
    return (
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, "
        f"metadata: {{name: a, namespace: shop, labels: {labels}}}, {fields}}}"
    )


def endpoints(subsets: str, labels: str = "endpoints.kubernetes.io/managed-by: x") -> str:
    return (
        f"{{apiVersion: v1, kind: Endpoints, metadata: {{name: db, namespace: shop, labels: {{{labels}}}}}, "
        f"subsets: {subsets}}}"
    )


def many(count: int, text: str) -> str:
    return ",".join(text % n for n in range(count))


WRONG = [
    ("endpoints: []", ["addressType: Required value"]),
    ("addressType: IP", ['addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"']),
    (
        f"addressType: IPv4, endpoints: [{many(1001, '{addresses: [10.0.0.1], hostname: a%s}')}]",
        ["endpoints: Too many: 1001: must have at most 1000 items"],
    ),
    (
        "addressType: IPv4, endpoints: [{}, {addresses: []}]",
        [
            "endpoints[0].addresses: Required value",
            "endpoints[1].addresses: Required value",
        ],
    ),
    (
        f"addressType: IPv4, endpoints: [{{addresses: [{many(101, '10.0.0.%s')}]}}]",
        [f"{ADDRESSES}: Too many: 101: must have at most 100 items"],
    ),
    *(
        (
            f"addressType: IPv{family}, endpoints: [{{addresses: ['{text}']}}]",
            [f'{ADDRESSES}: Invalid value: "{text}": must be an IPv{family} address'],
        )
        for family, text in ((4, "fd00::1"), (6, "10.0.0.1"))
    ),
    *(
        (
            f"addressType: IPv{family}, endpoints: [{{addresses: ['{text}']}}]",
            [f'{ADDRESSES}[0]: Invalid value: "{text}": {message}'],
        )
        for family, text, message in (
            (4, "x", IP),
            (6, "", IP),
            (6, "fd00:0::1", 'must be in canonical form ("fd00::1")'),
            (6, "fd00::00001", "must not have leading 0s"),
        )
    ),
    (
        "addressType: IPv4, endpoints: [{addresses: [127.0.0.1]}]",
        [f'{ADDRESSES}[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    ),
    (
        "addressType: IPv6, endpoints: [{addresses: ['fe80::1']}]",
        [f'{ADDRESSES}[0]: Invalid value: "fe80::1": may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    ),
    (
        "addressType: IPv4, endpoints: [{addresses: [10.0.0.1], hostname: A}]",
        [f'endpoints[0].hostname: Invalid value: "A": {LABEL}'],
    ),
    (
        f"addressType: IPv4, endpoints: [{{addresses: [10.0.0.1], hints: {{forZones: [{many(9, '{name: z%s}')}]}}}}]",
        ["endpoints[0].hints.forZones: Too many: 9: must have at most 8 items"],
    ),
    (
        "addressType: IPv4, endpoints: [{addresses: [10.0.0.1], hints: {forZones: [{name: z}, {name: z}, {name: -}]}}]",
        [
            'endpoints[0].hints.forZones[1].name: Duplicate value: "z"',
            f'endpoints[0].hints.forZones[2].name: Invalid value: "-": {VALUE}',
        ],
    ),
    (
        "addressType: IPv4, endpoints: [{addresses: [10.0.0.1], nodeName: A}]",
        [f'endpoints[0].nodeName: Invalid value: "A": {SUBDOMAIN}'],
    ),
    ("addressType: IPv4, ports: [{name: A}]", [f'ports[0].name: Invalid value: "A": {LABEL}']),
    ("addressType: IPv4, ports: [{port: 1}, {port: 2}]", ['ports[1].name: Duplicate value: ""']),
    (
        "addressType: IPv4, ports: [{protocol: X}]",
        ['ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"'],
    ),
    (
        f"addressType: IPv4, ports: [{many(20001, '{name: p%s}')}]",
        ["ports: Too many: 20001: must have at most 20000 items"],
    ),
]


@pytest.mark.parametrize(("fields", "messages"), WRONG, ids=[fields[:70] for fields, _ in WRONG])
def test_what_the_api_server_refuses_in_a_slice_is_an_error(problems: Errors, fields: str, messages: list[str]) -> None:
    """The message is the API server's, with the path of the field."""
    assert messages == problems(endpoint_slice(fields))


def test_a_slice_is_decoded(read_text: Read) -> None:
    """Without conditions an endpoint is ready and serving, and does not terminate."""
    objects, problems = read_text(
        endpoint_slice(
            "addressType: IPv4, ports: [{name: sql, port: 5432, appProtocol: sql}, {name: all}], endpoints: ["
            "{addresses: [10.0.0.1], nodeName: node-1, zone: z, hostname: db-0, "
            "hints: {forZones: [{name: z}], forNodes: [{name: node-1}]}, targetRef: {kind: Pod, name: db-0}}, "
            "{addresses: [10.0.0.2], conditions: {ready: false}}, "
            "{addresses: [10.0.0.3], conditions: {ready: false, serving: true, terminating: true}, "
            "targetRef: {kind: Node, name: node-1}}]"
        )
    )
    (found,) = objects.slices

    assert [] == problems
    assert ("db", 4) == (found.service, found.family)
    assert (SlicePort(5432, "TCP", "sql", "sql"), SlicePort(0, "TCP", "all")) == found.ports
    assert (
        SliceEndpoint(
            (ip_address("10.0.0.1"),), True, True, False, "db-0", "node-1", "z", ("z",), ("node-1",), "shop/db-0"
        ),
        SliceEndpoint((ip_address("10.0.0.2"),), False, False),
        SliceEndpoint((ip_address("10.0.0.3"),), False, True, True),
    ) == found.endpoints


def test_a_slice_of_names_has_a_warning(read_text: Read) -> None:
    """Nodes do not use names."""
    objects, (warning,) = read_text(endpoint_slice("addressType: FQDN, endpoints: [{addresses: [a.b]}]"))

    assert (0, ()) == (objects.slices[0].family, objects.slices[0].endpoints[0].addresses)
    assert ("warning", "FQDN endpoints are deprecated") == (warning.severity, warning.message)


def test_an_older_version_is_read_with_a_warning(read_text: Read) -> None:
    """Kubernetes no longer serves the version."""
    text = endpoint_slice("addressType: IPv4").replace("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1")
    objects, (warning,) = read_text(text)

    assert 1 == len(objects.slices)
    assert warning.message.startswith("Kubernetes serves no EndpointSlice of discovery.k8s.io/v1beta1 any more")


@pytest.mark.parametrize(
    ("subsets", "messages"),
    [
        ("[{ports: [{port: 80}]}]", ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]),
        (
            "[{addresses: [{}]}]",
            [
                'subsets[0].addresses[0].ip: Invalid value: "": must be a valid IP address',
                f'subsets[0].addresses[0].ip: Invalid value: "": {IP}',
            ],
        ),
        (
            "[{addresses: [{ip: x}]}]",
            [
                'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address',
                f'subsets[0].addresses[0].ip: Invalid value: "x": {IP}',
            ],
        ),
        (
            "[{notReadyAddresses: [{ip: 0.0.0.0}]}]",
            ['subsets[0].notReadyAddresses[0].ip: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)'],
        ),
        (
            "[{addresses: [{ip: 10.0.0.1, hostname: A}]}]",
            [f'subsets[0].addresses[0].hostname: Invalid value: "A": {LABEL}'],
        ),
        ("[{addresses: [{ip: 10.0.0.1}], ports: [{}]}]", [f"subsets[0].ports[0].port: Invalid value: 0: {RANGE}"]),
        (
            "[{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}, {port: 81, name: a}]}]",
            ["subsets[0].ports[0].name: Required value"],
        ),
        (
            f"[{{addresses: [{many(1001, '{ip: 10.0.0.1, hostname: a%s}')}]}}]",
            ["subsets: Too many: 1001: must have at most 1000 items"],
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_the_api_server_refuses_in_endpoints_is_an_error(
    problems: Errors, subsets: str, messages: list[str]
) -> None:
    """The message is the API server's, with the path of the field."""
    assert messages == problems(endpoints(subsets))


def test_endpoints_are_decoded(read_text: Read) -> None:
    """There is the API server's warning, unless the controller made them."""
    text = "[{addresses: [{ip: 10.0.0.1, targetRef: {kind: Pod, name: a}}], notReadyAddresses: [{ip: 10.0.0.2}]}]"
    objects, problems = read_text(endpoints(text))
    (subset,) = objects.endpoints[0].subsets
    _, (warning,) = read_text(endpoints(text, ""))

    assert [] == problems
    assert (SliceEndpoint((ip_address("10.0.0.1"),), pod="shop/a"),) == subset.addresses
    assert (SliceEndpoint((ip_address("10.0.0.2"),), False, False),) == subset.not_ready
    assert "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice" == warning.message
