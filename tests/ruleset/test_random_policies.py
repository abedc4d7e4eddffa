"""The compiled text against a plain reading of the rules, pair by pair, on policies drawn at random."""

from ipaddress import ip_address

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netlab.ruleset import compile_rulesets
from netlab.testing.tracer import Packet, Tracer

OUTSIDE = ("10.244.0.200", "192.0.2.10", "0.0.0.0", "255.255.255.255")  # noqa: S104
PROBES = [("TCP", 80), ("TCP", 81), ("TCP", 8080), ("UDP", 80), ("UDP", 53), ("SCTP", 80), ("ICMP", None)]


def worlds(b):
    """A strategy of clusters: two namespaces, up to six pods, up to four policies of every shape of rule."""
    prefixes = ["0.0.0.0/0", "10.244.0.0/24", "10.244.0.0/29", "10.244.0.2/31", "10.244.0.4/32", "128.0.0.0/1"]
    blocks = [b.block(p, *e) for p in prefixes for e in ([], [q for q in prefixes[1:] if is_inside(q, p)][:2])]
    words = st.sampled_from([(), ("app=p",), ("app=q",), ("app notin (p)",), ("app",), ("!app",)])
    peers = st.one_of(
        st.sampled_from(blocks),
        st.builds(lambda w: b.pods(*w), words),
        st.builds(lambda n, w: b.namespaces(*n, pods=w), st.sampled_from([(), ("team=1",)]), st.none() | words),
    )
    protocol = st.sampled_from(["TCP", "UDP", "SCTP"])
    ports = st.one_of(
        st.builds(b.port, st.sampled_from([80, 81, 53, "web", "dns", None]), protocol),
        st.builds(b.port, st.sampled_from([1, 80, 81]), protocol, st.sampled_from([81, 82, 65535])),
    )
    rules = st.lists(
        st.builds(lambda p, q: b.rule(*p, *q), st.lists(peers, max_size=2), st.lists(ports, max_size=2)), max_size=2
    )
    policies = st.lists(
        st.builds(
            lambda ns, w, i, e: (ns, w, i, e), st.sampled_from("xy"), words, st.none() | rules, st.none() | rules
        ),
        max_size=4,
    )
    declared = st.sampled_from(["", "web=80/TCP", "web=81/TCP dns=53/UDP", "dns=80/UDP web=8080/TCP web=80/TCP"])
    members = st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from(["", "app=p", "app=q"]), declared), max_size=6)
    return st.builds(
        lambda m, p: b.cluster(
            [b.pod(f"{ns}/{i}", f"10.244.0.{i}", labels=lab, ports=d) for i, (ns, lab, d) in enumerate(m, start=1)],
            [b.policy(f"{ns}/p{i}", *w, ingress=ing, egress=eg) for i, (ns, w, ing, eg) in enumerate(p)],
            namespaces={"x": {"team": "1"}},
        ),
        members,
        policies,
    )


def is_inside(one, other):
    from ipaddress import ip_network

    return one != other and ip_network(one).subnet_of(ip_network(other))


def side_allows(cluster, direction, subject, peer, destination, protocol, port):
    """Read one side of a flow as the Kubernetes API reference words it; pods are by address."""
    pods = {str(p.addresses[0]): p for p in cluster.pods}
    pod, other, target = pods.get(subject), pods.get(peer), pods.get(destination)

    def peer_matches(item, namespace):
        if item.ip_block:
            return item.ip_block.contains(ip_address(peer))
        if other is None:
            return False
        in_namespace = (
            other.namespace == namespace
            if item.namespace_selector is None
            else item.namespace_selector.matches(cluster.namespaces[other.namespace])
        )
        return in_namespace and (item.pod_selector is None or item.pod_selector.matches(other.labels))

    def port_matches(item):
        if item.protocol != protocol:
            return False
        if isinstance(item.port, str):
            named = [p.port for p in (target.ports if target else ()) if (p.name, p.protocol) == (item.port, protocol)]
            return named[:1] == [port]
        return item.port is None or item.port <= port <= (item.end_port or item.port)

    if pod is None:
        return True
    isolating = [
        p
        for p in cluster.policies
        if direction in p.policy_types and p.meta.namespace == pod.namespace and p.pod_selector.matches(pod.labels)
    ]
    return not isolating or any(
        (not rule.peers or any(peer_matches(item, policy.meta.namespace) for item in rule.peers))
        and (not rule.ports or any(map(port_matches, rule.ports)))
        for policy in isolating
        for rule in (policy.ingress if direction == "ingress" else policy.egress)
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_text_says_what_the_rules_say(build, data):
    """Every pair, protocol and port gets the verdict of a plain reading of the rules."""
    cluster = data.draw(worlds(build))
    tracer = Tracer(compile_rulesets(cluster)["node-1"])
    own = [str(p.addresses[0]) for p in cluster.pods]
    wrong = [
        (source, destination, *probe)
        for source in (*own, *OUTSIDE)
        for destination in (*own, *OUTSIDE)
        if source != destination and (source in own or destination in own)
        for probe in PROBES
        if (tracer.verdict(Packet(source, destination, *probe)).verdict == "accept")
        != (
            side_allows(cluster, "egress", source, destination, destination, *probe)
            and side_allows(cluster, "ingress", destination, source, destination, *probe)
        )
    ]

    assert [] == wrong
