"""The exposure of groups: unprotected ones first, what does not exist yet, ranges, entry points, unread policies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import product
from random import Random

import pytest
from builders import (
    cluster,
    cluster_peer,
    cluster_policy,
    cluster_rule,
    namespace,
    peer,
    pod,
    pods_peer,
    policy,
    rule,
    topology,
    unread,
)
from hypothetical_pods import ASKED, with_hypothetical
from random_clusters import some_cluster
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow, FlowSelection
from netlab.cluster.types import Host, Node, Pod, address_of
from netlab.conformance.shorthand import pairs
from netlab.objects.services import Service, ServicePort
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Meta
from netlab.objects.unread import Subject
from netlab.policy.decision import Side
from netlab.policy.evaluate import evaluate
from netlab.policy.exposure import Exposure, exposures
from netlab.policy.inside_addresses import nodes_matched, outside_addresses
from netlab.policy.openings import PodOpening

ASK = FlowSelection()


def of(found: Cluster, ref: str) -> Exposure:
    """Return the exposure of the group of a pod."""
    return next(one for one in exposures(found, ASK).found if any(member.ref == ref for member in one.group.members))


def shop(*rules: object, egress: tuple[object, ...] | None = None, **more: object) -> Cluster:
    """Return a cluster in which a policy isolates shop/db, with a client in another namespace."""
    return cluster(
        topology(["node-1", "node-2"], mode="overlay"),
        namespace("shop"),
        namespace("edge", "team=x"),
        pod("shop/db", "app=db", ports=["pg=5432"]),
        pod("edge/web", "app=web"),
        policy("shop/db", "app=db", ingress=rules, egress=egress, **more),  # type: ignore[arg-type]
    )


def pods_text(one: Exposure) -> list[str]:
    return [f"{opening.peers} on {opening.ports}" for opening in one.ingress.openings.pods]


LEVELS = {
    "every pod": (rule(peer(ns=""), ports=["80"]), "cluster"),
    "without peers": (rule(ports=["80"]), "cluster"),
    "pods of new namespaces": (rule(peer("app=mon", "team=x")), "new namespaces"),
    "any namespace but one": (rule(peer(ns="kubernetes.io/metadata.name notin (edge)")), "new namespaces"),
    "a namespace that does not exist": (rule(peer(ns="kubernetes.io/metadata.name=mon")), "new namespaces"),
    "pods of a namespace": (rule(peer("app=web", "kubernetes.io/metadata.name=edge")), "new pods"),
    "pods of its namespace": (rule(peer("app=web")), "new pods"),
    "all addresses of pods": (rule(peer(cidr="10.0.0.0/8")), "cluster"),
    "some addresses of pods": (rule(peer(cidr="10.244.0.0/30")), "new pods"),
    "addresses of no pod": (rule(peer(cidr="192.0.2.0/24")), "nothing"),
    "a namespace without its own label": (rule(peer(ns="!kubernetes.io/metadata.name")), "nothing"),
    "a port by a name that the pod lacks": (rule(peer(ns=""), ports=["http"]), "nothing"),
}


@pytest.mark.parametrize("case", LEVELS)
def test_a_level_says_how_wide_a_side_is_open(case: str) -> None:
    """The words are those of the document."""
    rules, level = LEVELS[case]
    found = shop(rules)

    assert level == of(found, "shop/db").ingress.level(found)


def test_unprotected_groups_come_first() -> None:
    """Then those that are open to every pod, to new namespaces, to some pods, to nothing."""
    found = cluster(
        *(pod(f"x/{name}", f"app={name}") for name in "abcde"),
        policy("x/a", "app=a", ingress=[]),
        policy("x/b", "app=b", ingress=[rule(peer("app=c"))]),
        policy("x/c", "app=c", ingress=[rule(peer(ns="team=new"))]),
        policy("x/d", "app=d", ingress=[rule(peer(ns=""))]),
    )

    assert ["x/e", "x/d", "x/c", "x/b", "x/a"] == [one.pods[0].ref for one in exposures(found, ASK).found]


def test_pods_that_nothing_tells_apart_yet_are_in_two_groups_if_something_may() -> None:
    """No pod has app=mon, so both are closed today; only one of them opens for it."""
    found = cluster(
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        policy("x/a", "app=a", ingress=[rule(peer("app=mon"))]),
        policy("x/b", "app=b", ingress=[]),
    )

    assert [["x/a"], ["x/b"]] == [[p.ref for p in one.pods] for one in exposures(found, ASK).found]


def test_alike_pods_of_several_policies_are_one_group_with_the_rules_of_all() -> None:
    """Each namespace has a default deny of its own."""
    found = cluster(
        pod("x/a", ""),
        pod("y/b", ""),
        *(policy(f"{space}/deny", ingress=[rule(peer(ns="team=z"))]) for space in "xy"),
    )
    (one,) = exposures(found, ASK).found

    assert ["x/a", "y/b"] == [p.ref for p in one.pods]
    assert ["x/deny", "y/deny"] == [p.meta.key for p in one.ingress.openings.policies]
    assert ["x/deny", "y/deny"] == [match.policy.meta.key for match in one.ingress.openings.pods[0].rules]


def test_the_selector_of_what_may_come_is_named() -> None:
    """Selectors are normal: the own namespace by its name, one value as an equation."""
    found = shop(
        rule(peer("app in (mon)", "team=y"), ports=["9090"]),
        rule(peer("app=web"), ports=["pg"]),
        rule(peer("!app", "kubernetes.io/metadata.name in (a,b)")),
    )

    assert [
        "any pod with !app in namespaces a, b on every port",
        "any pod with app=mon in any namespace with team=y on 9090/TCP",
        "any pod with app=web in namespace shop on 5432/TCP",
    ] == pods_text(of(found, "shop/db"))


def test_what_a_wider_opening_has_is_left_out() -> None:
    """A narrower selector keeps the ports that only it has."""
    found = shop(
        rule(peer("app=a", "team=x"), ports=["80", "443"]),
        rule(peer(ns="team"), ports=["80"]),
        rule(peer("app in (a,b)", "team=x"), ports=["443"]),
    )

    assert [
        "any pod in any namespace with team on 80/TCP",
        "any pod with app in (a,b) in any namespace with team=x on 443/TCP",
    ] == pods_text(of(found, "shop/db"))


def test_the_whole_internet_is_named_though_private_ranges_are_left_out() -> None:
    """An exception of a public address makes it a range."""
    whole = shop(rule(peer(cidr="0.0.0.0/0", but=["10.0.0.0/8", "192.168.0.0/16"])))
    part = shop(rule(peer(cidr="0.0.0.0/0", but=["8.8.8.8/32"])))

    (of_whole,) = of(whole, "shop/db").ingress.outside(whole)
    (of_part,) = of(part, "shop/db").ingress.outside(part)

    assert ((4,), ()) == (of_whole.addresses.internet, of_part.addresses.internet)
    assert ["0.0.0.0/0 except 10.0.0.0/8, 192.168.0.0/16"] == of_whole.addresses.words()


def test_ranges_are_divided_where_their_ports_differ() -> None:
    """Addresses of two ipBlocks have the ports of both."""
    found = shop(
        rule(peer(cidr="192.0.2.0/24"), ports=["80"]),
        rule(peer(cidr="192.0.2.0/25"), ports=["443"]),
        rule(peer(cidr="2001:db8::/32")),
    )
    openings = of(found, "shop/db").ingress.openings.addresses

    assert {
        "192.0.2.0/25": "80/TCP, 443/TCP",
        "192.0.2.128/25": "80/TCP",
        "2001:db8::/32": "every port",
    } == {", ".join(one.addresses.words()): str(one.ports) for one in openings}


def test_egress_has_ports_by_name_and_every_port_of_a_protocol() -> None:
    """Each destination has its own number for a name."""
    found = shop(
        egress=(rule(peer(ns=""), ports=["http", "/UDP", "1-65535/TCP"]), rule(peer("a=b"), ports=["web/SCTP"]))
    )
    side = of(found, "shop/db").egress

    assert ["every TCP port, every UDP port", "web/SCTP"] == [str(one.ports) for one in side.openings.pods]


def test_new_pods_without_labels_have_the_policies_of_their_namespace() -> None:
    """A namespace without a default deny leaves them open."""
    found = shop()

    assert [(("edge", "shop"), False)] == [
        (one.namespaces, one.ingress.openings.isolated) for one in exposures(found, ASK).new_pods
    ]
    denied = cluster(pod("x/a"), pod("y/a"), policy("x/deny", ingress=[]), policy("y/other", "app=z", ingress=[]))
    assert [(("y",), False), (("x",), True)] == [
        (one.namespaces, one.ingress.openings.isolated) for one in exposures(denied, ASK).new_pods
    ]


def test_a_side_that_an_unread_policy_could_change_names_it() -> None:
    """The other side stays certain."""
    subject = Subject(namespace="x", denies=frozenset(("ingress",)))
    found = cluster(pod("x/a"), unread("x/cilium", subject))
    one = of(found, "x/a")

    assert (["x/cilium"], []) == ([p.meta.key for p in one.ingress.unread], [p.meta.key for p in one.egress.unread])


def test_a_pod_that_no_policy_can_select_says_why() -> None:
    """Policies do not select host-network pods."""
    found = cluster(topology(["node-1"]), pod("x/a", host=True), policy("x/deny", ingress=[]))

    assert "network namespace" in of(found, "x/a").ingress.unenforced
    assert not of(found, "x/a").ingress.openings.isolated


# --- entry points -----------------------------------------------------------------------------------------------------


def service(kind: str, external: str = "Cluster", **more: object) -> Service:
    return Service(
        Meta("web", "shop"),
        pairs("app=db"),
        (ServicePort(80, "pg"),),
        type=kind,  # type: ignore[arg-type]
        external_traffic_policy=external,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


def with_service(one: Service, *rules: object, ports: tuple[str, ...] = ("pg=5432",)) -> Cluster:
    return cluster(
        topology(["node-1", "node-2"], mode="overlay"),
        namespace("shop"),
        pod("shop/db", "app=db", ports=ports, node="node-1"),
        one,
        policy("shop/db", "app=db", ingress=rules),  # type: ignore[arg-type]
    )


def entries_of(found: Cluster) -> dict[str, list[str]]:
    return {one.kind: one.admitted.words() for one in of(found, "shop/db").entry_points}


def test_a_node_port_is_an_entry_point_for_what_the_policy_admits() -> None:
    """The pod's own node shows it the client's address."""
    found = with_service(service("NodePort", "Local"), rule(peer(cidr="203.0.113.0/24")))

    assert {"nodePort": ["203.0.113.0/24"]} == entries_of(found)


def test_a_node_that_masquerades_lets_every_address_through_if_nodes_are_admitted() -> None:
    """Policy sees the address of the node that translated."""
    found = with_service(service("NodePort"), rule(peer(cidr="10.244.0.0/16"), peer(cidr="100.64.0.0/16")))

    assert {"nodePort": ["0.0.0.0/0"]} == entries_of(found)


def test_a_load_balancer_lets_its_source_ranges_through() -> None:
    """Its node port has no such ranges."""
    ranges = {"source_ranges": (ip_network("203.0.113.0/24"),)}
    found = with_service(service("LoadBalancer", "Local", **ranges), rule(peer(cidr="0.0.0.0/0")))

    assert {"nodePort": ["0.0.0.0/0"], "load balancer": ["203.0.113.0/24"]} == entries_of(found)


def test_a_cluster_ip_and_a_closed_pod_have_no_entry_point() -> None:
    """The service range is not routed outside of the nodes, and a policy closes the other pod."""
    assert {} == entries_of(with_service(service("ClusterIP"), rule(peer(cidr="0.0.0.0/0"))))
    assert {} == entries_of(with_service(service("NodePort", "Local"), rule(peer("app=web"))))


def test_a_host_port_and_a_routed_address_are_entry_points() -> None:
    """In mode routed, outside hosts have routes to pods."""
    found = cluster(
        topology(["node-1"], mode="routed"),
        pod("shop/db", "app=db", ports=["8080:80"]),
        policy("shop/db", "app=db", ingress=[rule(peer(cidr="0.0.0.0/0", but=["8.0.0.0/8"]), ports=["80"])]),
    )

    entries = of(found, "shop/db").entry_points
    assert ["pod address", "hostPort"] == [one.kind for one in entries]
    assert {"0.0.0.0/0 except 8.0.0.0/8"} == {", ".join(one.admitted.words()) for one in entries}


# --- brute force ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(samples(4)))
def test_a_group_has_one_exposure_for_all_its_pods(seed: int) -> None:
    """Every pod that may come has the same ingress verdict to all pods of a group, unless a port name differs."""
    base = some_cluster(Random(f"exposure-{seed}"), cluster_wide=False)  # noqa: S311  the same clusters every time
    with_new, pods, _ = with_hypothetical(base)
    for one in exposures(base, ASK).found:
        subjects = [p for p in one.pods if p.selectable and p.addresses]
        for other, (protocol, port) in product(pods[::5], ASKED):
            verdicts = {
                side.verdict
                for subject in subjects
                if (side := _ingress(with_new, other, subject, protocol, port)) is not None
            }

            assert len(verdicts) < 2


def _ingress(of_cluster: Cluster, other: Pod, subject: Pod, protocol: str, port: int | None) -> Side | None:
    return evaluate(of_cluster, Flow(other, subject, 4, protocol, port, subject.addresses[0])).ingress


@pytest.mark.parametrize("seed", range(samples(6)))
def test_entry_points_let_exactly_the_addresses_through_that_the_evaluator_allows(seed: int) -> None:
    """For the pods' own addresses and host ports; a pod without an entry point is closed to every outside address."""
    texts = ("8.8.8.8", "10.0.0.9", "10.245.0.77", "192.0.2.9", "192.0.2.10", "100.64.9.9", "203.0.113.7")
    for number in range(3):
        dice = Random(f"entries-{seed}-{number}")  # noqa: S311  the same clusters every time
        base = some_cluster(dice, cluster_wide=False)
        for one, text in product(exposures(base, ASK).found, texts):
            address = ip_address(text)
            host = base.by_address.get(address) or Host("new", (address,))
            if address not in outside_addresses(base) or not isinstance(host, Host):
                continue
            for subject in one.pods:
                asked: list[tuple[str, str, int, Pod | Node]] = []
                asked += [("pod address", port.protocol, port.port, subject) for port in subject.ports]
                asked += [
                    ("hostPort", port.protocol, port.host_port, base.node(subject.node))
                    for port in subject.ports
                    if port.host_port and subject.traits.attachment.published
                ]
                for kind, protocol, port_number, end in asked:
                    to = address_of(end, 4)
                    if to is None:
                        continue
                    decision = evaluate(base, Flow(host, end, 4, protocol, port_number, to))
                    key = (kind, protocol, port_number, 4)
                    entries = [e for e in one.entry_points if (e.kind, e.protocol, e.port, e.family) == key]

                    assert (decision.verdict == "allow") == any(address in e.admitted for e in entries)
                    assert (decision.verdict == "unknown") == any(address in e.unknown for e in entries)


