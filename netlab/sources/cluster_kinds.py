"""Which kinds netlab reads from an API server, and the rights that it needs. The registry of kinds says it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from urllib.parse import quote

from netlab.frozen import NamedTuple
from netlab.objects.kind import NETLAB_VERSION, Kind, written

SECRET = "Secret"  # noqa: S105  # the name of a kind
_SLICES = "EndpointSlice"
_ENDPOINTS = "Endpoints"
# Plurals of policy kinds that end otherwise. A server states them; the role is printed without one.
_PLURALS = {
    "MultiNetworkPolicy": "multi-networkpolicies",
    "ServiceIntentions": "serviceintentions",
}


class Resource(NamedTuple):
    """A kind as an API server serves it; ``version`` is ``GROUP/VERSION``, or ``v1`` for the core."""

    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    @property
    def group(self) -> str:
        return self.version.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The plural and the group, as in ``ingresses.networking.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "") -> str:
        """Return the path of its list, of one namespace or of all."""
        base = f"/apis/{self.version}" if self.group else f"/api/{self.version}"
        return f"{base}/namespaces/{quote(namespace, safe='')}/{self.plural}" if namespace else f"{base}/{self.plural}"


def read_kinds() -> tuple[Kind, ...]:
    """Return the kinds of Kubernetes that netlab reads."""
    return tuple(kind for kind in written() if kind.api_version != NETLAB_VERSION and kind.plural)


def served(kinds: Collection[Resource]) -> dict[str, Resource]:
    """Return what a server has of the kinds that netlab reads, by kind: the newest version that netlab reads."""
    found = {}
    for kind in read_kinds():
        versions = (kind.api_version, *kind.served, *sorted(kind.retired, reverse=True))
        of = {one.version: one for one in kinds if one.kind == kind.name and one.version in versions}
        best = next((of[version] for version in versions if version in of), None)
        if best is not None:
            found[kind.name] = best
    if _SLICES in found:
        # A server mirrors the Endpoints that a user wrote in EndpointSlices.
        found.pop(_ENDPOINTS, None)
    return found


def policies(kinds: Collection[Resource]) -> list[Resource]:
    """Return the kinds of policies of other APIs that a server has, each in the first version that it names."""
    from netlab.objects.unread_kinds import is_policy

    found: dict[tuple[str, str], Resource] = {}
    read = {(kind.name, kind.group) for kind in read_kinds()}
    for one in kinds:
        key = one.kind, one.group
        if key not in read and is_policy(*key) and ("list" in one.verbs or not one.verbs):
            found.setdefault(key, one)
    # Calico's API server has the objects of its custom resources once more.
    served_twice = {kind for kind, group in found if group == "projectcalico.org"}
    return [
        one for (kind, group), one in found.items() if not (group.startswith("crd.project") and kind in served_twice)
    ]


# --- rights ---------------------------------------------------------------------------------------------------------


def cluster_role(*, watches: bool = False) -> str:
    """Return the least ClusterRole with which netlab reads a whole cluster, or follows it by watches, as YAML.

    A policy kind that the cluster does not have does no harm. Secrets are not in it.
    """
    from netlab.objects.unread_kinds import known_kinds

    needed: defaultdict[str, list[str]] = defaultdict(list)
    for kind in read_kinds():
        if kind.name != SECRET:
            needed[kind.group].append(kind.plural)
    for name, group in known_kinds():
        needed[group].append(_plural(name))
    return "\n".join(
        [
            "apiVersion: rbac.authorization.k8s.io/v1",
            "kind: ClusterRole",
            "metadata:",
            f"  name: {'netlab-mirror' if watches else 'netlab-read'}",
            "rules:",
            *(line for group, names in needed.items() for line in _rule(group, names, watches=watches)),
            "",
        ]
    )


def _rule(group: str, names: list[str], *, watches: bool) -> Iterator[str]:
    yield f'- apiGroups: ["{group}"]'
    yield f"  resources: [{', '.join(dict.fromkeys(names))}]"
    yield f"  verbs: [{'list, watch' if watches else 'list'}]"


def _plural(kind: str) -> str:
    lower = kind.lower()
    return _PLURALS.get(kind) or (f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s")
