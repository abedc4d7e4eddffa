"""Reasons of verdicts as text, and the names of policies, rules, labels and ports in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from netlab.objects.policies import NetworkPolicy, Rule
from netlab.policy.problems import some
from netlab.quantity import few

if TYPE_CHECKING:
    from netlab.cluster.flows import Flow
    from netlab.cluster.paths import Path
    from netlab.objects.cluster_policies import ClusterPolicy, ClusterRule
    from netlab.verdicts import Expected

# A reason names at most so many policies, as each pair has a reason and it is one line.
_FEW = 10


def decided_reason(way: Path, denied: Sequence[str], allowing: Sequence[str]) -> str:
    """Return the reason of a verdict: the path, the texts of the sides that deny, or the rules that allow."""
    if not way.connected:
        return way.reason
    opened = f" ({way.opened_by})" if way.opened_by else ""
    seen = f" ({way.seen_by})" if way.seen_by else ""
    if denied:
        return f"{'; '.join(denied)}{seen}"
    if allowing:
        exempt = f"; {way.exempt}" if way.exempt else ""
        return f"allowed by {' and '.join(allowing)}{exempt}{seen}{opened}"
    return f"{way.exempt or 'no policy selects either side'}{opened}"


def unknown_reason(sides: Iterable[str], verdict_without_unread: str, evaluated: str) -> str:
    """Return the reason of an unknown verdict from the texts of its ``UnknownSide`` values."""
    verb = "allows" if verdict_without_unread == "allow" else "denies"
    return f"{'; '.join(sides)}; {evaluated} {verb} it"


def backends_reason(found: Sequence[tuple[Expected, str, str]]) -> str:
    """Return each verdict with its backends and the reason; backends with one reason are listed together.

    Reasons that differ only in the backend's own name are one: it is then "the endpoint".

    Args:
      found: the verdict, the reason and the name of each backend, in order.
    """
    names: dict[tuple[str, str], list[str]] = {}
    own: dict[tuple[str, str], str] = {}
    for verdict, reason, name in found:
        key = (verdict, _without_name(reason, name))
        names.setdefault(key, []).append(name)
        own.setdefault(key, reason)
    alike = {(key[0], key[1] if len(of) > 1 else own[key]): of for key, of in names.items()}
    shown = list(alike)[:_FEW]
    for one in list(alike)[_FEW:]:
        # Each verdict has a reason.
        if all(one[0] != verdict for verdict, _ in shown):
            shown.append(one)
    texts = [f"{len(alike[one])} of {len(found)} endpoints {one[0]} ({some(alike[one])}): {one[1]}" for one in shown]
    left = sum(len(names) for one, names in alike.items() if one not in shown)
    return "; ".join([*texts, *([f"and {left} more endpoints"] if left else [])])


def _without_name(reason: str, name: str) -> str:
    """Return a reason with "the endpoint" in place of the backend's name, where it is the end of the packet's way."""
    # A pod that reaches itself is the source too. Egress allows a destination, and ingress is that of the destination.
    egress, ingress, of = reason.partition("ingress of ")
    for after in (" on ", ", "):
        egress = egress.replace(f"allows {name}{after}", f"allows the endpoint{after}")
    return egress + ingress + (f"the endpoint: {of.removeprefix(f'{name}: ')}" if of.startswith(f"{name}: ") else of)


def default_text(tiers: str) -> str:
    """Return, as text, that the tiers ``tiers`` pass a side to the default; "" without tiers."""
    word = "tiers" if " and " in tiers else "tier"
    return f"default, as no rule of {word} {tiers} decides" if tiers else ""


def without_effect_text(why: str) -> str:
    """Return, as text, that the default allows because policies have no effect; ``why`` names these policies."""
    return f"default, as {why}"


def named(*policies: NetworkPolicy) -> str:
    """Return the kind and names of policies, ``NetworkPolicies shop/db, shop/web``, and the number of further ones."""
    kind = "NetworkPolicy" if len(policies) == 1 else "NetworkPolicies"
    return f"{kind} {few([policy.meta.key for policy in policies], _FEW)}"


def where(policy: NetworkPolicy | ClusterPolicy, rule: Rule | ClusterRule | None = None) -> str:
    """Return `` (FILE:LINE)`` of a policy or of one of its rules; "" if the line is not known."""
    line = (rule.line or policy.source.line(rule.path)) if rule else policy.source.line()
    return f" ({policy.source.file}:{line})" if line else ""


def labels_text(labels: Mapping[str, str]) -> str:
    """Return labels as kubectl writes them."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def service(flow: Flow) -> str:
    """Return the port and protocol of a flow: ``80/TCP``, or ``ICMP``."""
    return service_text(flow.protocol, flow.port)


def service_text(protocol: str, port: int | None) -> str:
    """Return a port and protocol as reports print them."""
    return protocol if port is None else f"{port}/{protocol}"
