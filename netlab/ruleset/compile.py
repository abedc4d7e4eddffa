"""From a cluster to the nftables ruleset of each of its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from netlab.cluster.published import published
from netlab.cluster.types import Cluster, Pod
from netlab.objects.types import Direction, NetworkPolicy
from netlab.ruleset import antispoof, publish, tunnels
from netlab.ruleset.allows import Allow, allows
from netlab.ruleset.antispoof import Port
from netlab.ruleset.chains import policy_table
from netlab.ruleset.classes import Classes, PolicyClass, classify
from netlab.ruleset.comments import listing, sentence
from netlab.ruleset.elements import Element, Table
from netlab.ruleset.identities import Identities, View, identify, views
from netlab.ruleset.nftables import Ruleset
from netlab.ruleset.numbers import classid, mark
from netlab.ruleset.peers import Signature
from netlab.ruleset.ranges import range_text

_WAYS: tuple[tuple[Direction, str, str], ...] = (("ingress", "in", "from"), ("egress", "eg", "to"))

Elements = dict[str, dict[str, Element]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is the same on every node."""

    identities: Identities
    classes: Classes
    policies: Mapping[str, NetworkPolicy]


def compile_rulesets(cluster: Cluster, ports: Mapping[str, Port] | None = None) -> dict[str, Ruleset]:
    """Return the ruleset of every node by its name; the same cluster always gives the same.

    ``ports`` has the node's end of every pod's link by the pod's reference, for the anti-spoof table; None
    leaves that table out.

    Raises:
      KeyError: if ``ports`` lacks a bridged pod.
    """
    families = cluster.families or (4,)
    known = _Known(identify(cluster), classify(cluster), {p.meta.key: p for p in cluster.policies})
    tables: tuple[Table, ...] = (
        policy_table(
            families, several=len(cluster.networks) > 1, publishes=bool(published(cluster)), settings=cluster.policy
        ),
    )
    if ports is not None:
        tables += (*antispoof.tables(cluster), *tunnels.tables(cluster))
    everywhere = {**_ranges(known.identities), **_masqueraded(cluster), **_apart(cluster)}
    rulesets: dict[str, Ruleset] = {}
    for seen, nodes in views(cluster, known.identities):
        shared = {**_pods(seen, known.identities), **everywhere}
        for node in nodes:
            elements = {**shared, **_local(list(cluster.pods_on(node)), seen, known)}
            elements |= publish.elements(cluster, node)
            if ports is not None:
                elements |= antispoof.senders(cluster, node, ports) | tunnels.elements(cluster)
            filled = {s.name: elements[s.name] for table in tables for s in table.sets if elements.get(s.name)}
            rulesets[node] = Ruleset(cluster.name, node, tables, filled, _notes(cluster, node, known.classes))
    return {node.name: rulesets[node.name] for node in cluster.nodes}


def _pods(seen: View, identities: Identities) -> Elements:
    """The identities of pods; one that no peer matches has none, and needs no element."""
    found: Elements = {}
    for address, (pod, signature) in seen.pods.items():
        if signature:
            element = Element(mark(identities.marks[signature]), listing([pod.ref]))
            found.setdefault(f"id{address.version}", {})[str(address)] = element
    return found


def _ranges(identities: Identities) -> Elements:
    """The identities of all other addresses: an interval map of disjoint ranges."""
    return {
        f"cidr{family}": {
            range_text(r, family): Element(mark(identities.marks[Signature(r.blocks)]), listing(sorted(r.blocks)))
            for r in ranges
        }
        for family, ranges in identities.ranges.items()
    }


def _masqueraded(cluster: Cluster) -> Elements:
    """The pod networks whose packets leave the cluster as their node's (the contract's table of modes)."""
    found: Elements = {}
    for network in cluster.networks:
        if network.mode in ("bridge", "overlay"):
            for cidr in network.pod_cidrs:
                found.setdefault(f"masq{cidr.version}", {})[str(cidr)] = Element(comment=network.name)
    return found


def _apart(cluster: Cluster) -> Elements:
    """Every two networks of the cluster, in both directions: Docker's user-defined networks do not meet either."""
    found: Elements = {}
    for one, other in permutations(cluster.networks, 2):
        for cidr in one.pod_cidrs:
            for far in other.pod_cidrs:
                if cidr.version == far.version:
                    element = Element(comment=f"{one.name} to {other.name}")
                    found.setdefault(f"apart{cidr.version}", {})[f"{cidr} . {far}"] = element
    return found


def _local(own: Sequence[Pod], seen: View, known: _Known) -> Elements:
    """The classes of a node's own pods, and everything that these classes allow."""
    found: Elements = {}
    for direction, way, word in _WAYS:
        members: dict[PolicyClass, list[str]] = {}
        for pod in own:
            policy_class = known.classes.pods.get((direction, pod.ref))
            if policy_class is None:
                continue
            members.setdefault(policy_class, []).append(pod.ref)
            element = Element(
                classid(known.classes.numbers[policy_class]),
                sentence([pod.ref], ("selected by", policy_class.policies)),
            )
            for address in pod.addresses:
                found.setdefault(f"{way}{address.version}", {})[str(address)] = element
        for policy_class, pods in members.items():
            number = classid(known.classes.numbers[policy_class])
            for allow, keys in allows(policy_class, known.policies, seen).items():
                peer = ["anywhere"] if allow.peer is None else seen.names[allow.peer]
                entry = Element(comment=sentence(pods, (word, peer), ("by", keys)))
                found.setdefault(f"{way}_{_set(allow)}", {})[_key(number, allow, known.identities)] = entry
                if allow.is_range:
                    found.setdefault(f"{way}_slow", {})[number] = Element(comment=listing(pods))
    return {name: _readable(elements) if "_" in name else elements for name, elements in found.items()}


def _set(allow: Allow) -> str:
    """The set that holds an allow, less its direction."""
    if allow.protocol is None:
        return "l3"
    return ("l4" if allow.peer is None else "l3l4") + ("_ranges" if allow.is_range else "")


def _key(number: str, allow: Allow, identities: Identities) -> str:
    """The key of an allow in its set: ``0:1 . 0x00000101 . tcp . 5432``."""
    parts = [number]
    if allow.peer is not None:
        parts.append(mark(identities.marks[allow.peer]))
    if allow.protocol is not None:
        parts += [allow.protocol.lower(), f"{allow.first}-{allow.last}" if allow.is_range else str(allow.first)]
    return " . ".join(parts)


def _readable(elements: dict[str, Element]) -> dict[str, Element]:
    """Order by whom the elements mean, as the order of hashes tells readers nothing."""
    return dict(sorted(elements.items(), key=lambda item: (item[1].comment, item[0])))


def _notes(cluster: Cluster, node: str, classes: Classes) -> dict[str, tuple[str, ...]]:
    """Say of the pods that policies select without isolating them why they are in no class."""
    notes: dict[str, tuple[str, ...]] = {}
    for direction, way, word in _WAYS:
        for pod in cluster.pods_on(node):
            policy = classes.opened.get((direction, pod.ref))
            for family in sorted({a.version for a in pod.addresses}) if policy else ():
                line = f"{pod.ref} is left out: {policy} allows everything {word} anywhere"
                notes[f"{way}{family}"] = (*notes.get(f"{way}{family}", ()), line)
    return notes
