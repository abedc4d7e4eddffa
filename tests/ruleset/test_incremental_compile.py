"""A compiler goes from cluster to cluster; the ruleset of a cluster does not depend on the clusters before it."""

from dataclasses import replace

import pytest
from histories import NODES, histories, port_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sizes import samples

from netlab.objects.topology import TopologyPolicy
from netlab.ruleset import Compiler, Port, compile_rulesets, difference
from netlab.ruleset import numbers as numbering


def shape(rulesets):
    """Return the content of rulesets without comments, which may be older."""
    return {
        node: (r.tables, {name: {k: e.value for k, e in of.items()} for name, of in r.elements.items()}, r.notes)
        for node, r in rulesets.items()
    }


@settings(max_examples=samples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.parametrize(
    "choices", [TopologyPolicy(), TopologyPolicy(ip_block_pods="ignore", host_network_peers="match")]
)
def test_rulesets_do_not_depend_on_history(build, choices, data):
    """After every change of pods, policies and namespaces, rulesets equal those of a new compiler."""
    compiler = Compiler(port_of)
    for cluster in data.draw(histories(build)):
        wanted = replace(cluster, policy=choices)

        assert shape(Compiler(port_of).compile(wanted)) == shape(compiler.compile(wanted))


@settings(max_examples=samples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_returned_ruleset_does_not_change(build, data):
    """Later compiles copy what they change."""
    compiler = Compiler(port_of)
    returned = [(cluster, compiler.compile(cluster)) for cluster in data.draw(histories(build))]

    for cluster, rulesets in returned:
        assert shape(Compiler(port_of).compile(cluster)) == shape(rulesets)


@settings(max_examples=samples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_numbers_with_equal_hashes_do_not_depend_on_history(build, data):
    """With six bits for identities and classes many hashes are equal; the numbers then depend on all texts present."""
    with pytest.MonkeyPatch.context() as patch:
        real = numbering._hash
        patch.setattr(numbering, "_hash", lambda text, salt, bits: real(text, salt, bits) & 63)
        compiler = Compiler(port_of)
        for cluster in data.draw(histories(build)):
            assert shape(Compiler(port_of).compile(cluster)) == shape(compiler.compile(cluster))


def test_a_node_that_a_change_does_not_touch_keeps_its_ruleset(build):
    """It is the same object, so nothing needs to be compared."""
    members = [build.pod(f"x/{n}", f"10.244.0.{n}", labels="app=p", node=NODES[n % 2]) for n in (2, 3, 4)]
    policies = [build.policy("x/deny", ingress=[]), build.policy("x/q", "app=q", ingress=[build.rule(build.pods())])]
    compiler = Compiler(port_of)
    before = compiler.compile(build.cluster(members, policies, nodes=NODES))
    after = compiler.compile(
        build.cluster([*members[:2], replace(members[2], labels={"app": "q"})], policies, nodes=NODES)
    )

    assert before["node-2"] is after["node-2"]
    assert 2 == difference(before["node-1"], after["node-1"]).elements


@pytest.mark.parametrize("order", [(1, -1), (-1, 1)])
def test_two_pods_swap_their_addresses(build, order):
    """Each keeps its class and its identity, in whichever order the pods come."""

    def members(first, second):
        return [
            build.pod("x/2", f"10.244.0.{first}", labels="app=p", node=NODES[0]),
            build.pod("x/3", f"10.244.0.{second}", labels="app=q", node=NODES[0]),
        ][:: order[0]]

    policies = [
        build.policy("x/p", "app=p", ingress=[build.rule(build.pods("app=q"))], egress=[]),
        build.policy("x/q", "app=q", ingress=[]),
    ]
    compiler = Compiler(port_of)
    compiler.compile(build.cluster(members(2, 3), policies, nodes=NODES))
    after = build.cluster(members(3, 2), policies, nodes=NODES)

    assert shape(Compiler(port_of).compile(after)) == shape(compiler.compile(after))


def test_a_compile_after_an_error_is_complete(build):
    """A pod without a known port makes one compile fail; the next one starts anew."""
    compiler = Compiler(lambda pod: {"1": Port("veth1", "02:00:00:00:00:01")}[pod.name])
    good = build.cluster([build.pod("x/1", "10.244.0.1")], [build.policy("x/p", ingress=[])])
    compiler.compile(good)
    with pytest.raises(KeyError):
        compiler.compile(build.cluster([build.pod("x/2", "10.244.0.2")], []))

    assert shape(compile_rulesets(good, {"x/1": Port("veth1", "02:00:00:00:00:01")})) == shape(compiler.compile(good))