# --- the other end ----------------------------------------------------------------------------------------------------


def test_namespaces_whose_own_egress_policies_stop_a_new_pod_are_named() -> None:
    """A new pod of another existing namespace, and of a new one, gets in."""
    found = cluster(
        *(namespace(name, "team=x") for name in ("closed", "dns", "open", "right")),
        namespace("shop"),
        pod("shop/db", "app=db", ports=["pg=5432"]),
        policy("shop/db", "app=db", ingress=[rule(peer("app=mon", "team=x"), ports=["pg"])]),
        policy("closed/deny", egress=[]),
        policy("dns/dns", egress=[rule(ports=["53/UDP"])]),
        policy("open/other", "app=other", egress=[]),
        policy("right/db", egress=[rule(peer("app=db", ""), ports=["pg"])]),
    )
    all_found = exposures(found, ASK)
    one = of(found, "shop/db")

    assert ["closed", "dns"] == all_found.stopped(one, one.ingress.openings.pods[0])


def test_a_new_pod_is_stopped_exactly_where_the_evaluator_denies_its_egress() -> None:
    """A pod with the fewest labels of each opening is added to each namespace and asked on the ports of the opening."""
    seen = [
        is_stopped
        for number in range(samples(200))
        for is_stopped in _compare_stopped(
            some_cluster(Random(f"stopped-{number}"), cluster_wide=False)  # noqa: S311  the same clusters
        )
    ]

    assert {True, False} == {*seen}


