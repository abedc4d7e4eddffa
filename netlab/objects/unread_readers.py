"""Readers of policies of other APIs, one for each form of policy.

A reader returns the pods that a policy may select, and what it may do. It leaves out parts of a selector that it cannot
read, so the result is never too small. A policy that it cannot read may select everything in its namespace (or the
cluster), and may do anything. Policies are not validated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from netlab.frozen import NamedTuple
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import DIRECTIONS, Direction
from netlab.objects.unread import Subject
from netlab.objects.unread_selectors import EVERY, calico_selector, cilium_selector, items, labels, mapping

_INGRESS: frozenset[Direction] = frozenset(("ingress",))
_EGRESS: frozenset[Direction] = frozenset(("egress",))
_BOTH = _INGRESS | _EGRESS
_TCP = frozenset(("TCP",))


class WrittenPolicy(NamedTuple):
    """A policy as written: its namespace ("" for a policy of the whole cluster), its kind and its fields."""

    namespace: str
    kind: str
    data: Mapping[str, Any]

    @property
    def spec(self) -> Mapping[str, Any]:
        return mapping(self.data.get("spec"))

    @property
    def everything(self) -> Subject:
        """All pods of the policy's namespace, or of the cluster."""
        return Subject(self.namespace)


class Reading(NamedTuple):
    """The result of a reader; the fields are those of ``UnreadPolicy``."""

    subjects: tuple[Subject, ...]
    protocols: frozenset[str] = frozenset()
    outside: bool = False


Reader = Callable[[WrittenPolicy], Reading]


def unknown(policy: WrittenPolicy) -> Reading:
    """A kind of which netlab knows nothing: it may select and do anything."""
    own = replace(policy.everything, denies=_BOTH, allows=_BOTH)
    return Reading((own,) if policy.namespace else (own, replace(own, nodes=True)))


def cilium(policy: WrittenPolicy) -> Reading:
    """Cilium: the rules of all policies and of NetworkPolicy are a union; deny rules have precedence.

    Source: Cilium documentation, "Layer 3 Policies", "Deny Policies" and the API's ``enableDefaultDeny``. A direction
    with rules is isolated unless the field says otherwise.
    """
    rules = [rule for rule in (policy.data.get("spec"), *items(policy.data.get("specs"))) if isinstance(rule, dict)]
    if not rules:
        return unknown(policy)
    return Reading(tuple(subject for rule in rules for subject in _cilium_rule(policy, rule)))


def _cilium_rule(policy: WrittenPolicy, rule: Mapping[str, Any]) -> Iterator[Subject]:
    default = mapping(rule.get("enableDefaultDeny"))
    isolated = {d for d in DIRECTIONS if default.get(d) is True}
    isolated |= {d for d in DIRECTIONS if rule.get(d) and default.get(d) is not False}
    denied = {d for d in DIRECTIONS if rule.get(f"{d}Deny")}
    allows = frozenset(d for d in DIRECTIONS if rule.get(d))
    # The directions that a rule without directions isolates depend on Cilium's version.
    denies = frozenset(isolated | denied) or (_BOTH if not allows else frozenset())
    own = replace(policy.everything, denies=denies, allows=allows)
    if "endpointSelector" in rule or "nodeSelector" not in rule:
        yield _selected(own, *cilium_selector(rule.get("endpointSelector")))
    if not policy.namespace and ("nodeSelector" in rule or "endpointSelector" not in rule):
        yield replace(own, nodes=True)


def calico(policy: WrittenPolicy) -> Reading:
    """Calico: policies have an order; NetworkPolicy has the order 1000 in the tier ``default``.

    Source: Calico documentation, "Network policy" and "Global network policy". A GlobalNetworkPolicy without a
    namespaceSelector selects host endpoints too, and with ``applyOnForward`` applies to traffic that a host forwards.
    """
    spec = policy.spec
    allows = frozenset(d for d in DIRECTIONS if any(_may_allow(rule) for rule in items(spec.get(d))))
    own = replace(policy.everything, denies=_calico_types(spec), allows=allows & _calico_types(spec))
    if policy.namespace:
        return Reading((_selected(own, *calico_selector(spec.get("selector"))),))
    if any(spec.get(name) for name in ("applyOnForward", "preDNAT", "doNotTrack")):
        return Reading((replace(own, denies=_BOTH, allows=_BOTH), replace(own, nodes=True)))
    spaces = spec.get("namespaceSelector")
    of_spaces, of_pods = calico_selector(spec.get("selector"))
    stated = calico_selector(spaces, of_namespaces=True)[0]
    pods = _selected(own, LabelSelector((), (*of_spaces.match_expressions, *stated.match_expressions)), of_pods)
    only_pods = isinstance(spaces, str) and spaces.strip() and "global(" not in spaces
    return Reading((pods,) if only_pods else (pods, replace(own, nodes=True)))


def _calico_types(spec: Mapping[str, Any]) -> frozenset[Direction]:
    written = {str(one).lower() for one in items(spec.get("types"))}
    if written:
        return frozenset(d for d in DIRECTIONS if d in written) if written <= _BOTH else _BOTH
    if not spec.get("egress"):
        return _INGRESS
    return _BOTH if spec.get("ingress") else _EGRESS


def _may_allow(rule: object) -> bool:
    return str(mapping(rule).get("action")).lower() not in ("deny", "log")


