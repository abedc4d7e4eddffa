"""The elements of the policy fragment: the identity of each address, the class of each pod, and what classes allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from netlab.cluster.node_addresses import addresses_of_nodes
from netlab.cluster.types import Cluster, Pod
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
from netlab.ruleset.rule_settings import NO_CONFLICT, NameAndProtocol, names_in_conflict
from netlab.ruleset.tier_elements import TierElements
from netlab.ruleset.tiers import TierPolicy

WAYS: tuple[tuple[Direction, str, str], ...] = (("ingress", "in", "from"), ("egress", "eg", "to"))
"""Each direction with the prefix of its sets, and the word for its peers in comments."""

_Elements = dict[str, dict[Key, Element]]


class _Shared:
    """What the nodes of one address space share: its identities and their elements.

    All nodes share one address space if every network joins the nodes; else each node has its own.
    """

    def __init__(self, store: ElementStore) -> None:
        self.space = AddressSpace()
        self.store = store
        self.changed: set[Member] = set()

    def remove(self, old: Signatures, new: Signatures) -> None:
        """Remove the elements of the addresses that an endpoint has no more; before any endpoint's ``move``."""
        for address, signature in old.items():
            if signature and not new.get(address):
                self.store.remove(f"id{address.version}", (address,))

    def move(self, name: str, old: Signatures, new: Signatures, identities: Identities) -> None:
        """Replace the identities of an endpoint's addresses."""
        self.changed |= self.space.move(name, old.values(), new.values())
        for address, signature in new.items():
            if signature and old.get(address) != signature:
                element = Element((identities.number(signature),), listing([name]))
                self.store.put(f"id{address.version}", (address,), element)


