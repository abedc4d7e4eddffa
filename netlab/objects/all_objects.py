"""All objects of an input as one value, by type, and the policies and kinds that netlab does not read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from netlab.objects.policies import NetworkPolicy
from netlab.objects.topology import Topology
from netlab.objects.types import Document, Namespace, Node, Pod, Workload

if TYPE_CHECKING:
    from netlab.objects.ingresses import Ingress, IngressClass, TlsSecret
    from netlab.objects.scenarios import Scenario
    from netlab.objects.services import Endpoints, EndpointSlice, Service
    from netlab.objects.unread import UnreadPolicy

_Object = TypeVar("_Object")


class _Of(Generic[_Object]):
    """A property of Objects that returns the objects of one type."""

    def __init__(self, kind: type[_Object]) -> None:
        self.kind = kind

    def __get__(self, objects: Objects | None, owner: type) -> tuple[_Object, ...]:
        return self if objects is None else objects.of(self.kind)  # type: ignore[return-value]


class _OfLater(Generic[_Object]):
    """A property like ``_Of``, for a type whose module most inputs do not need. Only ``kind`` imports the module."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __get__(self, objects: Objects | None, owner: type) -> tuple[_Object, ...]:
        return self if objects is None else _named(objects, self._name)  # type: ignore[return-value]

    @property
    def kind(self) -> Any:
        return getattr(import_module(f"netlab.objects.{self._module}"), self._name)


@dataclass(frozen=True, slots=True, init=False)
class Objects:
    """The decoded objects of an input.

    - ``found``: the objects by type. ``of`` returns those of one type; the properties are short for it.
    - ``skipped``: the number of objects that netlab does not read, by kind.
    - ``documents``: the documents in order, as written.
    - ``pod_labels``: changed labels of single pods of workloads, by ``NAMESPACE/POD``; the value None removes a label.
    - ``unread``: policies of APIs that netlab does not read. They may decide about traffic.
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
        """Take objects by type (``found``) or by property name (``pods=…``); raise AttributeError for another name."""
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
        """Return the objects of a type in the order of the input. All kinds of workloads have the type ``Workload``."""
        return self.found.get(kind, ())

    namespaces = _Of(Namespace)
    nodes = _Of(Node)
    pods = _Of(Pod)
    workloads = _Of(Workload)
    services: ClassVar[_OfLater[Service]] = _OfLater("services", "Service")
    slices: ClassVar[_OfLater[EndpointSlice]] = _OfLater("services", "EndpointSlice")
    endpoints: ClassVar[_OfLater[Endpoints]] = _OfLater("services", "Endpoints")
    ingresses: ClassVar[_OfLater[Ingress]] = _OfLater("ingresses", "Ingress")
    ingress_classes: ClassVar[_OfLater[IngressClass]] = _OfLater("ingresses", "IngressClass")
    tls_secrets: ClassVar[_OfLater[TlsSecret]] = _OfLater("ingresses", "TlsSecret")
    policies = _Of(NetworkPolicy)
    scenarios: ClassVar[_OfLater[Scenario]] = _OfLater("scenarios", "Scenario")

    @property
    def system(self) -> bool:
        """Whether a SystemObjects document is among the objects."""
        return bool(_named(self, "SystemObjects"))

    @property
    def wants_system(self) -> bool:
        """Whether a cluster of the objects has system objects: they have a Service or an Ingress, or ask for them."""
        return bool(self.services or self.ingresses or self.system)

    @property
    def profiles(self) -> tuple[Any, ...]:
        """The Profiles."""
        return _named(self, "Profile")

    @property
    def cluster_policies(self) -> tuple[Any, ...]:
        """The cluster-wide policies; all their kinds have the type ``ClusterPolicy``."""
        return _named(self, "ClusterPolicy")

    @property
    def stopped_nodes(self) -> frozenset[str]:
        """The names of the nodes that are stopped."""
        return frozenset(one.meta.name for one in _named(self, "StoppedNode") if not one.starting)

    @property
    def starting_nodes(self) -> frozenset[str]:
        """The names of the nodes that have their links again, and that have pods that are not ready yet."""
        return frozenset(one.meta.name for one in _named(self, "StoppedNode") if one.starting)

    @property
    def unready_nodes(self) -> frozenset[str]:
        """The names of the nodes that are stopped or starting. netlab itself says that their pods are not ready."""
        return frozenset(one.meta.name for one in _named(self, "StoppedNode") if not one.control_plane)

    @property
    def workload_pods(self) -> tuple[Any, ...]:
        """The WorkloadPods: which pods single workloads have."""
        return _named(self, "WorkloadPods")

    @property
    def invariants(self) -> tuple[Any, ...]:
        """The Invariants."""
        return _named(self, "Invariants")

    @property
    def topology(self) -> Topology | None:
        """The Topology, None if the input has none."""
        return next(iter(self.of(Topology)), None)


def _named(objects: Objects, name: str) -> tuple[Any, ...]:
    """Return the objects of a type by its name: most inputs have none, and do not load its module."""
    return next((some for kind, some in objects.found.items() if kind.__name__ == name), ())
