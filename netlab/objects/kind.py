"""An API kind as one value, and the registry of all kinds.

A kind is one file in ``objects/kinds`` with its value ``KIND``, and one line in ``objects/kinds/__init__.py``. Code
that depends on an object's kind reads this value. No other module has a list of kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from netlab.errors import Problem
from netlab.frozen import NamedTuple

if TYPE_CHECKING:
    from netlab.objects.fields import Fields
    from netlab.objects.shapes import Shape
    from netlab.objects.types import Document, Meta, RolloutStrategy, Workload

    _Shape = type[Shape]

NETLAB_VERSION = "netlab/v1alpha1"

Fact = Literal["nodes", "networks", "hosts", "addresses", "pods", "places"]
"""A fact about a lab: the names of its nodes, networks, hosts or pods; its addresses; or the nodes of its pods."""

FactsByField = tuple[tuple[str, tuple[Fact, ...]], ...]
"""Pairs of a regular expression for field paths, and the facts that are unknown if such a field has an error.

The first expression that matches counts.
"""

Update = Callable[[Any, Any, "Document"], tuple["Document", list[Problem]]]
"""Takes the old object, the new object and its document. Returns the document with what the API server keeps of the old
object, and the problems of fields that may not change."""

_F = TypeVar("_F", bound=Callable[..., Any])


class Column(NamedTuple):
    """A column of the table that ``netlab get`` prints: its title, and its text for one decoded object."""

    title: str
    text: Callable[[Any], str]
    wide: bool = False


def _template_labels(workload: Workload) -> Mapping[str, str]:
    return workload.template_meta.labels


def _no_check(metadata: Fields, labels: Mapping[str, str], meta: Meta) -> None:
    """Accept every label of a pod template."""


class Template(NamedTuple):
    """How a kind makes pods from a template.

    - ``rank``: of two workloads of one name, the kind with the lower rank is found by that name and names its pods so.
    - ``replicas``: takes the object's ``spec`` and the spec that holds the template; returns the number of pods, None
      for one on every node.
    - ``path``: the path of the spec that holds the template.
    - ``labels``: returns the labels that all pods have: the template's, and those that the controller adds.
    - ``stable_names``: the pods have the names NAME-ORDINAL on a cluster too.
    - ``stays``: the pods of a stopped node are not replaced on other nodes.
    - ``job``: the pods belong to a Job.
    - ``check``: reports labels of the template that the API server refuses.
    - ``check_selector``: reports a selector that the API server refuses; takes the spec that holds the template, and
      the template's metadata and labels.
    - ``check_job``: reports what the API server refuses in a Job; takes the object, the Job's spec and its metadata.
    - ``rollout``: takes the spec; returns how pods are replaced after a change of the template. None: they are not.
    """

    rank: int
    replicas: Callable[[Fields, Fields], int | None]
    path: tuple[str, ...] = ("spec",)
    labels: Callable[[Workload], Mapping[str, str]] = _template_labels
    stable_names: bool = False
    job: bool = False
    check: Callable[[Fields, Mapping[str, str], Meta], None] = _no_check
    check_selector: Callable[[Fields, Fields, Mapping[str, str]], None] = lambda spec, metadata, labels: None
    check_job: Callable[[Fields, Fields, Meta], None] = lambda root, spec, meta: None
    rollout: Callable[[Fields], RolloutStrategy] | None = None
    stays: bool = False


class Kind(NamedTuple):
    """One kind that netlab reads.

    - ``api_version``: the version in which Kubernetes serves the kind; ``retired``: versions that it no longer serves,
      and that netlab reads in the same way; ``served``: versions that it serves too, with the same meaning.
    - ``decode``: takes a Document; returns an object of ``type``, or None, and the problems. With ``reads_files`` it
      also takes the argument ``access``.
    - ``plural`` and ``short``: kubectl's names. Commands cannot name or delete a kind without a plural.
    - ``columns``: the columns of ``netlab get`` after namespace and name; None: ``get`` does not list the kind.
    - ``written``: users write the kind; else netlab does. ``of_lab``: a lab's record holds its objects.
    - ``unknown_if_wrong``: the facts that are unknown if a field has an error.
    - ``usable``: takes an object and the paths of fields with errors; returns the part that can be used, or None.
    - ``shape``: declares the fields; None: there is no declaration and no schema.
    - ``update``: what an update may not change, and keeps; None: it may change everything.
    """

    name: str
    api_version: str
    type: type[Any]
    decode: Callable[..., tuple[Any, list[Problem]]]
    retired: tuple[str, ...] = ()
    plural: str = ""
    short: tuple[str, ...] = ()
    namespaced: bool = True
    columns: tuple[Column, ...] | None = None
    written: bool = True
    of_lab: bool = True
    reads_files: bool = False
    template: Template | None = None
    unknown_if_wrong: FactsByField = ()
    usable: Callable[[Any, list[str]], Any] = lambda one, wrong: None
    shape: _Shape | None = None
    update: Update | None = None
    served: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The API group, "" for Kubernetes' core."""
        return self.api_version.rpartition("/")[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the kind on a command line, in lower case, the plural first."""
        return tuple(dict.fromkeys((self.plural, self.name.lower(), *self.short))) if self.plural else ()


class Later(NamedTuple):
    """A kind whose file is not loaded yet: what its ``KIND`` says, and its module."""

    name: str
    api_version: str
    module: str
    written: bool = True


_KINDS: dict[str, Kind | Later] = {}
_CACHES: list[Callable[[], None]] = []


def derived(make: _F) -> _F:
    """Decorate a function of the registered kinds: its results are cached until a kind is added or removed."""
    cached = lru_cache(maxsize=1024)(make)
    _CACHES.append(cached.cache_clear)
    return cached  # type: ignore[return-value]


def register(kind: Kind) -> None:
    """Add a kind; raise ValueError if there is one of that name."""
    _fill()
    if kind.name in _KINDS:
        raise ValueError(f"kind {kind.name} is registered already")
    _KINDS[kind.name] = kind
    _changed()


def register_later(kind: Later) -> None:
    """Add a kind whose module is imported when the kind is asked for."""
    _KINDS[kind.name] = kind
    _changed()


def unregister(name: str) -> None:
    """Remove a kind; raise KeyError if there is none of that name."""
    _fill()
    del _KINDS[name]
    _changed()


def get(name: str) -> Kind | None:
    """Return the kind of a name, None if netlab reads none of that name."""
    if not _KINDS:
        _fill()
    found = _KINDS.get(name)
    return _load(found) if isinstance(found, Later) else found


def _load(later: Later) -> Kind:
    kind: Kind = import_module(later.module).KIND
    if (kind.name, kind.api_version, kind.written) != (later.name, later.api_version, later.written):
        raise ValueError(f"{later.module} has the kind {kind.name} of {kind.api_version}")
    _KINDS[kind.name] = kind
    return kind


@derived
def every() -> tuple[Kind, ...]:
    """Return all kinds that netlab reads, in the order in which commands name them."""
    _fill()
    return tuple(found for name in tuple(_KINDS) if (found := get(name)) is not None)


@derived
def written() -> tuple[Kind, ...]:
    """Return the kinds that users write."""
    return tuple(kind for kind in every() if kind.written)


@derived
def written_names() -> tuple[tuple[str, str], ...]:
    """Return the name and the API group ("": core) of each kind that users write, without loading the kinds."""
    _fill()
    found = (kind for kind in _KINDS.values() if kind.written)
    return tuple((kind.name, kind.api_version.rpartition("/")[0]) for kind in found)


@derived
def deletable() -> tuple[Kind, ...]:
    """Return the kinds that commands and scenarios can name and delete."""
    return tuple(kind for kind in every() if kind.plural)


def namespaced_types(among: Iterable[type[Any]]) -> list[type[Any]]:
    """Return those of some types, each once, whose kinds users write and have namespaces."""
    return [one for one in dict.fromkeys(among) if _is_namespaced(one)]


@derived
def _is_namespaced(of: type[Any]) -> bool:
    # Most types are of kinds that are loaded. Kinds of one type are alike in this, so the first one says it.
    loaded = (kind for kind in _KINDS.values() if isinstance(kind, Kind) and kind.type is of)
    kind = next(loaded, None) or next((one for one in map(get, tuple(_KINDS)) if one and one.type is of), None)
    return kind is not None and kind.written and kind.namespaced


def template_of(name: str) -> Template:
    """Return how a workload kind makes pods; for another kind, a Template that adds no labels."""
    kind = get(name)
    return (kind.template if kind is not None else None) or _PLAIN


_PLAIN = Template(1_000, lambda own, spec: 1)


def _fill() -> None:
    # Late, as the modules of kinds import this module.
    import_module("netlab.objects.kinds")


def _changed() -> None:
    for clear in _CACHES:
        clear()
