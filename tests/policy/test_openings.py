"""Openings say exactly what a side admits: hypothetical pods and addresses are added, and asked pair by pair."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from random import Random

import pytest
from hypothetical_pods import ASKED, with_hypothetical
from random_clusters import some_cluster
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.cluster.types import Endpoint, Host, Pod
from netlab.objects.types import DIRECTIONS, Address, Direction
from netlab.policy.address_sets import AddressSet
from netlab.policy.evaluate import evaluate
from netlab.policy.label_sets import ALL_LABELS, ALL_NAMESPACES
from netlab.policy.openings import Openings, openings
from netlab.policy.pod_peers import PodPeers
from netlab.policy.port_sets import EVERY_PORT

Verdicts = dict[tuple[str, int | None], bool]


def admits(
    found: Openings,
    other: Mapping[str, str] | None,
    namespace: Mapping[str, str],
    address: Address | None,
    protocol: str,
    port: int | None,
    destination: Endpoint,
) -> bool:
    """Say whether openings admit a flow of a pod with labels, or of an address; each may be None.

    ``namespace`` has the labels of the pod's namespace. ``destination`` is the flow's, for ports by name.
    """
    if other is not None and any(
        one.peers.has(namespace, other) and one.ports.has(protocol, port, destination) for one in found.pods
    ):
        return True
    return address is not None and any(
        address in one.addresses and one.ports.has(protocol, port, destination) for one in found.addresses
    )


def side_verdicts(of: Cluster, subject: Pod, other: Pod | Host, direction: Direction) -> Verdicts:
    """Return the evaluator's verdict of one side, by port, where policies of that side are enforced."""
    found: Verdicts = {}
    for protocol, port in ASKED:
        source, destination = (other, subject) if direction == "ingress" else (subject, other)
        address: Address = destination.addresses[0]
        decision = evaluate(of, Flow(source, destination, 4, protocol, port, address))
        side = decision.ingress if direction == "ingress" else decision.egress
        if side is not None:
            found[protocol, port] = side.verdict == "allow"
    return found


def assert_exact(of: Cluster, direction: Direction) -> set[bool]:
    """Compare the openings of each pod with the evaluator; return the answers that occurred."""
    seen: set[bool] = set()
    with_new, pods, hosts = with_hypothetical(of)
    for subject in of.pods:
        if not subject.selectable or not subject.addresses:
            continue
        found = openings(with_new, subject, direction)
        others: list[Pod | Host] = [*pods, *hosts]
        for other in others:
            verdicts = side_verdicts(with_new, subject, other, direction)
            is_pod = isinstance(other, Pod)
            labels = other.labels if isinstance(other, Pod) else None
            space = with_new.namespaces[other.namespace] if isinstance(other, Pod) else {}
            ignored = is_pod and of.policy.ip_block_pods == "ignore"
            address = None if ignored else other.addresses[0]
            to = other if direction == "egress" else subject
            seen |= {*verdicts.values()}
            for (protocol, port), allowed in verdicts.items():
                assert allowed == admits(found, labels, space, address, protocol, port, to), (
                    direction,
                    subject.ref,
                    other.ref,
                    labels,
                    space,
                    protocol,
                    port,
                    found,
                )
    return seen


def assert_pairs_exact(of: Cluster) -> None:
    """Compare whole verdicts: no policy selects a pod of a new namespace, so the openings of the other end decide."""
    with_new, pods, _ = with_hypothetical(of)
    new = [one for one in pods if one.namespace not in of.namespaces]
    for subject, other in product(of.pods, new):
        if not subject.selectable or not subject.addresses:
            continue
        if other.ref == subject.ref or (of.policy.ip_block_pods != "ignore" and not other.addresses):
            continue
        space = with_new.namespaces[other.namespace]
        address = None if of.policy.ip_block_pods == "ignore" else other.addresses[0]
        found = openings(with_new, subject, "ingress")
        for protocol, port in ASKED:
            decision = evaluate(with_new, Flow(other, subject, 4, protocol, port, subject.addresses[0]))
            if decision.path.connected and decision.ingress is not None:
                expected = admits(found, other.labels, space, address, protocol, port, subject)

                assert expected == (decision.verdict_without_unread == "allow")


@pytest.mark.parametrize("seed", range(samples(6)))
def test_a_pod_of_a_new_namespace_reaches_exactly_what_is_open_to_it(seed: int) -> None:
    """The verdict of the pair is that of the destination's openings, as a new namespace has no policies."""
    for number in range(4):
        assert_pairs_exact(some_cluster(Random(f"pairs-{seed}-{number}"), cluster_wide=False))  # noqa: S311  the same clusters every time


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("seed", range(samples(6)))
def test_openings_agree_with_the_evaluator_about_pods_that_do_not_exist(seed: int, direction: Direction) -> None:
    """Pods with every combination of labels and of unseen values, in every namespace and in new ones; and addresses."""
    seen: set[bool] = set()
    for number in range(4):
        dice = Random(f"openings-{seed}-{number}")  # noqa: S311  the same clusters every time, not a secret
        seen |= assert_exact(some_cluster(dice, cluster_wide=False), direction)

    assert {True, False} == seen


FAULTS = {
    "an opening is left out": ("_reduced", lambda found: [*found][1:]),
    "ranges are not united": ("_united", lambda peers: AddressSet()),
    "the namespace does not count": ("peers_of", lambda peer, namespace: PodPeers(ALL_NAMESPACES, ALL_LABELS)),
    "ports do not count": ("ports_of", lambda items, destination=None: EVERY_PORT),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """The comparison with the evaluator is able to fail."""
    name, wrong = FAULTS[fault]
    monkeypatch.setattr(f"netlab.policy.openings.{name}", wrong)

    with pytest.raises(AssertionError):
        assert_all_exact()


def assert_all_exact() -> None:
    """Compare the openings of twenty clusters, in both directions."""
    for number in range(20):
        for direction in DIRECTIONS:
            dice = Random(f"openings-0-{number}")  # noqa: S311  the same clusters every time, not a secret
            assert_exact(some_cluster(dice, cluster_wide=False), direction)
