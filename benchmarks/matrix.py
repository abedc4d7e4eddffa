"""Probing every pair of the pods on one node."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks import manifests, private
from benchmarks.figures import Options, Ratio, Result, Row, against
from benchmarks.sockets import Pair
from benchmarks.turns import turns
from netlab.cluster.flows import Flow, every_pair
from netlab.lab.lab import Lab
from netlab.probe import measure

ABOUT = "every pair of 100 and of 200 pods on one node, probed in one process"

# Pods, whether policies deny most, protocol, rounds.
_CASES = (
    (100, True, "TCP", 5),
    (200, True, "TCP", 3),
    (200, True, "UDP", 3),
    (200, False, "TCP", 3),
    (200, False, "UDP", 3),
)
_APPS = 10
_NETLAB, _FLOOR = "netlab", "floor: raw sockets, a Python loop"


def run(options: Options) -> Result:
    """Measure a matrix that is mostly denied and one that is all allowed, beside as many packets sent and received."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    for pods, policies, protocol, rounds in _CASES:
        case = f"{pods} pods, {'mostly denied' if policies else 'all allowed'}, {protocol}"
        found, verdicts = _measure(case, _documents(pods, policies), protocol, options.rounds or rounds, options.bare)
        rows += found
        ratios += against(found, _NETLAB, (_FLOOR,), {})
        total, each = sum(verdicts.values()), found[0].median / 1e6
        ratios.append(Ratio(f"{case}: seconds for {total:,} pairs", each * total, "< 5" if pods == 100 else ""))
        ratios.append(Ratio(f"{case}: verdicts per second", 1 / each, ">= 20,000, aim 50,000"))
        ratios.append(Ratio(f"{case}: inconclusive", verdicts["inconclusive"], "0"))
    return Result("matrix", ABOUT, tuple(rows), tuple(ratios))


def _measure(
    case: str, documents: list[dict[str, Any]], protocol: str, rounds: int, bare: bool
) -> tuple[list[Row], Counter[str]]:
    private.drain()
    lab, _ = Lab.up(manifests.objects(documents))
    try:
        flows = list(every_pair(lab.cluster, [(protocol, manifests.PORT)]))
        verdicts: Counter[str] = Counter()

        def netlab() -> float:
            began = time.perf_counter()
            found = Counter(one.verdict for one in measure(lab.cluster, flows))
            took = time.perf_counter() - began
            verdicts.clear()
            verdicts.update(found)
            return took

        contestants: dict[str, Callable[[], float]] = {_NETLAB: netlab}
        with Pair() as pair:
            if not bare:
                contestants[_FLOOR] = lambda: pair.exchange(_packets(flows, verdicts))
            found = turns(contestants, rounds, warm=1)
    finally:
        lab.down()
    scale = 1e6 / len(flows)
    rows = [Row(case, what, "us/verdict", tuple(v * scale for v in values)) for what, values in found.items()]
    return rows, verdicts


def _packets(flows: list[Flow], verdicts: Counter[str]) -> int:
    """Return how many packets a run sends: a probe a pair, an answer where it arrives, else a control."""
    return 2 * (sum(verdicts.values()) or len(flows))


def _documents(pods: int, policies: bool) -> list[dict[str, Any]]:
    """Ten Deployments; with policies, all is denied but what every second one lets in of the one before."""
    names = [f"app-{i}" for i in range(_APPS)]
    documents = [manifests.topology("bench-matrix", 1)]
    documents += [manifests.deployment("bench", name, pods // _APPS) for name in names]
    if policies:
        documents.append(manifests.policy("bench", "deny-all", {"podSelector": {}, "policyTypes": ["Ingress"]}))
        for client, server in zip(names[::2], names[1::2], strict=True):
            spec = {
                "podSelector": {"matchLabels": {"app": server}},
                "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": client}}}]}],
            }
            documents.append(manifests.policy("bench", f"{client}-to-{server}", spec))
    return documents
