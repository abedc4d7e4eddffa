"""Why this host cannot build a lab: the kernel module that a kind of its links needs."""

from __future__ import annotations

import errno

from netlab.cluster import Cluster
from netlab.dataplane.wanted import wanted
from netlab.errors import HostError, KernelError
from netlab.kernel.state import Link


def why_unable(error: HostError | KernelError, cluster: Cluster) -> str:
    """Return what the host lacks to build the lab of a cluster, "" for an error that is about something else.

    The kernel answers with EOPNOTSUPP to a kind of link that it does not know (rtnl_newlink, net/core/rtnetlink.c).
    """
    if isinstance(error, HostError):
        return str(error)
    operation, _, name = error.operation.rpartition("link add ")
    if error.errno != errno.EOPNOTSUPP or not operation:
        return ""
    links = (item for one in wanted(cluster).values() for item in one.items if isinstance(item, Link))
    kinds = sorted({link.kind for link in links if link.name == name})
    return f"needs module {', '.join(kinds)}" if kinds else ""
