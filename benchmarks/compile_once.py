"""One process that reads, compiles and evaluates, and prints what each part took: run by ``compiling``."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from benchmarks import manifests
from netlab.cluster import Cluster, resolve
from netlab.cluster.flows import Flow, every_pair
from netlab.cluster.resolve_change import resolve_change
from netlab.dataplane.node_rulesets import compiler as new_compiler
from netlab.objects import Document, Objects, apply, decode, load, relabel
from netlab.objects.scenarios import LabelChange
from netlab.objects.types import Source
from netlab.policy.evaluate import evaluate
from netlab.ruleset import Compiler, Ruleset, differences

_MOST, _SAMPLE = 1_000_000, 200_000
_TURNS = 5
_T = TypeVar("_T")
_Edit = Callable[[Sequence[Document], int], Sequence[Document]]


def main(arguments: Sequence[str]) -> None:
    """Print seconds, microseconds and megabytes as one JSON object."""
    replicas, namespaces, policies, nodes = map(int, arguments[:4])
    file = written(Path(arguments[4], f"{replicas}.json"), replicas, namespaces, policies, nodes)
    seconds: dict[str, float] = {}
    objects, _ = _timed(seconds, "load", lambda: load([str(file)]))
    cluster = _timed(seconds, "resolve", lambda: resolve(objects))
    compiler = new_compiler()
    compiled = _timed(seconds, "rulesets", lambda: compiler.compile(cluster))
    _timed(seconds, "text", lambda: [ruleset.text() for ruleset in compiled.values()])
    memory = peak()

    state = _State(objects, cluster, compiler, compiled)
    for name, edit in _EDITS.items():
        seconds[name] = median(state.change(edit, turn) for turn in range(_TURNS))

    flows = _flows(cluster)
    _timed(seconds, "evaluate", lambda: [evaluate(cluster, flow).verdict for flow in flows])
    figures = {name: value * (1000 if name in _EDITS else 1) for name, value in seconds.items()}
    figures["evaluate"] = seconds["evaluate"] / len(flows) * 1e6
    print(json.dumps({**figures, "memory": memory}))


@dataclass
class _State:
    """The state of a lab without kernel and record; ``change`` follows an edit as a lab does."""

    objects: Objects
    cluster: Cluster
    compiler: Compiler
    rulesets: Mapping[str, Ruleset]

    def change(self, edit: _Edit, turn: int) -> float:
        """Edit the documents and follow the change; return the seconds until every node has its transaction."""
        began = time.perf_counter()
        objects, problems = decode(edit(self.objects.documents, turn))
        cluster = resolve_change(self.cluster, self.objects, objects)
        assert not problems
        assert cluster is not None
        rulesets = self.compiler.compile(cluster)
        transactions = differences(self.rulesets, rulesets)
        elapsed = time.perf_counter() - began
        assert any(one.text for one in transactions.values()), "the change made no difference"
        self.objects, self.cluster, self.rulesets = objects, cluster, rulesets
        return elapsed


def _label(documents: Sequence[Document], turn: int) -> Sequence[Document]:
    app = "server" if turn % 2 else "client"
    pod = ("shop-0/server-0", "Deployment shop-0/server")
    return relabel(documents, LabelChange("pod", "shop-0/server-0", {"app": app}), lambda _: pod)


def _policy(documents: Sequence[Document], turn: int) -> Sequence[Document]:
    peer = {"podSelector": {"matchLabels": {"app": "client"}}}
    spec = {"podSelector": {}, "ingress": [{"from": [peer], "ports": [{"port": 8000 + turn}]}]}
    return apply(documents, [Document(manifests.policy("shop-1", "one-more", spec), Source("benchmark"))])


def _pod(documents: Sequence[Document], turn: int) -> Sequence[Document]:
    return apply(documents, [Document(manifests.deployment("shop-2", "client", 11 + turn), Source("benchmark"))])


_EDITS: dict[str, _Edit] = {
    "label": _label,
    "policy": _policy,
    "pod": _pod,
}


def written(file: Path, replicas: int, namespaces: int, policies: int, nodes: int) -> Path:
    """Return the file with the input; write it the first time. JSON is YAML too."""
    if not file.exists():
        pods = 2 * replicas * namespaces
        documents: list[dict[str, Any]] = [*manifests.cluster("bench", nodes, pods, "bridge")]
        documents += manifests.shops(namespaces, replicas, policies)
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
    return file


def _flows(cluster: Cluster) -> list[Flow]:
    """Return every pair; of more than a million pairs a random sample."""
    pairs = len(cluster.pods) * (len(cluster.pods) - 1)
    if pairs <= _MOST:
        return list(every_pair(cluster))
    chance = random.Random(1)  # noqa: S311  a sample, not a secret
    chosen = ((chance.choice(cluster.pods), chance.choice(cluster.pods)) for _ in range(_SAMPLE))
    return [Flow(a, b, 4, "TCP", manifests.PORT, b.addresses[0]) for a, b in chosen if a is not b]


def peak() -> float:
    """Return the largest resident memory in MB; getrusage(2) would return that of the parent before exec."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _timed(seconds: dict[str, float], name: str, action: Callable[[], _T]) -> _T:
    began = time.perf_counter()
    result = action()
    seconds[name] = time.perf_counter() - began
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
