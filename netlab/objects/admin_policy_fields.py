"""The fields that AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1) share, as declarations."""

from __future__ import annotations

from typing import cast

from netlab.objects.cluster_policy_decoder import Decoder, Port, named_port
from netlab.objects.cluster_policy_fields import EgressPeerShape, PeerShape, PodsShape, RuleShape, SelectorShape
from netlab.objects.fields import Fields, quoted
from netlab.objects.openapi import Array, Integer, Object, OpenApiShape, String
from netlab.objects.policies import PolicyPort
from netlab.objects.types import Protocol

MOST = 100
"""How many rules, peers and ports a policy has at most."""

# The range A-z is the API's own; it admits punctuation too.
DOMAIN = r"^(\*\.)?([a-zA-z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?$"
NAMED_PORTS = "{0} peer cannot be set with namedPorts since there are no namedPorts for {0}"
_PROTOCOLS = ("TCP", "UDP", "SCTP")


class _Pods(PodsShape):
    """Pods by the labels of their namespaces and their own, except host-network pods."""

    namespaces = Object("namespaceSelector", "The namespaces of the pods.", shape=SelectorShape, required=True)


class AdminPeer(PeerShape):
    """The pods that a policy is about, or those of a peer."""

    pods = Object("pods", "Pods by the labels of their namespaces and their own.", shape=_Pods)


class AdminEgressPeer(AdminPeer, EgressPeerShape):
    """Destinations of one kind."""


class _Protocol(OpenApiShape):
    """The protocol of a port."""

    protocol = String("protocol", "The protocol: TCP, UDP or SCTP.", default="TCP")


class _Number(_Protocol):
    """A port."""

    port = Integer("port", "The port's number.", low=1, high=65535, required=True)


class _Range(_Protocol):
    """A range of ports, both ends included."""

    start = Integer("start", "The first port.", low=1, high=65535, required=True)
    end = Integer("end", "The last port.", low=1, high=65535, required=True)


class _Port(OpenApiShape, one_of=True):
    """A port, a range of ports, or a container port by its name."""

    number = Object("portNumber", "A port.", shape=_Number)
    range = Object("portRange", "A range of ports.", shape=_Range)
    named = String("namedPort", "The name of a container port of the destination.")


class AdminPorts(RuleShape):
    """A rule. The first one of a direction that matches decides."""

    ports = Array("ports", "The ports; by default every port of every protocol.", shape=_Port, least=1, most=MOST)


def decode_port(decoder: Decoder, fields: Fields) -> Port:
    """Decode one item of ``ports``."""
    named = named_port(fields, _Port.named)
    if named is not None:
        return named
    number = _Port.number.find(fields)
    within = _Port.range.read(fields) if number is None else number
    protocol = _Protocol.protocol.read(within)
    if protocol not in _PROTOCOLS:
        message = (
            f"no rule can match the protocol {quoted(protocol)}, so the whole rule fails closed:"
            " a rule that allows matches nothing, and another one denies everything"
        )
        decoder.report.warn(_Protocol.protocol.at(within), message, "unknown-protocol")
        return Port(None, unknown=True)
    if number is not None:
        return Port(PolicyPort(cast(Protocol, protocol), _Number.port.read(number)))
    start, end = _Range.start.read(within), _Range.end.read(within)
    if start is None or end is None:
        return Port(None)
    if start > end:
        message = f"start {start} is greater than end {end}, so the range matches nothing"
        decoder.report.warn(within.path, message, "empty-port-range")
        return Port(None)
    return Port(PolicyPort(cast(Protocol, protocol), start, end))
