"""ClusterNetworkPolicy: decoding and validation as with its CRD; v1alpha2 and v1beta1 are equal.

Source: network-policy-api v0.3.0, config/crd/experimental.
"""

from __future__ import annotations

from typing import cast, get_args

from netlab.errors import Problem
from netlab.objects.cluster_policies import ClusterPolicy, ClusterTier
from netlab.objects.cluster_policy_decoder import API_GROUP, COLUMNS, Decoder, Port, Variant, named_port
from netlab.objects.cluster_policy_fields import (
    MOST,
    ClusterPolicyRoot,
    EgressPeerShape,
    PeerShape,
    RuleShape,
    domain_names,
    priority,
)
from netlab.objects.fields import Fields
from netlab.objects.kind import Column, Kind
from netlab.objects.openapi import Array, Integer, Object, OpenApiShape, String
from netlab.objects.policies import PolicyPort
from netlab.objects.types import Document, Protocol
from netlab.verdicts import Action

_ACTIONS: dict[str, Action] = {"Accept": "allow", "Deny": "deny", "Pass": "pass"}
_DOMAIN = r"^(\*\.)?([a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?$"


def _port(name: str, about: str) -> Integer:
    return Integer(name, about, low=1, high=65535, required=True)


class _Range(OpenApiShape):
    """A range of ports, both ends included."""

    start = _port("start", "The first port.")
    end = _port("end", "The last port, which is greater than the first.")


class _DestinationPort(OpenApiShape, one_of=True):
    """A port, or a range of ports."""

    number = Integer("number", "The port's number.", low=1, high=65535)
    range = Object("range", "A range of ports.", shape=_Range)


class _Protocol(OpenApiShape, one_of=True):
    """The ports of one protocol."""

    port = Object("destinationPort", "The destination port.", shape=_DestinationPort)


class _Protocols(OpenApiShape, one_of=True):
    """Ports of one protocol, or a container port by its name."""

    tcp = Object("tcp", "Ports of TCP.", shape=_Protocol)
    udp = Object("udp", "Ports of UDP.", shape=_Protocol)
    sctp = Object("sctp", "Ports of SCTP.", shape=_Protocol)
    named = String("destinationNamedPort", "The name of a container port of the destination.")


class _EgressPeer(EgressPeerShape):
    """Destinations of one kind."""

    domain_names = domain_names(_DOMAIN)


class _Rule(RuleShape):
    """A rule. The first one of a direction that matches decides."""

    action = String("action", "What happens to the traffic.", values=tuple(_ACTIONS), required=True)
    ports = Array(
        "protocols", "The ports; by default every port of every protocol.", shape=_Protocols, least=1, most=MOST
    )


class _IngressRule(_Rule):
    """A rule for what the pods receive."""

    peers = Array("from", "The sources.", shape=PeerShape, least=1, most=MOST, required=True)


class _EgressRule(_Rule):
    """A rule for what the pods send."""

    peers = Array("to", "The destinations.", shape=_EgressPeer, least=1, most=MOST, required=True)


class _Spec(OpenApiShape):
    """The spec of a ClusterNetworkPolicy."""

    tier = String(
        "tier", "Whether it decides before NetworkPolicy or after it.", values=get_args(ClusterTier), required=True
    )
    priority = priority()
    subject = Object("subject", "The pods that the policy is about.", shape=PeerShape, required=True)
    ingress = Array("ingress", "The rules for what the pods receive.", shape=_IngressRule, most=MOST)
    egress = Array("egress", "The rules for what the pods send.", shape=_EgressRule, most=MOST)


class _Root(ClusterPolicyRoot):
    """A policy of the whole cluster: rules before NetworkPolicy, or defaults after it."""

    spec = Object("spec", "The pods that the policy is about, and the rules.", shape=_Spec, required=True)


def _decode_port(decoder: Decoder, fields: Fields) -> Port:
    named = named_port(fields, _Protocols.named)
    if named is not None:
        return named
    for field in (_Protocols.tcp, _Protocols.udp, _Protocols.sctp):
        found = field.find(fields)
        if found is not None:
            return Port(_numbers(decoder, cast(Protocol, field.name.upper()), _Protocol.port.read(found)))
    return Port(None)


def _numbers(decoder: Decoder, protocol: Protocol, fields: Fields) -> PolicyPort | None:
    number = _DestinationPort.number.read(fields)
    if number is not None:
        return PolicyPort(protocol, number)
    within = _DestinationPort.range.read(fields)
    start, end = _Range.start.read(within), _Range.end.read(within)
    if start is None or end is None:
        return None
    if start >= end:
        decoder.break_rule(within.path, None, "Start port must be less than End port")
    return PolicyPort(protocol, start, end)


_VARIANT = Variant(
    _Root,
    None,
    _ACTIONS,
    _decode_port,
    canonical=True,
    no_names=(
        "networks/nodes/domainNames peer cannot be set with namedPorts"
        " since there are no namedPorts for networks/nodes/domainNames"
    ),
)


def cluster_network_policy(document: Document) -> tuple[ClusterPolicy, list[Problem]]:
    """Decode a ClusterNetworkPolicy. The value must not be used if a problem is an error."""
    return Decoder(document, _VARIANT).decode()


KIND = Kind(
    "ClusterNetworkPolicy",
    f"{API_GROUP}/v1beta1",
    ClusterPolicy,
    cluster_network_policy,
    plural="clusternetworkpolicies",
    short=("cnp",),
    namespaced=False,
    columns=(Column("TIER", lambda one: one.tier), Column("PRIORITY", lambda one: str(one.priority)), *COLUMNS),
    shape=_Root,
    served=(f"{API_GROUP}/v1alpha2",),
)
