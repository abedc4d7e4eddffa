"""Labs on many machines as values."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from machines.labs import documents

from netlab import load
from netlab.cluster import resolve
from netlab.lab.allocations import allocations
from netlab.lab.record_text import Record
from netlab.lab.state import placement
from netlab.machines.spec import Spec
from netlab.objects.reduced import reduced

ADDRESSES = {"m1": ip_address("192.0.2.1"), "m2": ip_address("192.0.2.2")}


def spec(folder: Path, lab: str = "lab", nodes: int = 2, **more: Any) -> Spec:
    """Return a lab whose nodes are on m1 and m2 by turns."""
    file = folder / "lab.yaml"
    file.write_text(documents(lab, "routed", nodes))
    objects, _ = load([str(file)])
    cluster = resolve(objects)
    of = replace(objects, documents=tuple(reduced(objects.documents)))
    record = Record(lab, of.documents, placement(cluster), (), True, "", allocations(cluster))
    placed = {f"node:n{number}": f"m{2 - number % 2}" for number in range(1, nodes + 1)}
    machines = {name: address for name, address in ADDRESSES.items() if name in placed.values()}
    return Spec(record, 77, machines, placed, change="first").changed(**more)
