"""Machines, and labs on many machines, as listings of ``netlab get``; only etcd is asked, and agents about drift."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from netlab.cli import listing, terminal
from netlab.errors import NetlabError, printable
from netlab.machines import overview
from netlab.report.listings import Depth, Item, Listing

if TYPE_CHECKING:
    from netlab.machines.etcd import Etcd
    from netlab.machines.overview import LabOverview, MachineOverview


def machines(etcd: Etcd) -> Listing:
    """List the machines whose agents run, and those that labs have nodes on."""

    def item(one: MachineOverview) -> Item:
        status, version = "Ready" if one.ready else "NotReady", printable(one.version)
        data = {
            "apiVersion": "netlab/v1alpha1",
            "kind": "Machine",
            "metadata": {"name": one.name},
            "status": {
                "conditions": [{"type": "Ready", "status": str(one.ready)}],
                "address": one.address,
                "version": version,
                "labs": list(one.labs),
                "nodes": one.nodes,
            },
        }
        cells = (one.name, status, one.address, version or "<unknown>", str(len(one.labs)), str(one.nodes))
        return Item("", one.name, data, cells, (",".join(one.labs),))

    header = ("NAME", "STATUS", "ADDRESS", "VERSION", "LABS", "NODES")
    return Listing(header, ("LAB-NAMES",), [item(one) for one in overview.machines(etcd)])


def labs(etcd: Etcd, chosen: Collection[str], depth: Depth) -> Listing:
    """List the chosen labs of an etcd, else all."""
    found = [one for one in overview.labs(etcd) if not chosen or one.name in chosen]
    items = [_lab(etcd, one, depth) for one in found]
    return Listing(listing.LAB_HEADER, (*listing.LAB_WIDE, "ENCRYPTED", "MACHINES"), items)


def _lab(etcd: Etcd, one: LabOverview, depth: Depth) -> Item:
    if one.why:
        terminal.say(f"Warning: {one.why}")
    spec: dict[str, Any] = {}
    drift = "unknown" if depth == "drift" else ""
    if depth != "cells" and one.known is not None:
        try:
            from netlab.machines.shared_lab import SharedLab

            lab = SharedLab(etcd, one.known)
            spec = listing.ranges(lab.cluster)
            if drift and not one.away:
                drift = str(len(lab.drift()))
        except NetlabError as error:
            terminal.say(f"Warning: lab {one.name}: {error}")
    machines = sorted(one.known.spec.machines) if one.known else []
    encrypted = one.known is not None and one.known.spec.encrypted
    status: dict[str, Any] = {"machines": machines, **({"away": list(one.away)} if one.away else {})}
    status["encrypted"] = encrypted
    names = ",".join(f"{name} (away)" if name in one.away else name for name in machines)
    wide = ("yes" if encrypted else "no", names)
    counts = (one.nodes, one.pods) if one.known is not None else (None, None)
    return listing.lab(one.name, one.phase, counts, spec, drift, status, wide)
