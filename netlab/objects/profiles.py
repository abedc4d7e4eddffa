"""Profile as a value: how one CNI wires pods, and what policies mean with it, each choice with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from netlab.frozen import frozen
from netlab.modes.wiring import NOTHING, Wiring
from netlab.objects.types import Prefix, Source

Mark = Literal["DOC", "CODE", "ISSUE", "GUESS"]
"""Where a fact is from: documentation, source code that was read, an issue, or an unconfirmed inference."""


@frozen
class Choice:
    """One choice of a profile: the field's name in the API, its value, the mark and the source of the fact.

    ``about`` says in one sentence what the choice means, "" if the name and the value say it.
    """

    name: str
    value: Any
    mark: Mark
    source: str
    about: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.value} ({self.mark}: {self.source})"


@frozen
class Quirk:
    """A documented behaviour in words, with its mark and source; ``settings`` are the choices that emulate it.

    Without ``settings`` netlab does not emulate it.
    """

    text: str
    mark: Mark
    source: str
    settings: tuple[str, ...] = ()


@frozen
class ClusterPolicyFields:
    """The fields of cluster-wide policies that a CNI does not read.

    ``versions`` of the API are those that it reads; none stands for all.
    """

    ignores: tuple[str, ...]
    mark: Mark
    source: str
    about: str = ""
    versions: tuple[str, ...] = ()


@frozen
class Profile:
    """One CNI, or a variant or version of it.

    - ``name``: as users write it, such as ``calico-vxlan`` or ``cilium-1.19``. ``system``: the system in plain words.
    - ``versions``: the versions that the facts hold for.
    - ``families``: the IP families that pods can have; () for those of the base, and both without one.
    - ``pod_cidrs``: the default range of pods, at most one per IP family.
    - ``choices``: all choices, of wiring and policy, in order. ``policy`` has the values of those of
      ``spec.policy`` by attribute of ``TopologyPolicy``. ``wiring`` has those of the wiring.
    - ``quirks``: further documented behaviour.
    - ``cluster_policy_fields``: the fields of cluster-wide policies that the CNI does not read.
    - ``base``: the name of a profile whose choices hold where this one makes none; "" once they are taken over.
    """

    name: str
    system: str = ""
    versions: str = ""
    about: str = ""
    families: tuple[int, ...] = ()
    pod_cidrs: tuple[Prefix, ...] = ()
    choices: tuple[Choice, ...] = ()
    policy: Mapping[str, Any] = field(default_factory=dict)
    wiring: Wiring = NOTHING
    quirks: tuple[Quirk, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
    base: str = ""
    cluster_policy_fields: ClusterPolicyFields | None = None

    def choice(self, name: str) -> Choice | None:
        """Return the choice of a field by its name in the API, None if the profile does not choose it."""
        return next((one for one in self.choices if one.name == name), None)
