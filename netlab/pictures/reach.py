"""Who reaches whom: the expected verdicts of a cluster as a picture of workloads, groups or namespaces.

The unit follows the number of boxes: workloads in a small cluster, then behaviour groups, then namespaces. No picture
has a box for a pod among hundreds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property

from netlab.cluster.flows import FlowSelection
from netlab.cluster.types import Cluster, Host, Pod
from netlab.frozen import frozen_with_cache
from netlab.pictures.arrows import Explained, arrows_of, both_ways
from netlab.pictures.badges import Badge, badges_of, box_sets
from netlab.pictures.isolation import Isolated, isolated, isolation_notes
from netlab.pictures.model import Box, BoxKind, Frame, Picture
from netlab.pictures.ports import ports_text
from netlab.pictures.texts import SIGNS, TIMES
from netlab.pictures.units import Part, Unit, Verdicts, parts_of, some_names, verdicts_of
from netlab.policy.groups import Groups, groups

__all__ = ["Unit", "reach_picture"]

MOST_WORKLOADS, MOST_GROUPS, MOST_BOXES = 14, 30, 60
"""The most boxes with which a unit is chosen, and with which it is drawn if the user chooses it."""
_FEW_NAMESPACES = 3


def reach_picture(
    cluster: Cluster,
    asked: FlowSelection,
    *,
    unit: Unit = "auto",
    label: str = "",
    links: bool = False,
    found: Groups | None = None,
) -> Picture:
    """Return the picture of the pairs that a selection asks about.

    Args:
      cluster: the cluster.
      asked: selects the pairs and ports.
      unit: what a box stands for.
      label: the key of the label that names groups, as ``app``; "" chooses the fewest labels that tell groups apart.
      links: whether boxes link to ``#group-N`` (N is the number of the group in ``groups``, from 1) and to
        ``#namespace-NAME`` of the page that the picture is in.
      found: the groups of the cluster for the selection, if the caller has them.
    """
    found = found or groups(cluster, asked)
    if unit != "namespace":
        parts = _parts(found, unit, label)
        if parts is not None:
            used, chosen = parts
            return _of_parts(found, chosen, used, links)
    from netlab.pictures.namespaces import picture_of_namespaces

    why = ""
    if unit in ("workload", "group"):
        why = f"There are too many boxes for the unit {unit}, so this picture has namespaces."
    elif unit == "auto" and len(_namespaces(found)) <= _FEW_NAMESPACES:
        why = f"{len(found.groups)} groups are too many for a picture; netlab reach --group lists them."
    return picture_of_namespaces(found, links, why)


def _namespaces(found: Groups) -> set[str]:
    return {member.namespace for group in found.groups for member in group.members if isinstance(member, Pod)}


def _parts(found: Groups, unit: Unit, label: str) -> tuple[str, list[Part]] | None:
    """Return the unit and the units that fit a picture; None if namespaces fit better."""
    # A picture of few namespaces says little.
    bound = MOST_GROUPS if unit == "auto" and len(_namespaces(found)) > _FEW_NAMESPACES else MOST_BOXES
    if unit in ("auto", "workload") and len(found.groups) <= MOST_BOXES:
        parts = parts_of(found, "workload", label)
        if len(parts) <= (MOST_WORKLOADS if unit == "auto" else MOST_BOXES):
            return "workload", parts
    if unit in ("auto", "group") and len(found.groups) <= bound:
        parts = parts_of(found, "group", label, most=bound)
        if len(parts) <= bound:
            return "group", parts
    return None


def _of_parts(found: Groups, parts: Sequence[Part], unit: str, links: bool) -> Picture:
    cluster = found.cluster
    verdicts = verdicts_of(found, parts)
    isolation = [isolated(cluster, part.members) for part in parts]
    families = len({family for family, _, _ in found.into})
    badges = _badges(parts, verdicts, isolation, families)
    explained = Explained(cluster, parts)
    drawing = _Boxes(cluster, parts, verdicts, isolation, badges, explained, links)
    namespaces = dict.fromkeys(part.namespace for part in parts if part.namespace)
    frames = tuple(drawing.frame(namespace) for namespace in namespaces)
    arrows = both_ways(arrows_of(parts, verdicts, badges, explained, families))
    boxes = tuple(drawing.box(number) for number in range(len(parts)))
    return Picture(f"{cluster.name}: who reaches whom", boxes, frames, arrows, _below(found, unit, badges), unit)


def _frame(namespace: str) -> str:
    return f"namespace {namespace}" if namespace else ""


def _badges(parts: Sequence[Part], verdicts: Verdicts, isolation: Sequence[Isolated], families: int) -> list[Badge]:
    pods = [number for number, part in enumerate(parts) if part.is_pods]
    sets = box_sets(len(parts), pods, isolation, "every pod")
    found = []
    for verdict, having in verdicts.having.items():
        found += badges_of(verdicts.asked, having, sets, lambda of: _called(parts, of), families, verdict)
    return found


def _called(parts: Sequence[Part], of: Sequence[int]) -> list[str]:
    """Return the names of units: ``NAMESPACE/*`` for all of a namespace."""
    names = []
    left = dict.fromkeys(of)
    for namespace in dict.fromkeys(parts[number].namespace for number in of if parts[number].namespace):
        whole = [number for number, part in enumerate(parts) if part.namespace == namespace and part.is_pods]
        if len(whole) > 1 and all(number in left for number in whole):
            names.append(f"{namespace}/*")
            for number in whole:
                del left[number]
    return [*names, *(parts[number].ident for number in left)]


@frozen_with_cache
class _Boxes:
    """Makes the boxes of units."""

    cluster: Cluster
    parts: Sequence[Part]
    verdicts: Verdicts
    isolation: Sequence[Isolated]
    badges: Sequence[Badge]
    explained: Explained
    links: bool

    @cached_property
    def _named(self) -> Counter[tuple[str, str]]:
        return Counter((part.namespace, part.name) for part in self.parts if part.service is None)

    def box(self, number: int) -> Box:
        """Return the box of a unit."""
        part, isolation = self.parts[number], self.isolation[number]
        own = [badge for badge in self.badges if badge.box == number]
        notes = [some_names([member.ref for member in part.members])] if part.members else []
        notes += isolation_notes(self.cluster, part.members)
        notes += [f"{badge.text}: {self.explained.of_badge(badge)}" for badge in own]
        return Box(
            part.ident,
            _kind(part),
            tuple(self._lines(part, isolation)),
            _frame(part.namespace),
            max(len(part.members), 1),
            isolation.isolation,
            (*(badge.text for badge in own), *self._inner(number, own)),
            tuple(notes),
            _place(part),
            f"#group-{part.group.number + 1}" if self.links and part.group is not None else "",
        )

    def frame(self, namespace: str) -> Frame:
        """Return the frame of a namespace."""
        total = Isolated(0, 0, 0, 0)
        for part, isolation in zip(self.parts, self.isolation, strict=True):
            if part.namespace == namespace:
                total += isolation
        note = (f"{total.neither} of {total.pods} pods: no policy isolates them in either direction",)
        link = f"#namespace-{namespace}" if self.links else ""
        return Frame(_frame(namespace), "namespace", namespace, note=note, link=link)

    def _lines(self, part: Part, isolation: Isolated) -> Iterator[str]:
        count = len(part.members)
        yield f"{part.name} {TIMES}{count}" if count > 1 else part.name
        if part.service is not None:
            yield "Service"
        elif self._named[part.namespace, part.name] > 1:
            # Pods of one workload with different verdicts are several boxes of one name.
            yield some_names([member.name for member in part.members])
        first = part.members[0] if part.members else None
        if isinstance(first, Pod) and not first.selectable:
            yield "without network" if first.loopback_only else "hostNetwork: no policy applies"
        if isolation.mixed:
            yield isolation.mixed

    def _inner(self, number: int, own: Sequence[Badge]) -> Iterator[str]:
        """Yield badges for the pairs inside a unit: of its members, and of each with itself."""
        replaced = {one for badge in own for one in badge.replaced}
        for verdict, having in self.verdicts.having.items():
            ports = [port for port in having.get((number, number), ()) if ((number, number), port) not in replaced]
            if ports:
                yield f"{SIGNS.get(verdict, '')}one another: {ports_text(ports, self._families)}"
        group = self.parts[number].group
        if group is not None and group.alone:
            alone = [s for s, v in zip(group.services, group.alone, strict=True) if v == "allow"]
            if alone:
                yield f"itself: {ports_text(alone, self._families)}"

    @cached_property
    def _families(self) -> int:
        return len({port[0] for ports in self.verdicts.asked.values() for port in ports})


def _place(part: Part) -> str:
    first = part.members[0] if part.members else None
    source = part.service.source if part.service is not None else first.source if isinstance(first, Pod) else None
    return source.place() if source is not None else ""


def _kind(part: Part) -> BoxKind:
    if part.service is not None:
        return "service"
    if part.is_pods:
        return "pods"
    return "host" if isinstance(part.members[0], Host) else "node"


def _below(found: Groups, unit: str, badges: Sequence[Badge]) -> tuple[str, ...]:
    cluster = found.cluster
    what = {
        "workload": "A box is a workload: pods of one controller with equal verdicts.",
        "group": "A box is a group of pods with equal verdicts to and from everything.",
    }[unit]
    lines = [what]
    if any("not isolated" in badge.text for badge in badges):
        lines.append(
            'In a badge, "all not isolated" are the pods that no policy isolates: for egress after "from", for ingress '
            'after "to".'
        )
    count = isolated(cluster, (member for group in found.groups for member in group.members))
    if count.pods:
        lines.append(f"{count.neither} of {count.pods} pods: no policy isolates them in either direction.")
    return tuple(lines)
