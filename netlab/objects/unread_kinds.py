"""Policies of other APIs: a table of kinds, and a reader for each form of policy.

A reader returns the pods that a policy may select, and what it may do. It leaves out parts of a selector that it cannot
read, so the result is never too small. A policy that it cannot read may select everything in its namespace (or the
cluster), and may do anything. Policies are not validated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from netlab.errors import Problem
from netlab.objects.meta import key_of
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction, Document, Meta
from netlab.objects.unread import Subject, UnreadPolicy, warning
from netlab.objects.unread_selectors import EVERY, calico_selector, cilium_selector, items, labels, mapping

_INGRESS: frozenset[Direction] = frozenset(("ingress",))
_EGRESS: frozenset[Direction] = frozenset(("egress",))
_BOTH = _INGRESS | _EGRESS
_DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")
_TCP = frozenset(("TCP",))


class _Policy(NamedTuple):
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


class _Reading(NamedTuple):
    """The result of a reader; the fields are those of ``UnreadPolicy``."""

    subjects: tuple[Subject, ...]
    protocols: frozenset[str] = frozenset()
    outside: bool = False


_Reader = Callable[[_Policy], _Reading]


class _Known(NamedTuple):
    """A kind of the table: the reader of its policies, and whether they are in namespaces."""

    read: _Reader
    namespaced: bool = True


def is_policy(kind: str, group: str) -> bool:
    """Say whether objects of a kind that netlab does not read may decide about traffic."""
    if (kind, group) in _KINDS:
        return True
    if kind == "NetworkPolicy":
        return not _kubernetes_own(group)
    staged = group.endswith("projectcalico.org") and kind.startswith("Staged")
    # An API server refuses a kind in another case. It is a policy with an error, and not skipped either.
    bare = kind.strip().lower()
    return (bare.endswith("networkpolicy") and not staged) or bare == "authorizationpolicy"


def is_cluster_wide(kind: str) -> bool:
    """Say whether the table has a kind of the name whose objects are in no namespace."""
    return kind in _CLUSTER_WIDE


def _kubernetes_own(group: str) -> bool:
    """Say whether the API group of a NetworkPolicy is one of Kubernetes: current, retired or misspelt."""
    if "." not in group or group.endswith((".k8s.io", "kubernetes.io")):
        return True
    return group not in _GROUPS and SequenceMatcher(None, group, "networking.k8s.io").ratio() > 0.89


def unread_policy(document: Document) -> tuple[UnreadPolicy, list[Problem]]:
    """Decode a policy of another API as far as possible; return it and the warning that netlab does not read it."""
    key = key_of(document)
    group = key.api_version.rpartition("/")[0]
    metadata = mapping(document.data.get("metadata"))
    known = _KINDS.get((key.kind, group))
    # A kind that is not in the table has namespaces if the object states one.
    stated = isinstance(metadata.get("namespace"), str) and metadata["namespace"]
    namespace = key.namespace if known is not None or stated else ""
    policy = _Policy(namespace, key.kind, document.data)
    reading = (known.read if known is not None else _unknown)(policy)
    found = UnreadPolicy(key.kind, group, Meta(key.name, key.namespace), *reading, source=document.source)
    return found, [warning(found)]


# --- readers --------------------------------------------------------------------------------------------------------


def _unknown(policy: _Policy) -> _Reading:
    own = replace(policy.everything, denies=_BOTH, allows=_BOTH)
    return _Reading((own,) if policy.namespace else (own, replace(own, nodes=True)))


def _cilium(policy: _Policy) -> _Reading:
    """Cilium: the rules of all policies and of NetworkPolicy are a union; deny rules have precedence.

    Source: Cilium documentation, "Layer 3 Policies", "Deny Policies" and the API's ``enableDefaultDeny``. A direction
    with rules is isolated unless the field says otherwise.
    """
    rules = [rule for rule in (policy.data.get("spec"), *items(policy.data.get("specs"))) if isinstance(rule, dict)]
    if not rules:
        return _unknown(policy)
    return _Reading(tuple(subject for rule in rules for subject in _cilium_rule(policy, rule)))


def _cilium_rule(policy: _Policy, rule: Mapping[str, Any]) -> Iterator[Subject]:
    default = mapping(rule.get("enableDefaultDeny"))
    isolated = {d for d in _DIRECTIONS if default.get(d) is True}
    isolated |= {d for d in _DIRECTIONS if rule.get(d) and default.get(d) is not False}
    denied = {d for d in _DIRECTIONS if rule.get(f"{d}Deny")}
    allows = frozenset(d for d in _DIRECTIONS if rule.get(d))
    # The directions that a rule without directions isolates depend on Cilium's version.
    denies = frozenset(isolated | denied) or (_BOTH if not allows else frozenset())
    own = replace(policy.everything, denies=denies, allows=allows)
    if "endpointSelector" in rule or "nodeSelector" not in rule:
        yield _selected(own, *cilium_selector(rule.get("endpointSelector")))
    if not policy.namespace and ("nodeSelector" in rule or "endpointSelector" not in rule):
        yield replace(own, nodes=True)


def _calico(policy: _Policy) -> _Reading:
    """Calico: policies have an order; NetworkPolicy has the order 1000 in the tier ``default``.

    Source: Calico documentation, "Network policy" and "Global network policy". A GlobalNetworkPolicy without a
    namespaceSelector selects host endpoints too, and with ``applyOnForward`` applies to traffic that a host forwards.
    """
    spec = policy.spec
    allows = frozenset(d for d in _DIRECTIONS if any(_may_allow(rule) for rule in items(spec.get(d))))
    own = replace(policy.everything, denies=_calico_types(spec), allows=allows & _calico_types(spec))
    if policy.namespace:
        return _Reading((_selected(own, *calico_selector(spec.get("selector"))),))
    if any(spec.get(name) for name in ("applyOnForward", "preDNAT", "doNotTrack")):
        return _Reading((replace(own, denies=_BOTH, allows=_BOTH), replace(own, nodes=True)))
    spaces = spec.get("namespaceSelector")
    of_spaces, of_pods = calico_selector(spec.get("selector"))
    stated = calico_selector(spaces, of_namespaces=True)[0]
    pods = _selected(own, LabelSelector((), (*of_spaces.match_expressions, *stated.match_expressions)), of_pods)
    only_pods = isinstance(spaces, str) and spaces.strip() and "global(" not in spaces
    return _Reading((pods,) if only_pods else (pods, replace(own, nodes=True)))


def _calico_types(spec: Mapping[str, Any]) -> frozenset[Direction]:
    written = {str(one).lower() for one in items(spec.get("types"))}
    if written:
        return frozenset(d for d in _DIRECTIONS if d in written) if written <= _BOTH else _BOTH
    if not spec.get("egress"):
        return _INGRESS
    return _BOTH if spec.get("ingress") else _EGRESS


def _may_allow(rule: object) -> bool:
    return str(mapping(rule).get("action")).lower() not in ("deny", "log")


def _antrea(policy: _Policy) -> _Reading:
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
    return _Reading(tuple(dict.fromkeys(found)))


def _antrea_subject(effect: Subject, applied: object) -> Subject:
    fields = mapping(applied)
    if not effect.namespace and {*fields} == {"nodeSelector"}:
        return replace(effect, nodes=True)
    if not fields or not {*fields} <= {"podSelector", "namespaceSelector"}:
        return effect
    pods = labels(fields.get("podSelector"))
    return _selected(effect, labels(fields.get("namespaceSelector")), pods)


def _tiers(policy: _Policy) -> _Reading:
    """Cluster-wide policies of Kubernetes' network policy API: tier Admin before NetworkPolicy, Baseline after it."""
    spec = policy.spec
    baseline = policy.kind == "BaselineAdminNetworkPolicy" or spec.get("tier") == "Baseline"
    actions = {d: {str(mapping(rule).get("action")) for rule in items(spec.get(d))} - {"Pass"} for d in _DIRECTIONS}
    own = replace(
        policy.everything,
        denies=frozenset(d for d in _DIRECTIONS if actions[d] - {"Allow", "Accept"}),
        allows=frozenset(d for d in _DIRECTIONS if actions[d] - {"Deny"} and not baseline),
    )
    subject = mapping(spec.get("subject"))
    if {*subject} == {"namespaces"}:
        return _Reading((_selected(own, labels(subject["namespaces"]), EVERY),))
    if {*subject} == {"pods"}:
        pods = mapping(subject["pods"])
        return _Reading((_selected(own, labels(pods.get("namespaceSelector")), labels(pods.get("podSelector"))),))
    return _Reading((own,))


