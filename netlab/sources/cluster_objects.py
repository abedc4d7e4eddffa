"""What netlab reads of a cluster, as documents, and what it may not list.

- Pods are those that exist. A workload is read if it owns one of them, for its name: one without pods makes none.
- A kind that may not be listed in the whole cluster is listed by namespace.
- Verdicts that policies could change which may not be listed are unknown (``objects.unlisted``).
- Of Secrets, only those are read that an Ingress names, each by its name, and kept only if they are for TLS.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from netlab.errors import HostError, Problem
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.decoders import object_of
from netlab.objects.kind import get
from netlab.objects.kinds.secret import TYPE
from netlab.objects.policies import NetworkPolicy
from netlab.objects.tls_secrets import named_secrets
from netlab.objects.types import Document, Source
from netlab.objects.unlisted import unlisted
from netlab.sources.cluster_api import Lister, NotListedError
from netlab.sources.cluster_kinds import SECRET, Resource, policies, served

NOT_LISTED = "not-listed"
"""The rule name of warnings about what may not be listed."""
_NAMESPACE = "Namespace"
_POD = "Pod"
_POLICY = "NetworkPolicy"
_INGRESS = "Ingress"
_FEW = 5


class Reading:
    """One reading of a cluster. ``name`` is ``cluster:CONTEXT``, ``namespace`` that of the context.

    ``only``: the namespaces whose objects are read, none for all. What is in no namespace is read too.
    """

    def __init__(self, api: Lister, name: str, namespace: str, only: Collection[str] = ()) -> None:
        self._api = api
        self._only = [*dict.fromkeys(only)]
        self._source = Source(name)
        self._own_namespace = namespace
        self._documents: list[Document] = []
        self._problems: list[Problem] = []
        self._namespaces: list[str] = []
        self._tolerated: set[str] = set()
        self._listed = False

    def read(self) -> tuple[list[Document], list[Problem]]:
        """Return the documents, and a warning for each kind that could not be read whole."""
        kinds = self._api.kinds()
        found = served(kinds)
        self._read_namespaces(found.get(_NAMESPACE))
        pods = self._add(found, _POD)
        self._namespaces = list(dict.fromkeys([*self._namespaces, *filter(None, (_place(pod)[0] for pod in pods))]))
        for kind in found:
            known = get(kind)
            if known is None or known.template is not None or kind in (_NAMESPACE, _POD, SECRET):
                continue
            if known.type in (NetworkPolicy, ClusterPolicy):
                self._read_policies(found[kind])
            else:
                self._add(found, kind)
        self._read_owners(found, pods)
        others = policies(kinds)
        # The server of another API may be down.
        self._tolerated = {one.kind for one in others}
        for resource in others:
            self._read_policies(resource)
        if SECRET in found:
            self._read_secrets(found[SECRET])
        if self._problems and not self._listed:
            message = "the user may list nothing that netlab reads"
            return [], [*self._problems, Problem(self._source.file, 0, "", "", message)]
        return self._documents, self._problems

    def _read_namespaces(self, resource: Resource | None) -> None:
        if resource is None:
            return
        try:
            found = self._api.items(resource)
        except NotListedError:
            if not self._only:
                own = self._own_namespace
                self._warn(
                    f"namespaces may not be listed: only {own} is read, the context's namespace, and what is in none"
                )
            self._namespaces = self._only or [own]
            found = [*filter(None, (self._namespace(resource, name) for name in self._namespaces))]
        if self._only:
            found = [one for one in found if _place(one)[1] in self._only]
        self._namespaces += filter(None, (_place(one)[1] for one in found))
        self._keep(found)

    def _namespace(self, resource: Resource, name: str) -> Document | None:
        try:
            return self._api.one(resource, "", name)
        except NotListedError:
            return None

    def _add(self, resources: dict[str, Resource], kind: str) -> Sequence[Document]:
        """Read the objects of a kind, and return them; warn of what may not be listed."""
        if kind not in resources:
            return []
        resource = resources[kind]
        found, refused, why = self._items(resource)
        if refused:
            self._warn(f"{resource.name} may not be listed{_where(refused)} ({why}): the input lacks them")
        self._keep(found)
        return found

    def _items(self, resource: Resource) -> tuple[Sequence[Document], list[str], str]:
        """Return the objects of a kind, the namespaces where they may not be listed ("" for the cluster), and why."""
        why, forbidden = "", True
        try:
            if not (self._only and resource.namespaced):
                return self._api.items(resource), [], ""
        except NotListedError as error:
            why, forbidden = str(error), error.forbidden
        if not forbidden and resource.kind not in self._tolerated:
            raise HostError(f"{self._source.file}: {resource.name} cannot be listed: {why}", "try again later")
        if not resource.namespaced or not forbidden:
            return [], [""], why
        found: list[Document] = []
        refused = []
        for namespace in self._only or self._namespaces:
            try:
                found += self._api.items(resource, namespace)
            except NotListedError as error:
                refused.append(namespace)
                why = str(error)
        return found, refused, why

    def _read_owners(self, resources: dict[str, Resource], pods: Sequence[Document]) -> None:
        """Read the workloads that own the pods, and those that own these."""
        read: set[str] = set()
        wanted = {owner for pod in pods for owner in _owners(pod)}
        while kinds := {kind for kind, _, _ in wanted if kind in resources and kind not in read and _is_workload(kind)}:
            kind = min(kinds)
            read.add(kind)
            found, refused, why = self._items(resources[kind])
            if refused:
                what = f"{resources[kind].name} may not be listed{_where(refused)} ({why})"
                self._warn(f"{what}: pods have no workload of the kind")
            owners = [one for one in found if (kind, *_place(one)) in wanted]
            wanted |= {owner for one in owners for owner in _owners(one)}
            self._keep(owners)

    def _read_policies(self, resource: Resource) -> None:
        found, refused, _ = self._items(resource)
        self._keep(found)
        self._documents += [unlisted_policies(resource, namespace, self._source) for namespace in refused]

    def _read_secrets(self, resource: Resource) -> None:
        """Read the Secrets for TLS that an Ingress names."""
        named = named_secrets(object_of(one) for one in self._documents if one.kind == _INGRESS)
        refused = []
        for namespace, name in sorted(named):
            try:
                one = self._api.one(resource, namespace, name)
            except NotListedError:
                refused.append(f"{namespace}/{name}")
                continue
            if one is not None and one.data.get("type") == TYPE:
                self._keep([one])
        if refused:
            self._warn(f"Secrets of Ingresses may not be read: {_few(refused)}: a lab has no certificate for them")

    def _keep(self, objects: Sequence[Document]) -> None:
        self._documents += objects
        self._listed = self._listed or bool(objects)

    def _warn(self, message: str) -> None:
        self._problems.append(Problem(self._source.file, 0, "", "", message, "warning", NOT_LISTED))


def unlisted_policies(resource: Resource, namespace: str, source: Source) -> Document:
    """Return the document for policies of a kind that are not read: of a namespace, or of the cluster ("")."""
    own = resource.kind == _POLICY and resource.group.endswith("k8s.io")
    return unlisted(namespace, source, "" if own else resource.name)


def _place(one: Document) -> tuple[str, str]:
    """Return the namespace and the name of an object, "" where the server states none."""
    metadata = one.data["metadata"]
    return _text(metadata.get("namespace")), _text(metadata.get("name"))


def _owners(one: Document) -> tuple[tuple[str, str, str], ...]:
    """Return kind, namespace and name of the controllers that made an object; kept, as a mirror reads it often."""
    found: tuple[tuple[str, str, str], ...] | None = one.memo.get("owners")
    if found is None:
        owners = one.data["metadata"].get("ownerReferences")
        found = one.memo["owners"] = tuple(
            (_text(owner.get("kind")), _place(one)[0], _text(owner.get("name")))
            for owner in (owners if isinstance(owners, list) else ())
            if isinstance(owner, dict) and owner.get("controller") is True
        )
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_workload(name: str) -> bool:
    kind = get(name)
    return kind is not None and kind.template is not None


def _where(namespaces: list[str]) -> str:
    return f" in {_few(namespaces)}" if namespaces != [""] else ""


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"{', '.join(names[:_FEW])}{more}"
