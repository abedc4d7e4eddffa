"""BaselineAdminNetworkPolicy: decoding and validation as with its CRD.

Source: network-policy-api v0.1.7, config/crd/experimental.
"""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects.admin_policy_fields import (
    MOST,
    NAMED_PORTS,
    AdminEgressPeer,
    AdminPeer,
    AdminPorts,
    decode_port,
)
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.cluster_policy_decoder import API_GROUP, COLUMNS, Decoder, Variant
from netlab.objects.cluster_policy_fields import ClusterPolicyRoot
from netlab.objects.fields import Fields
from netlab.objects.kind import Kind
from netlab.objects.openapi import Array, Object, OpenApiShape, String
from netlab.objects.types import Document
from netlab.verdicts import Action

_ACTIONS: dict[str, Action] = {"Allow": "allow", "Deny": "deny"}
_ONE = 'Only one baseline admin network policy with metadata.name="default" can be created in the cluster'


class _Rule(AdminPorts):
    """A rule. The first one of a direction that matches decides."""

    action = String("action", "What happens to the traffic.", values=tuple(_ACTIONS), required=True)


class _IngressRule(_Rule):
    """A rule for what the pods receive."""

    peers = Array("from", "The sources.", shape=AdminPeer, least=1, most=MOST, required=True)


class _EgressRule(_Rule):
    """A rule for what the pods send."""

    peers = Array("to", "The destinations.", shape=AdminEgressPeer, least=1, most=MOST, required=True)


class _Spec(OpenApiShape):
    """The spec of a BaselineAdminNetworkPolicy."""

    subject = Object("subject", "The pods that the policy is about.", shape=AdminPeer, required=True)
    ingress = Array("ingress", "The rules for what the pods receive.", shape=_IngressRule, most=MOST)
    egress = Array("egress", "The rules for what the pods send.", shape=_EgressRule, most=MOST)


class _Root(ClusterPolicyRoot):
    """A policy of the whole cluster that decides after NetworkPolicy."""

    spec = Object("spec", "The pods that the policy is about, and the rules.", shape=_Spec, required=True)


def _check_name(decoder: Decoder, root: Fields, name: str) -> None:
    if name != "default":
        decoder.break_rule("", None, _ONE, at="metadata.name")


_VARIANT = Variant(
    _Root,
    "Baseline",
    _ACTIONS,
    decode_port,
    canonical=False,
    no_names=NAMED_PORTS.format("networks/nodes"),
    check=_check_name,
)


def baseline_admin_network_policy(document: Document) -> tuple[ClusterPolicy, list[Problem]]:
    """Decode a BaselineAdminNetworkPolicy. The value must not be used if a problem is an error."""
    return Decoder(document, _VARIANT).decode()


KIND = Kind(
    "BaselineAdminNetworkPolicy",
    f"{API_GROUP}/v1alpha1",
    ClusterPolicy,
    baseline_admin_network_policy,
    plural="baselineadminnetworkpolicies",
    short=("banp",),
    namespaced=False,
    columns=COLUMNS,
    shape=_Root,
)
