"""Warnings about cluster-wide policies that select or match nothing of the lab."""

from __future__ import annotations

import pytest

from netlab.cluster.resolve import resolve
from netlab.objects import decode
from netlab.objects.documents import parse
from netlab.policy.warnings import warnings

LAB = """\
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: empty, labels: {team: none}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, tier: front}}
spec: {containers: [{name: c, ports: [{containerPort: 80, name: http}]}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: host}}
---
{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: host}, spec: {hostNetwork: true}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, clusterIP: 10.96.0.9, ports: [{port: 80}]}
---
apiVersion: netlab/v1alpha1
kind: Topology
spec:
  nodes: [{name: node-1, labels: {zone: a}}]
  hosts: [{name: h, addresses: [192.0.2.1], hostnames: [h.lab.example]}]
"""
SUBJECT = "{namespaces: {matchLabels: {team: shop}}}"
RULES = "policy.networking.k8s.io"


def warned(subject: str = SUBJECT, ingress: str = "", egress: str = "", ports: str = "", lab: str = LAB) -> list[str]:
    """Return the warnings about a policy with one rule, which has one peer."""
    rule = "{{action: Accept, {}: [{}]{}}}"
    written = ports and f", protocols: [{ports}]"
    rules = [
        f"{direction}: [{rule.format(field, peer, written)}]"
        for direction, field, peer in (("ingress", "from", ingress), ("egress", "to", egress))
        if peer
    ]
    spec = f"{{tier: Admin, priority: 1, subject: {subject}{''.join(f', {one}' for one in rules)}}}"
    text = f"{{apiVersion: {RULES}/v1beta1, kind: ClusterNetworkPolicy, metadata: {{name: p}}, spec: {spec}}}"
    documents, problems = parse(f"{lab}---\n{text}\n", "x.yaml")
    objects, more = decode(documents)
    assert [] == [*problems, *more]
    found = [one for one in warnings(resolve(objects)) if one.object == "ClusterNetworkPolicy p"]
    return [f"{one.rule}: {one.path.removeprefix('spec.')}: {one.message}" for one in found]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (
            "{namespaces: {matchLabels: {team: shpo}}}",
            "selects-nothing: subject.namespaces: matches no pod of the lab: no namespace of the input has team=shpo;"
            " shop is near: team=shpo, found team=shop",
        ),
        (
            "{namespaces: {matchLabels: {team: none}}}",
            "selects-nothing: subject.namespaces: matches no pod of the lab: namespace empty has no pods",
        ),
        (
            "{pods: {namespaceSelector: {matchLabels: {team: shop}}, podSelector: {matchLabels: {app: wbe}}}}",
            "selects-nothing: subject.pods: matches no pod of the lab: none of namespace shop has app=wbe;"
            " shop/web is near: app=wbe, found app=web",
        ),
        (
            "{namespaces: {matchLabels: {kubernetes.io/metadata.name: host}}}",
            "selects-host-network: subject.namespaces: matches only pods that no policy applies to"
            " (host-network or no network): host/agent",
        ),
    ],
)
def test_a_subject_that_selects_nothing(subject: str, expected: str) -> None:
    """With the object that the selector almost selects."""
    assert [expected] == warned(subject)


