"""Services: defaults, and the API server's rules in its words.

Source: kubernetes pkg/apis/core/validation, pkg/apis/core/v1/defaults.go, pkg/api/service/warnings.go.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from name_messages import SUBDOMAIN

from netlab.errors import Problem
from netlab.objects import Objects
from netlab.objects.services import LoadBalancerIngress, Service, ServicePort

Read = Callable[[str], tuple[Objects, list[Problem]]]

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
PORT = "must be between 1 and 65535, inclusive"
BALANCER = "Forbidden: may only be used when `type` is 'LoadBalancer'"
FOREIGN = "Forbidden: may not be set for ExternalName services"
NAMED = "type: ExternalName, externalName: a.example"
AFFINE = "sessionAffinity: ClientIP, ports: [{port: 1}]"
HEALTH = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"

WRONG = [
    ("", ["spec.ports: Required value"]),
    ("type: NodePort", ["spec.ports: Required value"]),
    (
        "ports: [{}]",
        [f"spec.ports[0].port: Invalid value: 0: {PORT}", f"spec.ports[0].targetPort: Invalid value: 0: {PORT}"],
    ),
    (
        "ports: [{port: 80}, {port: 81, name: b}, {port: 82}]",
        ["spec.ports[0].name: Required value", "spec.ports[2].name: Required value"],
    ),
    ("ports: [{port: 80, name: A}]", [f'spec.ports[0].name: Invalid value: "A": {LABEL}']),
    ("ports: [{port: 80, name: a.b}]", ['spec.ports[0].name: Invalid value: "a.b": must not contain dots']),
    ("ports: [{port: 80, name: a}, {port: 81, name: a}]", ['spec.ports[1].name: Duplicate value: "a"']),
    (
        "ports: [{port: 0}]",
        [f"spec.ports[0].port: Invalid value: 0: {PORT}", f"spec.ports[0].targetPort: Invalid value: 0: {PORT}"],
    ),
    (
        "ports: [{port: 65536}]",
        [
            f"spec.ports[0].port: Invalid value: 65536: {PORT}",
            f"spec.ports[0].targetPort: Invalid value: 65536: {PORT}",
        ],
    ),
    (
        "ports: [{port: 80, protocol: ICMP}]",
        ['spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
    ),
    ("ports: [{port: 80, targetPort: 70000}]", [f"spec.ports[0].targetPort: Invalid value: 70000: {PORT}"]),
    (
        "ports: [{port: 80, targetPort: a-name-of-16-char}]",
        ['spec.ports[0].targetPort: Invalid value: "a-name-of-16-char": must be no more than 15 characters'],
    ),
    (
        'ports: [{port: 80, targetPort: "a_b"}]',
        [
            'spec.ports[0].targetPort: Invalid value: "a_b": must contain only alpha-numeric characters (a-z, 0-9), '
            "and hyphens (-)"
        ],
    ),
    (
        'ports: [{port: 80, targetPort: "80"}]',
        ['spec.ports[0].targetPort: Invalid value: "80": must contain at least one letter (a-z)'],
    ),
    (
        "ports: [{port: 80, targetPort: a--b}]",
        ['spec.ports[0].targetPort: Invalid value: "a--b": must not contain consecutive hyphens'],
    ),
    (
        "ports: [{port: 80, targetPort: a-}]",
        ['spec.ports[0].targetPort: Invalid value: "a-": must not begin or end with a hyphen'],
    ),
    (
        "ports: [{port: 80, name: a}, {port: 80, name: b}]",
        [
            'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,'
            '"NodePort":0}'
        ],
    ),
    (
        "ports: [{port: 80, nodePort: 30080}]",
        ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ),
    (
        "type: NodePort, ports: [{port: 80, name: a, nodePort: 30080}, {port: 81, name: b, nodePort: 30080}]",
        ["spec.ports[1].nodePort: Duplicate value: 30080"],
    ),
    (
        "ports: [{port: 80, appProtocol: a/b/c}]",
        [
            'spec.ports[0].appProtocol: Invalid value: "a/b/c": a valid label key must consist of alphanumeric '
            "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
            "'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with "
            "an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ],
    ),
    (
        "type: LoadBalancer, ports: [{port: 10250}]",
        ["spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet"],
    ),
    (
        "type: Other, ports: [{port: 80}]",
        [
            'spec.type: Unsupported value: "Other": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
            '"NodePort"'
        ],
    ),
    (
        "type: LoadBalancer, clusterIP: None, ports: [{port: 80}]",
        ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for LoadBalancer services"],
    ),
    (
        "type: NodePort, clusterIP: None, ports: [{port: 80}]",
        ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
    ),
    (f"{NAMED}, clusterIP: 10.96.0.9", [f"spec.clusterIPs: {FOREIGN}"]),
    (f"{NAMED}, clusterIP: None", [f"spec.clusterIPs: {FOREIGN}"]),
    (f"{NAMED}, ipFamilies: [IPv4]", [f"spec.ipFamilies: {FOREIGN}"]),
    (f"{NAMED}, ipFamilyPolicy: SingleStack", [f"spec.ipFamilyPolicy: {FOREIGN}"]),
    ("type: ExternalName", ["spec.externalName: Required value"]),
    ("type: ExternalName, externalName: a_b", [f'spec.externalName: Invalid value: "a_b": {SUBDOMAIN}']),
    (
        "clusterIP: 10.96.0.9, clusterIPs: [10.96.0.8], ports: [{port: 80}]",
        ['spec.clusterIPs: Invalid value: ["10.96.0.8"]: first value must match `clusterIP`'],
    ),
    (
        "clusterIPs: [10.96.0.8], ports: [{port: 80}]",
        ['spec.clusterIPs: Invalid value: ["10.96.0.8"]: must be empty when `clusterIP` is not specified'],
    ),
    (
        "clusterIP: None, clusterIPs: [None, 10.96.0.8], ports: [{port: 80}]",
        ['spec.clusterIPs: Invalid value: ["None","10.96.0.8"]: \'None\' must be the first and only value'],
    ),
    ("clusterIP: 10.96.0, ports: [{port: 80}]", [f'spec.clusterIPs[0]: Invalid value: "10.96.0": {IP}']),
    (
        'clusterIP: 10.96.0.8, clusterIPs: [10.96.0.8, "fd00::1", 10.96.0.9], ports: [{port: 80}]',
        ['spec.clusterIPs: Invalid value: ["10.96.0.8","fd00::1","10.96.0.9"]: may only hold up to 2 values'],
    ),
    (
        "clusterIP: 10.96.0.8, clusterIPs: [10.96.0.8, 10.96.0.9], ipFamilyPolicy: PreferDualStack, ports: [{port: 8}]",
        [
            'spec.clusterIPs: Invalid value: ["10.96.0.8","10.96.0.9"]: may specify no more than one IP for each IP '
            "family"
        ],
    ),
    (
        "clusterIP: 10.96.0.8, ipFamilies: [IPv6], ports: [{port: 80}]",
        ['spec.clusterIPs[0]: Invalid value: "10.96.0.8": expected an IPv6 value as indicated by `ipFamilies[0]`'],
    ),
    (
        'clusterIP: "fd00::1", ipFamilies: [IPv4], ports: [{port: 80}]',
        ['spec.clusterIPs[0]: Invalid value: "fd00::1": expected an IPv4 value as indicated by `ipFamilies[0]`'],
    ),
    (
        "ipFamilies: [IPv5], ports: [{port: 80}]",
        ['spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"'],
    ),
    (
        "ipFamilies: [IPv4, IPv4], ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]",
        ['spec.ipFamilies[1]: Duplicate value: "IPv4"'],
    ),
    (
        "ipFamilyPolicy: DualStack, ports: [{port: 80}]",
        [
            'spec.ipFamilyPolicy: Unsupported value: "DualStack": supported values: "PreferDualStack", '
            '"RequireDualStack", "SingleStack"'
        ],
    ),
    (
        'clusterIP: 10.96.0.8, clusterIPs: [10.96.0.8, "fd00::1"], ports: [{port: 80}]',
        [
            "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when "
            "multiple cluster IPs are specified"
        ],
    ),
    (
        "ipFamilies: [IPv4, IPv6], ipFamilyPolicy: SingleStack, ports: [{port: 80}]",
        [
            "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when "
            "multiple IP families are specified"
        ],
    ),
    (
        "sessionAffinity: Cookie, ports: [{port: 80}]",
        ['spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'],
    ),
    *(
        (
            f"{AFFINE}, sessionAffinityConfig: {{clientIP: {{timeoutSeconds: {n}}}}}",
            [
                f"spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: {n}: must be greater than 0 and "
                "less than 86400"
            ],
        )
        for n in (0, -1, 86401)
    ),
    ("externalIPs: [x], ports: [{port: 80}]", [f'spec.externalIPs[0]: Invalid value: "x": {IP}']),
    *(
        (
            f'externalIPs: ["{ip}"], ports: [{{port: 80}}]',
            [f'spec.externalIPs[0]: Invalid value: "{ip}": may not be {what}'],
        )
        for ip, what in (
            ("0.0.0.0", "unspecified (0.0.0.0)"),  # noqa: S104
            ("::", "unspecified (::)"),
            ("127.0.0.1", "in the loopback range (127.0.0.0/8, ::1/128)"),
            ("::1", "in the loopback range (127.0.0.0/8, ::1/128)"),
            ("169.254.1.1", "in the link-local range (169.254.0.0/16, fe80::/10)"),
            ("fe80::1", "in the link-local range (169.254.0.0/16, fe80::/10)"),
            ("224.0.0.9", "in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
            ("ff02::1", "in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
        )
    ),
    ("loadBalancerSourceRanges: [10.0.0.0/8], ports: [{port: 80}]", [f"spec.LoadBalancerSourceRanges: {BALANCER}"]),
    (
        "type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0], ports: [{port: 80}]",
        [f'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": {CIDR}'],
    ),
    (
        "type: NodePort, allocateLoadBalancerNodePorts: false, ports: [{port: 80}]",
        [f"spec.allocateLoadBalancerNodePorts: {BALANCER}"],
    ),
    ("loadBalancerClass: a.example/b, ports: [{port: 80}]", [f"spec.loadBalancerClass: {BALANCER}"]),
    (
        "externalTrafficPolicy: Cluster, ports: [{port: 80}]",
        ['spec.externalTrafficPolicy: Invalid value: "Cluster": may only be set for externally-accessible services'],
    ),
    (
        "type: NodePort, externalTrafficPolicy: Node, ports: [{port: 80}]",
        ['spec.externalTrafficPolicy: Unsupported value: "Node": supported values: "Cluster", "Local"'],
    ),
    (
        "internalTrafficPolicy: Node, ports: [{port: 80}]",
        ['spec.internalTrafficPolicy: Unsupported value: "Node": supported values: "Cluster", "Local"'],
    ),
    (
        "type: LoadBalancer, healthCheckNodePort: 30000, ports: [{port: 80}]",
        [f"spec.healthCheckNodePort: Invalid value: 30000: {HEALTH}"],
    ),
    (
        "type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 70000, ports: [{port: 80}]",
        [f"spec.healthCheckNodePort: Invalid value: 70000: {PORT}"],
    ),
    (
        "trafficDistribution: Near, ports: [{port: 80}]",
        [
            'spec.trafficDistribution: Unsupported value: "Near": supported values: "PreferClose", "PreferSameZone", '
            '"PreferSameNode"'
        ],
    ),
    (
        "selector: {a: _}, ports: [{port: 80}]",
        [
            'spec.selector: Invalid value: "_": a valid label must be an empty string or consist of alphanumeric '
            "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
            "'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        ],
    ),
]


def text_of(spec: str, more: str = "", name: str = "a", annotations: str = "") -> str:
    return (
        f"{{apiVersion: v1, kind: Service, metadata: {{name: {name}, annotations: {{{annotations}}}}}, "
        f"spec: {{{spec}}}{more}}}"
    )


@pytest.fixture
def service(read_text: Read) -> Callable[[str], Service]:
    """Decode a Service without problems."""

    def read(text: str) -> Service:
        objects, problems = read_text(text)
        assert [] == problems
        return objects.services[0]

    return read


@pytest.mark.parametrize(("spec", "messages"), WRONG, ids=[spec or "empty" for spec, _ in WRONG])
def test_what_the_api_server_refuses_is_an_error(
    problems: Callable[[str], list[str]], spec: str, messages: list[str]
) -> None:
    """The message is the API server's, with the path of the field."""
    assert messages == problems(text_of(spec))


