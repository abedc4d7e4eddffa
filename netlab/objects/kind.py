"""What netlab knows of an API kind, as one value, and the registry of all of them.

A kind is one file in ``objects/kinds``, which has its value as ``KIND``, and one line in ``objects/kinds/__init__.py``.
Whatever depends on the kind of an object asks its value here; no other module has a list of kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from netlab.errors import Problem

if TYPE_CHECKING:
    from netlab.objects.declared import Shape
    from netlab.objects.fields import Fields
    from netlab.objects.types import Meta, Workload

    _Shape = type[Shape]

NETLAB_VERSION = "netlab/v1alpha1"

Fact = Literal["nodes", "networks", "hosts", "addresses", "pods", "places"]
"""A part of a lab that may be unknown: the names of nodes, networks, hosts or pods; addresses; or the pods' nodes."""

FactsByField = tuple[tuple[str, tuple[Fact, ...]], ...]
"""Expressions for the paths of fields, and what is not known while such a field is wrong. The first match counts."""

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
    """How a kind makes pods of a template.

    ``replicas`` returns how many, of the object's ``spec`` and of the ``spec`` that holds the template, which stands at
    ``path``; None is one on every node. ``labels`` are those that all pods have: the template's, and what the
    controller sets. Of two workloads of one name, the kind of the lower ``rank`` is meant by that name and names its
    pods by it. Pods with ``stable_names`` are called NAME-ORDINAL on a cluster too. ``job`` says that the pods belong
    to a Job; ``check`` reports labels of the template that the API server then refuses.
    """

    rank: int
    replicas: Callable[[Fields, Fields], int | None]
    path: tuple[str, ...] = ("spec",)
    labels: Callable[[Workload], Mapping[str, str]] = _template_labels
    stable_names: bool = False
    job: bool = False
    check: Callable[[Fields, Mapping[str, str], Meta], None] = _no_check


class Kind(NamedTuple):
    """One kind that netlab reads.

    ``decode`` takes a Document and returns an object of ``type`` (None where it cannot) and the problems; with
    ``reads_files`` it takes what it may read as its second argument.
    ``api_version`` is the version in which the kind is served now. In the ``retired`` ones Kubernetes served it once;
    they mean the same.
    ``plural`` and ``short`` are kubectl's names. A kind without a plural cannot be named by a command or deleted.
    ``columns`` are those that ``netlab get`` prints after namespace and name; None: it does not list the kind.
    ``written`` says that users write it; if not, netlab itself does. ``of_lab`` says that a lab consists of it.
    ``shape`` declares the fields; None: they are read without a declaration, and there is no schema.
    ``usable`` returns the part of an object that can be used when the fields at some paths are wrong; None: nothing.
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

    @property
    def group(self) -> str:
        """The API group, "" for Kubernetes' core."""
        return self.api_version.rpartition("/")[0]

    @property
    def names(self) -> tuple[str, ...]:
        """What a command line may call the kind, in lower case, the plural first."""
        return (self.plural, self.name.lower(), *self.short) if self.plural else ()


_KINDS: dict[str, Kind] = {}
_CACHES: list[Callable[[], None]] = []


def derived(make: _F) -> _F:
    """Decorate a function of what is registered: its results are kept until a kind comes or goes."""
    kept = lru_cache(maxsize=1024)(make)
    _CACHES.append(kept.cache_clear)
    return kept  # type: ignore[return-value]


def register(kind: Kind) -> None:
    """Add a kind to those that netlab reads; raises ValueError where there is one of that name."""
    _fill()
    if kind.name in _KINDS:
        raise ValueError(f"kind {kind.name} is registered already")
    _KINDS[kind.name] = kind
    _changed()


def unregister(name: str) -> None:
    """Take a kind out of those that netlab reads; raises KeyError where there is none of that name."""
    _fill()
    del _KINDS[name]
    _changed()


def get(name: str) -> Kind | None:
    """Return the kind of a name, None for one that netlab does not read."""
    if not _KINDS:
        _fill()
    return _KINDS.get(name)


@derived
def every() -> tuple[Kind, ...]:
    """Return all kinds that netlab reads, in the order in which commands name them."""
    _fill()
    return tuple(_KINDS.values())


@derived
def written() -> tuple[Kind, ...]:
    """Return the kinds that users write."""
    return tuple(kind for kind in every() if kind.written)


@derived
def deletable() -> tuple[Kind, ...]:
    """Return the kinds that commands and scenarios can name and delete."""
    return tuple(kind for kind in every() if kind.plural)


@derived
def namespaced_types() -> tuple[type[Any], ...]:
    """Return the types of objects that users write into a namespace, each once."""
    return tuple(dict.fromkeys(kind.type for kind in every() if kind.written and kind.namespaced))


def template_of(name: str) -> Template:
    """Return how a workload kind makes pods; of a kind that makes none, as one that adds nothing to the template."""
    kind = get(name)
    return (kind.template if kind is not None else None) or _PLAIN


_PLAIN = Template(1_000, lambda own, spec: 1)


def _fill() -> None:
    # The files of kinds import this module and what stands between, so they come when the first kind is asked for.
    import_module("netlab.objects.kinds")


def _changed() -> None:
    for clear in _CACHES:
        clear()