def test_a_policy_alone() -> None:
    """No other selector would match either, so the message names none."""
    lab = "{apiVersion: netlab/v1alpha1, kind: Topology, spec: {}}\n"
    message = "matches no pod of the lab: the input has no namespace and no pod"

    assert [f"selects-nothing: subject.namespaces: {message}"] == warned("{namespaces: {}}", lab=lab)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (
            "{namespaces: {matchLabels: {nosuch: a}}}",
            "peer-matches-nothing: egress[0].to[0].namespaces: matches no pod of the lab: no namespace of the input has"
            " nosuch=a",
        ),
        (
            "{pods: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: host}}, podSelector: {}}}",
            "peer-host-network: egress[0].to[0].pods: matches only host/agent, and selectors do not apply to"
            " host-network pods; egress rules have `nodes`",
        ),
        (
            "{nodes: {matchLabels: {zone: b}}}",
            "peer-matches-nothing: egress[0].to[0].nodes: matches no node of the lab: none has zone=b",
        ),
        (
            "{domainNames: [a.example, '*.h.lab.example']}",
            "peer-matches-nothing: egress[0].to[0].domainNames: matches no host of the lab: none states a.example or"
            " *.h.lab.example; write it in `hostnames` of a host of the Topology",
        ),
        (
            "{networks: [192.0.2.0/24, 10.96.0.9/32]}",
            "service-address: egress[0].to[0].networks[1]: 10.96.0.9 is the ClusterIP of Service shop/web, so it"
            " matches no packet: policies see the address of the endpoint; select its pods, app=web",
        ),
    ],
)
def test_a_peer_that_matches_nothing(peer: str, expected: str) -> None:
    """Each kind of peer."""
    assert [expected] == warned(egress=peer)


@pytest.mark.parametrize(
    "peer", ["{nodes: {}}", "{domainNames: ['*.lab.example']}", "{networks: [0.0.0.0/0]}", SUBJECT]
)
def test_a_peer_that_matches_something_has_no_warning(peer: str) -> None:
    """Of the lab's pods, nodes, hosts or addresses."""
    assert [] == warned(egress=peer)


@pytest.mark.parametrize(
    ("rule", "which"),
    [({"ingress": "{namespaces: {}}"}, "the policy selects"), ({"egress": SUBJECT}, "the rule matches")],
)
def test_a_port_name_that_no_destination_has(rule: dict[str, str], which: str) -> None:
    """Destinations of ingress rules are the pods of the subject."""
    direction = next(iter(rule))

    assert [
        f"unknown-port-name: {direction}[0].protocols[1].destinationNamedPort: no pod that {which} has a port named"
        " 'web'; name one so, or write a number"
    ] == warned(**rule, ports="{destinationNamedPort: http}, {destinationNamedPort: web}")


def test_labels_of_a_namespace_that_the_input_lacks() -> None:
    """One warning, as about a NetworkPolicy; none that would follow from it."""
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: away}}\n"

    (found,) = warned("{namespaces: {matchLabels: {team: away}}}", lab=f"{LAB}---\n{pod}")
    assert found.startswith("unknown-namespace-labels: subject: namespace away is not in the input")


def test_a_label_that_a_controller_sets() -> None:
    """Its value is in no manifest."""
    deployment = (
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: shop}, spec: {selector: {matchLabels:"
        " {app: d}}, template: {metadata: {labels: {app: d}}}}}\n"
    )

    found = warned("{pods: {podSelector: {matchLabels: {pod-template-hash: abc}}}}", lab=f"{LAB}---\n{deployment}")
    assert [
        "unknown-controller-labels: subject.pods.podSelector: a controller sets pod-template-hash to a value that no"
        " manifest has; the selector may match shop/d-0 or not"
    ] == [one for one in found if one.startswith("unknown-controller")]


def test_a_policy_of_pods_that_nothing_enforces() -> None:
    """Packets of a macvlan network bypass the node's rules."""
    lab = LAB.replace("spec:\n  nodes", "spec:\n  networks: [{mode: macvlan}]\n  nodes")

    assert [
        "not-enforced: subject.namespaces: not enforced on shop/db, shop/web: packets of a macvlan network bypass the"
        " node's rules"
    ] == warned(lab=lab)


def test_one_warning_if_nothing_enforces_policies() -> None:
    """All others would follow from it."""
    lab = LAB.replace("spec:\n  nodes", "spec:\n  policy: {enforcement: none}\n  nodes")

    assert [
        "nothing-enforces: spec: nothing enforces policies, so the cluster-wide policy has no effect"
        " (enforcement: none)"
    ] == warned("{namespaces: {matchLabels: {team: none}}}", lab=lab)
