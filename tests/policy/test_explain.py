"""The text of ``netlab explain``."""

from __future__ import annotations

import pytest
from builders import cluster, flow, peer, pod, policy, rule, source, topology

from netlab.cluster import Cluster
from netlab.objects.policies import NetworkPolicy
from netlab.policy.explain import explain

WEB = pod("shop/web", "app=web", source=source(3, "shop.yaml"))
DB = pod("shop/db", "app=db", ports=["sql=5432"], source=source(12, "shop.yaml"))
DENY_ALL = policy("shop/deny-all", ingress=[], source=source(1, "policies.yaml"))
API = policy(
    "shop/db-from-api",
    "app=db",
    ingress=[rule(peer("app=api"), ports=["sql"])],
    source=source(10, "policies.yaml", **{"spec__ingress[0]": 16}),
)


def told(of: Cluster, source: str, destination: str, service: str = "80/TCP") -> str:
    return str(explain(of, flow(of, source, destination, service)))


def test_denied() -> None:
    """A denial has each policy, rule and line, what did not match, and the rule that would allow the flow."""
    text = told(cluster(WEB, DB, DENY_ALL, API), "shop/web", "shop/db", "5432/TCP")

    assert (
        """\
shop/web -> shop/db 5432/TCP, IPv4: deny
  from  shop/web, 10.244.0.3, on node-1, labels app=web (shop.yaml:3)
  to    shop/db, 10.244.0.2, on node-1, labels app=db (shop.yaml:12)
  why   ingress of shop/db: NetworkPolicies shop/db-from-api, shop/deny-all isolate it and no rule allows shop/web\
 on 5432/TCP

Egress of shop/web: allow
  No NetworkPolicy selects it for egress, so everything is allowed.

Ingress of shop/db: deny
  NetworkPolicy shop/db-from-api (policies.yaml:10) isolates it
    spec.ingress[0] (policies.yaml:16) does not match: from[0]: pod label app=api, found app=web
  NetworkPolicy shop/deny-all (policies.yaml:1) isolates it
    it has no ingress rules

To be allowed
  add a rule under spec.ingress of any policy that selects shop/db, with
    from: podSelector app=web
    ports: 5432/TCP
  or remove all policies that isolate it: NetworkPolicies shop/db-from-api, shop/deny-all"""
        == text
    )


def test_allowed() -> None:
    """An allowed flow has the rule and line that allow, and what to remove to deny it."""
    text = told(cluster(pod("shop/api", "app=api"), DB, DENY_ALL, API), "shop/api", "shop/db", "5432/TCP")

    assert (
        """\
Ingress of shop/db: allow
  NetworkPolicy shop/db-from-api (policies.yaml:10) isolates it
    spec.ingress[0].from[0] (policies.yaml:16) allows it
  NetworkPolicy shop/deny-all (policies.yaml:1) isolates it

To be denied, one of these
  add a policy in namespace shop that selects shop/api, has Egress in policyTypes and no rule for shop/db on 5432/TCP
  remove spec.ingress[0] (policies.yaml:16) of NetworkPolicy shop/db-from-api"""
        in text
    )


def test_without_a_path_no_policy_can_allow() -> None:
    """The text says so and lists no policies."""
    of = cluster(topology(hosts={"client": ["192.0.2.1"]}), DB, DENY_ALL)

    assert """\
host:client -> shop/db 80/TCP, IPv4: deny
  from  host:client, 192.0.2.1
  to    shop/db, 10.244.0.2, on node-1, labels app=db (shop.yaml:12)
  why   no route from outside to the pod addresses of bridge network 'default'

To be allowed
  No NetworkPolicy can allow it: there is no path for packets.""" == told(of, "host:client", "shop/db")


def test_what_no_policy_can_deny() -> None:
    """A pod always reaches itself."""
    assert "No NetworkPolicy can deny it: shop/db always reaches itself." in told(
        cluster(DB, DENY_ALL), "shop/db", "shop/db"
    )


def test_an_address_without_a_machine() -> None:
    """The text says so, and has the mismatch of the egress policies."""
    text = told(cluster(WEB, policy("shop/out", egress=[rule(peer(cidr="10.0.0.0/8"))])), "shop/web", "203.0.113.9")

    assert "to    no machine of the lab" in text
    assert "spec.egress[0] does not match: to[0]: ipBlock 10.0.0.0/8, found 203.0.113.9" in text
    assert text.endswith("To send packets there, add a host with this address to spec.hosts of the Topology.")


def test_an_address_without_a_machine_that_policies_allow() -> None:
    """The first line says both, and the last one the way out: the verdict is about packets of the lab."""
    allowing = policy("shop/out", egress=[rule(peer(cidr="203.0.113.0/24"))], source=source(1, "policies.yaml"))
    text = told(cluster(WEB, allowing), "shop/web", "203.0.113.9")
    first, *_, last = text.splitlines()

    assert (
        "shop/web -> 203.0.113.9 80/TCP, IPv4: deny: policies allow it, but no machine of the lab has 203.0.113.9"
        == first
    )
    assert "Egress of shop/web: allow" in text
    assert last.startswith(
        "  Policies allow it already: there is no path for packets. To send packets there, add a host"
    )


