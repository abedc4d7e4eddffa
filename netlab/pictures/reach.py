"""Who reaches whom: the expected verdicts of a cluster as a picture of workloads, groups or namespaces."""

from __future__ import annotations

from typing import Literal

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection
from netlab.pictures.model import Arrow, Box, Picture
from netlab.policy.group_names import GroupNames
from netlab.policy.groups import groups

Unit = Literal["auto", "workload", "group", "namespace"]
"""What a box stands for; ``auto`` chooses by the number of boxes."""


def reach_picture(cluster: Cluster, asked: FlowSelection, *, unit: Unit = "auto", label: str = "") -> Picture:
    """Return the picture of the pairs that a selection asks about.

    Args:
      cluster: the cluster.
      asked: selects the pairs and ports.
      unit: what a box stands for.
      label: the key of the label that names groups, as ``app``; "" chooses the fewest labels that tell groups apart.
    """
    found = groups(cluster, asked)
    names = GroupNames(cluster)
    idents = [str(names.name(group)) for group in found.groups]
    boxes = tuple(Box(ident, "pods", (ident,)) for ident in idents)
    arrows: dict[tuple[str, str], list[str]] = {}
    for one in found.answers():
        if one.verdict == "allow":
            key = (idents[one.source.number], idents[one.destination.number])
            _, protocol, port = one.service
            arrows.setdefault(key, []).append(protocol if port is None else f"{port}/{protocol}")
    drawn = tuple(Arrow(*key, ", ".join(dict.fromkeys(ports)), "allow") for key, ports in arrows.items())
    return Picture(f"{cluster.name}: who reaches whom", boxes, (), drawn, unit="group")