@pytest.mark.parametrize(
    ("name", "message"),
    [("-a", LABEL), ("a" * 64, "must be no more than 63 characters"), ("a.b", "must not contain dots")],
)
def test_the_name_is_one_of_rfc_1123(problems: Callable[[str], list[str]], name: str, message: str) -> None:
    """It may begin with a digit, since Kubernetes 1.36."""
    assert [f'metadata.name: Invalid value: "{name}": {message}'] == problems(text_of("ports: [{port: 80}]", name=name))


@pytest.mark.parametrize(
    ("ingress", "message"),
    [
        ("{ip: x}", f'ip: Invalid value: "x": {IP}'),
        ("{hostname: a_b}", f'hostname: Invalid value: "a_b": {SUBDOMAIN}'),
        ("{hostname: 10.0.0.1}", 'hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'),
        ("{ip: 10.0.0.1, ipMode: X}", 'ipMode: Unsupported value: "X": supported values: "Proxy", "VIP"'),
        ("{hostname: a.example, ipMode: VIP}", "ipMode: Forbidden: may not be set when `ip` is not set"),
    ],
)
def test_a_status_has_addresses_or_names(problems: Callable[[str], list[str]], ingress: str, message: str) -> None:
    """An exported status has the load balancer's addresses or hostnames."""
    status = f", status: {{loadBalancer: {{ingress: [{ingress}]}}}}"

    assert [f"status.loadBalancer.ingress[0].{message}"] == problems(
        text_of("type: LoadBalancer, ports: [{port: 80}]", status)
    )


