"""The elements that each form of a policy's rule becomes, and their sets."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from netlab.ruleset import Port, compile_rulesets

GOLDEN = Path(__file__).parent / "shop.nft"


@pytest.fixture(scope="module")
def shop(build):
    """Return three pods: db allows web on some ports and an ipBlock on all; web allows every ingress."""
    members = [
        build.pod("shop/web", "10.244.0.2", labels="app=web"),
        build.pod("shop/db", "10.244.0.3", labels="app=db"),
        build.pod("ops/monitor", "10.244.0.4"),
    ]
    web, outside = build.pods("app=web"), build.block("192.0.2.0/24", "192.0.2.128/25")
    policies = [
        build.policy(
            "shop/db",
            "app=db",
            ingress=[build.rule(web, build.port(5432), build.port(6000, "UDP", 6100)), build.rule(outside)],
        ),
        build.policy("shop/web", "app=web", ingress=[build.rule()], egress=[build.rule(build.port(53, "UDP"))]),
    ]
    return build.cluster(members, policies)


def short(ruleset):
    """Return a ruleset's elements; identities and classes have the name of their first pod or ipBlock."""
    marks = {e.value[0]: e.comment for n in ("cidr4", "id4") for e in reversed(ruleset.elements.get(n, {}).values())}
    of = [e for n in ("in4", "eg4") for e in ruleset.elements.get(n, {}).values()]
    classes = {e.value[0]: e.comment.split()[0] for e in reversed(of)}
    return {
        name: sorted(" . ".join(str(marks.get(part, classes.get(part, part))) for part in key) for key in elements)
        for name, elements in ruleset.elements.items()
        if name.startswith(("in_", "eg_"))
    }


def test_text_of_a_small_cluster(shop):
    """The whole text equals the file shop.nft."""
    ports = {
        "shop/web": Port("veth1", "02:00:00:00:00:01"),
        "shop/db": Port("veth2", "02:00:00:00:00:02"),
        "ops/monitor": Port("veth3", "02:00:00:00:00:03"),
    }

    assert GOLDEN.read_text() == compile_rulesets(shop, ports)["node-1"].text()


def test_without_policies_only_masquerade_has_elements(build):
    """No pod is isolated, so no address needs an identity."""
    ruleset = compile_rulesets(build.cluster([build.pod("x/a", "10.244.0.1")], []))["node-1"]

    assert ["masq4"] == list(ruleset.elements)


LAYOUT = [
    pytest.param([("peer",)], {"in_l3": ["x/a . x/b"]}, id="peer without ports: every protocol"),
    pytest.param([("port", 80)], {"in_l4": ["x/a . tcp . 80"]}, id="port without peers: anywhere"),
    pytest.param([("peer",), ("port", 80)], {"in_l3l4": ["x/a . x/b . tcp . 80"]}, id="peer and port"),
    pytest.param(
        [("peer",), ("port", 80, "UDP", 82)],
        {"in_slow": ["x/a"], "in_l3l4_ranges": ["x/a . x/b . udp . 80-82"]},
        id="peer and range",
    ),
    pytest.param(
        [("port", 80, "UDP", 82)],
        {"in_slow": ["x/a"], "in_l4_ranges": ["x/a . udp . 80-82"]},
        id="range anywhere",
    ),
    pytest.param([("port", 80, "TCP", 80)], {"in_l4": ["x/a . tcp . 80"]}, id="range of one port"),
    pytest.param(
        [("port", None, "SCTP")],
        {"in_slow": ["x/a"], "in_l4_ranges": ["x/a . sctp . 0-65535"]},
        id="protocol without port",
    ),
    pytest.param(
        [("port", 80, "TCP", 90), ("port", 85, "TCP", 95), ("port", 96, "TCP", 97), ("port", 99, "TCP", 100)],
        {"in_slow": ["x/a"], "in_l4_ranges": ["x/a . tcp . 80-97", "x/a . tcp . 99-100"]},
        id="ranges that overlap or touch are one",
    ),
    pytest.param(
        [("port", 80, "TCP", 99), ("port", 85, "TCP", 86), ("port", 80, "UDP", 90)],
        {"in_slow": ["x/a"], "in_l4_ranges": ["x/a . tcp . 80-99", "x/a . udp . 80-90"]},
        id="a range inside of another, and one of another protocol",
    ),
    pytest.param([("port", "http")], {"in_l4": ["x/a . tcp . 8080"]}, id="named port, resolved on the pod itself"),
    pytest.param([("port", "http", "UDP")], {}, id="named port of another protocol"),
    pytest.param([("port", "undefined")], {}, id="named port that no pod defines"),
    pytest.param([("nothing",), ("port", 80)], {}, id="peer that matches nothing"),
]


@pytest.mark.parametrize(("items", "expected"), LAYOUT)
def test_ingress_rule(build, items, expected):
    """Every form of an ingress rule has its set."""
    made = {"peer": build.pods("app=b"), "nothing": build.pods("app=nothing")}
    rule = build.rule(*(build.port(*i[1:]) if i[0] == "port" else made[i[0]] for i in items))
    members = [
        build.pod("x/a", "10.244.0.1", labels="app=a", ports="http=8080/TCP"),
        build.pod("x/b", "10.244.0.2", labels="app=b"),
    ]
    ruleset = compile_rulesets(build.cluster(members, [build.policy("x/p", "app=a", ingress=[rule])]))["node-1"]

    assert expected == short(ruleset)
    assert ["10.244.0.1"] == [str(key[0]) for key in ruleset.elements["in4"]]


