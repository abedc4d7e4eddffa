"""The policies of a cluster for a report: what each selects, says and warns of, and its elements in nftables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import DIRECTIONS
from netlab.pictures.policy_lines import rule_text
from netlab.policy.matched_pods import pods_selected
from netlab.policy.meaning import policies_meant
from netlab.policy.reasons import where
from netlab.policy.tiers.cluster_policy import TIERS
from netlab.quantity import quantity
from netlab.report.blocks import Block, Details, Paragraph, Policies, Policy, Rows

# The most policies of a page; of a policy the most names of pods, items of a rule, and elements; the most warnings.
_MOST, _NAMED, _ITEMS, _ELEMENTS, _WARNINGS = 300, 5, 20, 8, 300
# The most policies that are not folded away together.
_SHOWN = 40
# Of more pods, no rulesets are made: that takes longer than the report.
_PODS_WITH_RULES = 300
_ELEMENT = re.compile(r'^\s*(?P<element>.* comment ".* by (?P<policies>[^"]*)".*?),?$')
_SET = re.compile(r"^\t(?:set|map) (\S+) \{")


def policy_blocks(cluster: Cluster, warnings: Sequence[Problem], used: Iterable[str] = ()) -> Iterator[Block]:
    """Yield the policies; those of ``used``, by name, are shown first if there are too many.

    Cluster-wide policies come first, in the order in which they decide.
    """
    if not cluster.policies and not cluster.cluster_policies:
        yield Paragraph("The input has no NetworkPolicy, so no pod is isolated.")
        return
    about: dict[str, list[str]] = {}
    for one in warnings:
        about.setdefault(one.object.removeprefix("NetworkPolicy "), []).append(str(one))
    elements = _elements(cluster)
    if cluster.cluster_policies:
        yield from _cluster_wide(cluster, about, elements)
    found = [*policies_meant(cluster)]
    if not found:
        return
    first = {*about, *used}
    shown = found if len(found) <= _SHOWN else sorted(found, key=lambda one: one.meta.key not in first)[:_MOST]
    blocks = [_policy(cluster, one, about, elements) for one in shown]
    yield Policies(blocks[:_SHOWN])
    if len(blocks) > _SHOWN:
        more = len(found) - len(shown)
        yield Details(f"{len(found) - _SHOWN:,} more policies", [Policies(blocks[_SHOWN:], more)])


def _cluster_wide(
    cluster: Cluster, about: Mapping[str, Sequence[str]], elements: Mapping[str, Sequence[str]]
) -> Iterator[Block]:
    from netlab.pictures.cluster_policies import cluster_rule_lines, in_their_order, subject_line, tier_line
    from netlab.policy.tiers.cluster_policy import is_subject

    found = in_their_order(cluster)
    blocks: list[Policy] = []
    for one in found[:_MOST]:
        pods = [pod for pod in cluster.pods if is_subject(cluster, one, pod)]
        names = ", ".join(pod.ref for pod in pods[:_NAMED]) + f" and {len(pods) - _NAMED:,} more" * (len(pods) > _NAMED)
        selects = f"{tier_line(one)}, selects {quantity(len(pods), 'pod')}{f': {names}' if names else ''}"
        lines = [selects, subject_line(one), *cluster_rule_lines(one, most=_ITEMS, places=True)]
        place = one.source.place() or one.source.file
        blocks.append(Policy(one.ref, place, lines, about.get(one.ref, ()), elements.get(one.ref, ())))
    yield Policies(blocks, len(found) - len(blocks))


def warning_rows(warnings: Sequence[Problem]) -> Rows:
    """Return the warnings as a table."""
    rows = [
        (f"{one.file}:{one.line}" if one.line else one.file, one.object, one.path, one.message)
        for one in warnings[:_WARNINGS]
    ]
    return Rows(("place", "object", "field", "warning"), rows, max(0, len(warnings) - _WARNINGS))


def _policy(
    cluster: Cluster, policy: NetworkPolicy, about: Mapping[str, Sequence[str]], elements: Mapping[str, Sequence[str]]
) -> Policy:
    pods = pods_selected(cluster, policy)
    names = ", ".join(pod.ref for pod in pods[:_NAMED]) + (f" and {len(pods) - _NAMED:,} more" * (len(pods) > _NAMED))
    lines = [f"selects {quantity(len(pods), 'pod')}{f': {names}' if names else ''}"]
    isolated = [direction for direction in DIRECTIONS if policy.isolates(direction)]
    lines.append(f"isolates for {' and '.join(isolated)}")
    for direction in isolated:
        rules = policy.rules(direction)
        for rule in rules:
            text = rule_text(cluster, policy, rule, direction, most=_ITEMS)
            lines.append(f"{direction}: {text}{where(policy, rule)}")
        if not rules:
            lines.append(f"{direction}: no rule, so nothing is allowed")
    key = policy.meta.key
    place = policy.source.place() or policy.source.file
    return Policy(key, place, lines, about.get(key, ()), elements.get(key, ()))


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
                    lines = found.setdefault(_name(policy), [])
                    if len(lines) < _ELEMENTS:
                        lines.append(f"{node}: {of}: {element['element'].strip()}")
    return found


def _name(text: str) -> str:
    """Return the name of a policy in a comment; of a cluster-wide one, without its tier and rule."""
    words = text.split(" ")
    return " ".join(words[1:3]) if words[0] in TIERS else text
