"""Sets of ports: what two lists of ports have in common on a destination, and what one lacks of another."""

from __future__ import annotations

import pytest
from builders import cluster, pod

from netlab.objects.policies import PolicyPort
from netlab.policy.port_sets import ports_of

POD = cluster(pod("x/a", ports=["http=80"])).pods[0]
SOME = {
    "all": (),
    "range": (PolicyPort("TCP", 80, 90),),
    "last": (PolicyPort("TCP", 90),),
    "udp": (PolicyPort("UDP"),),
    "http": (PolicyPort("TCP", "http"),),
    "no such name": (PolicyPort("TCP", "no"),),
}


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("range", "last", True),
        ("all", "udp", True),
        ("all", "all", True),
        ("range", "http", True),
        ("range", "udp", False),
        ("no such name", "all", False),
    ],
)
def test_two_lists_meet_if_one_packet_matches_both(one: str, other: str, meet: bool) -> None:
    """A name is a number on the destination, and no port where the destination lacks it."""
    sets = [ports_of(SOME[name], POD) for name in (one, other)]

    assert [meet, meet] == [sets[0].meets(sets[1]), sets[1].meets(sets[0])]


def test_a_range_is_covered_by_several_that_have_all_of_it() -> None:
    """Without a destination, a name is covered by itself and by all ports of its protocol only."""
    parts = ports_of([PolicyPort("TCP", 80, 84), PolicyPort("TCP", 85, 90)])

    assert not ports_of(SOME["range"]) - parts
    assert ports_of(SOME["http"]) - parts
    assert not ports_of(SOME["http"]) - ports_of([PolicyPort("TCP")])
