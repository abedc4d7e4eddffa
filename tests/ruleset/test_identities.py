"""Identities: which addresses share one."""

from ipaddress import ip_address

from netlab.ruleset import compile_rulesets
from netlab.ruleset.cluster_change import cluster_change
from netlab.ruleset.identities import Identities


def identify(cluster):
    """Return the identities of a cluster."""
    found = Identities(cluster.families, blocks_match_pods=True, host_pods_are_peers=False)
    found.update(cluster_change(None, cluster))
    return found


def marks_of(cluster):
    """Return the mark of every pod's address; None if no peer matches it."""
    found = identify(cluster)
    return {
        ref: found.number(signature) if signature else None
        for ref, signatures in found.of.items()
        for signature in signatures.values()
    }


def test_pods_that_the_same_peers_match_share_an_identity(build):
    """Labels that no selector reads do not count."""
    members = [
        build.pod("shop/a", "10.244.0.1", labels="app=web version=1"),
        build.pod("shop/b", "10.244.0.2", labels="app=web version=2"),
        build.pod("shop/c", "10.244.0.3", labels="app=db"),
    ]
    marks = marks_of(
        build.cluster(members, [build.policy("shop/p", ingress=[build.rule(build.pods("app=web"), build.pods())])])
    )

    assert marks["shop/a"] == marks["shop/b"]
    assert marks["shop/a"] != marks["shop/c"]


def test_a_pod_selector_without_namespace_selector_matches_the_policys_namespace(build):
    """The same podSelector in another namespace is another peer."""
    members = [build.pod("x/a", "10.244.0.1", labels="app=web"), build.pod("y/a", "10.244.0.2", labels="app=web")]
    marks = marks_of(build.cluster(members, [build.policy("x/p", ingress=[build.rule(build.pods("app=web"))])]))

    assert marks["x/a"] is not None
    assert marks["y/a"] is None


def test_rules_of_a_direction_that_does_not_count_make_no_identity(build):
    """Peers in egress rules do not count if the policy isolates for ingress only."""
    policy = build.policy("x/p", ingress=[])
    unused = type(policy)(policy.meta, policy.pod_selector, policy.policy_types, (), (build.rule(build.pods()),))

    assert {"x/a": None} == marks_of(build.cluster([build.pod("x/a", "10.244.0.1")], [unused]))


def test_ip_block_is_part_of_a_pods_identity(build):
    """An ipBlock matches pod addresses too, less its excepts."""
    members = [build.pod("x/a", "10.244.0.1"), build.pod("x/b", "10.244.0.2"), build.pod("x/c", "10.244.9.9")]
    peer = build.block("10.244.0.0/24", "10.244.0.2/32")
    found = identify(build.cluster(members, [build.policy("x/p", egress=[build.rule(peer)])]))

    assert {"10.244.0.0/24 except 10.244.0.2/32"} == found.of["x/a"][ip_address("10.244.0.1")]
    assert set() == found.of["x/b"][ip_address("10.244.0.2")]
    assert set() == found.of["x/c"][ip_address("10.244.9.9")]


def test_named_port_in_an_egress_rule_tells_pods_apart_by_its_number(build):
    """The same labels but another number behind the name are another identity; ingress rules need none."""
    members = [
        build.pod("x/a", "10.244.0.1", ports="http=80/TCP"),
        build.pod("x/b", "10.244.0.2", ports="http=8080/TCP"),
        build.pod("x/c", "10.244.0.3", ports="http=80/UDP"),
    ]
    egress = marks_of(build.cluster(members, [build.policy("x/p", egress=[build.rule(build.port("http"))])]))
    ingress = marks_of(build.cluster(members, [build.policy("x/p", ingress=[build.rule(build.port("http"))])]))

    assert None not in (egress["x/a"], egress["x/b"])
    assert egress["x/a"] != egress["x/b"]
    assert egress["x/c"] is None
    assert {None} == set(ingress.values())


def test_first_container_port_of_a_name_counts(build):
    """Two containers with one port name: the first one's number stands, as for Services."""
    member = build.pod("x/a", "10.244.0.1", ports="http=80/TCP http=8080/TCP")
    found = identify(build.cluster([member], [build.policy("x/p", egress=[build.rule(build.port("http"))])]))

    assert {("http", "TCP", 80)} == found.of["x/a"][ip_address("10.244.0.1")]


def test_host_network_pods_have_no_identity(build):
    """Their address is the node's, and selectors do not match them."""
    members = [build.pod("x/a", "100.64.0.1", attachment="host"), build.pod("x/none", attachment="none")]

    assert {} == marks_of(build.cluster(members, [build.policy("x/p", ingress=[build.rule(build.pods())])]))


def test_a_new_pod_does_not_change_the_identities_of_others(build):
    """Whether another pod has its labels or not."""
    members = [build.pod("x/a", "10.244.0.1", labels="app=a"), build.pod("x/b", "10.244.0.2", labels="app=b")]
    policies = [build.policy("x/p", ingress=[build.rule(build.pods("app=a"), build.pods("app"))])]
    before = marks_of(build.cluster(members[:1], policies))
    after = marks_of(build.cluster(members, policies))

    assert before["x/a"] == after["x/a"]


def test_a_node_has_no_identities_of_bridge_pods_on_other_nodes(build):
    """Each node's bridge network is its own and may repeat addresses, so an address is that of the node's own pod."""
    members = [build.pod("x/a", "10.244.0.2", node="node-1"), build.pod("x/b", "10.244.0.2", node="node-2")]
    cluster = build.cluster(
        members, [build.policy("x/p", ingress=[build.rule(build.pods())])], nodes=("node-1", "node-2", "node-3")
    )
    met = {
        node: [str(key[0]) for key in rules.elements.get("id4", {})]
        for node, rules in compile_rulesets(cluster).items()
    }
    names = {
        node: [e.comment for e in rules.elements["id4"].values()]
        for node, rules in compile_rulesets(cluster).items()
        if met[node]
    }

    assert {"node-1": ["10.244.0.2"], "node-2": ["10.244.0.2"], "node-3": []} == met
    assert {"node-1": ["x/a"], "node-2": ["x/b"]} == names


def test_every_node_has_the_identities_of_overlay_pods(build):
    """Nodes of a cluster without bridge networks share one address space."""
    members = [build.pod("x/a", "10.244.0.2", node="node-1", attachment="overlay")]
    policy = build.policy("x/p", ingress=[build.rule(build.pods())])
    one, two = compile_rulesets(build.cluster(members, [policy], nodes=("node-1", "node-2"), mode="overlay")).values()

    assert ["10.244.0.2"] == [str(key[0]) for key in one.elements["id4"]]
    assert one.elements["id4"] is two.elements["id4"]
