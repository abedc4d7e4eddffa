"""All that was read, as one value: the objects by their type, and what netlab does not read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from netlab.objects.policies import NetworkPolicy
from netlab.objects.scenarios import Scenario
from netlab.objects.topology import Topology
from netlab.objects.types import Document, Namespace, Node, Pod, Service, Workload

if TYPE_CHECKING:
    from netlab.objects.unread import UnreadPolicy

_Object = TypeVar("_Object")


class _Of(Generic[_Object]):
    """A property of Objects: those of one type."""

    def __init__(self, kind: type[_Object]) -> None:
        self.kind = kind

    def __get__(self, objects: Objects | None, owner: type) -> tuple[_Object, ...]:
        return self if objects is None else objects.of(self.kind)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, init=False)
class Objects:
    """Everything that was read, decoded and valid on its own; ``skipped`` counts the kinds that netlab does not read.

    ``found`` has the objects by their type; ``of`` returns those of one, and the properties are short for it.
    ``unread`` are policies of others, of kinds that it does not read either, but that may decide about traffic.

    ``documents`` are the inputs in order, as written; a lab keeps what it reads of them. ``pod_labels`` are labels that
    were changed on single pods of workloads, by ``NAMESPACE/POD``; None removes one.
    """

    found: Mapping[type, tuple[Any, ...]]
    skipped: Mapping[str, int]
    documents: tuple[Document, ...]
    pod_labels: Mapping[str, Mapping[str, str | None]]
    unread: tuple[UnreadPolicy, ...]

    def __init__(
        self,
        found: Mapping[type, Iterable[Any]] | None = None,
        skipped: Mapping[str, int] | None = None,
        documents: Iterable[Document] = (),
        pod_labels: Mapping[str, Mapping[str, str | None]] | None = None,
        unread: Iterable[UnreadPolicy] = (),
        **named: Any,
    ) -> None:
        """Take objects by their type, or those of one type by a property's name; AttributeError for another name."""
        of = {kind: tuple(some) for kind, some in (found or {}).items()}
        if "topology" in named:
            of[Topology] = tuple(one for one in (named.pop("topology"),) if one is not None)
        of |= {getattr(Objects, name).kind: tuple(some) for name, some in named.items()}
        object.__setattr__(self, "found", {kind: some for kind, some in of.items() if some})
        object.__setattr__(self, "skipped", skipped or {})
        object.__setattr__(self, "documents", tuple(documents))
        object.__setattr__(self, "pod_labels", pod_labels or {})
        object.__setattr__(self, "unread", tuple(unread))

    def of(self, kind: type[_Object]) -> tuple[_Object, ...]:
        """Return the objects of a type, in the order of the input; every workload is a ``Workload``."""
        return self.found.get(kind, ())

    namespaces = _Of(Namespace)
    nodes = _Of(Node)
    pods = _Of(Pod)
    workloads = _Of(Workload)
    services = _Of(Service)
    policies = _Of(NetworkPolicy)
    scenarios = _Of(Scenario)

    @property
    def topology(self) -> Topology | None:
        return next(iter(self.of(Topology)), None)
