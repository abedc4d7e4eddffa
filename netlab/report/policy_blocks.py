"""The policies of a cluster for a report: what each selects, says and warns of, and its elements in nftables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction
from netlab.policy.matched_pods import pods_selected
from netlab.policy.meaning import policies_meant
from netlab.policy.reasons import where
from netlab.quantity import quantity
from netlab.report.blocks import Block, Details, Paragraph, Policies, Policy, Rows

# The most policies of a page, the most names of pods and elements of a policy, and the most warnings in the table.
_MOST, _NAMED, _ELEMENTS, _WARNINGS = 300, 5, 8, 300
# The most policies that are not folded away together.
_SHOWN = 40
# Of more pods, no rulesets are made: that takes longer than the report.
_PODS_WITH_RULES = 300
_DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")
_ELEMENT = re.compile(r'^\s*(?P<element>.* comment ".* by (?P<policies>[^"]*)".*?),?$')
_SET = re.compile(r"^\t(?:set|map) (\S+) \{")


def policy_blocks(cluster: Cluster, warnings: Sequence[Problem], used: Iterable[str] = ()) -> Iterator[Block]:
    """Yield the warnings and the policies; those of ``used``, by name, are shown first if there are too many."""
    if not cluster.policies:
        yield Paragraph("The input has no NetworkPolicy, so no pod is isolated.")
        return
    about: dict[str, list[str]] = {}
    for one in warnings:
        about.setdefault(one.object.removeprefix("NetworkPolicy "), []).append(str(one))
    elements = _elements(cluster)
    found = [*policies_meant(cluster)]
    first = {*about, *used}
    shown = found if len(found) <= _SHOWN else sorted(found, key=lambda one: one.meta.key not in first)[:_MOST]
    blocks = [_policy(cluster, one, about, elements) for one in shown]
    yield Policies(blocks[:_SHOWN])
    if len(blocks) > _SHOWN:
        more = len(found) - len(shown)
        yield Details(f"{len(found) - _SHOWN:,} more policies", [Policies(blocks[_SHOWN:], more)])


def warning_rows(warnings: Sequence[Problem]) -> Rows:
    """Return the warnings as a table."""
    rows = [(f"{one.file}:{one.line}", one.object, one.path, one.message) for one in warnings[:_WARNINGS]]
    return Rows(("place", "object", "field", "warning"), rows, max(0, len(warnings) - _WARNINGS))


def _policy(
    cluster: Cluster, policy: NetworkPolicy, about: Mapping[str, Sequence[str]], elements: Mapping[str, Sequence[str]]
) -> Policy:
    pods = pods_selected(cluster, policy)
    names = ", ".join(pod.ref for pod in pods[:_NAMED]) + (f" and {len(pods) - _NAMED:,} more" * (len(pods) > _NAMED))
    lines = [f"selects {quantity(len(pods), 'pod')}{f': {names}' if names else ''}"]
    isolated = [direction for direction in _DIRECTIONS if policy.isolates(direction)]
    lines.append(f"isolates for {' and '.join(isolated)}")
    for direction in isolated:
        rules = policy.rules(direction)
        lines += [f"{_rule_text(rule, direction)}{where(policy, rule)}" for rule in rules]
        if not rules:
            lines.append(f"{direction}: no rule, so nothing is allowed")
    key = policy.meta.key
    place = policy.source.place() or policy.source.file
    return Policy(key, place, lines, about.get(key, ()), elements.get(key, ()))


def _rule_text(rule: Rule, direction: Direction) -> str:
    word = "from" if direction == "ingress" else "to"
    peers = " or ".join(map(_peer_text, rule.peers)) or "anywhere"
    ports = ", ".join(map(_port_text, rule.ports)) or "every port"
    return f"{direction} {word} {peers} on {ports}"


def _peer_text(peer: Peer) -> str:
    if peer.ip_block is not None:
        excepts = f" except {', '.join(map(str, peer.ip_block.excepts))}" if peer.ip_block.excepts else ""
        return f"{peer.ip_block.cidr}{excepts}"
    pods = _selected("pods", peer.pod_selector)
    if peer.namespace_selector is None:
        return pods
    return f"{pods} of {_selected('namespaces', peer.namespace_selector)}"


def _selected(what: str, selector: LabelSelector | None) -> str:
    return f"all {what}" if selector is None or selector == LabelSelector() else f"{what} {selector}"


def _port_text(port: PolicyPort) -> str:
    if port.port is None:
        return f"every {port.protocol} port"
    end = f"-{port.end_port}" if port.end_port is not None else ""
    return f"{port.port}{end}/{port.protocol}"


def _elements(cluster: Cluster) -> dict[str, list[str]]:
    """Return the elements of sets that each policy makes, as nft prints them, with the node and the set."""
    if len(cluster.pods) > _PODS_WITH_RULES:
        return {}
    from netlab.dataplane.node_rulesets import rulesets

    found: dict[str, list[str]] = {}
    for node, ruleset in rulesets(cluster).items():
        of = ""
        for line in ruleset.text().splitlines():
            if begin := _SET.match(line):
                of = begin[1]
            elif element := _ELEMENT.match(line):
                for policy in element["policies"].split(", "):
                    lines = found.setdefault(policy, [])
                    if len(lines) < _ELEMENTS:
                        lines.append(f"{node}: {of}: {element['element'].strip()}")
    return found
