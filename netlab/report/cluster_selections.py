"""What a cluster-wide policy selects, and which ones judge pods, as lines and as data (``report.selections``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.errors import printable

if TYPE_CHECKING:
    from netlab.objects.cluster_policies import ClusterPolicy, ClusterRule
    from netlab.policy.cluster_selections import ClusterPolicySelection, ClusterSelecting

# The most names in a line.
_FEW = 6


def policy_lines(found: ClusterPolicySelection) -> Iterator[str]:
    """Yield the pods that a policy selects, and its rules in their order with the endpoints of their peers."""
    from netlab.policy.cluster_selections import subject_text

    policy = found.policy
    what = subject_text(policy.subject)
    yield f"{policy.ref}{_place(policy)}, tier {policy.tier}{_priority(policy)}, selects {what}: {_names(found.pods)}"
    for direction, word in (("ingress", "from"), ("egress", "to")):
        rules = [one for one in found.rules if one.direction == direction]
        if not rules:
            yield f"  {direction}: no rule, so it decides nothing"
        for one in rules:
            name = f' "{printable(one.rule.name)}"' if one.rule.name else ""
            action = _ACTIONS[one.rule.action]
            place = _place(policy, one.rule.path)
            yield f"  {direction}: {action} {_ports(one.rule)} {word}  {one.rule.path}{name}{place}"
            for peer in one.peers:
                yield f"    {printable(peer.text)}{_place(policy, peer.path)}: {_names(peer.ends)}"


_ACTIONS = {"allow": "allow", "deny": "deny", "pass": "pass on"}


def pod_lines(found: Sequence[ClusterSelecting], pods: int) -> Iterator[str]:
    """Yield the policies that judge pods, in the order in which they decide."""
    from netlab.report.columns import columns

    if not found:
        return
    yield "judged by cluster-wide policies, in this order; NetworkPolicies decide between Admin and Baseline:"
    rows = []
    for one in found:
        policy = one.policy
        cells = [_part(len(of), pods) for of in (one.ingress, one.egress)]
        priority = "-" if _unordered(policy) else str(policy.priority)
        rows.append((policy.ref, policy.tier, priority, *cells, policy.source.place() or "-"))
    yield from columns(("POLICY", "TIER", "PRIORITY", "INGRESS", "EGRESS", "PLACE"), rows)


def policy_data(found: ClusterPolicySelection) -> dict[str, Any]:
    """Return what a policy selects as data."""
    from netlab.policy.cluster_selections import subject_text

    policy = found.policy
    return {
        **_data(policy),
        "subject": subject_text(policy.subject),
        "pods": [pod.ref for pod in found.pods],
        "rules": [
            {
                "direction": one.direction,
                "path": one.rule.path,
                "line": policy.source.line(one.rule.path),
                "name": one.rule.name,
                "action": one.rule.action,
                "ports": _words(one.rule),
                "peers": [
                    {
                        "path": peer.path,
                        "line": policy.source.line(peer.path),
                        "text": peer.text,
                        "matches": [end.ref for end in peer.ends],
                    }
                    for peer in one.peers
                ],
            }
            for one in found.rules
        ],
    }


def pod_data(found: Sequence[ClusterSelecting]) -> list[dict[str, Any]]:
    """Return the policies that judge pods as data."""
    return [
        {
            **_data(one.policy),
            "ingress": [pod.ref for pod in one.ingress],
            "egress": [pod.ref for pod in one.egress],
        }
        for one in found
    ]


def _data(policy: ClusterPolicy) -> dict[str, Any]:
    return {
        "policy": policy.ref,
        "file": policy.source.file,
        "line": policy.source.line(),
        "tier": policy.tier,
        "priority": None if _unordered(policy) else policy.priority,
    }


def _unordered(policy: ClusterPolicy) -> bool:
    return policy.kind == "BaselineAdminNetworkPolicy"


def _priority(policy: ClusterPolicy) -> str:
    return "" if _unordered(policy) else f", priority {policy.priority}"


def _words(rule: ClusterRule) -> list[str]:
    """Return the ports of a rule; a name has its own protocol."""
    found = []
    for port in rule.ports:
        if isinstance(port.port, str):
            found.append(port.port)
        else:
            end = f"-{port.end_port}" if port.end_port and port.end_port != port.port else ""
            found.append(f"{port.port}{end}/{port.protocol}")
    return found


def _ports(rule: ClusterRule) -> str:
    return ", ".join(map(printable, _words(rule))) if rule.ports else "every port"


def _part(number: int, of: int) -> str:
    if not number:
        return "-"
    return "yes" if number == of else f"{number} of {of}"


def _place(policy: ClusterPolicy, path: str = "") -> str:
    place = policy.source.place(path)
    return f" ({place})" if place else ""


def _names(ends: Sequence[Any]) -> str:
    if not ends:
        return "nothing"
    more = f" and {len(ends) - _FEW:,} more" if len(ends) > _FEW else ""
    return f"{', '.join(end.ref for end in ends[:_FEW])}{more}"
