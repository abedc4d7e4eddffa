"""The option ``--as``: an input's documents with another profile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netlab.errors import InputError, Problem, UsageError, in_order
from netlab.objects.kind import NETLAB_VERSION
from netlab.objects.types import Document, Source
from netlab.profiles import KUBERNETES, named, unknown

if TYPE_CHECKING:
    from netlab.objects.invariants import Invariants
    from netlab.objects.profiles import Profile
    from netlab.objects.scenarios import Scenario

_PROFILE = "Profile"
_TOPOLOGY = "Topology"
_ENDS = (".yaml", ".yml", ".json")


def is_file(text: str) -> bool:
    """Say whether ``--as`` names a file: the text has a slash or the end of a file's name."""
    return "/" in text or text.endswith(_ENDS)


def with_profile(documents: Sequence[Document], chosen: str, of_lab: Iterable[Document] = ()) -> list[Document]:
    """Return documents whose Topology names a profile; a file's Profile is added at the end.

    A Topology is made if there is none, from that of ``of_lab`` if there is one there. ``chosen`` is the name of one of
    netlab's own profiles or of a Profile among the documents, or a file with one Profile.

    Raises:
      UsageError: if there is no profile of the name, or the file has not exactly one Profile.
      InputError: if the file cannot be read.
    """
    if is_file(chosen):
        added = read(chosen)
        name = _name(added)
        documents = [*(one for one in documents if _name_of_profile(one) != name), added]
    else:
        name = chosen
        own = tuple(filter(None, map(_name_of_profile, (*documents, *of_lab))))
        if name != KUBERNETES and name not in own:
            try:
                named(name)
            except UsageError as error:
                raise UsageError(f"--as: {unknown(name, own) if own else error}") from error
    if all(one.kind != _TOPOLOGY for one in documents):
        documents = [next((one for one in of_lab if one.kind == _TOPOLOGY), _made()), *documents]
    return [_naming(one, name) if one.kind == _TOPOLOGY else one for one in documents]


def scenario_with_profile(scenario: Scenario, chosen: str) -> Scenario:
    """Return a scenario whose lab has a profile at every step, also where a step applies another Topology.

    Raises:
      UsageError, InputError: as ``with_profile`` does.
    """
    resources = with_profile(scenario.resources, chosen)
    name = _name(read(chosen)) if is_file(chosen) else chosen

    def named(documents: Sequence[Document]) -> tuple[Document, ...]:
        return tuple(_naming(one, name) if one.kind == _TOPOLOGY else one for one in documents)

    steps = (replace(step, apply=named(step.apply), rollout=named(step.rollout)) for step in scenario.steps)
    return replace(scenario, resources=tuple(resources), steps=tuple(steps))


def invariants_with_profile(invariants: Invariants, chosen: str) -> Invariants:
    """Return invariants whose cluster has a profile.

    Raises:
      UsageError, InputError: as ``with_profile`` does.
    """
    return replace(invariants, resources=tuple(with_profile(invariants.resources, chosen)))


def read(file: str) -> Document:
    """Return the Profile of a file, as one document.

    Raises:
      UsageError: if the file has not exactly one Profile, or another object.
      InputError: if the file cannot be read.
    """
    from netlab.objects.documents import Reader

    documents, problems = Reader(stdin=None).read([file])
    if any(one.severity == "error" for one in problems):
        raise InputError(problems)
    if [one.kind for one in documents] != [_PROFILE]:
        raise UsageError(f"--as {file}: a file has exactly one Profile, and no other object")
    return documents[0]


def profile_of(file: str) -> Profile:
    """Return the Profile of a file, with the choices of its base.

    Raises:
      UsageError: if the file has not exactly one Profile.
      InputError: if it has an error.
    """
    from netlab.objects.kinds.profile import profile
    from netlab.profiles import with_base
    from netlab.profiles.check import check

    found, problems = profile(read(file))
    wrong = [one for one in (*problems, *(() if problems else check(found))) if one.severity == "error"]
    if wrong:
        raise InputError(in_order(wrong))
    return with_base(found)


def _name(document: Document) -> str:
    name = _name_of_profile(document)
    if name:
        return name
    source, path = document.source, "metadata.name"
    raise InputError([Problem(source.file, source.line(path), path, _PROFILE, "Required value")])


def _name_of_profile(document: Document) -> str:
    """Return the name of a Profile, "" for another document."""
    metadata = document.data.get("metadata") if document.kind == _PROFILE else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _made() -> Document:
    data = {"apiVersion": NETLAB_VERSION, "kind": _TOPOLOGY, "metadata": {"name": "default"}}
    return Document(data, Source("--as"))


def _naming(topology: Document, profile: str) -> Document:
    """Return a Topology with ``spec.profile``; one whose spec is no mapping is returned as it is, with its error."""
    spec = topology.data.get("spec") or {}
    if not isinstance(spec, dict):
        return topology
    data = {**topology.data, "spec": {**spec, "profile": profile}}
    return Document(data, topology.source, topology.duplicates)
