"""A change may take effect between any two lookups of a packet."""

from itertools import pairwise, permutations

from histories import NODES, histories
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mid_change import verdicts_during_change
from sizes import samples

from netlab.ruleset import Compiler
from netlab.testing.tracer import Packet


@settings(max_examples=samples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_packet_that_both_rulesets_allow_is_never_denied_during_the_change(build, data):
    """Whichever lookup the change precedes."""
    compiler = Compiler()
    clusters = data.draw(histories(build))
    compiled = [compiler.compile(cluster) for cluster in clusters]
    for (cluster, before), (later, after) in pairwise(zip(clusters, compiled, strict=True)):
        stay = [pod for pod in cluster.pods if pod.addresses and pod.ref in later.by_ref]
        for node in NODES:
            if before[node].tables != after[node].tables or before[node].elements == after[node].elements:
                continue
            for source, destination in permutations([p.addresses[0] for p in stay], 2):
                earliest, *between, latest = verdicts_during_change(
                    before[node], after[node], Packet(source, destination, "TCP", 80)
                )
                if earliest == latest == "accept":
                    assert {"accept"} >= {*between}