def _compare_stopped(base: Cluster) -> Iterator[bool]:
    """Compare the namespaces that stop a new pod with the evaluator; yield what it says about each."""
    example = next((one for one in base.pods if one.selectable and one.traits.attachment.enforced), None)
    if example is None or (4,) != base.families:
        return
    found = exposures(base, ASK)
    openings = [
        (one, opening) for one in found.found if one.ingress.openings.isolated for opening in one.ingress.openings.pods
    ]
    for one, opening in openings:
        stopped = found.stopped(one, opening)
        for space in found.namespaces_of(opening.peers.namespaces):
            labels = opening.peers.pods.example()
            new = replace(example, namespace=space, name="new", labels=labels, ports=(), workload="")
            with_new = replace(base, pods=(*base.pods, new))
            sides = [
                evaluate(with_new, Flow(new, to, 4, protocol, port, address_of(to, 4))).egress
                for to in one.pods
                for protocol, port in (*ASKED, *_ports_of(opening))
                if opening.ports.has(protocol, port) and address_of(to, 4) is not None
            ]
            judged = [side.verdict for side in sides if side is not None]
            if judged and len(judged) == len(sides):
                assert (space in stopped) == ("allow" not in judged)
                yield space in stopped


def _ports_of(opening: PodOpening) -> list[tuple[str, int]]:
    """Return the first port of each range of an opening."""
    return [(protocol, low) for protocol, ranges in opening.ports.ranges for low, _ in ranges]


