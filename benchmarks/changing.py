"""One object changed in a running lab of 1,000 pods and 2,000 Services: from the input to in force in the kernel."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import manifests
from benchmarks.figures import Options, Ratio, Result, Row
from netlab.lab.lab import Lab
from netlab.objects import Document, decode
from netlab.objects.scenarios import LabelChange
from netlab.objects.types import Source

ABOUT = "one Service and one label changed in a running lab of 1,000 pods and 2,000 Services on ten nodes"

_NODES, _NAMESPACES, _REPLICAS, _POLICIES, _SERVICES, _ROUNDS = 10, 50, 10, 10, 2000, 12
_CASE = "1,000 pods, 2,000 Services, 10 nodes"
_SERVICE, _LABEL = "one Service, lab kept open: input read to in force", "one label, lab kept open: the same"
_WORK = "one Service: processor time of all processors, nft included"
_APPLY = "netlab apply of one Service, the whole command"


def run(options: Options) -> Result:
    """Change a Service's port and a pod's label in turns, then run the command."""
    rounds = options.rounds or _ROUNDS
    rows: dict[str, list[float]] = {_SERVICE: [], _LABEL: [], _WORK: [], _APPLY: []}
    elements: set[int] = set()
    documents = [manifests.topology("changing", _NODES), *manifests.shops(_NAMESPACES, _REPLICAS, _POLICIES)]
    documents += [_service(number, 80) for number in range(_SERVICES)]
    with tempfile.TemporaryDirectory() as directory, Lab.temporary(manifests.objects(documents)) as lab:
        for turn in range(rounds + 1):
            objects, _ = decode([Document(_service(1, 81 + turn % 2), Source("benchmark"))])
            began, worked = time.perf_counter(), _processor_seconds()
            changes = lab.apply(objects.documents)
            rows[_SERVICE].append((time.perf_counter() - began) * 1000)
            rows[_WORK].append((_processor_seconds() - worked) * 1000)
            elements.add(changes.elements)
            app = "client" if turn % 2 == 0 else "server"
            began = time.perf_counter()
            lab.label([LabelChange("pod", "shop-0/server-0", {"app": app})])
            rows[_LABEL].append((time.perf_counter() - began) * 1000)
        lab.close()
        file = Path(directory, "service.json")
        for turn in range(0 if options.bare else 5):
            file.write_text(json.dumps(_service(1, 90 + turn)))
            command = [sys.executable, "-m", "netlab", "apply", "--lab", lab.name, "-f", str(file)]
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            rows[_APPLY].append((time.perf_counter() - began) * 1000)
    found = tuple(Row(_CASE, what, "ms", tuple(values[what != _APPLY :])) for what, values in rows.items() if values)
    # On a busy machine the lowest figure is that of a change that was not interrupted.
    ratios = [
        Ratio("ms for one Service, the lowest of the rounds", min(found[0].values), "< 100"),
        Ratio("ms for one label, the lowest of the rounds", min(found[1].values)),
        Ratio("ms of processor time for one Service, the lowest of the rounds", min(found[2].values)),
        Ratio("elements that one Service changed, all nodes", max(elements)),
    ]
    return Result("change", ABOUT, found, tuple(ratios))


def _processor_seconds() -> float:
    """Return the processor time of this process and of the programs that it has run."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _service(number: int, port: int) -> dict[str, Any]:
    metadata = {"namespace": f"shop-{number % _NAMESPACES}", "name": f"service-{number:04}"}
    ports = [{"port": port, "targetPort": manifests.PORT}]
    spec = {"selector": {"app": "server" if number % 2 else "client"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