def test_fields_that_are_left_out_have_defaults(service: Callable[[str], Service]) -> None:
    """Defaults are those of the API server."""
    found = service(text_of("ports: [{port: 80}]"))

    assert ("ClusterIP", "None", "Cluster", "Cluster") == (
        found.type,
        found.session_affinity,
        found.internal_traffic_policy,
        found.external_traffic_policy,
    )
    assert (ServicePort(80, 0, "TCP"),) == found.ports
    assert (10800, True, (), "") == (
        found.affinity_timeout,
        found.allocate_node_ports,
        found.cluster_ips,
        found.ip_family_policy,
    )


def test_every_field_is_read(service: Callable[[str], Service]) -> None:
    """The Service has every frontend."""
    found = service(
        text_of(
            'type: LoadBalancer, clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, "fd00:10:96::9"], '
            "ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack, selector: {app: web}, "
            'loadBalancerSourceRanges: [" 10.0.0.0/8 "], loadBalancerClass: a.example/b, '
            "allocateLoadBalancerNodePorts: false, sessionAffinity: ClientIP, "
            "loadBalancerIP: 198.18.0.9, "
            "sessionAffinityConfig: {clientIP: {timeoutSeconds: 86400}}, internalTrafficPolicy: Local, "
            "externalTrafficPolicy: Local, healthCheckNodePort: 30001, publishNotReadyAddresses: true, "
            "trafficDistribution: PreferSameZone, "
            "ports: [{name: http, port: 80, targetPort: web, nodePort: 30080, appProtocol: kubernetes.io/h2c}, "
            "{name: dns, port: 80, targetPort: 0, protocol: UDP, nodePort: 30080}]",
            ", status: {loadBalancer: {ingress: [{ip: 192.0.2.1}, {ip: 192.0.2.2, ipMode: Proxy}, {hostname: a.b}]}}",
        )
    )

    assert (ip_address("10.96.0.9"), ip_address("fd00:10:96::9")) == found.cluster_ips
    assert ((4, 6), "RequireDualStack", "a.example/b", False) == (
        found.ip_families,
        found.ip_family_policy,
        found.load_balancer_class,
        found.allocate_node_ports,
    )
    assert (ip_network("10.0.0.0/8"),) == found.source_ranges
    assert ip_address("198.18.0.9") == found.load_balancer_ip
    assert ("ClientIP", 86400, "Local", "Local", 30001) == (
        found.session_affinity,
        found.affinity_timeout,
        found.internal_traffic_policy,
        found.external_traffic_policy,
        found.health_check_node_port,
    )
    assert (True, "PreferSameZone") == (found.publish_not_ready, found.traffic_distribution)
    assert [
        ServicePort(80, "web", "TCP", "http", 30080, "kubernetes.io/h2c"),
        ServicePort(80, 0, "UDP", "dns", 30080),
    ] == [*found.ports]
    assert (
        LoadBalancerIngress(ip_address("192.0.2.1")),
        LoadBalancerIngress(ip_address("192.0.2.2"), ip_mode="Proxy"),
        LoadBalancerIngress(hostname="a.b"),
    ) == found.load_balancer


