"""The cost of Services: the first packet of a connection, loading them, and a change of one endpoint."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from benchmarks import layouts
from benchmarks.figures import Options, Ratio, Result, Row, rows_of
from benchmarks.one_processor import one_processor
from benchmarks.router import Flow, Router
from benchmarks.service_layouts import APPS, PORT, TARGET, Mesh, chains, client
from benchmarks.turns import turns
from netlab.ruleset import Compiler, compile_rulesets, difference

ABOUT = "a packet forwarded to a ClusterIP and to its endpoint, UDP, by the number of Services; loading; one endpoint"

_NETLAB = (10, 1000, 10_000)
# nft needs minutes to load the chains of 10,000 Services.
_CHAINS = (10, 1000)
_LOADED = 5000
# Rounds are short, so that a busy machine does not interrupt some of them. Ratios are of the lowest figures.
_PACKETS, _ROUNDS, _CHANGES = 250, 100, 7
_CASE, _TRACKED = "first packets", "floor: conntrack alone, to the endpoint"


def run(options: Options) -> Result:
    """Load each ruleset into a router of its own, then send packets through all of them in turns."""
    rounds = options.rounds or _ROUNDS
    rows: list[Row] = []
    with ExitStack() as stack:
        contestants: dict[str, Callable[[], float]] = {}

        def add(text: str, name: str, mesh: Mesh, *, direct: bool) -> None:
            router = Router(text)
            stack.callback(router.close)
            contestants[_name(name, mesh.services, direct=False)] = partial(_first, mesh, router, direct=False)
            if direct:
                contestants[_name(name, mesh.services, direct=True)] = partial(_first, mesh, router, direct=True)
            rows.append(Row("nft -f", _name(name, mesh.services, direct=False), "ms", (router.load_seconds * 1000,)))

        for size in _NETLAB:
            add(compile_rulesets(Mesh(size).cluster())["node-0"].text(), "netlab", Mesh(size), direct=True)
        if not options.bare:
            for size in _CHAINS:
                add(chains(Mesh(size)), "chains", Mesh(size), direct=True)
            floor = Router(layouts.TRACKED)
            stack.callback(floor.close)
            contestants[_TRACKED] = partial(_first, Mesh(10), floor, direct=True)
        with one_processor():
            packets = rows_of(_CASE, "ns/packet", turns(contestants, rounds, 1, options.seconds), 1e9)
    load, change = _one_endpoint(options.rounds or _CHANGES)
    return Result("services", ABOUT, (*packets, *rows, load, change), tuple(_ratios(packets, load, change)))


def _name(layout: str, services: int, *, direct: bool) -> str:
    return f"{layout}, {services:,} Services" + (", to the endpoint" if direct else "")


def _first(mesh: Mesh, router: Router, *, direct: bool) -> float:
    """Send the first packets of connections of many clients to all Services, or to their endpoints."""
    router.forget()
    chance = random.Random(1)  # noqa: S311  a sample, not a secret
    flows: list[Flow] = []
    for i in range(_PACKETS):
        service = chance.randrange(mesh.services)
        pod = mesh.pods(service % APPS)[chance.randrange(mesh.endpoints)]
        source = client(chance.randrange(1000))
        flows.append((source, pod if direct else mesh.address(service), 1024 + i, TARGET if direct else PORT))
    return router.push(flows)


def _one_endpoint(rounds: int) -> tuple[Row, Row]:
    """Load 5,000 Services of three endpoints, then add and remove one endpoint."""
    mesh, compiler = Mesh(_LOADED), Compiler()
    states = [mesh.cluster(), mesh.cluster(one_more=True)]
    ruleset = compiler.compile(states[0])["node-0"]
    router = Router(ruleset.text())
    seconds = []
    try:
        for turn in range(rounds):
            after = compiler.compile(states[(turn + 1) % 2])["node-0"]
            seconds.append(router.change(difference(ruleset, after).text))
            ruleset = after
    finally:
        router.close()
    what = f"netlab, {_LOADED:,} Services of 3 endpoints"
    return (
        Row("nft -f", what, "ms", (router.load_seconds * 1000,)),
        Row("nft -f, one endpoint", what, "ms", tuple(one * 1000 for one in seconds)),
    )


def _ratios(rows: list[Row], load: Row, change: Row) -> Iterator[Ratio]:
    found = {row.what: row for row in rows}
    small = found[_name("netlab", _NETLAB[0], direct=False)]
    for layout, sizes in (("netlab", _NETLAB), ("chains", _CHAINS)):
        for size in sizes:
            row, direct = found.get(_name(layout, size, direct=False)), found.get(_name(layout, size, direct=True))
            if row and direct:
                target = "<= 1.5" if layout == "netlab" else ""
                yield _lowest(f"{_CASE}: {row.what}: to the ClusterIP / to the endpoint", row, direct, target)
            if row and row is not small:
                target = "0.85 to 1.15" if layout == "netlab" else ""
                yield _lowest(f"{_CASE}: {row.what} / netlab, {_NETLAB[0]} Services", row, small, target)
    yield Ratio(f"ms to load {_LOADED:,} Services of 3 endpoints", load.median)
    yield Ratio("ms to load one endpoint more or less", change.median)


def _lowest(what: str, upper: Row, lower: Row, target: str) -> Ratio:
    return Ratio(what, min(upper.values) / min(lower.values), target)