def test_a_side_that_a_cluster_wide_policy_could_change_names_it() -> None:
    """Openings are those of NetworkPolicies alone; what only passes, or NetworkPolicy has settled, changes nothing."""
    deny = cluster_policy("deny", ingress=[cluster_rule("deny", cluster_peer("app=z"))])
    base = cluster_policy("base", pods_peer("app=db"), tier="Baseline", ingress=[cluster_rule("deny")])
    passes = cluster_policy("passes", ingress=[cluster_rule("pass")])
    things = [pod("x/db", "app=db"), pod("x/web", "app=web"), policy("x/db", "app=db", ingress=[rule()])]
    found = cluster(topology(), *things, deny, base, passes)

    assert [("deny",)] * 2 == [
        tuple(one.meta.name for one in of(found, ref).ingress.tiers) for ref in ("x/db", "x/web")
    ]
    assert not of(found, "x/web").ingress.unprotected
    assert () == of(cluster(topology(), *things, base, passes), "x/web").ingress.tiers
    assert () == of(cluster(topology(), *things, base, passes), "x/db").ingress.tiers


def test_an_unread_policy_that_could_change_nothing_is_not_named() -> None:
    """It could only allow what is open already, or deny what is closed already."""
    allowing = Subject(namespace="x", allows=frozenset(("ingress",)))
    denying = Subject(namespace="y", denies=frozenset(("ingress",)))
    found = cluster(
        pod("x/a"), pod("y/a"), policy("y/deny", ingress=[]), unread("x/u", allowing), unread("y/u", denying)
    )

    assert [(), ()] == [one.ingress.unread for one in exposures(found, ASK).found]


