"""``netlab lint`` at size: all rules over 10,000 pods and 5,000 policies."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import manifests
from benchmarks.figures import Options, Ratio, Result, Row
from benchmarks.turns import turns

ABOUT = "netlab lint with all rules: 10,000 pods, 2,000 Services and 5,000 policies in 200 namespaces"

_NAMESPACES, _APPS, _REPLICAS, _POLICIES, _ROUNDS = 200, 10, 5, 5_000, 3


def run(options: Options) -> Result:
    """Measure the whole command in a process of its own, and ``check``, which lint runs first."""
    memory: dict[str, list[float]] = {"lint": [], "check": []}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "set.json")
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents())}))
        contestants = {name: partial(_once, name, file, memory[name]) for name in memory}
        seconds = turns(contestants, options.rounds or _ROUNDS)
    rows: list[Row] = []
    for name, of in memory.items():
        rows.append(Row(f"netlab {name}", "whole command", "s", tuple(seconds[name])))
        rows.append(Row(f"netlab {name}", "most that was resident", "MB", tuple(of)))
    return Result("lint", ABOUT, tuple(rows), (Ratio("lint: seconds", rows[0].median, "< 10"),))


def _once(name: str, file: Path, memory: list[float]) -> float:
    command = [sys.executable, "-m", "benchmarks.command_once", name, "-f", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    memory.append(found["memory"])
    return found["seconds"]


def documents() -> Iterator[dict[str, Any]]:
    """Yield namespaces with Deployments and Services, and policies of all kinds of peers and ports, right and wrong."""
    rng = random.Random(1)  # noqa: S311
    for number in range(_NAMESPACES):
        name = f"n{number}"
        labels = {"team": f"t{number % 20}", "env": ("prod", "dev")[number % 2]}
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for app in range(_APPS):
            yield manifests.deployment(name, f"a{app}", _REPLICAS, 8000 + app)
            spec = {"selector": {"app": f"a{app}"}, "ports": [{"port": 80, "targetPort": 8000 + app}]}
            yield {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": f"a{app}", "namespace": name},
                "spec": spec,
            }
    for number in range(_POLICIES):
        spec = {"podSelector": _selector(rng) if rng.random() < 0.8 else {}, "policyTypes": rng.choice(_TYPES)}
        for direction, field in (("ingress", "from"), ("egress", "to")):
            if rng.random() < 0.6:
                spec[direction] = [
                    {
                        field: [_peer(rng) for _ in range(rng.randrange(4))],
                        "ports": rng.sample(_PORTS, rng.randrange(3)),
                    }
                    for _ in range(rng.randrange(1, 4))
                ]
        yield manifests.policy(f"n{rng.randrange(_NAMESPACES)}", f"p{number}", spec)


_TYPES = (["Ingress"], ["Egress"], ["Ingress", "Egress"])
_PORTS = [
    *({"port": 80}, {"port": 53}, {"port": 53, "protocol": "UDP"}, {"port": "http"}, {"port": 123}),
    *({"port": 8000}, {"port": 8001}, {"port": 1000, "endPort": 9000}),
]


def _selector(rng: random.Random) -> dict[str, Any]:
    app = {"app": f"a{rng.randrange(_APPS + 2)}"}
    return {"matchLabels": rng.choice((app, app | {"track": "stable"}, {"track": "canary"}))}


def _peer(rng: random.Random) -> dict[str, Any]:
    match rng.randrange(5):
        case 0:
            return {"podSelector": _selector(rng)}
        case 1:
            return {"namespaceSelector": {"matchLabels": {"team": f"t{rng.randrange(22)}"}}}
        case 2:
            return {"namespaceSelector": {"matchLabels": {"env": "prod"}}, "podSelector": _selector(rng)}
        case 3:
            return {"namespaceSelector": {}, "podSelector": _selector(rng)}
    number = rng.randrange(256)
    if rng.random() < 0.3:
        return {"ipBlock": {"cidr": rng.choice(("0.0.0.0/0", f"{number}.0.0.0/8"))}}
    return {"ipBlock": {"cidr": f"10.{number}.0.0/16", "except": [f"10.{number}.{rng.randrange(256)}.0/24"]}}
