"""Writes NetworkPolicies for needs: a default deny for each namespace, and a policy for each workload with needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from netlab.cluster.services.system import DNS_LABELS
from netlab.cluster.types import Cluster
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.policies import Peer, PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import DIRECTIONS, Direction, Protocol
from netlab.policy.suggest.drafts import PolicyDraft, RuleDraft
from netlab.policy.suggest.label_classes import LabelClass, LabelClasses
from netlab.policy.suggest.needs import Addresses, DnsServers, End, Need, Pods

DEFAULT_DENY = "default-deny"
DNS = "allow-dns"
DNS_NAMESPACE = "kube-system"

_Port = tuple[Protocol, int]
_Rule = tuple[frozenset[End], frozenset[_Port]]
_Rules = dict[Direction, list[_Rule]]
_Reason = tuple[str, str]
"""The name of the other end, and why it is needed."""
_Side = dict[_Port, dict[End, list[_Reason]]]
"""The other ends of a side by port, each with the reasons."""


def touched_namespaces(cluster: Cluster, classes: LabelClasses, needs: Iterable[Need]) -> frozenset[str]:
    """Return the namespaces that get policies: those with needs of their own, and those with policies today.

    A namespace is left alone if it only answers DNS or only has the ingress controller: no manifest declares the needs
    of these pods.
    """
    found = {policy.meta.namespace for policy in cluster.policies}
    for need in needs:
        if isinstance(need.source, Pods) and need.kind != "ingress":
            found.add(classes.all[need.source.number].namespace)
        if isinstance(need.destination, Pods) and need.kind not in ("dns", "controller"):
            found.add(classes.all[need.destination.number].namespace)
    return frozenset(found)


def drafts_for(classes: LabelClasses, needs: Sequence[Need], touched: frozenset[str]) -> list[PolicyDraft]:
    """Return the policies that allow the needs and nothing else to and from the pods of the touched namespaces."""
    sides: dict[int, dict[Direction, _Side]] = {}
    lookups: dict[int, dict[Direction, _Side]] = {}
    for need in needs:
        ends: tuple[tuple[Direction, End, End], ...] = (
            ("egress", need.source, need.destination),
            ("ingress", need.destination, need.source),
        )
        for direction, subject, other in ends:
            if isinstance(subject, Pods) and classes.all[subject.number].namespace in touched:
                of = lookups if need.kind == "dns" and direction == "egress" else sides
                side = of.setdefault(subject.number, {}).setdefault(direction, {})
                reasons = side.setdefault((need.protocol, need.port), {}).setdefault(other, [])
                reasons.append((end_name(classes, other), str(need.why)))
    drafts: list[PolicyDraft] = []
    for namespace in sorted(touched):
        names = {DEFAULT_DENY, DNS}
        drafts.append(
            PolicyDraft(
                *(namespace, DEFAULT_DENY, LabelSelector(), DIRECTIONS),
                comments=(f"All pods of namespace {namespace} are isolated. Other policies allow what is needed.",),
            )
        )
        drafts += _dns_policy(classes, [one for one in classes.all if one.namespace == namespace], sides, lookups)
        own = [one for one in classes.all if one.namespace == namespace and one.number in sides]
        drafts += [
            _policy(classes, members, selector, rules, sides, names)
            for members, selector, rules in _by_members(classes, own, sides)
        ]
    return drafts


def _dns_policy(
    classes: LabelClasses,
    own: Sequence[LabelClass],
    sides: dict[int, dict[Direction, _Side]],
    lookups: Mapping[int, dict[Direction, _Side]],
) -> Iterator[PolicyDraft]:
    """Yield one policy for the DNS queries of a namespace, if one selector selects all pods that send them.

    Else the queries are added to ``sides``, so that each workload's own policy allows them.
    """
    asking = [one for one in own if one.number in lookups]
    rules = {frozenset(_rules(lookups[one.number]["egress"])) for one in asking}
    selectors = classes.selectors(sum(1 << one.number for one in asking)) if len(asking) > 1 else []
    if len(asking) == len(own):
        selectors = [LabelSelector()]
    if len(asking) > 1 and len(rules) == 1 and len(selectors) == 1:
        found = [lookups[one.number]["egress"] for one in asking]
        yield PolicyDraft(
            *(own[0].namespace, DNS, selectors[0], ("egress",)),
            egress=tuple(_rule(classes, own[0].namespace, rule, found) for rule in next(iter(rules))),
            comments=(f"DNS queries of {', '.join(one.ref for one in asking)}.",),
        )
        return
    for one in asking:
        side = sides.setdefault(one.number, {}).setdefault("egress", {})
        for port, ends in lookups[one.number]["egress"].items():
            for end, reasons in ends.items():
                side.setdefault(port, {}).setdefault(end, []).extend(reasons)


def _by_members(
    classes: LabelClasses, own: Iterable[LabelClass], sides: Mapping[int, Mapping[Direction, _Side]]
) -> list[tuple[list[LabelClass], LabelSelector, _Rules]]:
    """Return the rules of a namespace by the classes that have them.

    Classes that have a rule in common share it if they have labels that select exactly them; else each has its own.
    """
    having: dict[tuple[Direction, _Rule], list[LabelClass]] = {}
    for one in own:
        for direction, side in sides[one.number].items():
            for rule in _rules(side):
                having.setdefault((direction, rule), []).append(one)
    found: dict[tuple[int, ...], tuple[list[LabelClass], LabelSelector, _Rules]] = {}
    for (direction, rule), members in having.items():
        shared = classes.shared(sum(1 << one.number for one in members)) if len(members) > 1 else None
        chosen = [(members, shared)] if shared else [([one], classes.only(one.number)) for one in members]
        for some, selector in chosen:
            key = tuple(one.number for one in some)
            found.setdefault(key, (some, selector, {}))[2].setdefault(direction, []).append(rule)
    return [found[key] for key in sorted(found)]


def _policy(
    classes: LabelClasses,
    members: Sequence[LabelClass],
    selector: LabelSelector,
    rules: _Rules,
    sides: Mapping[int, Mapping[Direction, _Side]],
    names: set[str],
) -> PolicyDraft:
    namespace = members[0].namespace
    drafts = {
        direction: tuple(
            _rule(classes, namespace, rule, [sides[one.number][direction] for one in members])
            for rule in rules.get(direction, ())
        )
        for direction in DIRECTIONS
    }
    name = _free_name(members, selector, names)
    return PolicyDraft(
        namespace,
        name,
        selector,
        tuple(direction for direction in DIRECTIONS if drafts[direction]),
        drafts["ingress"],
        drafts["egress"],
        (f"The pods of {', '.join(one.ref for one in members)}.",),
    )


def _free_name(members: Sequence[LabelClass], selector: LabelSelector, names: set[str]) -> str:
    """Return a name that no other policy of the namespace has: that of the workload, or of the shared label."""
    base = members[0].name
    if len(members) > 1:
        value = "-".join(value for _, value in selector.match_labels).lower()
        base = value.replace("_", "-").strip(".-") or base
    # The name of a pod may be longer than that of a workload; both are valid names of policies.
    base = base[:240].rstrip(".-")
    name, number = base, 1
    while name in names:
        number += 1
        name = f"{base}-{number}"
    names.add(name)
    return name


def _rules(side: _Side) -> list[_Rule]:
    """Return the rules of a side: by ports with the same ends or by ends with the same ports, whichever are fewer."""
    ends_of = {port: frozenset(ends) for port, ends in side.items()}
    by_ends: dict[frozenset[End], set[_Port]] = {}
    for port, ends in ends_of.items():
        by_ends.setdefault(ends, set()).add(port)
    ports_of: dict[End, set[_Port]] = {}
    for port, ends in ends_of.items():
        for end in ends:
            ports_of.setdefault(end, set()).add(port)
    by_ports: dict[frozenset[_Port], set[End]] = {}
    for end, ports in ports_of.items():
        by_ports.setdefault(frozenset(ports), set()).add(end)
    if len(by_ends) <= len(by_ports):
        return [(ends, frozenset(ports)) for ends, ports in by_ends.items()]
    return [(frozenset(found), ports) for ports, found in by_ports.items()]


def _rule(classes: LabelClasses, namespace: str, rule: _Rule, sides: Iterable[_Side]) -> RuleDraft:
    ends, ports = rule
    served: dict[_Reason, list[_Port]] = {}
    for side in sides:
        for port, found in side.items():
            for end, reasons in found.items():
                if port in ports and end in ends:
                    for reason in dict.fromkeys(reasons):
                        served.setdefault(reason, []).append(port)
    return RuleDraft(
        tuple(_peers(classes, namespace, ends)),
        tuple(PolicyPort(protocol, port) for protocol, port in sorted(ports)),
        tuple(_comment(name, of, why) for (name, why), of in served.items()),
    )


def _comment(name: str, ports: Iterable[_Port], why: str) -> str:
    return f"{name} {', '.join(f'{port}/{protocol}' for protocol, port in dict.fromkeys(ports))}: {why}"


def _peers(classes: LabelClasses, namespace: str, ends: Iterable[End]) -> Iterator[Peer]:
    wanted = sum(1 << end.number for end in ends if isinstance(end, Pods))
    spaces = sorted({one.namespace for one in classes.members(wanted)}, key=lambda space: (space != namespace, space))
    for space in spaces:
        of_space = None if space == namespace else LabelSelector(((NAMESPACE_LABEL, space),))
        for selector in classes.selectors(wanted & classes.in_namespace(space)):
            yield Peer(selector, of_space)
    if any(isinstance(end, DnsServers) for end in ends):
        of_space = LabelSelector(((NAMESPACE_LABEL, DNS_NAMESPACE),))
        yield Peer(LabelSelector(tuple(DNS_LABELS.items())), of_space)
    blocks = dict.fromkeys(end.block for end in ends if isinstance(end, Addresses))
    for block in sorted(blocks, key=lambda block: (block.cidr.version, int(block.cidr[0]), block.cidr.prefixlen)):
        yield Peer(ip_block=block)


def end_name(classes: LabelClasses, end: End) -> str:
    """Return the name of an end, as comments and lists have it."""
    if isinstance(end, Pods):
        return classes.all[end.number].ref
    if isinstance(end, DnsServers):
        return "the cluster's DNS"
    return f"{end.name} ({end.block.cidr})" if end.name else str(end.block.cidr)