@pytest.mark.parametrize("spec", ["clusterIP: None", "clusterIP: None, clusterIPs: [None]"])
def test_a_headless_service_needs_no_port(service: Callable[[str], Service], spec: str) -> None:
    """It has no address."""
    found = service(text_of(spec))

    assert (True, "None", ()) == (found.headless, found.cluster_ip, found.cluster_ips)


def test_a_name_outside_may_end_with_a_dot(service: Callable[[str], Service]) -> None:
    """The dot makes a complete name."""
    assert "a.example." == service(text_of("type: ExternalName, externalName: a.example.")).external_name


def test_a_headless_service_without_selector_may_state_both_families(service: Callable[[str], Service]) -> None:
    """Its default policy is RequireDualStack."""
    assert (4, 6) == service(text_of("clusterIP: None, ipFamilies: [IPv4, IPv6]")).ip_families


FUTURE = "will be considered invalid in a future Kubernetes release"


@pytest.mark.parametrize(
    ("spec", "annotations", "warning"),
    [
        (
            "externalIPs: [192.0.2.1], ports: [{port: 80}]",
            "",
            "spec.externalIPs: is deprecated and may no longer be implemented in some clusters",
        ),
        (
            "externalIPs: [192.0.2.1], clusterIP: None",
            "",
            "spec.externalIPs: is ignored for headless services",
        ),
        (
            f"externalIPs: [192.0.2.1], {NAMED}",
            "",
            'spec.externalIPs: is ignored when spec.type is "ExternalName"',
        ),
        (
            "sessionAffinity: ClientIP, clusterIP: None",
            "",
            "spec.sessionAffinity: is ignored for headless services",
        ),
        (
            "externalName: a.example, ports: [{port: 80}]",
            "",
            'spec.externalName: is ignored when spec.type is not "ExternalName"',
        ),
        (
            "trafficDistribution: PreferClose, ports: [{port: 80}]",
            "",
            'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
        ),
        (
            "ports: [{port: 80}]",
            "service.kubernetes.io/topology-aware-hints: Auto",
            "metadata.annotations.service.kubernetes.io/topology-aware-hints: annotation "
            "service.kubernetes.io/topology-aware-hints is deprecated, please use "
            "service.kubernetes.io/topology-mode instead",
        ),
        (
            "sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}, ports: [{port: 80}]",
            "",
            "spec.sessionAffinityConfig: has no effect: sessionAffinity is None",
        ),
        (
            'clusterIP: "fd00::0:1", ports: [{port: 80}]',
            "",
            'spec.clusterIPs[0]: IPv6 address "fd00::0:1" should be in RFC 5952 canonical format ("fd00::1")',
        ),
        (
            "clusterIP: None, loadBalancerIP: 198.18.0.9",
            "",
            "spec.loadBalancerIP: is ignored for headless services",
        ),
        (
            "loadBalancerIP: 198.18.0.9, ports: [{port: 80}]",
            "",
            'spec.loadBalancerIP: is ignored when spec.type is not "LoadBalancer"',
        ),
        (
            "type: LoadBalancer, loadBalancerIP: any, ports: [{port: 80}]",
            "",
            "spec.loadBalancerIP: is ignored: 'any' is no IP address",
        ),
        (
            "type: LoadBalancer, loadBalancerIP: 198.18.0.09, ports: [{port: 80}]",
            "",
            'spec.loadBalancerIP: non-standard IP address "198.18.0.09" is invalid: use "198.18.0.9"',
        ),
    ],
)
def test_what_the_api_server_warns_of_is_a_warning(read_text: Read, spec: str, annotations: str, warning: str) -> None:
    """Such a Service is legal and probably not meant."""
    _, (problem,) = read_text(text_of(spec, annotations=annotations))

    assert ("warning", warning) == (problem.severity, f"{problem.path}: {problem.message}")


def test_a_service_has_a_bounded_number_of_ports(problems: Callable[[str], list[str]]) -> None:
    """Kubernetes has no such limit."""
    ports = ",".join(f"{{port: {n}, name: p{n}}}" for n in range(1, 1002))

    assert ["spec.ports: Too many: 1001: a Service of a lab has at most 1000 ports"] == problems(
        text_of(f"ports: [{ports}]")
    )
