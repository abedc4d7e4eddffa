"""Probes are ordered so that no receiver gets many at once."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from netlab.probe.schedule import BURST, PER_RECEIVER, bursts, interleaved

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=400)


def test_a_round_of_a_full_matrix_has_each_place_once():
    """All pairs of five: in each round each place sends once and receives once."""
    pairs = list(permutations(range(5), 2))
    order = [pairs[position] for position in interleaved(pairs, 5)]
    rounds = [order[start : start + 5] for start in range(0, 20, 5)]

    assert [list(range(5))] * 4 == [sorted(origin for origin, _ in r) for r in rounds]
    assert [list(range(5))] * 4 == [sorted(target for _, target in r) for r in rounds]


def test_the_ports_of_a_pair_stay_together_in_order():
    """One control then serves all of them."""
    pairs = [(0, 1), (0, 2), (0, 1), (1, 0), (0, 1)]
    order = interleaved(pairs, 3)

    assert [0, 2, 4] == [position for position in order if pairs[position] == (0, 1)]
    assert 2 == order.index(4) - order.index(0)


@given(PAIRS)
def test_every_probe_is_in_exactly_one_burst(pairs):
    """Nothing is left out and nothing sent twice."""
    found = [position for burst in bursts(pairs, interleaved(pairs, 6)) for position in burst]

    assert list(range(len(pairs))) == sorted(found)


@given(PAIRS)
def test_a_burst_is_small_for_every_place(pairs):
    """For every set of pairs."""
    for burst in bursts(pairs, interleaved(pairs, 6)):
        assert 0 < len(burst) <= BURST
        assert PER_RECEIVER >= max(Counter(pairs[position][0] for position in burst).values())
        assert PER_RECEIVER >= max(Counter(pairs[position][1] for position in burst).values())
