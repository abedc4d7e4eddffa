"""A packet looks one thing up after the other, and a change may come into force between any two of these look-ups."""

from itertools import pairwise, permutations

from histories import NODES, histories
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mid_change import verdicts_during_change

from netlab.ruleset import Compiler
from netlab.testing.tracer import Packet


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_allowed_before_and_after_a_change_is_never_denied(build, data):
    """Wherever on its way the change meets a packet."""
    compiler = Compiler()
    clusters = data.draw(histories(build))
    compiled = [compiler.compile(cluster) for cluster in clusters]
    for (cluster, before), (later, after) in pairwise(zip(clusters, compiled, strict=True)):
        stay = [pod for pod in cluster.pods if pod.addresses and pod.ref in later.by_ref]
        for node in NODES:
            if before[node].tables != after[node].tables or before[node].elements == after[node].elements:
                continue
            for source, destination in permutations([p.addresses[0] for p in stay], 2):
                last, *torn, first = verdicts_during_change(
                    before[node], after[node], Packet(source, destination, "TCP", 80)
                )
                if first == last == "accept":
                    assert {"accept"} >= {*torn}
