"""Services of a cluster: allocated addresses and ports, endpoints, and which endpoints each node uses.

``allocation`` fills in what the API server allocates. ``endpoints`` has the endpoints, as the controllers make them.
``selection`` has those that one node's kube-proxy uses.
"""

from __future__ import annotations

from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints
from netlab.cluster.services.selection import NodeEndpoints, node_endpoints

__all__ = ["NodeEndpoints", "ServiceEndpoint", "endpoints", "node_endpoints"]
