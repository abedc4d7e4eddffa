"""Services: DNAT to an endpoint, masquerade, sessionAffinity, source ranges, and rejection without an endpoint.

The modules with the elements and chains are imported when a lab has a Service.

Source: Kubernetes, Virtual IPs and Service Proxies; pkg/proxy/nftables.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set

from netlab.ruleset.cluster_change import ClusterChange
from netlab.ruleset.fragment import NETLAB, ElementUpdater, Fragment, Layout, Stores
from netlab.ruleset.tables import Parts


class _Elements:
    """The elements of the fragment; an ``ElementUpdater`` that is empty until the first Service comes."""

    def __init__(self, layout: Layout, stores: Stores) -> None:
        self._start = layout, stores
        self._elements: ElementUpdater | None = None

    def update(self, change: ClusterChange) -> bool:
        if self._elements is None:
            if not change.after.services:
                return True
            from netlab.ruleset.service_elements import ServiceElements

            self._elements = ServiceElements(*self._start)
        return self._elements.update(change)

    def notes(self, _: str) -> Mapping[str, tuple[str, ...]]:
        return {}


def _variant(layout: Layout, filled: Set[str]) -> Hashable:
    """Return what the chains depend on; None if nodes translate no Service."""
    if not any(f"services{f}" in filled for f in layout.families):
        return None
    from netlab.ruleset.service_elements import variant

    return variant(filled)


def _declare(layout: Layout, variant: Hashable) -> Parts:
    from netlab.ruleset.service_chains import Variant, chains, sets

    if not isinstance(variant, Variant):
        raise TypeError(f"not a variant: {variant!r}")
    return Parts(tuple(sets(layout, variant)), tuple(chains(layout, variant)))


FRAGMENT = Fragment("services", NETLAB, _declare, _variant, updater=_Elements)