def _isolating(policy: _Policy, *, opens: bool) -> _Reading:
    """Policies with the fields of NetworkPolicy. ``opens``: their rules may allow what NetworkPolicy denies."""
    spec = policy.spec
    types = frozenset(d for d in _DIRECTIONS if d.capitalize() in items(spec.get("policyTypes")))
    types = types or (_BOTH if spec.get("egress") else _INGRESS)
    allows = frozenset(d for d in types if opens and spec.get(d))
    own = replace(policy.everything, denies=types, allows=allows)
    return _Reading((_selected(own, EVERY, labels(spec.get("podSelector"))),))


def _multi(policy: _Policy) -> _Reading:
    """MultiNetworkPolicy: NetworkPolicy for the secondary networks of a pod."""
    return _isolating(policy, opens=False)


def _application(policy: _Policy) -> _Reading:
    return _isolating(policy, opens=True)


def _egress_firewall(policy: _Policy) -> _Reading:
    """OVN-Kubernetes and OpenShift: destinations outside of the cluster that the pods of a namespace may reach."""
    return _Reading((replace(policy.everything, denies=_EGRESS),), outside=True)


def _istio(policy: _Policy) -> _Reading:
    """Istio's AuthorizationPolicy: the proxy of the destination enforces it, for TCP only.

    In Istio's root namespace (by default ``istio-system``) it applies to every namespace. AUDIT denies nothing.
    ``targetRefs`` name Services and gateways.
    """
    spec = policy.spec
    if spec.get("action") == "AUDIT":
        return _Reading(())
    own = Subject("" if policy.namespace == "istio-system" else policy.namespace, denies=_INGRESS)
    return _Reading((_selected(own, EVERY, labels(spec.get("selector"))),), _TCP)