class _Node:
    """The elements of one node: the classes of its own pods, and what these classes allow.

    ``opened`` has, by direction and pod, the policy that allows the pod everything, and the pod's IP families.
    """

    def __init__(self, shared: _Shared, store: ElementStore) -> None:
        self.shared = shared
        self.store = store
        self.members: dict[PolicyClass, dict[str, None]] = {}
        self.allowed: dict[PolicyClass, _Elements] = {}
        self.opened: dict[tuple[Direction, str], tuple[str, tuple[int, ...]]] = {}
        self.changed: set[PolicyClass] = set()

    def add(self, pod: Pod, direction: Direction, way: str, found: PolicyClass | str, number: int) -> None:
        """Add a pod to its class with this number, or note the policy that opens the pod."""
        if isinstance(found, str):
            self.opened[direction, pod.ref] = found, tuple(sorted({a.version for a in pod.addresses}))
            return
        if found not in self.members:
            self.members[found] = {}
            self.changed.add(found)
        self.members[found][pod.ref] = None
        element = Element((number,), sentence([pod.ref], ("selected by", (*found.above, *found.policies))))
        for a in pod.addresses:
            self.store.put(f"{way}{a.version}", (a,), element)

    def remove(self, pod: Pod, direction: Direction, way: str, found: PolicyClass | str) -> None:
        """Remove a pod that was added."""
        if isinstance(found, str):
            del self.opened[direction, pod.ref]
            return
        del self.members[found][pod.ref]
        if not self.members[found]:
            del self.members[found]
            self.changed.add(found)
        for a in pod.addresses:
            self.store.remove(f"{way}{a.version}", (a,))

    def notes(self) -> dict[str, tuple[str, ...]]:
        """Return, by set, a line for each pod that a policy isolates and another one opens to everything."""
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
    """The identities, classes and allows of a lab's nodes; an ``ElementUpdater``."""

    def __init__(self, layout: Layout, stores: Stores) -> None:
        ignored = layout.policy.ip_block_nodes == "ignore"
        self._identities = Identities(
            layout.families,
            blocks_match_pods=layout.policy.ip_block_pods == "match",
            host_pods_are_peers=layout.policy.host_network_peers == "match",
            no_block_matches=addresses_of_nodes(layout.networks, layout.nodes) if ignored else (),
            settings=layout.policy,
        )
        self._settings = layout.policy
        self._skipped: Set[NameAndProtocol] = NO_CONFLICT
        self._classes = Classes()
        self._pods: dict[str, Pod] = {}
        self._everywhere = stores.everywhere
        self._of_services: dict[str, _Elements] = {}
        if all(network.traits.transport.joins_nodes for network in layout.networks):
            every = _Shared(stores.everywhere)
            self._nodes = {name: _Node(every, store) for name, store in stores.nodes.items()}
        else:
            self._nodes = {name: _Node(_Shared(store), store) for name, store in stores.nodes.items()}
        of_nodes = {name: (node.store, node.shared.space) for name, node in self._nodes.items()}
        self._tiers = TierElements(layout.policy, of_nodes)
        self._all_shared = list({id(node.shared): node.shared for node in self._nodes.values()}.values())

    def update(self, change: ClusterChange) -> bool:
        """Take a change; return False if an identity or class that stays would need another number."""
        first = change.before is None
        identities = self._identities.update(change, self._tier_policies(change))
        classes = self._classes.update(change)
        if (identities.renumbered or classes.renumbered) and not first:
            return False
        with_tiers = self._tiers.judged
        self._tiers.classify(change.after, self._identities.peer_index.policies, self._classes.of)
        judged = self._judged(classes.pods, with_tiers)
        removed, added = ({pod.ref: pod for pod in pods} for pods in (change.pods.removed, change.pods.added))
        # Dicts, as the order of a set differs from run to run, and comments list pods in this order.
        moved = [ref for ref in removed | added if _place(removed.get(ref)) != _place(added.get(ref))]
        touched = dict.fromkeys((*moved, *identities.endpoints, *judged))
        old = {ref: removed.get(ref) or (None if ref in added else self._pods.get(ref)) for ref in touched}
        for ref in removed:
            del self._pods[ref]
        self._pods |= added
        new = {ref: self._pods.get(ref) for ref in touched}

        moves: list[tuple[_Shared, str, Signatures, Signatures]] = []
        for ref in dict.fromkeys((*identities.endpoints, *(r for r in moved if r in self._identities.of))):
            kept = self._identities.of.get(ref, {})
            before, after = identities.endpoints.get(ref, (kept, kept))
            moves += self._moves(self._shared_by(ref, old[ref]), self._shared_by(ref, new[ref]), ref, before, after)
        # First all that is removed: another pod may have the address now.
        for shared, _, before, after in moves:
            shared.remove(before, after)
        for shared, ref, before, after in moves:
            shared.move(ref, before, after, self._identities)
        for text, (signatures_before, signatures_after) in identities.blocks.items():
            for shared in self._all_shared:
                shared.changed |= shared.space.move(text, signatures_before, signatures_after)
        if identities.blocks:
            self._update_ranges()
        classified: list[tuple[Pod | None, Pod | None, PodClasses, PodClasses]] = []
        for ref in dict.fromkeys((*judged, *(r for r in moved if r in self._classes.of))):
            kept_classes = self._tiers.judged.get(ref, self._classes.of.get(ref, {}))
            classified.append((old[ref], new[ref], *judged.get(ref, (kept_classes, kept_classes))))
        self._classify(classified)
        self._update_allows(change)
        if self._settings.service_egress == "pre-dnat":
            self._update_services(change.after)
        self._tiers.put(self._identities.number)
        return True

    def _judged(
        self, changed: Mapping[str, tuple[PodClasses, PodClasses]], before: Mapping[str, PodClasses]
    ) -> Mapping[str, tuple[PodClasses, PodClasses]]:
        """Return the changed classes of NetworkPolicy, with the numbers that some have together with tiers.

        ``before`` has the classes of pods with tiers before the change.
        """
        after, found = self._tiers.judged, {}
        if not before and not after:
            return changed
        for ref in dict.fromkeys((*changed, *before, *after)):
            kept = self._classes.of.get(ref, {})
            old, new = changed.get(ref, (kept, kept))
            both = before.get(ref, old), after.get(ref, new)
            if both[0] != both[1]:
                found[ref] = both
        return found

    def _tier_policies(self, change: ClusterChange) -> ItemChanges[Rules]:
        """Return the changed policies of the tiers beside NetworkPolicy."""
        found = [change.items(tier.policies, _key) for tier in tiers.TIERS]
        return ItemChanges([p for one in found for p in one.removed], [p for one in found for p in one.added])

    def notes(self, node: str) -> Mapping[str, tuple[str, ...]]:
        """Return, by set, lines on the pods of a node that have no class although a policy isolates them."""
        return self._nodes[node].notes()

    def _shared_by(self, ref: str, pod: Pod | None) -> list[_Shared]:
        """Return the address spaces of an endpoint: of its own node if its network joins no nodes; a node is in all."""
        if pod is None:
            return [] if "/" in ref else self._all_shared
        return self._all_shared if pod.traits.transport.joins_nodes else [self._nodes[pod.node].shared]

    def _moves(
        self, old: list[_Shared], new: list[_Shared], ref: str, before: Signatures, after: Signatures
    ) -> Iterator[tuple[_Shared, str, Signatures, Signatures]]:
        """Yield what changes in each address space for an endpoint: its name, and its identities before and after."""
        stays = {id(shared) for shared in old} & {id(shared) for shared in new}
        for shared in old:
            if id(shared) not in stays:
                yield shared, ref, before, {}
        for shared in new:
            yield shared, ref, before if id(shared) in stays else {}, after

    def _update_ranges(self) -> None:
        """Replace the identities of all addresses that are not a pod's: interval maps of disjoint ranges."""
        for family, ranges in self._identities.ranges.items():
            elements: dict[Key, Element] = {
                (range_part(r, family),): Element(
                    (self._identities.number(Signature(r.blocks)),), listing(sorted(r.blocks))
                )
                for r in ranges
            }
            self._everywhere.replace(f"cidr{family}", elements)

    def _classify(self, pods: Sequence[tuple[Pod | None, Pod | None, PodClasses, PodClasses]]) -> None:
        """Replace the classes of pods; first all are removed, as another pod may have the address of one now."""
        added: list[tuple[Pod, Direction, str, PolicyClass | str]] = []
        for old, new, classes_before, classes_after in pods:
            stays = _place(old) == _place(new)
            for direction, way, _ in WAYS:
                before, after = classes_before.get(direction), classes_after.get(direction)
                if stays and before == after:
                    continue
                if old is not None and before is not None:
                    self._nodes[old.node].remove(old, direction, way, before)
                if new is not None and after is not None:
                    added.append((new, direction, way, after))
        for pod, direction, way, found in added:
            number = 0 if isinstance(found, str) else self._number(found)
            self._nodes[pod.node].add(pod, direction, way, found, number)

    def _update_allows(self, change: ClusterChange) -> None:
        """Replace the allows of the classes whose policies changed, or whose peers have other identities on a node."""
        rewritten = self._users(p.meta.key for p in (*change.policies.removed, *change.policies.added))
        skipped = names_in_conflict(change.after.pods, self._settings)
        affected: dict[int, set[PolicyClass]] = {}
        for named in skipped ^ self._skipped:
            rewritten |= self._users(self._identities.peer_index.users.get(named, ()))
        self._skipped = skipped
        for shared in self._all_shared:
            keys = {(m.name, m.protocol) if isinstance(m, NamedPort) else m for m in shared.changed}
            users = self._identities.peer_index.users
            affected[id(shared)] = rewritten | self._users(policy for key in keys for policy in users.get(key, ()))
            shared.changed.clear()
        memo: dict[tuple[int, PolicyClass], dict[Allow, tuple[str, ...]]] = {}
        for node in self._nodes.values():
            shared = node.shared
            for policy_class in node.changed | self._rewritten(node, affected[id(shared)]):
                allowed: _Elements = {}
                if policy_class in node.members:
                    key = id(shared), policy_class
                    if key not in memo:
                        memo[key] = allows(policy_class, self._identities.peer_index.policies, shared.space, skipped)
                    allowed = self._allowed(policy_class, memo[key], tuple(node.members[policy_class]), shared.space)
                before = node.allowed.pop(policy_class, {})
                for name in before | allowed:
                    node.store.update(name, before.get(name, {}), allowed.get(name, {}))
                if allowed:
                    node.allowed[policy_class] = allowed
            node.changed.clear()

    def _rewritten(self, node: _Node, affected: set[PolicyClass]) -> set[PolicyClass]:
        """Return the classes of a node that are among some classes, with a class of tiers or without."""
        found = affected & node.members.keys()
        if self._tiers.judged:
            found |= {one for one in node.members if one.number and one.alone in affected}
        return found

    def _number(self, policy_class: PolicyClass) -> int:
        return policy_class.number or self._classes.number(policy_class)

    def _update_services(self, cluster: Cluster) -> None:
        """Replace the cluster IPs that egress rules allow by the selectors of Services."""
        from netlab.ruleset.service_egress import allowed_services

        for name, node in self._nodes.items():
            classes = {one: self._number(one) for one in node.members if one.direction == "egress"}
            before, after = self._of_services.get(name, {}), allowed_services(cluster, classes)
            for set_name in before | after:
                node.store.update(set_name, before.get(set_name, {}), after.get(set_name, {}))
            self._of_services[name] = after

    def _users(self, policies: Iterable[str]) -> set[PolicyClass]:
        return {policy_class for key in policies for policy_class in self._classes.users.get(key, ())}

    def _allowed(
        self,
        policy_class: PolicyClass,
        found: Mapping[Allow, tuple[str, ...]],
        pods: tuple[str, ...],
        space: AddressSpace,
    ) -> _Elements:
        """Return the allows of a class as elements, by set."""
        way, word = next((way, word) for direction, way, word in WAYS if direction == policy_class.direction)
        number = self._number(policy_class)
        elements: _Elements = {}
        for allow, keys in found.items():
            peer = ["anywhere"] if allow.peer is None else list(space.names[allow.peer])
            entry = Element(comment=sentence(pods, (word, peer), ("by", keys)))
            elements.setdefault(f"{way}_{_set(allow)}", {})[self._allow_key(number, allow)] = entry
            if allow.is_range:
                elements.setdefault(f"{way}_slow", {})[number,] = Element(comment=listing(pods))
        return elements

    def _allow_key(self, number: int, allow: Allow) -> Key:
        """Return the key of an allow in its set: class, then identity, protocol and port if the allow has them."""
        key: Key = (number,) if allow.peer is None else (number, self._identities.number(allow.peer))
        if allow.protocol is None:
            return key
        return (*key, allow.protocol.lower(), Span(allow.first, allow.last) if allow.is_range else allow.first)


def _key(policy: TierPolicy) -> str:
    return policy.meta.key


def _place(pod: Pod | None) -> object:
    """Return what a pod's elements depend on besides its identity and class."""
    return pod and (pod.node, pod.attachment, pod.addresses)


def _set(allow: Allow) -> str:
    """Return the name of an allow's set without the prefix of its direction."""
    if allow.protocol is None:
        return "l3"
    return ("l4" if allow.peer is None else "l3l4") + ("_ranges" if allow.is_range else "")