@pytest.mark.parametrize(
    ("source", "address", "first"),
    [
        ("shop/db", "203.0.113.9", "shop/db -> 203.0.113.9 80/TCP, IPv4: deny"),
        ("node:node-1", "203.0.113.9", "node:node-1 -> 203.0.113.9 80/TCP, IPv4: deny"),
        (
            "shop/web",
            "10.96.7.7",
            "shop/web -> 10.96.7.7 80/TCP, IPv4: deny: policies allow it, but 10.96.7.7 is in the service range,"
            " and no Service has it",
        ),
    ],
)
def test_the_first_line_about_an_address_that_no_machine_has(source: str, address: str, first: str) -> None:
    """It names policies only where they allow the flow. No policy judges what a node sends."""
    of = cluster(WEB, DB, policy("shop/none", "app=db", egress=[]))

    assert first == told(of, source, address).splitlines()[0]


def test_the_proposed_peer_is_the_narrowest() -> None:
    """For a pod it is a selector, with the namespace if that differs; for any other endpoint it is an ipBlock."""
    of = cluster(
        topology(mode="routed", hosts={"client": ["192.0.2.1"]}), pod("ops/x", "app=x"), pod("shop/a"), DB, DENY_ALL
    )

    assert "from: podSelector {}\n" in told(of, "shop/a", "shop/db")
    assert "from: namespaceSelector kubernetes.io/metadata.name=ops and, in the same item, podSelector app=x\n" in told(
        of, "ops/x", "shop/db"
    )
    assert "from: ipBlock 192.0.2.1/32\n    with no ports listed\n" in told(of, "host:client", "shop/db", "ICMP")


def test_the_proposed_rule_changes_the_verdict() -> None:
    """From deny to allow."""
    before = cluster(WEB, DB, DENY_ALL)
    after = cluster(WEB, DB, DENY_ALL, policy("shop/fix", "app=db", ingress=[rule(peer("app=web"), ports=["80"])]))

    assert "deny" == explain(before, flow(before, "shop/web", "shop/db")).decision.verdict
    assert "allow" == explain(after, flow(after, "shop/web", "shop/db")).decision.verdict


PUBLISHED = pytest.mark.parametrize(
    ("asks", "direction", "peer_and_port"),
    [
        ("host:h", "ingress", ("ipBlock 192.0.2.1/32", "53/UDP")),
        ("x/far", "ingress", ("ipBlock 100.64.0.2/32", "53/UDP")),
        ("x/near", "ingress", ("podSelector app=near", "53/UDP")),
        ("x/near", "egress", ("podSelector app=srv", "53/UDP")),
        ("x/far", "egress", ("ipBlock 100.64.0.1/32", "5353/UDP")),
    ],
    ids=["a host", "a masqueraded pod", "a pod of the node", "its egress", "the egress of another node's pod"],
)


def published(*policies: NetworkPolicy) -> Cluster:
    """Return a lab with a pod that publishes port 53 as 5353, a pod on its node, one on another node, and a host."""
    return cluster(
        topology(["a", "b"], hosts={"h": ["192.0.2.1"]}),
        pod("x/srv", "app=srv", node="a", ports=["5353:53/UDP"]),
        pod("x/near", "app=near", node="a"),
        pod("x/far", "app=far", node="b"),
        *policies,
    )


@PUBLISHED
def test_the_proposed_rule_for_a_published_port_changes_the_verdict(
    asks: str, direction: str, peer_and_port: tuple[str, str]
) -> None:
    """Policies see source and port after the node's translation, and the proposed rule has these."""
    selected = "app=srv" if direction == "ingress" else asks.replace("x/", "app=")
    isolated = published(policy("x/deny", selected, types=direction))
    text = told(isolated, asks, "node:a", "5353/UDP")
    wanted, port = peer_and_port
    block = wanted.removeprefix("ipBlock ") if wanted.startswith("ipBlock") else ""
    other = peer(cidr=block) if block else peer(wanted.removeprefix("podSelector "))
    fixed = published(
        policy("x/deny", selected, types=direction),
        policy("x/fix", selected, **{direction: [rule(other, ports=[port])]}),  # type: ignore[arg-type]
    )

    assert f": {wanted}\n    ports: {port}\n" in text
    assert "deny" == explain(isolated, flow(isolated, asks, "node:a", "5353/UDP")).decision.verdict
    assert "allow" == explain(fixed, flow(fixed, asks, "node:a", "5353/UDP")).decision.verdict


def test_the_reason_for_a_published_port_names_what_the_pod_sees() -> None:
    """It has the pod's port and the source address after translation, and the published port."""
    of = published(policy("x/deny", "app=srv", types="ingress"))

    assert [
        "ingress of x/srv: NetworkPolicy x/deny isolates it and no rule allows host:h on 53/UDP, published as 5353/UDP",
        "ingress of x/srv: NetworkPolicy x/deny isolates it and no rule allows x/far, which comes as 100.64.0.2,"
        " on 53/UDP, published as 5353/UDP",
    ] == [explain(of, flow(of, asks, "node:a", "5353/UDP")).decision.reason for asks in ("host:h", "x/far")]
    assert "no rule for host:h on 53/UDP, published as 5353/UDP" in told(published(), "host:h", "node:a", "5353/UDP")