def antrea(policy: WrittenPolicy) -> Reading:
    """Antrea: tiers before NetworkPolicy, and the tier ``baseline`` after it. Policies do not isolate pods.

    Source: Antrea documentation, "Antrea-native policies". ``appliedTo`` is in the spec or in each rule.
    """
    spec = policy.spec
    late = str(spec.get("tier")).lower() == "baseline"
    found = []
    for direction, only in (("ingress", _INGRESS), ("egress", _EGRESS)):
        for rule in map(mapping, items(spec.get(direction))):
            action = rule.get("action")
            if action == "Pass":
                continue
            plain = action == "Allow" and not rule.get("l7Protocols")
            effect = replace(
                policy.everything,
                denies=frozenset() if plain else only,
                allows=only if action not in ("Drop", "Reject") and not late else frozenset(),
            )
            applied = items(rule.get("appliedTo")) or items(spec.get("appliedTo")) or [None]
            found += [_antrea_subject(effect, one) for one in applied]
    return Reading(tuple(dict.fromkeys(found)))


def _antrea_subject(effect: Subject, applied: object) -> Subject:
    fields = mapping(applied)
    if not effect.namespace and {*fields} == {"nodeSelector"}:
        return replace(effect, nodes=True)
    if not fields or not {*fields} <= {"podSelector", "namespaceSelector"}:
        return effect
    pods = labels(fields.get("podSelector"))
    return _selected(effect, labels(fields.get("namespaceSelector")), pods)


def tiers(policy: WrittenPolicy) -> Reading:
    """Policies like those of Kubernetes' network policy API: tier Admin before NetworkPolicy, Baseline after it."""
    spec = policy.spec
    baseline = spec.get("tier") == "Baseline"
    actions = {d: {str(mapping(rule).get("action")) for rule in items(spec.get(d))} - {"Pass"} for d in DIRECTIONS}
    own = replace(
        policy.everything,
        denies=frozenset(d for d in DIRECTIONS if actions[d] - {"Accept"}),
        allows=frozenset(d for d in DIRECTIONS if actions[d] - {"Deny"} and not baseline),
    )
    subject = mapping(spec.get("subject"))
    if {*subject} == {"namespaces"}:
        return Reading((_selected(own, labels(subject["namespaces"]), EVERY),))
    if {*subject} == {"pods"}:
        pods = mapping(subject["pods"])
        return Reading((_selected(own, labels(pods.get("namespaceSelector")), labels(pods.get("podSelector"))),))
    return Reading((own,))


def _isolating(policy: WrittenPolicy, *, opens: bool) -> Reading:
    """Policies with the fields of NetworkPolicy. ``opens``: their rules may allow what NetworkPolicy denies."""
    spec = policy.spec
    types = frozenset(d for d in DIRECTIONS if d.capitalize() in items(spec.get("policyTypes")))
    types = types or (_BOTH if spec.get("egress") else _INGRESS)
    allows = frozenset(d for d in types if opens and spec.get(d))
    own = replace(policy.everything, denies=types, allows=allows)
    return Reading((_selected(own, EVERY, labels(spec.get("podSelector"))),))


def multi(policy: WrittenPolicy) -> Reading:
    """MultiNetworkPolicy: NetworkPolicy for the secondary networks of a pod."""
    return _isolating(policy, opens=False)


def application(policy: WrittenPolicy) -> Reading:
    """ApplicationNetworkPolicy of Amazon EKS: the fields of NetworkPolicy, with rules that may allow more."""
    return _isolating(policy, opens=True)


def egress_firewall(policy: WrittenPolicy) -> Reading:
    """OVN-Kubernetes and OpenShift: destinations outside of the cluster that the pods of a namespace may reach."""
    return Reading((replace(policy.everything, denies=_EGRESS),), outside=True)


def istio(policy: WrittenPolicy) -> Reading:
    """Istio's AuthorizationPolicy: the proxy of the destination enforces it, for TCP only.

    In Istio's root namespace (by default ``istio-system``) it applies to every namespace. AUDIT denies nothing.
    ``targetRefs`` name Services and gateways.
    """
    spec = policy.spec
    if spec.get("action") == "AUDIT":
        return Reading(())
    own = Subject("" if policy.namespace == "istio-system" else policy.namespace, denies=_INGRESS)
    return Reading((_selected(own, EVERY, labels(spec.get("selector"))),), _TCP)


def istio_peers(policy: WrittenPolicy) -> Reading:
    """Istio's PeerAuthentication: STRICT refuses plain TCP, as from pods without a proxy."""
    ports = mapping(policy.spec.get("portLevelMtls"))
    modes = {mapping(one).get("mode") for one in (policy.spec.get("mtls"), *ports.values())}
    return istio(policy) if "STRICT" in modes else Reading(())


def security_groups(policy: WrittenPolicy) -> Reading:
    """Amazon EKS's SecurityGroupPolicy: pods have security groups, which are outside of the cluster."""
    own = replace(policy.everything, denies=_BOTH)
    return Reading((_selected(own, EVERY, labels(policy.spec.get("podSelector"))),))


def host_endpoint(policy: WrittenPolicy) -> Reading:
    """Calico's HostEndpoint: an interface of a node, which denies traffic that no policy allows."""
    return Reading((replace(policy.everything, nodes=True, denies=_BOTH),))


def linkerd_server(policy: WrittenPolicy) -> Reading:
    """Linkerd's Server: a port of pods that only authorized clients may use, unless ``accessPolicy`` allows all."""
    spec = policy.spec
    if spec.get("accessPolicy") in ("all-unauthenticated", "audit"):
        return Reading(())
    own = replace(policy.everything, denies=_INGRESS)
    return Reading((_selected(own, EVERY, labels(spec.get("podSelector"))),), _TCP)


def linkerd_authorization(policy: WrittenPolicy) -> Reading:
    """Linkerd's authorizations: they may deny TCP to any pod of the namespace."""
    return Reading((replace(policy.everything, denies=_INGRESS),), _TCP)


def _selected(subject: Subject, namespaces: LabelSelector, pods: LabelSelector) -> Subject:
    return replace(subject, namespaces=EVERY if subject.namespace else namespaces, pods=pods)
