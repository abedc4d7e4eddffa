"""Indexes of labels and addresses find what a look at every object finds."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from random import Random

import pytest
from builders import cluster, namespace, pod, policy
from sizes import samples

from netlab.objects.policies import IPBlock
from netlab.objects.selectors import LabelSelector, Operator, Requirement
from netlab.objects.types import Direction, Meta
from netlab.policy import isolating
from netlab.policy.bitsets import members, set_of
from netlab.policy.label_index import LabelIndex, SelectorIndex
from netlab.policy.label_sets import ALL_NAMESPACES, labels_of
from netlab.policy.pod_addresses import PodAddresses
from netlab.policy.pod_peers import PodPeers, WiderPeers

_KEYS, _VALUES = ("a", "b", "c"), ("1", "2", "3", "")


def _labels(rng: Random) -> dict[str, str]:
    return {key: rng.choice(_VALUES) for key in rng.sample(_KEYS, rng.randrange(4))}


def _selector(rng: Random) -> LabelSelector:
    equal = tuple(sorted((key, rng.choice(_VALUES)) for key in rng.sample(_KEYS, rng.choice((0, 0, 1, 2)))))
    return LabelSelector(equal, tuple(_requirement(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))))


def _requirement(rng: Random) -> Requirement:
    operator: Operator = rng.choice(("In", "NotIn", "Exists", "DoesNotExist"))
    values = tuple(sorted(rng.sample(_VALUES, rng.randrange(1, 4)))) if operator in ("In", "NotIn") else ()
    return Requirement(rng.choice(_KEYS), operator, values)


@pytest.mark.parametrize("seed", range(samples(40)))
def test_both_indexes_find_what_selectors_match(seed: int) -> None:
    """One finds the objects that a selector matches, the other the selectors that match an object."""
    rng = Random(seed)  # noqa: S311
    objects = [_labels(rng) for _ in range(rng.randrange(20))]
    selectors = [_selector(rng) for _ in range(rng.randrange(20))]
    of_objects, of_selectors = LabelIndex(objects), SelectorIndex(selectors)

    for selector in selectors:
        assert members(of_objects.matching(selector)) == [n for n, one in enumerate(objects) if selector.matches(one)]
    for labels in objects:
        assert members(of_selectors.matching(labels)) == [n for n, one in enumerate(selectors) if one.matches(labels)]


def test_a_set_has_the_numbers_that_it_is_made_of() -> None:
    """The order of the numbers does not matter; a number that is given twice is there once."""
    assert members(set_of((6, 0, 3, 3), 7)) == [0, 3, 6]
    assert set_of((), 0) == 0


@pytest.mark.parametrize("block", ["10.244.0.0/30", "10.244.0.0/16", "0.0.0.0/0", "10.244.0.3/32", "fd00::/8"])
def test_addresses_in_a_block_are_those_that_it_contains(block: str) -> None:
    """The excepts are left out."""
    of = cluster(*(pod(f"x/p{number}") for number in range(9)))
    asked = IPBlock(ip_network(block), (ip_network("10.244.0.4/30"),) if block == "10.244.0.0/16" else ())
    addresses = PodAddresses(of)

    found = [one.ref for one in of.pods if addresses.of([one]) & addresses.inside(asked)]

    assert found == [one.ref for one in of.pods if asked.contains(one.addresses[0])]


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_many_policies_isolate_the_pods_that_few_do(direction: Direction, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an index of a namespace's policies, those of each pod are the same ones, in order."""
    rng = Random(1)  # noqa: S311
    pods = [replace(pod(f"x/p{number}"), meta=Meta(f"p{number}", "x", _labels(rng))) for number in range(20)]
    made = [
        policy(f"x/p{number:02}", types=rng.choice(("ingress", "egress", "ingress egress"))) for number in range(30)
    ]
    of = cluster(namespace("x"), *pods, *(replace(one, pod_selector=_selector(rng)) for one in made))
    one_by_one = [isolating.isolating(of, one, direction) for one in of.pods]

    monkeypatch.setattr(isolating, "_MANY_POLICIES", 0)
    of.memo.clear()

    assert [isolating.isolating(of, one, direction) for one in of.pods] == one_by_one
    assert any(one_by_one)


@pytest.mark.parametrize("seed", range(samples(20)))
def test_candidates_are_all_peers_that_are_wider(seed: int) -> None:
    """An index of peers leaves out none that has all pods of some peers."""
    rng = Random(seed)  # noqa: S311
    peers = [
        PodPeers(rng.choice((ALL_NAMESPACES, labels_of(_selector(rng)))), labels_of(_selector(rng))) for _ in range(30)
    ]
    peers = [one for one in peers if not (one.namespaces.empty or one.pods.empty)]
    index = WiderPeers(peers)

    for one in peers:
        wider = [number for number, other in enumerate(peers) if one.within(other)]
        candidates = [*index.candidates(one)]
        assert {*wider} <= {*candidates}
        assert len({*candidates}) == len(candidates)


@pytest.mark.parametrize("seed", range(samples(20)))
def test_an_index_finds_what_a_set_of_labels_has(seed: int) -> None:
    """Sets of labels are intersections of selectors."""
    rng = Random(seed)  # noqa: S311
    objects = [_labels(rng) for _ in range(rng.randrange(20))]
    index = LabelIndex(objects)

    for labels in (labels_of(_selector(rng)) & labels_of(_selector(rng)) for _ in range(20)):
        assert members(index.satisfying(labels)) == [n for n, one in enumerate(objects) if labels.has(one)]
