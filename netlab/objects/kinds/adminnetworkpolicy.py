"""AdminNetworkPolicy: decoding and validation as with its CRD.

Source: network-policy-api v0.1.7, config/crd/experimental.
"""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects.admin_policy_fields import (
    DOMAIN,
    MOST,
    NAMED_PORTS,
    AdminEgressPeer,
    AdminPeer,
    AdminPorts,
    decode_port,
)
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.cluster_policy_decoder import API_GROUP, COLUMNS, Decoder, Variant
from netlab.objects.cluster_policy_fields import ClusterPolicyRoot, domain_names, priority
from netlab.objects.kind import Column, Kind
from netlab.objects.openapi import Array, Object, OpenApiShape, String
from netlab.objects.types import Document
from netlab.verdicts import Action

_ACTIONS: dict[str, Action] = {"Allow": "allow", "Deny": "deny", "Pass": "pass"}


class _EgressPeer(AdminEgressPeer):
    """Destinations of one kind."""

    domain_names = domain_names(DOMAIN)


class _Rule(AdminPorts):
    """A rule. The first one of a direction that matches decides."""

    action = String("action", "What happens to the traffic.", values=tuple(_ACTIONS), required=True)


class _IngressRule(_Rule):
    """A rule for what the pods receive."""

    peers = Array("from", "The sources.", shape=AdminPeer, least=1, most=MOST, required=True)


class _EgressRule(_Rule):
    """A rule for what the pods send."""

    peers = Array("to", "The destinations.", shape=_EgressPeer, least=1, most=MOST, required=True)


class _Spec(OpenApiShape):
    """The spec of an AdminNetworkPolicy."""

    priority = priority()
    subject = Object("subject", "The pods that the policy is about.", shape=AdminPeer, required=True)
    ingress = Array("ingress", "The rules for what the pods receive.", shape=_IngressRule, most=MOST)
    egress = Array("egress", "The rules for what the pods send.", shape=_EgressRule, most=MOST)


class _Root(ClusterPolicyRoot):
    """A policy of the whole cluster that decides before NetworkPolicy."""

    spec = Object("spec", "The pods that the policy is about, and the rules.", shape=_Spec, required=True)


_VARIANT = Variant(
    _Root,
    "Admin",
    _ACTIONS,
    decode_port,
    canonical=False,
    no_names=NAMED_PORTS.format("networks/nodes/domainNames"),
)


def admin_network_policy(document: Document) -> tuple[ClusterPolicy, list[Problem]]:
    """Decode an AdminNetworkPolicy. The value must not be used if a problem is an error."""
    return Decoder(document, _VARIANT).decode()


KIND = Kind(
    "AdminNetworkPolicy",
    f"{API_GROUP}/v1alpha1",
    ClusterPolicy,
    admin_network_policy,
    plural="adminnetworkpolicies",
    short=("anp",),
    namespaced=False,
    columns=(Column("PRIORITY", lambda one: str(one.priority)), *COLUMNS),
    shape=_Root,
)
