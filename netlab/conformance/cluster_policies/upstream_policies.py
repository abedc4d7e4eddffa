"""The policies of the API's own conformance suite, by the name of their manifest.

Source: network-policy-api v0.3.0, ``conformance/base``.
"""

from __future__ import annotations

from netlab.conformance.cluster_policies.houses import HOUSES, KEY, POD_NAME, ROLE
from netlab.conformance.cluster_policies.shorthand import Policy
from netlab.objects.cluster_policies import ClusterTier

_NAME = "kubernetes.io/metadata.name"


def _ns(key: str) -> str:
    return f"ns {_NAME}={HOUSES[key].namespace}"


def _house(key: str) -> str:
    return f"{KEY}={HOUSES[key].name}"


def _pods(key: str, also: str = "") -> str:
    return f"pods {_house(key)} / {also or _house(key)}"


def _any_namespace(key: str) -> str:
    return f"pods {_house(key)}"


def _seven(one: str, other: str, ports: str, third: str, more: str, tier: ClusterTier) -> tuple[str, ...]:
    """Return the rules that most manifests have; the tier Baseline has no Pass."""
    rules = (
        *(f"{action} {_ns(one)}" for action in ("Accept", "Deny", "Pass")),
        *(f"{action} {_ns(other)}: {ports}" for action in ("Deny", "Pass")),
        f"Accept {_ns(third)}: {more}",
        f"Deny {_ns(third)}",
    )
    return tuple(rule for rule in rules if tier == "Admin" or not rule.startswith("Pass"))


# Manifest: priority, subject, and for each direction the arguments of ``_seven``.
_Seven = tuple[str, str, str, str, str]
_SEVENS: dict[str, tuple[int, str, _Seven | None, _Seven | None]] = {
    "ingress-tcp": (3, "G", ("R", "S", "80/TCP", "H", "80/TCP"), None),
    "ingress-udp": (4, "H", ("R", "S", "5353/UDP", "G", "53/UDP"), None),
    "ingress-sctp": (5, "R", ("G", "S", "9003/SCTP", "H", "9003/SCTP"), None),
    "egress-tcp": (6, "G", None, ("R", "S", "80/TCP", "H", "8080/TCP")),
    "egress-udp": (7, "H", None, ("R", "S", "5353/UDP", "G", "53/UDP")),
    "egress-sctp": (8, "R", None, ("G", "S", "9003/SCTP", "H", "9003/SCTP")),
    "gress": (
        15,
        "G",
        ("R", "S", "80/TCP,53/UDP,9003/SCTP", "H", "80/TCP,5353/UDP,9003/SCTP"),
        ("R", "S", "80/TCP,53/UDP,9003/SCTP", "H", "8080/TCP,5353/UDP,9003/SCTP"),
    ),
}
_EVERYTHING = "net 0.0.0.0/0 ::/0"
_LINUX = "nodes kubernetes.io/os=linux"
_RANGES = (
    f"Accept {_ns('R')}: 80-8080/TCP",
    f"Accept {_ns('H')}: 53-5353/UDP",
    f"Accept {_ns('S')}: 9003-9005/SCTP",
    f"Deny ns {KEY}",
)
_SELECTED_IN = (
    f"Accept {_pods('S', f'{POD_NAME}=draco-malfoy-0')}",
    f"Deny {_any_namespace('S')}",
    f"Deny {_pods('H', f'{ROLE}=blocked')}",
)
_SELECTED_OUT = (f"Accept {_pods('R', f'{POD_NAME}=luna-lovegood-0')}: 80/TCP", f"Deny {_any_namespace('R')}")
_INLINE = (f"Accept {_pods('S')}", f"Deny {_EVERYTHING}")
_DENY_S = f"Deny ns {_house('S')}"


def manifest(name: str, tier: ClusterTier) -> list[Policy]:
    """Return the policies of a manifest, for one of the tiers."""
    if name in _SEVENS:
        priority, subject, *directions = _SEVENS[name]
        ingress, egress = (None if one is None else _seven(*one, tier) for one in directions)
        return [_policy(name, tier, priority, _ns(subject), ingress, egress)]
    if name == "port-range":
        return [_policy("port-range-rules", tier, 9, _ns("G"), _RANGES, _RANGES)]
    if name == "pod-selector":
        first, second = (20, 21) if tier == "Admin" else (10, 10)
        restricted = _pods("R", f"{ROLE}=restricted")
        return [
            Policy("pod-selector-rules", tier, first, _any_namespace("G"), _SELECTED_IN, _SELECTED_OUT),
            Policy("label-selected-subject-rules", tier, second, restricted, None, (f"Deny {_ns('S')}",)),
        ]
    if name == "egress-inline-cidr":
        subject = _pods("G") if tier == "Admin" else _ns("G")
        return [_policy("inline-cidr-as-peers-example", tier, 85, subject, None, _INLINE)]
    if name == "egress-selector":
        return [_egress_selector(tier)]
    if name == "priority-field":
        subject = _pods("G")
        names = {"Deny": ("priority-50-example", 50), "Pass": ("old-priority-60-new-priority-40-example", 60)}
        of_admin = [
            Policy(name, "Admin", priority, subject, rules := (f"{action} {_pods('S')}",), rules)
            for action, (name, priority) in names.items()
        ]
        rules = (f"Accept {_pods('S')}",)
        return [*of_admin, Policy("default", "Baseline", 10, subject, rules, rules)]
    if name == "same-priority":
        priority = 15 if tier == "Admin" else 10
        found = (("G", "S", "80/TCP"), ("G", "H", "80/TCP"), ("H", "S", "8080/TCP"))
        return [
            Policy(f"same-priority-{i}", tier, priority, _ns(one), rules := (f"Deny {_ns(other)}: {port}",), rules)
            for i, (one, other, port) in enumerate(found)
        ]
    if name == "anp-np-banp":
        return [
            Policy("pass-example", "Admin", 10, f"ns {_house('G')}", (_DENY_S,), (_DENY_S,)),
            Policy("default", "Baseline", 10, f"ns {_house('G')}", (_DENY_S,), (_DENY_S,)),
        ]
    raise ValueError(f"no manifest {name!r}")


def _policy(
    name: str,
    tier: ClusterTier,
    priority: int,
    subject: str,
    ingress: tuple[str, ...] | None,
    egress: tuple[str, ...] | None,
) -> Policy:
    """Return the policy of a manifest that has one; in the tier Baseline its name is default and its priority 10."""
    if tier == "Admin":
        return Policy(name, tier, priority, subject, ingress, egress)
    return Policy("default", tier, 10, subject, ingress, egress)


def _egress_selector(tier: ClusterTier) -> Policy:
    if tier == "Baseline":
        rules: tuple[str, ...] = (f"Accept {_LINUX}: 34345-34346/TCP", f"Deny {_LINUX} | {_EVERYTHING}")
        return Policy("default", tier, 10, _ns("G"), None, rules)
    rules = (
        f"Accept {_LINUX}: 34345/TCP",
        f"Pass {_LINUX}: 34347/UDP",
        f"Deny {_pods('S')} | {_LINUX} | {_EVERYTHING}",
    )
    return Policy("node-and-cidr-as-peers-example", tier, 75, _pods("G"), None, rules)
