"""The policy fragment's elements: which identity every address has, which class every pod, and what classes allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netlab.cluster.types import Pod
from netlab.objects.types import Direction
from netlab.ruleset import tiers
from netlab.ruleset.address_space import AddressSpace
from netlab.ruleset.allows import Allow, allows
from netlab.ruleset.classes import Classes, PodClasses, PolicyClass
from netlab.ruleset.cluster_change import ClusterChange, ItemChanges
from netlab.ruleset.comments import listing, sentence
from netlab.ruleset.element_store import ElementStore
from netlab.ruleset.elements import Element, Key, Span
from netlab.ruleset.fragment import Layout, Stores
from netlab.ruleset.identities import Identities, Signatures
from netlab.ruleset.peers import Member, NamedPort, Rules, Signature
from netlab.ruleset.ranges import range_part
from netlab.ruleset.tier_elements import TierElements
from netlab.ruleset.tiers import TierPolicy

WAYS: tuple[tuple[Direction, str, str], ...] = (("ingress", "in", "from"), ("egress", "eg", "to"))
"""Each direction with the prefix of its sets, and the word for its peers in comments."""

_Elements = dict[str, dict[Key, Element]]


class _Met:
    """What nodes that can meet the same addresses have in common: all of them, where every network joins nodes."""

    def __init__(self, sets: ElementStore) -> None:
        self.view = AddressSpace()
        self.sets = sets
        self.changed: set[Member] = set()

    def move(self, name: str, old: Signatures, new: Signatures, identities: Identities) -> None:
        """Give an endpoint other identities than it had here."""
        self.changed |= self.view.move(name, old.values(), new.values())
        for address, signature in old.items():
            if signature and not new.get(address):
                self.sets.remove(f"id{address.version}", (address,))
        for address, signature in new.items():
            if signature and old.get(address) != signature:
                element = Element((identities.number(signature),), listing([name]))
                self.sets.put(f"id{address.version}", (address,), element)


class _Node:
    """What a node holds for its own pods: which of them are in which class, and what those allow."""

    def __init__(self, met: _Met, sets: ElementStore) -> None:
        self.met = met
        self.sets = sets
        self.members: dict[PolicyClass, dict[str, None]] = {}
        self.allowed: dict[PolicyClass, _Elements] = {}
        self.opened: dict[tuple[Direction, str], tuple[str, tuple[int, ...]]] = {}
        self.dirty: set[PolicyClass] = set()

    def join(self, pod: Pod, direction: Direction, way: str, found: PolicyClass | str, number: int) -> None:
        """Put a pod into its class, or note which policy opens it."""
        if isinstance(found, str):
            self.opened[direction, pod.ref] = found, tuple(sorted({a.version for a in pod.addresses}))
            return
        if found not in self.members:
            self.members[found] = {}
            self.dirty.add(found)
        self.members[found][pod.ref] = None
        element = Element((number,), sentence([pod.ref], ("selected by", found.policies)))
        for a in pod.addresses:
            self.sets.put(f"{way}{a.version}", (a,), element)

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
            self.sets.remove(f"{way}{a.version}", (a,))

    def notes(self) -> dict[str, tuple[str, ...]]:
        """Say of the pods that policies select without isolating them why they are in no class."""
        notes: dict[str, tuple[str, ...]] = {}
        if not self.opened:
            return notes
        for direction, way, word in WAYS:
            for (of, ref), (policy, families) in sorted(self.opened.items()):
                for family in families if of == direction else ():
                    line = f"{ref} is left out: {policy} allows everything {word} anywhere"
                    notes[f"{way}{family}"] = (*notes.get(f"{way}{family}", ()), line)
        return notes


class PolicyElements:
    """The identities, classes and allows of a lab's nodes; a ``ElementUpdater``."""

    def __init__(self, layout: Layout, stores: Stores) -> None:
        self._identities = Identities(
            layout.families,
            blocks_mean_pods=layout.policy.ip_block_pods == "match",
            host_pods_are_meant=layout.policy.host_network_peers == "match",
        )
        self._classes = Classes()
        self._pods: dict[str, Pod] = {}
        self._everywhere = stores.everywhere
        if all(network.traits.transport.joins_nodes for network in layout.networks):
            every = _Met(stores.everywhere)
            self._nodes = {name: _Node(every, sets) for name, sets in stores.nodes.items()}
        else:
            self._nodes = {name: _Node(_Met(sets), sets) for name, sets in stores.nodes.items()}
        of_nodes = {name: (node.sets, node.met.view) for name, node in self._nodes.items()}
        self._tiers = [TierElements(tier, of_nodes) for tier in tiers.TIERS]
        self._mets = list({id(node.met): node.met for node in self._nodes.values()}.values())

    def update(self, change: ClusterChange) -> bool:
        """Follow a change; False where a number that stays in use would have to change."""
        first = change.before is None
        identities = self._identities.update(change, self._tier_policies(change))
        classes = self._classes.update(change)
        if (identities.renumbered or classes.renumbered) and not first:
            return False
        gone, come = ({pod.ref: pod for pod in pods} for pods in (change.pods.removed, change.pods.added))
        # Dicts and not sets, whose order differs from run to run: comments name pods in the order in which they come.
        moved = [ref for ref in gone | come if _place(gone.get(ref)) != _place(come.get(ref))]
        touched = dict.fromkeys((*moved, *identities.endpoints, *classes.pods))
        old = {ref: gone.get(ref) or (None if ref in come else self._pods.get(ref)) for ref in touched}
        for ref in gone:
            del self._pods[ref]
        self._pods |= come
        new = {ref: self._pods.get(ref) for ref in touched}

        for ref in dict.fromkeys((*identities.endpoints, *(r for r in moved if r in self._identities.of))):
            kept = self._identities.of.get(ref, {})
            was, now = identities.endpoints.get(ref, (kept, kept))
            self._meet(self._met_by(ref, old[ref]), self._met_by(ref, new[ref]), ref, was, now)
        for text, (before, after) in identities.blocks.items():
            for met in self._mets:
                met.changed |= met.view.move(text, before, after)
        if identities.blocks:
            self._divide()
        for ref in dict.fromkeys((*classes.pods, *(r for r in moved if r in self._classes.of))):
            found = self._classes.of.get(ref, {})
            self._classify(old[ref], new[ref], *classes.pods.get(ref, (found, found)))
        self._allow(change)
        for tier in self._tiers:
            words, of = self._identities.peer_index.policies, self._classes.of
            tier.update(change.after, words, self._identities.number, of)
        return True

    def _tier_policies(self, change: ClusterChange) -> ItemChanges[Rules]:
        """Return the policies of all tiers that go and come."""
        found = [change.items(tier.tier.policies, _key) for tier in self._tiers]
        return ItemChanges([p for one in found for p in one.removed], [p for one in found for p in one.added])

    def notes(self, node: str) -> Mapping[str, tuple[str, ...]]:
        """Say which pods of a node are in no class although a policy selects them, and why."""
        return self._nodes[node].notes()

    def _met_by(self, ref: str, pod: Pod | None) -> list[_Met]:
        """Return where an endpoint is met: a pod on its own node alone where nothing joins nodes, a node everywhere."""
        if pod is None:
            return [] if "/" in ref else self._mets
        return self._mets if pod.traits.transport.joins_nodes else [self._nodes[pod.node].met]

    def _meet(self, left: list[_Met], entered: list[_Met], ref: str, was: Signatures, now: Signatures) -> None:
        stays = {id(met) for met in left} & {id(met) for met in entered}
        for met in left:
            if id(met) not in stays:
                met.move(ref, was, {}, self._identities)
        for met in entered:
            met.move(ref, was if id(met) in stays else {}, now, self._identities)

    def _divide(self) -> None:
        """The identities of all addresses that are no pod's: an interval map of disjoint ranges."""
        for family, ranges in self._identities.ranges.items():
            elements: dict[Key, Element] = {
                (range_part(r, family),): Element(
                    (self._identities.number(Signature(r.blocks)),), listing(sorted(r.blocks))
                )
                for r in ranges
            }
            self._everywhere.replace(f"cidr{family}", elements)

    def _classify(self, old: Pod | None, new: Pod | None, was: PodClasses, now: PodClasses) -> None:
        stays = _place(old) == _place(new)
        for direction, way, _ in WAYS:
            before, after = was.get(direction), now.get(direction)
            if stays and before == after:
                continue
            if old is not None and before is not None:
                self._nodes[old.node].leave(old, direction, way, before)
            if new is not None and after is not None:
                number = 0 if isinstance(after, str) else self._classes.number(after)
                self._nodes[new.node].join(new, direction, way, after, number)

    def _allow(self, change: ClusterChange) -> None:
        """What classes allow, where a policy of theirs changed, or what its peers mean on a node."""
        rewritten = self._users(p.meta.key for p in (*change.policies.removed, *change.policies.added))
        meanings: dict[int, set[PolicyClass]] = {}
        for met in self._mets:
            words = {(m.name, m.protocol) if isinstance(m, NamedPort) else m for m in met.changed}
            users = self._identities.peer_index.users
            meanings[id(met)] = rewritten | self._users(key for word in words for key in users.get(word, ()))
            met.changed.clear()
        memo: dict[tuple[int, PolicyClass], dict[Allow, tuple[str, ...]]] = {}
        for node in self._nodes.values():
            met = node.met
            for policy_class in node.dirty | (meanings[id(met)] & node.members.keys()):
                allowed: _Elements = {}
                if policy_class in node.members:
                    key = id(met), policy_class
                    if key not in memo:
                        memo[key] = allows(policy_class, self._identities.peer_index.policies, met.view)
                    allowed = self._allowed(policy_class, memo[key], tuple(node.members[policy_class]), met.view)
                before = node.allowed.pop(policy_class, {})
                for name in before | allowed:
                    node.sets.update(name, before.get(name, {}), allowed.get(name, {}))
                if allowed:
                    node.allowed[policy_class] = allowed
            node.dirty.clear()

    def _users(self, policies: Iterable[str]) -> set[PolicyClass]:
        return {policy_class for key in policies for policy_class in self._classes.users.get(key, ())}

    def _allowed(
        self,
        policy_class: PolicyClass,
        found: Mapping[Allow, tuple[str, ...]],
        pods: tuple[str, ...],
        view: AddressSpace,
    ) -> _Elements:
        """Return a class's allows as elements."""
        way, word = next((way, word) for direction, way, word in WAYS if direction == policy_class.direction)
        number = self._classes.number(policy_class)
        elements: _Elements = {}
        for allow, keys in found.items():
            peer = ["anywhere"] if allow.peer is None else list(view.names[allow.peer])
            entry = Element(comment=sentence(pods, (word, peer), ("by", keys)))
            elements.setdefault(f"{way}_{_set(allow)}", {})[self._key(number, allow)] = entry
            if allow.is_range:
                elements.setdefault(f"{way}_slow", {})[number,] = Element(comment=listing(pods))
        return elements

    def _key(self, number: int, allow: Allow) -> Key:
        """Return the key of an allow in its set: class, identity, protocol and port, as far as it names them."""
        key: Key = (number,) if allow.peer is None else (number, self._identities.number(allow.peer))
        if allow.protocol is None:
            return key
        return (*key, allow.protocol.lower(), Span(allow.first, allow.last) if allow.is_range else allow.first)


def _key(policy: TierPolicy) -> str:
    return policy.meta.key


def _place(pod: Pod | None) -> object:
    """Return what the elements of a pod depend on, but for its identity and its class."""
    return pod and (pod.node, pod.attachment, pod.addresses)


def _set(allow: Allow) -> str:
    """The set that holds an allow, less its direction."""
    if allow.protocol is None:
        return "l3"
    return ("l4" if allow.peer is None else "l3l4") + ("_ranges" if allow.is_range else "")
