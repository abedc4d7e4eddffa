"""One process that reads, compiles and evaluates, and prints what each part took: run by ``compiling``."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import manifests
from netlab.cluster import Cluster, resolve
from netlab.cluster.flows import Flow, every_pair
from netlab.dataplane.rulesets import rulesets
from netlab.objects import decode, load, relabel
from netlab.objects.types import LabelChange
from netlab.policy import evaluate
from netlab.ruleset import Ruleset

_MOST, _SAMPLE = 1_000_000, 200_000
_T = TypeVar("_T")


def main(arguments: Sequence[str]) -> None:
    """Print seconds, microseconds and megabytes as one JSON object."""
    replicas, namespaces, policies, nodes = map(int, arguments[:4])
    file = written(Path(arguments[4], f"{replicas}.json"), replicas, namespaces, policies, nodes)
    seconds: dict[str, float] = {}
    objects, _ = _timed(seconds, "load", lambda: load([str(file)]))
    cluster = _timed(seconds, "resolve", lambda: resolve(objects))
    compiled = _timed(seconds, "rulesets", lambda: rulesets(cluster))
    _timed(seconds, "text", lambda: [ruleset.text() for ruleset in compiled.values()])
    memory = peak()

    change = LabelChange("pod", "shop-0/server-0", {"app": "client"})
    changed = _timed(seconds, "relabel", lambda: resolve(decode(relabel(objects.documents, change))[0]))
    after = _timed(seconds, "recompile", lambda: rulesets(changed))
    scripts = _timed(seconds, "difference", lambda: _difference(compiled, after))
    assert any(scripts), "the label changed nothing"

    flows = _flows(cluster)
    _timed(seconds, "evaluate", lambda: [evaluate(cluster, flow).verdict for flow in flows])
    figures = {
        name: value * (1000 if name in ("relabel", "recompile", "difference") else 1) for name, value in seconds.items()
    }
    figures["evaluate"] = seconds["evaluate"] / len(flows) * 1e6
    print(json.dumps({**figures, "memory": memory}))


def written(file: Path, replicas: int, namespaces: int, policies: int, nodes: int) -> Path:
    """Return the file with the input, written the first time; JSON is YAML too."""
    if not file.exists():
        documents: list[dict[str, Any]] = [manifests.topology("bench", nodes)]
        documents += manifests.shops(namespaces, replicas, policies)
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
    return file


def _flows(cluster: Cluster) -> list[Flow]:
    """Return every pair, or a sample by chance where they are more than a million."""
    pairs = len(cluster.pods) * (len(cluster.pods) - 1)
    if pairs <= _MOST:
        return list(every_pair(cluster))
    chance = random.Random(1)  # noqa: S311  a sample, not a secret
    chosen = ((chance.choice(cluster.pods), chance.choice(cluster.pods)) for _ in range(_SAMPLE))
    return [Flow(a, b, 4, "TCP", manifests.PORT, b.addresses[0]) for a, b in chosen if a is not b]


def peak() -> float:
    """Return the most memory that was resident, in MB; getrusage(2) would tell that of the process that forked."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _difference(before: dict[str, Ruleset], after: dict[str, Ruleset]) -> list[str]:
    return [before[node].difference(ruleset) for node, ruleset in after.items()]


def _timed(seconds: dict[str, float], name: str, action: Callable[[], _T]) -> _T:
    began = time.perf_counter()
    result = action()
    seconds[name] = time.perf_counter() - began
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
