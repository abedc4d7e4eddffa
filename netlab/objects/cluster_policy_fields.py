"""The fields that ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy share, as declarations.

Source: network-policy-api, the CRDs of the experimental channel: v0.3.0 for v1alpha2 and v1beta1, v0.1.7 for v1alpha1.
"""

from __future__ import annotations

from typing import Any, get_args

from netlab.objects.field_types import Root, Unread
from netlab.objects.fields import Fields, Report, quoted
from netlab.objects.meta import STRICT_CLUSTER_METADATA
from netlab.objects.openapi import Array, Integer, Object, OpenApiShape, String, StringMap, Strings, mistyped
from netlab.objects.selectors import Operator
from netlab.objects.shapes import Schema

MOST = 25
"""How many rules, peers and ports a ClusterNetworkPolicy has at most, and networks and names a peer of any version."""

_LONGEST_NAME = 100
_LONGEST_CIDR = 43
_ALL_NAMESPACES = "; an API server prunes it, and what is left selects every namespace"
_PORTS = ("protocols", "ports")
_ONLY_EGRESS = ("networks", "nodes", "domainNames")
_OLD_NAMESPACES = ("namespaceSelector", "sameLabels", "notSameLabels")


class RuleName(String):
    """A rule's name. A boolean, as YAML reads ``no`` without quotes, is a warning: a name decides nothing."""

    def check_value(self, report: Report, path: str, value: Any) -> None:
        """Report what the schema forbids in a value."""
        if isinstance(value, bool):
            hint = "put it in quotes (without them y, n, yes, no, on and off are booleans in YAML)"
            report.warn(path, f"an API server refuses a boolean here; {hint}", "rule-name-no-string")
        else:
            super().check_value(report, path, value)

    def schema(self) -> Schema:
        return {**super().schema(), "type": ["string", "boolean", "null"]}


class _Suggested(String):
    """A string. The CRD allows every one; the decoder refuses those that are not in ``values``."""

    def check_value(self, report: Report, path: str, value: Any) -> None:
        if not isinstance(value, str):
            mistyped(report, path, value, "string")


class RequirementShape(OpenApiShape):
    """A condition on one label."""

    key = String("key", "The label's key.", required=True)
    operator = _Suggested("operator", "How the label is compared.", values=get_args(Operator), required=True)
    values = Strings("values", "The values, for In and NotIn.")


class SelectorShape(OpenApiShape):
    """Labels that an object must have: all conditions hold; an empty selector selects everything."""

    match_labels = StringMap("matchLabels", "Labels that must be there with these values.")
    match_expressions = Array("matchExpressions", "Conditions on labels.", shape=RequirementShape)


class NamespacesShape(SelectorShape):
    """The labels of namespaces: all their pods, except host-network pods."""

    @classmethod
    def hint(cls, name: str, written: Fields) -> str:
        # Version 0.1.1 of the API had these fields.
        if name in _OLD_NAMESPACES and not any(field.has(written) for field in cls.fields.values()):
            return f"{_ALL_NAMESPACES}; write the selector itself: {quoted('matchLabels')}"
        if name == "name":
            return f"; write {quoted('matchLabels: {kubernetes.io/metadata.name: …}')}, a label that each namespace has"
        return super().hint(name, written)


class PodsShape(OpenApiShape):
    """Pods by the labels of their namespaces and their own, except host-network pods."""

    namespaces = Object("namespaceSelector", "The namespaces of the pods; by default all.", shape=SelectorShape)
    pods = Object("podSelector", "The pods in these namespaces.", shape=SelectorShape, required=True)

    @classmethod
    def hint(cls, name: str, written: Fields) -> str:
        if name == "namespaces" and not cls.namespaces.has(written):
            pruned = "" if cls.fields[cls.namespaces.name].required else _ALL_NAMESPACES
            return f"{pruned}; write {quoted(cls.namespaces.name)}"
        return super().hint(name, written)


class PeerShape(OpenApiShape, one_of=True):
    """The pods that a policy is about, or those of a peer."""

    namespaces = Object("namespaces", "All pods of the namespaces with these labels.", shape=NamespacesShape)
    pods = Object("pods", "Pods by the labels of their namespaces and their own.", shape=PodsShape)

    @classmethod
    def hint(cls, name: str, written: Fields) -> str:
        # Peers of a NetworkPolicy have these fields.
        if name == "podSelector":
            return f"; write {quoted('pods: {namespaceSelector: …, podSelector: …}')}"
        if name == "namespaceSelector":
            return f"; write {quoted('namespaces')} with the selector itself"
        of_egress = "networks" in cls.fields
        if name == "ipBlock" and of_egress:
            return f"; write {quoted('networks')}"
        if name in ("ipBlock", *_ONLY_EGRESS) and not of_egress:
            return "; a subject and a peer of an ingress rule are pods"
        return super().hint(name, written)


class EgressPeerShape(PeerShape):
    """Destinations of one kind."""

    networks = Strings(
        "networks",
        "Destinations by their address: ranges such as 10.0.0.0/8. They match pods and nodes too.",
        least=1,
        most=MOST,
        longest=_LONGEST_CIDR,
        unique=True,
    )
    nodes = Object("nodes", "The addresses of the nodes with these labels.", shape=SelectorShape)


def domain_names(pattern: str) -> Strings:
    """Declare the field ``domainNames``."""
    about = "Outside hosts by their names; `*.` stands for one or more labels."
    return Strings("domainNames", about, least=1, most=MOST, pattern=pattern, unique=True)


class RuleShape(OpenApiShape):
    """A rule. The first one of a direction that matches decides."""

    name = RuleName("name", "A name for messages.", longest=_LONGEST_NAME)

    @classmethod
    def hint(cls, name: str, written: Fields) -> str:
        # The versions of the API name this field differently.
        if name in _PORTS and (own := next((one for one in _PORTS if one in cls.fields), None)):
            return f"; write {quoted(own)}"
        return super().hint(name, written)


def priority() -> Integer:
    """Declare the field ``priority``."""
    return Integer(
        "priority", "The place among the policies of a tier: lower numbers first.", low=0, high=1000, required=True
    )


class ClusterPolicyRoot(Root, OpenApiShape, strict=True):
    """A cluster-wide policy."""

    metadata = STRICT_CLUSTER_METADATA
    status = Unread("status", "Not read.")
