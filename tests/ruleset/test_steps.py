"""Step by step: what a compiler makes of a cluster does not depend on those that it saw before."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netlab.objects.types import TopologyPolicy
from netlab.ruleset import Compiler, Port, compile_rulesets, difference
from netlab.ruleset import numbers as numbering

NODES = ("node-1", "node-2")


def port_of(pod):
    """A link's end that is the pod's own."""
    return Port(f"veth-{pod.namespace}{pod.name}", f"02:00:00:00:00:{int(pod.name) + 8 * (pod.namespace == 'y'):02x}")


def histories(b):
    """A strategy of clusters, each made of parts that others of the same history are made of too."""
    peers = st.sampled_from(
        [
            b.pods(),
            b.pods("app=p"),
            b.pods("app notin p"),
            b.namespaces("team=1"),
            b.namespaces(pods=("app=q",)),
            b.block("10.244.0.0/29", "10.244.0.2/31"),
            b.block("10.244.0.0/16"),
            b.block("192.0.2.0/24"),
        ]
    )
    ports = st.sampled_from(
        [b.port(80), b.port("web"), b.port("dns", "UDP"), b.port(1, "TCP", 80), b.port(80, "TCP", 90)]
    )
    rules = st.lists(
        st.builds(lambda p, q: b.rule(*p, *q), st.lists(peers, max_size=2), st.lists(ports, max_size=2)), max_size=2
    )
    words = st.sampled_from([(), ("app=p",), ("app",)])
    policies = st.dictionaries(
        st.sampled_from(["x/1", "x/2", "y/1"]), st.tuples(words, st.none() | rules, st.none() | rules), max_size=3
    )
    labels = st.sampled_from(["", "app=p", "app=q"])
    declared = st.sampled_from(["", "web=80/TCP", "web=81/TCP dns=53/UDP"])
    kind = st.sampled_from(["network", "network", "network", "host", "none"])
    members = st.dictionaries(
        st.tuples(st.sampled_from("xy"), st.integers(1, 4)), st.tuples(labels, declared, st.sampled_from(NODES), kind)
    )

    def world(mode, found, written, team):
        return b.cluster(
            [
                b.pod(
                    f"{ns}/{n}",
                    *(
                        []
                        if kind == "none"
                        else [f"100.64.0.{node[-1]}" if kind == "host" else f"10.244.0.{n + 8 * (ns == 'y')}"]
                    ),
                    labels=labels,
                    ports=declared,
                    node=node,
                    attachment=mode if kind == "network" else kind,
                )
                for (ns, n), (labels, declared, node, kind) in found.items()
            ],
            [b.policy(key, *w, ingress=i, egress=e) for key, (w, i, e) in written.items()],
            nodes=NODES,
            namespaces={"x": {"team": team}},
            mode=mode,
        )

    clusters = st.tuples(members, policies, st.sampled_from("12"))
    return st.sampled_from(["bridge", "overlay", "routed"]).flatmap(
        lambda mode: st.lists(clusters.map(lambda parts: world(mode, *parts)), min_size=2, max_size=5)
    )


def shape(rulesets):
    """All of rulesets but for comments, which may be older than their element's neighbours."""
    return {
        node: (r.tables, {name: {k: e.value for k, e in of.items()} for name, of in r.elements.items()}, r.notes)
        for node, r in rulesets.items()
    }


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.parametrize(
    "choices", [TopologyPolicy(), TopologyPolicy(ip_block_pods="ignore", host_network_peers="match")]
)
def test_rulesets_do_not_depend_on_history(build, choices, data):
    """Pods, policies and namespaces come, change and go: at every step all is as if compiled from nothing."""
    compiler = Compiler(port_of)
    for cluster in data.draw(histories(build)):
        wanted = replace(cluster, policy=choices)

        assert shape(Compiler(port_of).compile(wanted)) == shape(compiler.compile(wanted))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_rulesets_that_were_given_out_stay_as_they_were(build, data):
    """A later step changes nothing of what an earlier one returned."""
    compiler = Compiler(port_of)
    given_out = [(cluster, compiler.compile(cluster)) for cluster in data.draw(histories(build))]

    for cluster, rulesets in given_out:
        assert shape(Compiler(port_of).compile(cluster)) == shape(rulesets)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_numbers_that_clash_do_not_depend_on_history_either(build, data):
    """With three bits for all identities and classes most clash, and who gives way depends on who is there."""
    with pytest.MonkeyPatch.context() as patch:
        real = numbering._hash
        patch.setattr(numbering, "_hash", lambda text, salt, bits: real(text, salt, bits) & 63)
        compiler = Compiler(port_of)
        for cluster in data.draw(histories(build)):
            assert shape(Compiler(port_of).compile(cluster)) == shape(compiler.compile(cluster))


def test_a_node_that_a_change_does_not_touch_keeps_its_ruleset(build):
    """The very same value, so that nothing of it needs to be compared."""
    members = [build.pod(f"x/{n}", f"10.244.0.{n}", labels="app=p", node=NODES[n % 2]) for n in (2, 3, 4)]
    policies = [build.policy("x/deny", ingress=[]), build.policy("x/q", "app=q", ingress=[build.rule(build.pods())])]
    compiler = Compiler(port_of)
    before = compiler.compile(build.cluster(members, policies, nodes=NODES))
    after = compiler.compile(
        build.cluster([*members[:2], replace(members[2], labels={"app": "q"})], policies, nodes=NODES)
    )

    assert before["node-2"] is after["node-2"]
    assert 2 == difference(before["node-1"], after["node-1"]).elements


def test_a_compiler_goes_on_after_an_error(build):
    """A pod whose port is not known stops one step, and the next one is whole."""
    compiler = Compiler(lambda pod: {"1": Port("veth1", "02:00:00:00:00:01")}[pod.name])
    good = build.cluster([build.pod("x/1", "10.244.0.1")], [build.policy("x/p", ingress=[])])
    compiler.compile(good)
    with pytest.raises(KeyError):
        compiler.compile(build.cluster([build.pod("x/2", "10.244.0.2")], []))

    assert shape(compile_rulesets(good, {"x/1": Port("veth1", "02:00:00:00:00:01")})) == shape(compiler.compile(good))