# --- settings ---------------------------------------------------------------------------------------------------------


def with_settings(**settings: object) -> Cluster:
    return cluster(
        replace(topology(["node-1", "node-2"]), policy=TopologyPolicy(**settings)),  # type: ignore[arg-type]
        pod("x/a", "app=a", node="node-1"),
        pod("x/agent", "app=agent", host=True, node="node-2"),
        policy("x/a", "app=a", ingress=[rule(peer("app=agent"), peer(cidr="10.0.0.0/8"))]),
    )


def test_a_setting_that_drops_sctp_closes_its_ports() -> None:
    """On both sides, isolated or not; a host-network pod is its node."""
    one = of(with_settings(sctp="drop"), "x/a")

    sides = (one.ingress.openings, one.egress.openings)
    ports = [opening.ports for side in sides for opening in side.pods]
    ports += [opening.ports for side in sides for opening in side.addresses]

    assert {"every TCP port, every UDP port, ICMP"} == {*map(str, ports)}


def test_icmp_is_open_where_no_policy_judges_it() -> None:
    """The other ports stay as the rules have them."""
    assert [
        "any pod in any namespace on ICMP",
        "any pod with app=agent in namespace x on every port, and not ICMP",
    ] == (pods_text(of(with_settings(icmp="allow"), "x/a")))


def test_selectors_match_nodes_by_their_pods_where_a_setting_says_so() -> None:
    """By default they match none."""
    for setting, nodes in (("ignore", []), ("match", ["node-2"])):
        found = with_settings(host_network_peers=setting)

        assert nodes == nodes_matched(found, of(found, "x/a").ingress.openings.pods[0].peers)


def test_ip_blocks_admit_no_pod_where_a_setting_says_so() -> None:
    """The range stays one of the outside."""
    found = with_settings(ip_block_pods="ignore")
    side = of(found, "x/a").ingress

    assert ("new pods", (), ()) == (side.level(found), side.pods_by_address(found), side.some_by_address(found))
    assert 1 == len(side.outside(found))


@pytest.mark.parametrize("settings", [{"enforcement": "none"}, {"directions": "ingress-only"}], ids=str)
def test_a_side_that_policies_do_not_judge_is_open(settings: dict[str, str]) -> None:
    """With the setting as the reason."""
    name, value = next(iter(settings.items()))

    assert f"({name}: {value})" in of(with_settings(**settings), "x/a").egress.unenforced
