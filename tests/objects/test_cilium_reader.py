"""Which policies of Cilium netlab understands: all fields of one, or nothing of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from netlab.objects.cilium_policies import CiliumPeer, CiliumPolicy
from netlab.objects.cilium_reader import plain_policy
from netlab.objects.cluster_policies import PodsPeer
from netlab.objects.policies import PolicyPort
from netlab.objects.types import Meta, Source

TO_80 = "toPorts: [{ports: [{port: '80'}]}]"


def read(spec: str, *, namespace: str = "shop", **more: Any) -> CiliumPolicy | None:
    """Read a policy with a spec; "" stands for a CiliumClusterwideNetworkPolicy."""
    kind = "CiliumNetworkPolicy" if namespace else "CiliumClusterwideNetworkPolicy"
    data = {"apiVersion": "cilium.io/v2", "kind": kind, "metadata": {}, "spec": yaml.safe_load(spec), **more}
    return plain_policy(kind, Meta("p", namespace), data, Source("p.yaml", {"spec.ingress[0]": 7}))


def ingress(rule: str, **more: Any) -> CiliumPolicy | None:
    return read(f"{{endpointSelector: {{}}, ingress: [{rule}]}}", **more)


def peers(rule: str, namespace: str = "shop") -> list[str]:
    """Return the peers of an ingress rule as text."""
    found = ingress(rule, namespace=namespace)
    assert found is not None
    return [_text(one) for one in found.specs[0].ingress[0].peers]


def _text(peer: CiliumPeer) -> str:
    return str(peer.pods or peer.block or peer.place)


@pytest.mark.parametrize(
    ("rule", "namespace", "wanted"),
    [
        ("{fromEndpoints: [{}]}", "shop", "namespaces kubernetes.io/metadata.name in (shop)"),
        ("{fromEndpoints: [{}]}", "", "namespaces <all>"),
        (
            "{fromEndpoints: [{matchLabels: {'k8s:role': frontend}}]}",
            "shop",
            "pods role in (frontend) of namespaces kubernetes.io/metadata.name in (shop)",
        ),
        (
            "{fromEndpoints: [{matchLabels: {'k8s:io.kubernetes.pod.namespace': kube-system, k8s-app: kube-dns}}]}",
            "shop",
            "pods k8s-app in (kube-dns) of namespaces kubernetes.io/metadata.name in (kube-system)",
        ),
        (
            "{fromEndpoints: [{matchLabels: {'any:io.cilium.k8s.namespace.labels.team': a}}]}",
            "shop",
            "namespaces team in (a)",
        ),
        ("{fromEntities: [all]}", "shop", "everywhere"),
        ("{fromEntities: [world]}", "shop", "world"),
        ("{toPorts: [{ports: [{port: '80'}]}]}", "shop", "everywhere"),
    ],
)
def test_peers_are_pods_of_the_policys_namespace_or_of_named_ones_or_places(
    rule: str, namespace: str, wanted: str
) -> None:
    """A CiliumClusterwideNetworkPolicy has no namespace, so it means those of all."""
    assert [wanted] == peers(rule, namespace)


def test_the_cluster_is_all_pods_and_nodes() -> None:
    """The own node may always send to its pods, so ``host`` adds nothing on ingress."""
    assert ["namespaces <all>", "nodes"] == peers("{fromEntities: [cluster, host]}")
    assert ["nodes"] == peers("{fromEntities: [remote-node]}")
    assert [] == peers("{fromEntities: [host]}")


def test_a_port_without_protocol_is_of_each() -> None:
    """ICMP has no ports."""
    found = ingress("{toPorts: [{ports: [{port: '80', endPort: 90}]}, {ports: [{port: '53', protocol: UDP}]}]}")

    assert found is not None
    wanted = (*(PolicyPort(one, 80, 90) for one in ("TCP", "UDP", "SCTP")), PolicyPort("UDP", 53))
    assert wanted == found.specs[0].ingress[0].ports


def test_a_rule_knows_its_place() -> None:
    """Deny rules have a field of their own."""
    found = read("{endpointSelector: {}, ingress: [{}], ingressDeny: [{fromEntities: [world]}]}")

    assert found is not None
    assert [("spec.ingressDeny[0]", True), ("spec.ingress[0]", False)] == [
        (one.path, one.denies) for one in found.specs[0].ingress
    ]
    assert 7 == found.specs[0].ingress[1].line
    assert "CiliumNetworkPolicy shop/p" == found.ref


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ("ingress: [{}]", {"ingress"}),
        ("egress: [{toEntities: [world]}]", {"egress"}),
        ("egressDeny: [{toEntities: [world]}]", {"egress"}),
        ("ingress: [], egress: [{}]", {"egress"}),
        ("egressDeny: [{toEntities: [world]}], enableDefaultDeny: {egress: false}", set()),
        ("egress: [{}], enableDefaultDeny: {egress: false, ingress: true}", {"ingress"}),
    ],
)
def test_a_policy_isolates_in_the_directions_of_its_rules(fields: str, wanted: set[str]) -> None:
    """Unless ``enableDefaultDeny`` says otherwise."""
    found = read(f"{{endpointSelector: {{}}, {fields}}}")

    assert found is not None
    assert wanted == found.specs[0].isolates


def test_specs_are_specs_of_one_policy() -> None:
    """``spec`` and ``specs`` may be written together."""
    spec = {"endpointSelector": {"matchLabels": {"app": "db"}}, "ingress": [{}]}
    found = read("{endpointSelector: {}, egress: [{}]}", specs=[spec])

    assert found is not None
    assert ["spec", "specs[0]"] == [one.path for one in found.specs]
    assert str(found.specs[1].subject).startswith("pods app in (db)")
    assert isinstance(found.specs[0].subject, PodsPeer)


@pytest.mark.parametrize(
    "rule",
    [
        "{toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {http: [{method: GET}]}}]}",
        "{toPorts: [{ports: [{port: http}]}]}",
        "{toPorts: [{ports: [{port: '0'}]}]}",
        "{toPorts: [{ports: [{port: 80}]}]}",
        "{toPorts: [{ports: [{port: '080'}]}]}",
        "{toPorts: [{ports: [{port: '80', protocol: ICMP}]}]}",
        "{toPorts: [{ports: [{port: '80', endPort: 70}]}]}",
        "{toPorts: [{ports: []}]}",
        "{toPorts: []}",
        "{icmps: [{fields: [{type: 8, family: IPv4}]}]}",
        "{fromEndpoints: []}",
        "{fromEndpoints: [{}], fromEntities: [world]}",
        "{fromEndpoints: [{}], authentication: {mode: required}}",
        "{fromRequires: [{}]}",
        "{fromNodes: [{}]}",
        "{fromGroups: [{}]}",
        "{fromEntities: [kube-apiserver]}",
        "{fromEntities: [health]}",
        "{fromCIDR: [10.0.0.0/40]}",
        "{fromCIDR: [example.org]}",
        "{fromCIDRSet: [{cidr: 10.0.0.1}]}",
        "{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [192.0.2.0/24]}]}",
        "{fromCIDRSet: [{cidrGroupRef: some}]}",
        "{fromEndpoints: [{matchLabels: {'reserved:init': ''}}]}",
        "{fromEndpoints: [{matchLabels: {'container:app': a}}]}",
        "{fromEndpoints: [{matchLabels: {io.cilium.k8s.policy.serviceaccount: a}}]}",
        "{fromEndpoints: [{matchLabels: {pod-template-hash: a}}]}",
        "{fromEndpoints: [{matchLabels: {topology.kubernetes.io/zone: a}}]}",
        "{fromEndpoints: [{matchExpressions: [{key: a, operator: Gt, values: ['1']}]}]}",
        "{fromEndpoints: [{matchExpressions: [{key: a, operator: In, values: []}]}]}",
        "{fromEndpoints: [{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: NotIn, values: [a]}]}]}",
        "{toEndpoints: [{}]}",
        "{somethingNew: 1}",
        "[]",
    ],
)
def test_a_rule_with_anything_else_is_not_understood(rule: str) -> None:
    """Nor is the policy that has it, whatever its other rules are."""
    assert ingress("{}") is not None
    assert ingress(rule) is None
    assert ingress(f"{{}}, {rule}") is None


@pytest.mark.parametrize(
    "spec",
    [
        "{nodeSelector: {}, ingress: [{}]}",
        "{ingress: [{}]}",
        "{endpointSelector: {}}",
        "{endpointSelector: {}, enableDefaultDeny: {ingress: true}}",
        "{endpointSelector: {}, ingress: [{}], enableDefaultDeny: {ingress: 1}}",
        "{endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: other}}, ingress: [{}]}",
        "{endpointSelector: {}, ingress: [{}], log: {value: x}}",
        "{endpointSelector: {}, ingressDeny: [{}]}",
        f"{{endpointSelector: {{}}, ingressDeny: [{{{TO_80}}}]}}",
        "{endpointSelector: {}, ingressDeny: [{fromEntities: [all]}]}",
        "{endpointSelector: {}, ingressDeny: [{fromEntities: [cluster]}]}",
        "{endpointSelector: {}, ingressDeny: [{fromEntities: [host]}]}",
        "{endpointSelector: {}, egress: [{toEntities: [host]}]}",
        "{endpointSelector: {}, egress: [{toEntities: [remote-node]}]}",
        "{endpointSelector: {}, egress: [{toFQDNs: [{matchName: example.org}]}]}",
        "{endpointSelector: {}, egress: [{toServices: [{k8sService: {serviceName: a}}]}]}",
    ],
)
def test_a_spec_with_anything_else_is_not_understood(spec: str) -> None:
    """The same for what is not documented exactly, as whether a deny rule stops the own node."""
    assert read(spec, namespace="shop") is None


def test_another_version_of_the_api_is_not_understood() -> None:
    """Its fields may mean something else."""
    assert ingress("{}", apiVersion="cilium.io/v3") is None
