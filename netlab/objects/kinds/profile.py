"""Profile: how one CNI wires pods and what policies mean with it, each choice with its source."""

from __future__ import annotations

from typing import Any

from netlab import modes
from netlab.errors import Problem
from netlab.modes.wiring import Wiring
from netlab.objects.core_v1 import prefixes
from netlab.objects.field_types import Texts
from netlab.objects.fields import Fields, invalid, required, unsupported
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.meta import object_meta, open_document
from netlab.objects.profile_shapes import (
    FAMILIES,
    NAME,
    ChoiceShape,
    ClusterPolicyFieldsShape,
    PolicyChoices,
    ProfileRoot,
    QuirkShape,
    SpecShape,
    WiringChoices,
)
from netlab.objects.profiles import Choice, ClusterPolicyFields, Profile, Quirk
from netlab.objects.shapes import Shape
from netlab.objects.types import Document


def profile(document: Document) -> tuple[Profile, list[Problem]]:
    """Decode a Profile."""
    root = open_document(document, strict=True)
    ProfileRoot.only(root)
    meta = object_meta(root, metadata=ProfileRoot.metadata)
    spec = ProfileRoot.spec.read(root)
    SpecShape.only(spec)
    for message in NAME(meta.name) if meta.name else ():
        root.report.error("metadata.name", invalid(meta.name, message))
    policy, choices = _choices(SpecShape.policy.read(spec), PolicyChoices)
    wiring, more = _choices(SpecShape.wiring.read(spec), WiringChoices)
    chosen = Wiring(**wiring)
    _check_wiring(spec, chosen)
    families = tuple(4 if name == FAMILIES[0] else 6 for name in _known(spec, SpecShape.families))
    found = Profile(
        meta.name,
        SpecShape.system.read(spec),
        SpecShape.versions.read(spec),
        SpecShape.about.read(spec),
        families,
        tuple(cidr for _, cidr in prefixes(spec, SpecShape.pod_cidrs.read(spec))),
        (*more, *choices),
        policy,
        chosen,
        tuple(_quirk(item) for item in SpecShape.quirks.read(spec)),
        document.source,
        SpecShape.base.read(spec),
        _cluster_policy_fields(spec),
    )
    return found, root.report.problems


def _cluster_policy_fields(spec: Fields) -> ClusterPolicyFields | None:
    if not SpecShape.cluster_policy_fields.has(spec):
        return None
    fields = SpecShape.cluster_policy_fields.read(spec)
    ClusterPolicyFieldsShape.only(fields)
    return ClusterPolicyFields(
        tuple(_known(fields, ClusterPolicyFieldsShape.ignores)),
        *_said(fields, ClusterPolicyFieldsShape),
        ClusterPolicyFieldsShape.about.read(fields),
        tuple(_known(fields, ClusterPolicyFieldsShape.versions)),
    )


def _choices(fields: Fields, shape: type[Shape]) -> tuple[dict[str, Any], list[Choice]]:
    """Return the values of choices by attribute, and the choices in order."""
    shape.only(fields)
    values: dict[str, Any] = {}
    found: list[Choice] = []
    for attribute, one in shape.attributes().items():
        if not one.has(fields):
            continue
        choice = one.read(fields)
        of: Any = one.inner()[1]  # type: ignore[index]
        of.only(choice)
        if of.value.null(choice) or not of.value.has(choice):
            of.value.error(choice, required())
            continue
        value = of.value.read(choice)
        values[attribute] = value
        found.append(Choice(one.name, value, *_said(choice, ChoiceShape), ChoiceShape.about.read(choice)))
    return values, found


def _said(fields: Fields, shape: Any) -> tuple[Any, str]:
    """Return the mark and the source of a fact."""
    for one in (shape.mark, shape.source):
        if one.missing(fields):
            one.error(fields, required())
    return shape.mark.read(fields) or "GUESS", shape.source.read(fields)


def _quirk(fields: Fields) -> Quirk:
    QuirkShape.only(fields)
    if QuirkShape.text.missing(fields):
        QuirkShape.text.error(fields, required())
    mark, source = _said(fields, QuirkShape)
    return Quirk(QuirkShape.text.read(fields), mark, source, tuple(_known(fields, QuirkShape.settings)))


def _known(fields: Fields, field: Texts) -> list[str]:
    """Return the strings of a list, and report those that the field does not know."""
    written = field.read(fields)
    for path, text in written:
        if text not in field.values:
            fields.report.error(path, unsupported(text, field.values))
    return list(dict.fromkeys(text for _, text in written))


def _check_wiring(spec: Fields, chosen: Wiring) -> None:
    if not (chosen.attachment and chosen.transport):
        return
    try:
        modes.wired(modes.of(modes.SEVERAL_NODES), chosen)
    except ValueError as error:
        SpecShape.wiring.error(spec, str(error))


KIND = Kind("Profile", NETLAB_VERSION, Profile, profile, namespaced=False, shape=ProfileRoot)
