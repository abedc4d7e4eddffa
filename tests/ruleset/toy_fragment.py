"""A fragment for tests: it drops packets to a port that a pod's annotation closes, before policy."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet

from netlab.cluster.types import Pod
from netlab.ruleset.cluster_change import ClusterChange
from netlab.ruleset.elements import Element, Set
from netlab.ruleset.fragment import FORWARD, NETLAB, Entry, Fragment, Layout, Place, Stores
from netlab.ruleset.tables import Chain, Parts


def _variant(_: Layout, filled: AbstractSet[str]) -> Hashable:
    return () if "toy_closed" in filled else None


def _declare(_: Layout, __: Hashable) -> Parts:
    return Parts(
        (
            Set("toy_closed", ("ipv4_addr", "inet_proto", "inet_service"), about="ports that are closed"),
            Set(
                "toy_count", ("inet_proto", "inet_service"), about="the number of the pods that close a port, as a port"
            ),
        ),
        (
            Chain(
                "forward",
                ("ip daddr . meta l4proto . th dport @toy_closed counter drop",),
                FORWARD,
                place=Place.STATE - 1,
            ),
            Chain("forward", ("meta l4proto . th dport @toy_count counter drop",), FORWARD, place=Place.CLEAR + 1),
        ),
    )


def _of_pod(_: Layout, pod: Pod) -> Iterator[Entry]:
    if port := pod.annotations.get("toy/closed"):
        for address in pod.addresses:
            yield Entry("toy_closed", (address, "tcp", int(port)), Element(comment=pod.ref))


class _Counting:
    """Updates an element that depends on the whole cluster: the number of the pods that close a port."""

    def __init__(self, _: Layout, stores: Stores) -> None:
        self._closing: set[str] = set()
        self._stores = stores

    def update(self, change: ClusterChange) -> bool:
        before = len(self._closing)
        self._closing -= {pod.ref for pod in change.pods.removed}
        self._closing |= {pod.ref for pod in change.pods.added if "toy/closed" in pod.annotations}
        if before:
            self._stores.everywhere.remove("toy_count", ("sctp", before))
        if self._closing:
            self._stores.everywhere.put("toy_count", ("sctp", len(self._closing)), Element())
        return True

    def notes(self, _: str) -> dict[str, tuple[str, ...]]:
        return {"toy_count": ("a note of the toy",)} if self._closing else {}


FRAGMENT = Fragment("toy", NETLAB, _declare, _variant, of_pod=_of_pod, updater=_Counting)
