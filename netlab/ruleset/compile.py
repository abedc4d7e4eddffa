"""From a cluster to the nftables ruleset of each of its nodes, at once or step by step."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_network
from itertools import permutations

from netlab.cluster.types import Cluster, Pod
from netlab.objects.types import Address, Direction, Prefix
from netlab.ruleset import antispoof, publish, tunnels
from netlab.ruleset.allows import Allow, allows
from netlab.ruleset.antispoof import Port
from netlab.ruleset.chains import policy_table
from netlab.ruleset.classes import Classes, Found, PolicyClass
from netlab.ruleset.comments import listing, sentence
from netlab.ruleset.elements import Element, Table
from netlab.ruleset.identities import Identities, Signatures
from netlab.ruleset.nftables import Ruleset, Since
from netlab.ruleset.numbers import classid, mark
from netlab.ruleset.peers import Member, NamedPort, Signature
from netlab.ruleset.ranges import range_text
from netlab.ruleset.sets import Sets, Touched
from netlab.ruleset.step import Step, step_between
from netlab.ruleset.views import View

_WAYS: tuple[tuple[Direction, str, str], ...] = (("ingress", "in", "from"), ("egress", "eg", "to"))

_Elements = dict[str, dict[str, Element]]


def compile_rulesets(cluster: Cluster, ports: Mapping[str, Port] | None = None) -> dict[str, Ruleset]:
    """Return the ruleset of every node by its name; the same cluster always gives the same.

    ``ports`` has the node's end of every pod's link by the pod's reference, for the anti-spoof table; None
    leaves that table out.

    Raises:
      KeyError: if ``ports`` lacks a bridged pod.
    """
    return Compiler(None if ports is None else lambda pod: ports[pod.ref]).compile(cluster)


class Compiler:
    """Compiles clusters one after the other, of each only what it does not share with the one before.

    ``port_of`` tells the node's end of a pod's link, for the anti-spoof table; without it that table is left out.
    """

    def __init__(self, port_of: Callable[[Pod], Port] | None = None) -> None:
        self._port_of = port_of
        self._frame: object = None
        self._work: _Work | None = None

    def compile(self, cluster: Cluster) -> dict[str, Ruleset]:
        """Return the ruleset of every node by its name.

        Keys and values follow from the cluster alone. The comment of an element that was there before may still name
        whom it meant when it came, as the kernel's does.
        """
        frame = (cluster.name, cluster.networks, cluster.nodes, cluster.policy)
        # Until all of it is done there is nothing to go on from.
        work, self._work = self._work if frame == self._frame else None, None
        if work is None or not work.follow(cluster):
            work = _Work(cluster, self._port_of)
            work.follow(cluster)
        self._frame, self._work = frame, work
        return work.rulesets()


class _Shared:
    """What nodes that can meet the same addresses have in common: all of them, where every network joins nodes."""

    def __init__(self) -> None:
        self.view = View()
        self.sets = Sets()
        self.changed: set[Member] = set()

    def move(self, name: str, old: Signatures, new: Signatures, identities: Identities) -> None:
        """Give an endpoint other identities than it had here."""
        self.changed |= self.view.move(name, old.values(), new.values())
        for address, signature in old.items():
            if signature and not new.get(address):
                self.sets.take(f"id{address.version}", str(address))
        for address, signature in new.items():
            if signature and old.get(address) != signature:
                element = Element(mark(identities.number(signature)), listing([name]))
                self.sets.put(f"id{address.version}", str(address), element)


class _Node:
    """What a node holds for its own pods: which of them are in which class, and what those allow."""

    def __init__(self, shared: _Shared) -> None:
        self.shared = shared
        self.sets = Sets()
        self.members: dict[PolicyClass, dict[str, None]] = {}
        self.allowed: dict[PolicyClass, _Elements] = {}
        self.opened: dict[tuple[Direction, str], tuple[str, tuple[int, ...]]] = {}
        self.dirty: set[PolicyClass] = set()

    def join(self, pod: Pod, direction: Direction, way: str, found: PolicyClass | str, number: str) -> None:
        """Put a pod into its class, or note which policy opens it."""
        if isinstance(found, str):
            self.opened[direction, pod.ref] = found, tuple(sorted({a.version for a in pod.addresses}))
            return
        if found not in self.members:
            self.members[found] = {}
            self.dirty.add(found)
        self.members[found][pod.ref] = None
        element = Element(number, sentence([pod.ref], ("selected by", found.policies)))
        for a in pod.addresses:
            self.sets.put(f"{way}{a.version}", str(a), element)

    def leave(self, pod: Pod, direction: Direction, way: str, found: PolicyClass | str) -> None:
        """Take a pod out again."""
        if isinstance(found, str):
            del self.opened[direction, pod.ref]
            return
        del self.members[found][pod.ref]
        if not self.members[found]:
            del self.members[found]
            self.dirty.add(found)
        for a in pod.addresses:
            self.sets.take(f"{way}{a.version}", str(a))

    def notes(self) -> dict[str, tuple[str, ...]]:
        """Say of the pods that policies select without isolating them why they are in no class."""
        notes: dict[str, tuple[str, ...]] = {}
        for direction, way, word in _WAYS:
            for (of, ref), (policy, families) in sorted(self.opened.items()):
                for family in families if of == direction else ():
                    line = f"{ref} is left out: {policy} allows everything {word} anywhere"
                    notes[f"{way}{family}"] = (*notes.get(f"{way}{family}", ()), line)
        return notes


class _Work:
    """All that was derived from a cluster, for the next one to go on from."""

    def __init__(self, cluster: Cluster, port_of: Callable[[Pod], Port] | None) -> None:
        self._cluster: Cluster | None = None
        self._port_of = port_of
        self._identities = Identities(
            cluster.families,
            blocks_mean_pods=cluster.policy.ip_block_pods == "match",
            host_pods_are_meant=cluster.policy.host_network_peers == "match",
        )
        self._classes = Classes()
        self._pods: dict[str, Pod] = {}
        self._publishers: set[str] = set()
        alone = not all(network.traits.transport.joins_nodes for network in cluster.networks)
        every = _Shared()
        self._nodes = {node.name: _Node(_Shared() if alone else every) for node in cluster.nodes}
        self._shared = list({id(node.shared): node.shared for node in self._nodes.values()}.values())
        self._everywhere = Sets()
        for name, elements in {**_masqueraded(cluster), **_apart(cluster)}.items():
            self._everywhere.replace(name, elements)
        self._wiring: tuple[Table, ...] = ()
        if port_of is not None:
            self._wiring = (*antispoof.tables(cluster), *tunnels.tables(cluster))
            for name, elements in tunnels.elements(cluster).items():
                self._everywhere.replace(name, elements)
        self._tables: dict[bool, tuple[Table, ...]] = {}
        self._given: dict[str, Ruleset] = {}

    def follow(self, cluster: Cluster) -> bool:
        """Go on to a cluster of the same networks, nodes and settings; False where all has to be done anew."""
        first, step = self._cluster is None, step_between(self._cluster, cluster)
        self._cluster = cluster
        identities = self._identities.change(cluster, step)
        classes = self._classes.change(step)
        if (identities.renumbered or classes.renumbered) and not first:
            return False
        gone, come = ({pod.ref: pod for pod in pods} for pods in (step.pods.gone, step.pods.come))
        # Dicts and not sets, whose order differs from run to run: comments name pods in the order in which they come.
        rewired = [ref for ref in gone | come if _wiring(gone.get(ref)) != _wiring(come.get(ref))]
        touched = dict.fromkeys((*rewired, *identities.endpoints, *classes.pods))
        old = {ref: gone.get(ref) or (None if ref in come else self._pods.get(ref)) for ref in touched}
        for ref in gone:
            del self._pods[ref]
        self._pods |= come
        new = {ref: self._pods.get(ref) for ref in touched}

        for ref in rewired:
            self._rewire(old[ref], new[ref])
        for ref in dict.fromkeys((*identities.endpoints, *(r for r in rewired if r in self._identities.of))):
            kept = self._identities.of.get(ref, {})
            was, now = identities.endpoints.get(ref, (kept, kept))
            self._meet(self._met(ref, old[ref]), self._met(ref, new[ref]), ref, was, now)
        for text, (before, after) in identities.blocks.items():
            for shared in self._shared:
                shared.changed |= shared.view.move(text, before, after)
        if identities.blocks:
            self._divide()
        for ref in dict.fromkeys((*classes.pods, *(r for r in rewired if r in self._classes.of))):
            found = self._classes.of.get(ref, {})
            self._classify(old[ref], new[ref], *classes.pods.get(ref, (found, found)))
        self._allow(step)
        return True

    def rulesets(self) -> dict[str, Ruleset]:
        """Return every node's ruleset; of a node for which nothing changed, the same one as before."""
        assert self._cluster is not None
        publishes = bool(self._publishers)
        if publishes not in self._tables:
            self._tables[publishes] = (_policies(self._cluster, publishes=publishes), *self._wiring)
        tables = self._tables[publishes]
        everywhere, touched = self._everywhere.read()
        met: dict[int, tuple[_Elements, Touched]] = {}
        for shared in self._shared:
            found, changed = shared.sets.read()
            met[id(shared)] = found | everywhere, {**changed, **touched}
        for name, node in self._nodes.items():
            before, notes = self._given.get(name), node.notes()
            found, changed = node.sets.read()
            elements, keys = met[id(node.shared)][0] | found, {**met[id(node.shared)][1], **changed}
            if before is None or before.tables is not tables or keys or before.notes != notes:
                filled = {s.name: elements[s.name] for table in tables for s in table.sets if elements.get(s.name)}
                since = Since(weakref.ref(before), keys) if before is not None and before.tables is tables else None
                self._given[name] = Ruleset(self._cluster.name, name, tables, filled, notes, since)
        return dict(self._given)

    def _rewire(self, old: Pod | None, new: Pod | None) -> None:
        """What a node holds of a pod's link and its published ports."""
        if old is not None:
            for name, key, _ in self._linked(old):
                self._nodes[old.node].sets.take(name, key)
            self._publishers.discard(old.ref)
        if new is not None:
            for name, key, element in self._linked(new):
                self._nodes[new.node].sets.put(name, key, element)
            if any(True for _ in publish.elements(new)):
                self._publishers.add(new.ref)

    def _linked(self, pod: Pod) -> Iterator[tuple[str, str, Element]]:
        yield from publish.elements(pod)
        if self._port_of is not None and antispoof.guards(pod):
            yield from antispoof.elements(pod, self._port_of(pod))

    def _met(self, ref: str, pod: Pod | None) -> list[_Shared]:
        """Return where an endpoint is met: a pod on its own node alone where nothing joins nodes, a node everywhere."""
        if pod is None:
            return [] if "/" in ref else self._shared
        return self._shared if pod.traits.transport.joins_nodes else [self._nodes[pod.node].shared]

    def _meet(self, left: list[_Shared], entered: list[_Shared], ref: str, was: Signatures, now: Signatures) -> None:
        stays = {id(shared) for shared in left} & {id(shared) for shared in entered}
        for shared in left:
            if id(shared) not in stays:
                shared.move(ref, was, {}, self._identities)
        for shared in entered:
            shared.move(ref, was if id(shared) in stays else {}, now, self._identities)

    def _divide(self) -> None:
        """The identities of all addresses that are no pod's: an interval map of disjoint ranges."""
        for family, ranges in self._identities.ranges.items():
            elements = {
                range_text(r, family): Element(
                    mark(self._identities.number(Signature(r.blocks))), listing(sorted(r.blocks))
                )
                for r in ranges
            }
            self._everywhere.replace(f"cidr{family}", elements)

    def _classify(self, old: Pod | None, new: Pod | None, was: Found, now: Found) -> None:
        stays = _wiring(old) == _wiring(new)
        for direction, way, _ in _WAYS:
            before, after = was.get(direction), now.get(direction)
            if stays and before == after:
                continue
            if old is not None and before is not None:
                self._nodes[old.node].leave(old, direction, way, before)
            if new is not None and after is not None:
                number = "" if isinstance(after, str) else classid(self._classes.number(after))
                self._nodes[new.node].join(new, direction, way, after, number)

    def _allow(self, step: Step) -> None:
        """What classes allow, where a policy of theirs changed, or what its peers mean on a node."""
        rewritten = self._users(p.meta.key for p in (*step.policies.gone, *step.policies.come))
        meanings: dict[int, set[PolicyClass]] = {}
        for shared in self._shared:
            words = {(m.name, m.protocol) if isinstance(m, NamedPort) else m for m in shared.changed}
            users = self._identities.vocabulary.users
            meanings[id(shared)] = rewritten | self._users(key for word in words for key in users.get(word, ()))
            shared.changed.clear()
        memo: dict[tuple[int, PolicyClass], dict[Allow, tuple[str, ...]]] = {}
        for node in self._nodes.values():
            shared = node.shared
            for policy_class in node.dirty | (meanings[id(shared)] & node.members.keys()):
                allowed: _Elements = {}
                if policy_class in node.members:
                    key = id(shared), policy_class
                    if key not in memo:
                        memo[key] = allows(policy_class, self._identities.vocabulary.policies, shared.view)
                    allowed = self._allowed(policy_class, memo[key], tuple(node.members[policy_class]), shared.view)
                before = node.allowed.pop(policy_class, {})
                for name in before | allowed:
                    node.sets.exchange(name, before.get(name, {}), allowed.get(name, {}))
                if allowed:
                    node.allowed[policy_class] = allowed
            node.dirty.clear()

    def _users(self, policies: Iterable[str]) -> set[PolicyClass]:
        return {policy_class for key in policies for policy_class in self._classes.users.get(key, ())}

    def _allowed(
        self, policy_class: PolicyClass, found: Mapping[Allow, tuple[str, ...]], pods: tuple[str, ...], view: View
    ) -> _Elements:
        """Return a class's allows as elements."""
        way, word = next((way, word) for direction, way, word in _WAYS if direction == policy_class.direction)
        number = classid(self._classes.number(policy_class))
        elements: _Elements = {}
        for allow, keys in found.items():
            peer = ["anywhere"] if allow.peer is None else list(view.names[allow.peer])
            entry = Element(comment=sentence(pods, (word, peer), ("by", keys)))
            elements.setdefault(f"{way}_{_set(allow)}", {})[self._key(number, allow)] = entry
            if allow.is_range:
                elements.setdefault(f"{way}_slow", {})[number] = Element(comment=listing(pods))
        return elements

    def _key(self, number: str, allow: Allow) -> str:
        """Return the key of an allow in its set: ``0:1 . 0x00000101 . tcp . 5432``."""
        parts = [number]
        if allow.peer is not None:
            parts.append(mark(self._identities.number(allow.peer)))
        if allow.protocol is not None:
            parts += [allow.protocol.lower(), f"{allow.first}-{allow.last}" if allow.is_range else str(allow.first)]
        return " . ".join(parts)


