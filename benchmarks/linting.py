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
from benchmarks.figures import Options, Ratio, Result, Row, ratio
from benchmarks.turns import turns

ABOUT = "netlab lint with all rules: 10,000 pods, 2,000 Services and 5,000 policies, in 200 namespaces and in one"

_NAMESPACES, _APPS, _REPLICAS, _POLICIES, _ROUNDS = 200, 10, 5, 5_000, 3


def run(options: Options) -> Result:
    """Measure whole commands, each in a process of its own: lint, and ``check``, which lint runs first."""
    commands = {"netlab lint": ("lint", "--no-config"), "netlab check": ("check",)}
    rows: list[Row] = []
    ratios: list[Ratio] = []
    for namespaces in (_NAMESPACES, 1):
        case = f"{namespaces} namespace{'s' if namespaces > 1 else ''}"
        memory: dict[str, list[float]] = {name: [] for name in commands}
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "set.json")
            items = list(documents(namespaces, _APPS * _NAMESPACES // namespaces))
            file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
            contestants = {name: partial(_once, of, file, memory[name]) for name, of in commands.items()}
            seconds = turns(contestants, options.rounds or _ROUNDS, seconds=options.seconds)
        took = {name: Row(case, name, "s", tuple(seconds[name])) for name in commands}
        rows += [*took.values(), *(Row(case, f"{name}, most resident", "MB", tuple(of)) for name, of in memory.items())]
        lint, check = took.values()
        ratios.append(Ratio(f"lint, {case}: seconds", lint.median, "< 10"))
        ratios.append(ratio(f"lint / check, {case}", lint, check))
    return Result("lint", ABOUT, tuple(rows), tuple(ratios))


def _once(of: tuple[str, ...], file: Path, memory: list[float]) -> float:
    command = [sys.executable, "-m", "benchmarks.command_once", *of, "-f", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    memory.append(found["memory"])
    return found["seconds"]


def documents(namespaces: int = _NAMESPACES, apps: int = _APPS) -> Iterator[dict[str, Any]]:
    """Yield namespaces with Deployments and Services, and policies of all kinds of peers and ports, right and wrong.

    ``apps`` is the number of Deployments of a namespace.
    """
    rng = random.Random(1)  # noqa: S311
    for number in range(namespaces):
        name = f"n{number}"
        labels = {"team": f"t{number % 20}", "env": ("prod", "dev")[number % 2]}
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for app in range(apps):
            yield manifests.deployment(name, f"a{app}", _REPLICAS, 8000 + app % 50)
            spec = {"selector": {"app": f"a{app}"}, "ports": [{"port": 80, "targetPort": 8000 + app % 50}]}
            yield {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": f"a{app}", "namespace": name},
                "spec": spec,
            }
    for number in range(_POLICIES):
        spec = {"podSelector": _selector(rng, apps) if rng.random() < 0.8 else {}, "policyTypes": rng.choice(_TYPES)}
        for direction, field in (("ingress", "from"), ("egress", "to")):
            if rng.random() < 0.6:
                spec[direction] = [
                    {
                        field: [_peer(rng, apps) for _ in range(rng.randrange(4))],
                        "ports": rng.sample(_PORTS, rng.randrange(3)),
                    }
                    for _ in range(rng.randrange(1, 4))
                ]
        yield manifests.policy(f"n{rng.randrange(namespaces)}", f"p{number}", spec)


_TYPES = (["Ingress"], ["Egress"], ["Ingress", "Egress"])
_PORTS = [
    *({"port": 80}, {"port": 53}, {"port": 53, "protocol": "UDP"}, {"port": "http"}, {"port": 123}),
    *({"port": 8000}, {"port": 8001}, {"port": 1000, "endPort": 9000}),
]


def _selector(rng: random.Random, apps: int) -> dict[str, Any]:
    app = {"app": f"a{rng.randrange(apps + 2)}"}
    return {"matchLabels": rng.choice((app, app | {"track": "stable"}, {"track": "canary"}))}


def _peer(rng: random.Random, apps: int) -> dict[str, Any]:
    match rng.randrange(5):
        case 0:
            return {"podSelector": _selector(rng, apps)}
        case 1:
            return {"namespaceSelector": {"matchLabels": {"team": f"t{rng.randrange(22)}"}}}
        case 2:
            return {"namespaceSelector": {"matchLabels": {"env": "prod"}}, "podSelector": _selector(rng, apps)}
        case 3:
            return {"namespaceSelector": {}, "podSelector": _selector(rng, apps)}
    number = rng.randrange(256)
    if rng.random() < 0.3:
        return {"ipBlock": {"cidr": rng.choice(("0.0.0.0/0", f"{number}.0.0.0/8"))}}
    return {"ipBlock": {"cidr": f"10.{number}.0.0/16", "except": [f"10.{number}.{rng.randrange(256)}.0/24"]}}
