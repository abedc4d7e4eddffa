"""The cost of policy per packet, for the first packet of a flow and for later ones, by the number of pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from benchmarks import layouts
from benchmarks.figures import Options, Ratio, Result, Row, ratio, rows_of
from benchmarks.one_processor import one_processor
from benchmarks.pods import Shop
from benchmarks.router import Flow, Router
from benchmarks.turns import turns

ABOUT = "a packet forwarded between two veths, UDP, under policy for 10 to 100,000 pods; one processor"

# Pods, and policies that select each of them.
_NETLAB = ((10, 1), (1000, 1), (10_000, 1), (100_000, 1), (1000, 10))
# Pods, policies that select each of them, and cluster-wide policies that select all of them.
_TIERS = ((10_000, 1, 100),)
# nft needs 40 seconds to load a chain for each of 100,000 pods, most of the run.
_CHAINS = ((10, 1), (1000, 1), (10_000, 1), (1000, 10))
# The cost for any layout that finds a pod by its address.
_LOOKUPS = ((10, 1), (100_000, 1))
_NOTHING, _TRACKED, _FOUND = "floor: no ruleset", "floor: conntrack alone", "floor: each address looked up"
_PACKETS, _FLOWS, _ROUNDS = 4000, 64, 15
_NEW, _BUSY, _ESTABLISHED = "first packets, all pods", "first packets, 64 pairs", "established flows, 64 pairs"


def run(options: Options) -> Result:
    """Load each ruleset into a router of its own, then send packets through all of them in turns."""
    texts: dict[str, tuple[Shop, Callable[[Shop], str]]] = {
        _name("netlab", *size): (Shop(*size), layouts.netlab) for size in (*_NETLAB, *_TIERS)
    }
    if not options.bare:
        texts |= {_name("a chain per pod and policy", *size): (Shop(*size), layouts.chains) for size in _CHAINS}
        texts |= {_name(_FOUND, *size): (Shop(*size), layouts.lookups) for size in _LOOKUPS}
        texts[_NOTHING] = Shop(10, 1), lambda _: layouts.NOTHING
        texts[_TRACKED] = Shop(10, 1), lambda _: layouts.TRACKED
    rounds = options.rounds or _ROUNDS
    rows: list[Row] = []
    loads: list[Row] = []
    with ExitStack() as stack:
        routers: dict[str, tuple[Shop, Router]] = {}
        for name, (shop, text) in texts.items():
            router = Router(text(shop))
            stack.callback(router.close)
            routers[name] = shop, router
            if router.load_seconds > 0.001:
                loads.append(Row("nft -f", name, "ms", (router.load_seconds * 1000,)))
        stack.enter_context(one_processor())
        for case, measure in ((_NEW, _first), (_BUSY, _first_of_few), (_ESTABLISHED, _following)):
            contestants: dict[str, Callable[[], float]] = {n: partial(measure, *r) for n, r in routers.items()}
            rows += rows_of(case, "ns/packet", turns(contestants, rounds, 1, options.seconds), 1e9)
    return Result("packet", ABOUT, (*rows, *loads), tuple(_ratios(rows)))


def _name(layout: str, pods: int, policies: int, cluster_policies: int = 0) -> str:
    more = f", {policies} policies each" if policies > 1 else ""
    return f"{layout}, {pods:,} pods{more}" + (f", {cluster_policies} cluster-wide" if cluster_policies else "")


def _first(shop: Shop, router: Router) -> float:
    """Send the first packets of flows between all pods, so that caches seldom help."""
    router.forget()
    pairs = shop.pairs(_PACKETS, seed=1)
    return router.push([(a, b, 1024 + i, shop.port) for i, (a, b) in enumerate(pairs)])


def _first_of_few(shop: Shop, router: Router) -> float:
    """Send the first packets of flows between a few pods, so that caches help."""
    router.forget()
    pairs = shop.pairs(_FLOWS, seed=2) * (_PACKETS // _FLOWS)
    return router.push([(a, b, 1024 + i, shop.port) for i, (a, b) in enumerate(pairs)])


def _following(shop: Shop, router: Router) -> float:
    """Send packets of a few established flows."""
    router.forget()
    flows: list[Flow] = [(a, b, 1024 + i, shop.port) for i, (a, b) in enumerate(shop.pairs(_FLOWS, seed=2))]
    router.push(flows)
    router.answer(flows)
    return router.push(flows * (_PACKETS // _FLOWS))


def _ratios(rows: list[Row]) -> Iterator[Ratio]:
    """Yield the ratios to ten pods, and the time that policy adds to connection tracking."""
    found = {(row.case, row.what): row for row in rows}
    for case in (_NEW, _BUSY, _ESTABLISHED):
        tracked, small = found.get((case, _TRACKED)), found[case, _name("netlab", *_NETLAB[0])]
        for layout, sizes in (("netlab", _NETLAB), ("a chain per pod and policy", _CHAINS)):
            for row in (found.get((case, _name(layout, *size))) for size in sizes):
                if row is None:
                    continue
                if row is not small:
                    target = "0.85 to 1.15" if layout == "netlab" else ""
                    yield ratio(f"{case}: {row.what} / netlab, 10 pods", row, small, target)
                if tracked:
                    yield Ratio(f"{case}: {row.what}: ns more than conntrack alone", row.median - tracked.median)
        for size in _TIERS:
            with_tiers, without = found[case, _name("netlab", *size)], found[case, _name("netlab", *size[:2])]
            yield ratio(f"{case}: {with_tiers.what} / without these", with_tiers, without, "at most 1.3")
        least, most = (found.get((case, _name(_FOUND, *size))) for size in _LOOKUPS)
        if least and most:
            yield ratio(f"{case}: {most.what} / the same, 10 pods", most, least)