def test_named_port_in_egress_is_resolved_on_each_destination(build):
    """A rule without peers matches every pod that defines the name, on the pod's own number."""
    members = [
        build.pod("x/a", "10.244.0.1"),
        build.pod("x/b", "10.244.0.2", ports="http=80/TCP"),
        build.pod("y/c", "10.244.0.3", ports="http=8080/TCP"),
        build.pod("y/d", "10.244.0.4", ports="http=8080/UDP"),
    ]
    policy = build.policy("x/p", egress=[build.rule(build.port("http"))])
    ruleset = compile_rulesets(build.cluster(members, [policy]))["node-1"]

    assert {"eg_l3l4": ["x/a . x/b . tcp . 80", "x/a . y/c . tcp . 8080"]} == short(ruleset)


def test_named_port_with_an_ip_block_matches_pods_only(build):
    """An address that is not a pod's has no named ports."""
    members = [build.pod("x/a", "10.244.0.1"), build.pod("y/b", "10.244.0.2", ports="http=80/TCP")]
    policy = build.policy("x/p", egress=[build.rule(build.block("0.0.0.0/0"), build.port("http"))])
    ruleset = compile_rulesets(build.cluster(members, [policy]))["node-1"]

    assert {"eg_l3l4": ["x/a . y/b . tcp . 80"]} == short(ruleset)
    assert ["0.0.0.0/0"] == [str(key[0]) for key in ruleset.elements["cidr4"]]


def test_peer_of_two_identities_is_two_entries(build):
    """If another selector divides the pods of a peer, each part has an identity and an entry."""
    members = [build.pod(f"x/{n}", f"10.244.0.{i}", labels=f"app={n}") for i, n in enumerate("abc", start=1)]
    policy = build.policy("x/p", "app=a", ingress=[build.rule(build.pods("app notin (a)"), build.pods("app=b"))])
    ruleset = compile_rulesets(build.cluster(members, [policy]))["node-1"]

    assert {"in_l3": ["x/a . x/b", "x/a . x/c"]} == short(ruleset)


def test_only_local_pods_have_classes_and_allows(build):
    """A node has the identities of all pods that it can meet, and the policies of its own pods only."""
    members = [
        build.pod("x/a", "10.244.0.1", attachment="overlay", node="node-1"),
        build.pod("x/b", "10.244.1.1", attachment="overlay", node="node-2"),
    ]
    policy = build.policy("x/p", ingress=[build.rule(build.pods(), build.port(80))])
    rulesets = compile_rulesets(build.cluster(members, [policy], nodes=("node-1", "node-2", "node-3"), mode="overlay"))

    assert rulesets["node-1"].elements["id4"] == rulesets["node-3"].elements["id4"]
    assert ["10.244.0.1"] == [str(key[0]) for key in rulesets["node-1"].elements["in4"]]
    assert ["10.244.1.1"] == [str(key[0]) for key in rulesets["node-2"].elements["in4"]]
    assert ["id4", "masq4"] == list(rulesets["node-3"].elements)
    assert rulesets["node-1"].elements["in_l3l4"].keys() == rulesets["node-2"].elements["in_l3l4"].keys()


@pytest.mark.parametrize(("mode", "masqueraded"), [("bridge", True), ("overlay", True), ("routed", False)])
def test_masquerade(build, mode, masqueraded):
    """Packets of bridge and overlay networks get the node's address, those of routed networks keep their own."""
    ruleset = compile_rulesets(build.cluster([], [], mode=mode))["node-1"]

    assert masqueraded == ((ip_network("10.244.0.0/16"),) in ruleset.elements.get("masq4", {}))


def test_a_comment_names_pods_that_a_policy_opens(shop):
    """The text says why a pod that a policy selects has no class."""
    text = compile_rulesets(shop)["node-1"].text()

    assert "# shop/web is left out: shop/web allows everything from anywhere" in text


def test_dual_stack_has_its_own_maps_and_shares_the_allows(build):
    """Policies apply to both addresses of a pod, as subject and as peer; an ipBlock has one family."""
    members = [
        build.pod("x/a", "10.244.0.1", "fd00:10:244::1", labels="app=a"),
        build.pod("x/b", "10.244.0.2", "fd00:10:244::2", labels="app=b"),
    ]
    rules = [build.rule(build.pods("app=b")), build.rule(build.block("::/0"), build.port(80))]
    cluster = build.cluster(
        members, [build.policy("x/p", "app=a", ingress=rules)], cidrs=("10.244.0.0/16", "fd00:10:244::/56")
    )
    elements = compile_rulesets(cluster)["node-1"].elements

    assert ["::/0"] == [str(key[0]) for key in elements["cidr6"]]
    assert ["fd00:10:244::1"] == [str(key[0]) for key in elements["in6"]]
    assert "cidr4" not in elements
    assert 2 == len(elements["in_l3"])


def test_blocks_of_a_family_that_the_cluster_lacks_have_no_elements(build):
    """In an IPv4 lab no packet can match an IPv6 ipBlock."""
    policy = build.policy("x/p", ingress=[build.rule(build.block("::/0"))])
    ruleset = compile_rulesets(build.cluster([build.pod("x/a", "10.244.0.1")], [policy]))["node-1"]

    assert {} == short(ruleset)
    assert "ip6" not in ruleset.text()
