"""Profiles of CNIs: the ones that netlab has, and those of an input, applied to a Topology.

Each of netlab's own is one file of data in ``netlab/profiles/data``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from netlab.errors import UsageError
from netlab.objects.profiles import Choice, Profile

if TYPE_CHECKING:
    from netlab.objects.types import Document

KUBERNETES = "kubernetes"
"""The profile without a choice: what the documentation of Kubernetes says."""

BOTH_FAMILIES = (4, 6)

# Choices that are of a transport. A profile with a transport of its own takes none of them from its base.
OF_TRANSPORT = ("remoteNodeSource", "tunnelName", "vni", "tunnelPort", "mtu", "mtuPlace")
_VERSIONED = re.compile(r"(?P<name>[a-z][a-z0-9.-]{0,60}?)-v?(?P<version>\d{1,6}(\.\d{1,6}){0,3})")
_MOST_SHOWN = 80


def names() -> tuple[str, ...]:
    """Return the names of netlab's own profiles, sorted, ``kubernetes`` first."""
    files = resources.files(__name__) / "data"
    found = sorted(one.name.removesuffix(".yaml") for one in files.iterdir() if one.name.endswith(".yaml"))
    return (KUBERNETES, *(name for name in found if name != KUBERNETES))


def named(name: str) -> Profile:
    """Return one of netlab's own profiles, with the choices of its base.

    ``NAME-VERSION`` is the newest variant of NAME that is not newer than VERSION. A ``+`` stands for ``-``.

    Raises:
      UsageError: if there is none of that name.
    """
    known = names()
    plain = name.replace("+", "-")
    if plain in known:
        return _loaded(plain)
    versioned = _VERSIONED.fullmatch(plain)
    if versioned is not None and versioned["name"] in known:
        return _loaded(_newest(versioned["name"], versioned["version"], known))
    raise UsageError(unknown(name))


def unknown(name: str, others: tuple[str, ...] = ()) -> str:
    """Return the message for a name that no profile has; ``others`` are the names of the input's own profiles."""
    from difflib import get_close_matches

    shown = name if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]}..."
    known = (*others, *names())
    near = get_close_matches(name[:_MOST_SHOWN], known, 3)
    if near:
        return f"no profile {shown!r}: did you mean {', '.join(near)}? `netlab profiles` lists all"
    return f"no profile {shown!r}; `netlab profiles` lists all"


def _newest(name: str, version: str, known: tuple[str, ...]) -> str:
    """Return the newest variant of a profile that is not newer than a version, or the profile with facts of it."""
    variants = {
        _number(found["version"]): one
        for one in known
        if (found := _VERSIONED.fullmatch(one)) is not None and found["name"] == name
    }
    fitting = [number for number in variants if number <= _number(version)]
    if fitting:
        return variants[max(fitting)]
    if variants:
        raise UsageError(f"no profile {name}-{version}: the oldest is {variants[min(variants)]}")
    own = _loaded(name)
    asked = _number(version)
    of_facts = [_number(found) for found in re.findall(r"\d{1,6}(?:\.\d{1,6})+", own.versions)]
    if any(asked[: len(one)] == one for one in of_facts):
        return name
    facts = f"; its facts are of {own.versions}" if own.versions else ""
    raise UsageError(f"no profile {name}-{version}: {name} has no variants by version{facts}")


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@lru_cache(maxsize=64)
def _loaded(name: str) -> Profile:
    from netlab.objects.documents import parse

    text = (resources.files(__name__) / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    (document,), wrong = parse(text, f"netlab/profiles/data/{name}.yaml")
    if wrong:
        raise ValueError("; ".join(map(str, wrong)))
    return with_base(_decoded(document))


def _decoded(document: Document) -> Profile:
    from netlab.objects.kinds.profile import profile

    found, problems = profile(document)
    if problems:
        raise ValueError("; ".join(map(str, problems)))
    return found


def with_base(profile: Profile) -> Profile:
    """Return a profile with the choices of its base where it makes none itself.

    A profile with a transport of its own takes no choice from its base that is of the base's transport. It takes no
    quirk that is about a field that it chooses itself.

    Raises:
      UsageError: if there is no profile of the base's name.
    """
    if not profile.base:
        return replace(profile, families=profile.families or BOTH_FAMILIES)
    base = named(profile.base)
    if profile.choice("transport") is not None:
        base = _without(base, OF_TRANSPORT)
    own = {one.name for one in profile.choices}
    own |= {name for name, value in (("families", profile.families), ("podCIDRs", profile.pod_cidrs)) if value}
    return replace(
        profile,
        system=profile.system or base.system,
        versions=profile.versions or base.versions,
        families=profile.families or base.families,
        pod_cidrs=profile.pod_cidrs or base.pod_cidrs,
        choices=_in_order((*(one for one in base.choices if one.name not in own), *profile.choices)),
        policy={**base.policy, **profile.policy},
        wiring=profile.wiring.over(base.wiring),
        quirks=(*profile.quirks, *(one for one in base.quirks if not own.intersection(one.settings))),
        base="",
        cluster_policy_fields=profile.cluster_policy_fields or base.cluster_policy_fields,
    )


def _in_order(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Return choices in the order of their declarations: those of wiring, then those of policy."""
    from netlab.objects.topology_shapes import PolicyShape, WiringShape

    place = {name: at for at, name in enumerate((*WiringShape.fields, *PolicyShape.fields))}
    return tuple(sorted(choices, key=lambda one: place[one.name]))


def _without(profile: Profile, fields: tuple[str, ...]) -> Profile:
    """Return a profile without its choices of some fields of the wiring."""
    from netlab.modes.wiring import NOTHING
    from netlab.objects.topology_shapes import WiringShape

    dropped = {attribute for attribute, one in WiringShape.attributes().items() if one.name in fields}
    return replace(
        profile,
        choices=tuple(one for one in profile.choices if one.name not in fields),
        wiring=replace(profile.wiring, **{attribute: getattr(NOTHING, attribute) for attribute in dropped}),
        quirks=tuple(one for one in profile.quirks if not {*fields}.intersection(one.settings)),
    )
