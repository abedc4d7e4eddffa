"""The fields of a Profile, as declarations: those of ``spec.policy`` and of the wiring, each with its source."""

from __future__ import annotations

from dataclasses import replace
from types import new_class
from typing import Any, get_args

from netlab.objects import names
from netlab.objects.field_types import CIDR, OneOf, Part, Parts, Root, Text, Texts
from netlab.objects.meta import CLUSTER_METADATA
from netlab.objects.profiles import Mark
from netlab.objects.shapes import Shape
from netlab.objects.topology_shapes import PolicyShape, WiringShape

MARKS = get_args(Mark)
FAMILIES = ("IPv4", "IPv6")
CLUSTER_POLICY_FIELDS = ("nodes", "domainNames", "namedPorts", "networks")
CLUSTER_POLICY_VERSIONS = ("v1alpha1", "v1alpha2", "v1beta1")


class ChoiceShape(Shape, strict=True):
    """One choice: its value, its mark and its source."""

    mark = OneOf("mark", "Where the fact is from.", values=MARKS, required=True)
    source = Text("source", "The document, file or issue that says so.", required=True)
    about = Text("about", "What the choice means, in one sentence.")


def _choices(shape: type[Shape], about: str) -> type[Shape]:
    """Return a shape with the same fields, each a choice with a source."""
    found: dict[str, Any] = {"__doc__": about}
    for attribute, one in shape.attributes().items():
        own = {"__doc__": one.about, "value": replace(one, name="value", required=True)}
        found[attribute] = Part(one.name, one.about, shape=type("Choice", (ChoiceShape,), own))
    return new_class("Choices", (Shape,), {"strict": True}, lambda body: body.update(found))


PolicyChoices = _choices(PolicyShape, "What policies mean.")
WiringChoices = _choices(WiringShape, "How pods and nodes are wired.")


class QuirkShape(Shape, strict=True):
    """A documented behaviour."""

    text = Text("text", "The behaviour, in one sentence.", required=True)
    mark = OneOf("mark", "Where the fact is from.", values=MARKS, required=True)
    source = Text("source", "The document, file or issue that says so.", required=True)
    settings = Texts(
        "settings",
        "The fields of policy and wiring that emulate it; none: netlab does not emulate it.",
        values=(*WiringShape.fields, *PolicyShape.fields, "families", "podCIDRs"),
    )


class ClusterPolicyFieldsShape(Shape, strict=True):
    """Which fields of cluster-wide policies a CNI does not read."""

    ignores = Texts("ignores", "The fields of rules.", values=CLUSTER_POLICY_FIELDS)
    versions = Texts(
        "versions", "The versions of the API that it reads; by default all.", values=CLUSTER_POLICY_VERSIONS
    )
    mark = OneOf("mark", "Where the fact is from.", values=MARKS, required=True)
    source = Text("source", "The document, file or issue that says so.", required=True)
    about = Text("about", "What it does with such a rule, in one sentence.")


class SpecShape(Shape, strict=True):
    """The choices of a CNI."""

    base = Text("base", "The name of a profile whose choices hold where this one makes none.")
    system = Text("system", "The system in plain words.")
    versions = Text("versions", "The versions that the facts hold for.")
    about = Text("about", "What is special, in one sentence.")
    families = Texts("families", "The IP families that pods can have; by default both.", values=FAMILIES)
    pod_cidrs = Texts("podCIDRs", "The default ranges of pods, at most one per IP family.", pattern=CIDR)
    policy = Part("policy", "What policies mean.", shape=PolicyChoices)
    wiring = Part("wiring", "How pods and nodes are wired.", shape=WiringChoices)
    cluster_policy_fields = Part(
        "clusterPolicyFields",
        "Which fields of cluster-wide policies it does not read.",
        shape=ClusterPolicyFieldsShape,
    )
    quirks = Parts("quirks", "Further documented behaviour.", shape=QuirkShape)


class ProfileRoot(Root, strict=True):
    """One CNI: how it wires pods, and what policies mean with it."""

    metadata = CLUSTER_METADATA
    spec = Part("spec", "The choices.", shape=SpecShape, required=True)


NAME = names.dns_subdomain
