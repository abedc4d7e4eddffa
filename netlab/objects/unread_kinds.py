"""The table of policy kinds of other APIs, and the decoder of their policies."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.frozen import NamedTuple
from netlab.objects import unlisted
from netlab.objects import unread_readers as readers
from netlab.objects.kind import get
from netlab.objects.meta import key_of
from netlab.objects.types import Document, Meta
from netlab.objects.unread import UnreadPolicy, warning
from netlab.objects.unread_selectors import mapping


class _Known(NamedTuple):
    """A kind of the table: the reader of its policies, and whether they are in namespaces."""

    read: readers.Reader
    namespaced: bool = True


def is_policy(kind: str, group: str) -> bool:
    """Say whether objects of a kind that netlab does not read may decide about traffic."""
    if (kind, group) in _KINDS:
        return True
    if (known := get(kind)) is not None and kind.endswith("NetworkPolicy"):
        return not _kubernetes_own(group, known.group)
    staged = group.endswith("projectcalico.org") and kind.startswith("Staged")
    # An API server refuses a kind in another case. It is a policy with an error, and not skipped either.
    bare = kind.strip().lower()
    return (bare.endswith("networkpolicy") and not staged) or bare == "authorizationpolicy"


def is_cluster_wide(kind: str) -> bool:
    """Say whether the table has a kind of the name whose objects are in no namespace."""
    return kind in _CLUSTER_WIDE


def known_kinds() -> tuple[tuple[str, str], ...]:
    """Return kind and API group of the policies in the table, without netlab's own."""
    return tuple(pair for pair in _KINDS if pair[1] != unlisted.GROUP)


def _kubernetes_own(group: str, right: str) -> bool:
    """Say whether the API group of a policy is one of Kubernetes: current (``right``), retired or misspelt."""
    from difflib import SequenceMatcher

    if "." not in group or group.endswith((".k8s.io", "kubernetes.io")):
        return True
    return group not in _GROUPS and SequenceMatcher(None, group, right).ratio() > 0.89


def unread_policy(document: Document) -> tuple[UnreadPolicy, list[Problem]]:
    """Decode a policy of another API as far as possible; return it and the warning that netlab does not read it."""
    key = key_of(document)
    group = key.api_version.rpartition("/")[0]
    metadata = mapping(document.data.get("metadata"))
    known = _KINDS.get((key.kind, group))
    # A kind that is not in the table has namespaces if the object states one.
    stated = isinstance(metadata.get("namespace"), str) and metadata["namespace"]
    namespace = key.namespace if (known is not None and key.kind != unlisted.KIND) or stated else ""
    policy = readers.WrittenPolicy(namespace, key.kind, document.data)
    reading = (known.read if known is not None else readers.unknown)(policy)
    meta = Meta(key.name, key.namespace if key.kind != unlisted.KIND else namespace)
    cilium = None
    if group == "cilium.io" and known is not None:
        from netlab.objects.cilium_reader import plain_policy

        cilium = plain_policy(key.kind, meta, document.data, document.source)
    found = UnreadPolicy(key.kind, group, meta, *reading, source=document.source, cilium=cilium)
    return found, [warning(found)]


_KINDS: dict[tuple[str, str], _Known] = {
    ("CiliumNetworkPolicy", "cilium.io"): _Known(readers.cilium),
    ("CiliumClusterwideNetworkPolicy", "cilium.io"): _Known(readers.cilium, namespaced=False),
    ("NetworkPolicy", "projectcalico.org"): _Known(readers.calico),
    ("NetworkPolicy", "crd.projectcalico.org"): _Known(readers.calico),
    ("GlobalNetworkPolicy", "projectcalico.org"): _Known(readers.calico, namespaced=False),
    ("GlobalNetworkPolicy", "crd.projectcalico.org"): _Known(readers.calico, namespaced=False),
    ("NetworkPolicy", "crd.antrea.io"): _Known(readers.antrea),
    ("ClusterNetworkPolicy", "crd.antrea.io"): _Known(readers.antrea, namespaced=False),
    ("ClusterNetworkPolicy", "networking.k8s.aws"): _Known(readers.tiers, namespaced=False),
    ("ApplicationNetworkPolicy", "networking.k8s.aws"): _Known(readers.application),
    ("MultiNetworkPolicy", "k8s.cni.cncf.io"): _Known(readers.multi),
    ("EgressFirewall", "k8s.ovn.org"): _Known(readers.egress_firewall),
    ("EgressNetworkPolicy", "network.openshift.io"): _Known(readers.egress_firewall),
    ("AuthorizationPolicy", "security.istio.io"): _Known(readers.istio),
    ("PeerAuthentication", "security.istio.io"): _Known(readers.istio_peers),
    ("SecurityGroupPolicy", "vpcresources.k8s.aws"): _Known(readers.security_groups),
    ("HostEndpoint", "projectcalico.org"): _Known(readers.host_endpoint, namespaced=False),
    ("HostEndpoint", "crd.projectcalico.org"): _Known(readers.host_endpoint, namespaced=False),
    ("SecurityPolicy", "crd.nsx.vmware.com"): _Known(readers.unknown),
    ("MeshTrafficPermission", "kuma.io"): _Known(readers.unknown, namespaced=False),
    ("ServiceIntentions", "consul.hashicorp.com"): _Known(readers.unknown, namespaced=False),
    (unlisted.KIND, unlisted.GROUP): _Known(readers.unknown),
    ("Server", "policy.linkerd.io"): _Known(readers.linkerd_server),
    ("ServerAuthorization", "policy.linkerd.io"): _Known(readers.linkerd_authorization),
    ("AuthorizationPolicy", "policy.linkerd.io"): _Known(readers.linkerd_authorization),
}
_GROUPS = frozenset(group for _, group in _KINDS)
_CLUSTER_WIDE = frozenset(kind for (kind, _), known in _KINDS.items() if not known.namespaced)
