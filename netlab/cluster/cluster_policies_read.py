"""Which cluster-wide policies are read: the setting ``clusterPolicies`` of ``spec.policy``."""

from __future__ import annotations

from netlab.objects.all_objects import Objects
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.topology import TopologyPolicy

_Policies = tuple[ClusterPolicy, ...]


def cluster_policies_read(objects: Objects, settings: TopologyPolicy) -> tuple[_Policies, _Policies]:
    """Return the cluster-wide policies of the kinds that are read, and those of the other kinds, by name."""
    found = sorted(objects.cluster_policies, key=lambda one: (one.meta.name, one.kind))
    if settings.cluster_policies == "all":
        return tuple(found), ()
    new_kind = settings.cluster_policies == "cluster-network-policy"
    no_kind = settings.cluster_policies == "none"
    read = tuple(one for one in found if not no_kind and (one.kind == "ClusterNetworkPolicy") == new_kind)
    return read, tuple(one for one in found if one not in read)
