"""The exposure of groups of pods as a result: a row for each group, the widest first.

The document (``-o json``, ``-o yaml``) is::

    {"apiVersion": "netlab/v1alpha1", "kind": "Exposure", "lab": NAME,
     "groups": [
       {"group": "shop app=db", "pods": 2, "members": ["shop/db-0", "shop/db-1"],
        "ports": [{"protocol": "TCP", "port": 5432, "name": "pg"}], "sources": 3, "destinations": 7,
        "ingress": {
          "isolated": true, "level": "new namespaces", "why": "",
          "policies": [{"object": "NetworkPolicy shop/db", "file": "db.yaml", "line": 1}],
          "pods": [
            {"peers": "any pod with app=monitoring in any namespace with team=y", "podSelector": "app=monitoring",
             "namespaceSelector": "team=y", "ports": ["9090/TCP"], "pods": 0, "namespaces": 0, "newNamespaces": true,
             "stopped": [], "nodes": [], "because": [{"object": "NetworkPolicy shop/db", "file": "db.yaml", "line": 9,
                          "path": "spec.ingress[0].from[0]"}]}],
          "addresses": [
            {"ranges": [{"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}], "internet": [4], "ports": ["443/TCP"],
             "pods": "some", "outside": true, "nodes": ["node-1"], "because": […]}],
          "unknown": []},
        "egress": {…},
        "entryPoints": [{"kind": "nodePort", "service": "shop/db", "protocol": "TCP", "port": 30432, "target": 5432,
                   "family": 4, "ranges": […], "internet": [4], "unknown": []}]}],
     "newPods": [{"namespaces": ["shop"], "ingress": {"isolated": false, "policies": []}, "egress": {…}}],
     "summary": {"groups": 3, "pods": 5, "unprotected": 2, "internet": 1}}

- ``level``: how wide a side is open to pods: ``everything`` (no policy isolates it), ``cluster`` (every pod of every
  namespace that may come), ``new namespaces`` (pods of namespaces that do not exist yet), ``new pods`` (pods of certain
  namespaces, by their labels), ``nothing``.
- ``sources``: the number of existing endpoints that may open a port of a pod of the group. ``destinations``: the number
  of those that a pod of the group may open a port of.
- ``pods`` of an opening: how many existing pods it has; 0 means that no pod has such labels yet.
- ``stopped``: existing namespaces whose own egress policies stop a new pod with the labels of the opening; on ingress.
- ``pods`` of addresses: whether they are addresses that pods have: ``all``, ``some`` or ``none``. ``internet``: the IP
  families whose public addresses they have.
- ``nodes``: the nodes that have one of the addresses, or whose host-network pods the selectors match.
- ``entryPoints``: how outside addresses reach a pod; of ``ranges``, the addresses outside of the cluster get through.
- ``newPods``: what isolates a new pod without labels.
- ``unknown``: policies that netlab does not read and that could change the side.

With a pod, ``groups`` has its group only, and ``reached`` has the pods that it reaches: ``{"pods": ["shop/db-0"],
"hops": 2, "path": [{"pod": "shop/api-0", "family": 4, "protocol": "TCP", "port": 80, "name": "http"}, …]}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from netlab.frozen import frozen
from netlab.quantity import few, quantity
from netlab.report.documents import API_VERSION, Items, Streamed
from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.cluster.types import Pod
    from netlab.policy.exposed_sides import ExposedSide
    from netlab.policy.exposure import Exposure, Exposures
    from netlab.policy.hops import ReachedPods
    from netlab.report.again import CommandLine
    from netlab.report.blocks import Block

# The most openings that are listed below the table, and the most names in a line.
_MOST, _FEW = 20, 4


@frozen
class BlastRadius:
    """What one pod reaches over at most ``hops`` connections."""

    pod: Pod
    hops: int
    reached: tuple[ReachedPods, ...]

    @property
    def pods(self) -> int:
        """The number of pods that are reached."""
        return sum(len(one.pods) for one in self.reached)


class ExposureReport:
    """The exposure of all groups of a cluster, or of one pod with its blast radius."""

    def __init__(self, found: Exposures, radius: BlastRadius | None = None, again: CommandLine | None = None) -> None:
        from netlab.policy.group_names import GroupNames

        self.found = found
        self.radius = radius
        self.again = again
        self._names = GroupNames(found.cluster)
        self.rows: Sequence[Exposure] = found.found
        if radius is not None:
            self.rows = [one for one in found.found if any(pod is radius.pod for pod in one.group.members)]

    # --- text --------------------------------------------------------------------------------------------------------

    def table(self, page: Page) -> Iterator[str]:
        """Yield a row for each group, then what may come in that does not exist yet, and the counts."""
        from netlab.report.columns import columns

        if self.radius is not None:
            yield from self.wide(page)
            return
        rows = [(str(n), *self.cells(one)) for n, one in enumerate(self.rows, start=1)]
        if rows:
            yield from columns(("#", *(name.upper() for name in CELLS)), rows)
            if any(side.tiers for one in self.rows for side in (one.ingress, one.egress)):
                text = "cluster-wide policies could change it; the cells are by NetworkPolicies alone; see -o wide"
                yield f"unknown: {text}"
            yield ""
        yield from self._open_to_new()
        yield self.summary()

    def wide(self, page: Page) -> Iterator[str]:
        """Yield a list for each group: what comes in from where, and where it can go."""
        for one in self.rows:
            yield from self.lines(one)
            yield ""
        if self.radius is not None:
            yield from self.radius_lines()
            yield ""
        yield self.summary()

    def cells(self, one: Exposure) -> tuple[str, ...]:
        """Return a group's name, and in short what is open to pods and to the outside, in both directions."""
        return (self.name(one), *self._short(one.ingress), *self._short(one.egress))

    def _short(self, side: ExposedSide) -> tuple[str, str]:
        """Return in short what a side admits: pods, and addresses outside of the cluster."""
        cluster = self.found.cluster
        outside = side.outside(cluster)
        unknown = " (unknown)" if side.unknown else ""
        level = side.level(cluster)
        if level == "everything":
            return f"everything{unknown}", f"every address{unknown}"
        pods: str = {"new namespaces": "pods of new namespaces", "new pods": "some pods"}.get(level, level)
        if level == "cluster":
            every = [one.ports for one in side.openings.pods if one.peers.everything]
            every += [one.ports for one in side.pods_by_address(cluster)]
            pods = f"every pod on {few(reduce(or_, every).words(), 2)}"
        internet = [one.ports for one in outside if one.addresses.internet]
        if internet:
            return f"{pods}{unknown}", f"the internet on {few(reduce(or_, internet).words(), 2)}{unknown}"
        ranges = [word for one in outside for word in one.addresses.words()]
        return f"{pods}{unknown}", f"{few(ranges, 2) or 'nothing'}{unknown}"

    def name(self, one: Exposure) -> str:
        """Return the name of a group with the number of its pods."""
        return self._names.name(one.group).counted

    def _open_to_new(self) -> Iterator[str]:
        """Yield the openings to pods and namespaces that do not exist yet, with the numbers of their rows."""
        alike: dict[str, list[int]] = {}
        for number, one in enumerate(self.rows, start=1):
            if not one.ingress.openings.isolated:
                alike.setdefault("everything", []).append(number)
                continue
            for opening in one.ingress.openings.pods:
                new = opening.peers.new_namespaces(self.found.cluster)
                if new or not self.found.pods_of(opening.peers):
                    alike.setdefault(f"{opening.peers} on {opening.ports}", []).append(number)
        if alike:
            yield "Open to pods that do not exist yet:"
            for text, numbers in list(alike.items())[:_MOST]:
                yield f"  {few([f'#{number}' for number in numbers], _FEW)}: {text}"
            if len(alike) > _MOST:
                yield f"  and {len(alike) - _MOST:,} more; -o wide lists all"
            yield ""
        yield from self.new_pod_lines()

    def new_pod_lines(self) -> Iterator[str]:
        """Yield the namespaces in which nothing isolates a new pod without labels."""
        for direction in ("ingress", "egress"):
            names = [
                name for one in self.found.new_pods if getattr(one, direction).unprotected for name in one.namespaces
            ]
            if names and self.radius is None:
                yield f"A new pod without labels is not isolated for {direction} in: {few(sorted(names), _FEW)}"

    def lines(self, one: Exposure) -> Iterator[str]:
        """Yield what is known about a group, in lines."""
        yield self.name(one)
        for word, side, entries in (("from", one.ingress, one.entry_points), ("to", one.egress, ())):
            texts = [*self.side_lines(one, side)]
            texts += [f"entry point: {of} for {few(of.admitted.words(), 3) or 'unknown addresses'}" for of in entries]
            for number, text in enumerate(texts):
                yield f"  {word if not number else '':<4}  {text}"

    def side_lines(self, one: Exposure, side: ExposedSide) -> Iterator[str]:
        """Yield what a side admits, in lines."""
        from netlab.policy.inside_addresses import in_families, nodes_admitted, nodes_matched

        cluster = self.found.cluster
        if side.unread:
            yield f"unknown: {side.unread[0]} could change it, and netlab does not read it"
        if side.tiers:
            more = f" and {len(side.tiers) - 1} more" if len(side.tiers) > 1 else ""
            yield f"unknown: {side.tiers[0].ref}{more} could change it; what follows is by NetworkPolicies alone"
        if not side.openings.isolated:
            yield f"everything: {side.unenforced or 'no policy isolates it'}"
            return
        for opening in side.openings.pods:
            number = self.found.pods_of(opening.peers)
            now = f"{quantity(number, 'pod')} now" if number else "no pod has such labels yet"
            stopped = self.found.stopped(one, opening) if side is one.ingress else []
            by_own = f"; egress policies stop a new pod in {few(stopped, _FEW)}" if stopped else ""
            nodes = nodes_matched(cluster, opening.peers)
            by_pods = f"; nodes {few(nodes, _FEW)}" if nodes else ""
            yield f"{opening.peers} on {opening.ports} ({now}{by_own}{by_pods})"
        whole = side.pods_by_address(cluster)
        for of in side.openings.addresses:
            if not in_families(cluster, of):
                continue
            pods = "pods too; " if of in whole else "some pods too; " if of in side.some_by_address(cluster) else ""
            nodes = nodes_admitted(cluster, one.pods[0], of)
            shown = pods + (f"nodes {few(nodes, _FEW)}; " if nodes else "")
            own = in_families(cluster, of)
            internet = "the whole internet: " if own.internet else ""
            yield f"{internet}{few(own.words(), _FEW)} on {of.ports}{f' ({shown[:-2]})' if shown else ''}"
        if not side.openings.pods and not side.openings.addresses:
            yield "nothing"

    def radius_lines(self) -> Iterator[str]:
        """Yield the pods that the pod reaches, each with a shortest path."""
        radius = self.radius
        assert radius is not None
        most = quantity(radius.hops, "connection")
        yield f"{radius.pod.ref} reaches {quantity(radius.pods, 'pod')} over at most {most}:"
        for one in radius.reached:
            steps = " -> ".join(f"{step.pod.ref}:{_port(step.pod, step.asked)}" for step in one.steps)
            alike = [pod.ref for pod in one.pods[1:]]
            more = f" (and {len(alike)} alike: {few(alike, _FEW)})" if alike else ""
            yield f"  {len(one.steps)}  {steps}{more}"

    def summary(self) -> str:
        """Return the counts as a line."""
        of = self.counts()
        return (
            f"{quantity(of['groups'], 'group')} of {quantity(of['pods'], 'pod')}: {of['unprotected']:,} open to"
            f" everything, {of['internet']:,} open to the internet by policy"
        )

    def counts(self) -> dict[str, int]:
        """Return the numbers of groups, pods, groups that no policy isolates, and those open to the internet."""
        cluster = self.found.cluster
        return {
            "groups": len(self.rows),
            "pods": sum(len(one.group.members) for one in self.rows),
            "unprotected": sum(one.ingress.unprotected for one in self.rows),
            "internet": sum(
                one.ingress.openings.isolated
                and not one.ingress.tiers
                and any(of.addresses.internet for of in one.ingress.outside(cluster))
                for one in self.rows
            ),
        }

    # --- other views -------------------------------------------------------------------------------------------------

    def comment(self) -> Iterator[Block]:
        """Yield the groups, the widest first, and what may come in that does not exist yet."""
        from netlab.report.exposure_blocks import comment

        return comment(self)

    def report(self) -> Iterator[Block]:
        """Yield the whole report."""
        from netlab.report.exposure_blocks import report

        return report(self)

    def document(self) -> Streamed:
        """Return the Exposure document; its groups are made one by one."""
        from netlab.report.exposure_document import group_data, new_pods_data, reached_data

        head: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "Exposure", "lab": self.found.cluster.name}
        radius = self.radius
        if radius is not None:
            head |= {"pod": radius.pod.ref, "hops": radius.hops}
        items = {"groups": Items(lambda: (group_data(self, str(self._names.name(o.group)), o) for o in self.rows))}
        if radius is not None:
            items["reached"] = Items(lambda: map(reached_data, radius.reached))
        else:
            items["newPods"] = Items(lambda: map(new_pods_data, self.found.new_pods))
        return Streamed(head, items, lambda: {"summary": self.counts()})


CELLS = ("group", "open to pods", "open to outside", "reaches pods", "reaches outside")
"""The columns of the table."""


def _port(pod: Pod, asked: tuple[int, str, int | None]) -> str:
    from netlab.policy.reasons import service_text

    port = port_data(pod, asked)
    return service_text(port["protocol"], port["port"]) + (f" ({port['name']})" if port["name"] else "")


def port_data(pod: Pod, asked: tuple[int, str, int | None]) -> dict[str, Any]:
    """Return a port of a pod as data."""
    family, protocol, port = asked
    name = next((one.name for one in pod.ports if (one.protocol, one.port) == (protocol, port)), "")
    return {"family": family, "protocol": protocol, "port": port, "name": name}