def _istio_peers(policy: _Policy) -> _Reading:
    """Istio's PeerAuthentication: STRICT refuses plain TCP, as from pods without a proxy."""
    ports = mapping(policy.spec.get("portLevelMtls"))
    modes = {mapping(one).get("mode") for one in (policy.spec.get("mtls"), *ports.values())}
    return _istio(policy) if "STRICT" in modes else _Reading(())


def _security_groups(policy: _Policy) -> _Reading:
    """Amazon EKS's SecurityGroupPolicy: pods have security groups, which are outside of the cluster."""
    own = replace(policy.everything, denies=_BOTH)
    return _Reading((_selected(own, EVERY, labels(policy.spec.get("podSelector"))),))


def _host_endpoint(policy: _Policy) -> _Reading:
    """Calico's HostEndpoint: an interface of a node, which denies traffic that no policy allows."""
    return _Reading((replace(policy.everything, nodes=True, denies=_BOTH),))


def _linkerd_server(policy: _Policy) -> _Reading:
    """Linkerd's Server: a port of pods that only authorized clients may use, unless ``accessPolicy`` allows all."""
    spec = policy.spec
    if spec.get("accessPolicy") in ("all-unauthenticated", "audit"):
        return _Reading(())
    own = replace(policy.everything, denies=_INGRESS)
    return _Reading((_selected(own, EVERY, labels(spec.get("podSelector"))),), _TCP)


def _linkerd_authorization(policy: _Policy) -> _Reading:
    return _Reading((replace(policy.everything, denies=_INGRESS),), _TCP)


_KINDS: dict[tuple[str, str], _Known] = {
    ("CiliumNetworkPolicy", "cilium.io"): _Known(_cilium),
    ("CiliumClusterwideNetworkPolicy", "cilium.io"): _Known(_cilium, namespaced=False),
    ("NetworkPolicy", "projectcalico.org"): _Known(_calico),
    ("NetworkPolicy", "crd.projectcalico.org"): _Known(_calico),
    ("GlobalNetworkPolicy", "projectcalico.org"): _Known(_calico, namespaced=False),
    ("GlobalNetworkPolicy", "crd.projectcalico.org"): _Known(_calico, namespaced=False),
    ("NetworkPolicy", "crd.antrea.io"): _Known(_antrea),
    ("ClusterNetworkPolicy", "crd.antrea.io"): _Known(_antrea, namespaced=False),
    ("AdminNetworkPolicy", "policy.networking.k8s.io"): _Known(_tiers, namespaced=False),
    ("BaselineAdminNetworkPolicy", "policy.networking.k8s.io"): _Known(_tiers, namespaced=False),
    ("ClusterNetworkPolicy", "policy.networking.k8s.io"): _Known(_tiers, namespaced=False),
    ("ClusterNetworkPolicy", "networking.k8s.aws"): _Known(_tiers, namespaced=False),
    ("ApplicationNetworkPolicy", "networking.k8s.aws"): _Known(_application),
    ("MultiNetworkPolicy", "k8s.cni.cncf.io"): _Known(_multi),
    ("EgressFirewall", "k8s.ovn.org"): _Known(_egress_firewall),
    ("EgressNetworkPolicy", "network.openshift.io"): _Known(_egress_firewall),
    ("AuthorizationPolicy", "security.istio.io"): _Known(_istio),
    ("PeerAuthentication", "security.istio.io"): _Known(_istio_peers),
    ("SecurityGroupPolicy", "vpcresources.k8s.aws"): _Known(_security_groups),
    ("HostEndpoint", "projectcalico.org"): _Known(_host_endpoint, namespaced=False),
    ("HostEndpoint", "crd.projectcalico.org"): _Known(_host_endpoint, namespaced=False),
    ("SecurityPolicy", "crd.nsx.vmware.com"): _Known(_unknown),
    ("MeshTrafficPermission", "kuma.io"): _Known(_unknown, namespaced=False),
    ("ServiceIntentions", "consul.hashicorp.com"): _Known(_unknown, namespaced=False),
    ("Server", "policy.linkerd.io"): _Known(_linkerd_server),
    ("ServerAuthorization", "policy.linkerd.io"): _Known(_linkerd_authorization),
    ("AuthorizationPolicy", "policy.linkerd.io"): _Known(_linkerd_authorization),
}
_GROUPS = frozenset(group for _, group in _KINDS)
_CLUSTER_WIDE = frozenset(kind for (kind, _), known in _KINDS.items() if not known.namespaced)


def _selected(subject: Subject, namespaces: LabelSelector, pods: LabelSelector) -> Subject:
    return replace(subject, namespaces=EVERY if subject.namespace else namespaces, pods=pods)