def _policies(cluster: Cluster, *, publishes: bool) -> Table:
    return policy_table(
        cluster.families or (4,), several=len(cluster.networks) > 1, publishes=publishes, settings=cluster.policy
    )


def _wiring(pod: Pod | None) -> object:
    """Return what of a pod its node's link, its published ports and its place in a view depend on."""
    return pod and (pod.node, pod.attachment, pod.addresses, pod.ports)


def _masqueraded(cluster: Cluster) -> _Elements:
    """The pod networks whose packets leave the cluster as their node's."""
    found: _Elements = {}
    for network in cluster.networks:
        if network.traits.masqueraded:
            for cidr in network.pod_cidrs:
                nodes = [a for node in cluster.nodes for a in node.addresses if a.version == cidr.version and a in cidr]
                for part in _without(cidr, nodes):
                    found.setdefault(f"masq{cidr.version}", {})[str(part)] = Element(comment=network.name)
    return found


def _without(cidr: Prefix, addresses: Iterable[Address]) -> list[Prefix]:
    """Return the parts of a prefix that hold none of some addresses: a cloud's nodes are in the range of its pods."""
    parts = [cidr]
    for address in addresses:
        (hit,) = [part for part in parts if address in part]
        parts.remove(hit)
        parts += hit.address_exclude(ip_network(address))  # type: ignore[arg-type]
    return parts


def _apart(cluster: Cluster) -> _Elements:
    """Every two networks of the cluster, in both directions: Docker's user-defined networks do not meet either."""
    found: _Elements = {}
    for one, other in permutations(cluster.networks, 2):
        for cidr in one.pod_cidrs:
            for far in other.pod_cidrs:
                if cidr.version == far.version:
                    element = Element(comment=sentence([one.name], ("to", [other.name])))
                    found.setdefault(f"apart{cidr.version}", {})[f"{cidr} . {far}"] = element
    return found


def _set(allow: Allow) -> str:
    """The set that holds an allow, less its direction."""
    if allow.protocol is None:
        return "l3"
    return ("l4" if allow.peer is None else "l3l4") + ("_ranges" if allow.is_range else "")
