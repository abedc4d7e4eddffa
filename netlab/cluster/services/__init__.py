"""Services of a cluster: what the API server allocates, the endpoints, and which endpoints each node uses."""

from __future__ import annotations

from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints
from netlab.cluster.services.selection import NodeEndpoints, node_endpoints

__all__ = ["NodeEndpoints", "ServiceEndpoint", "endpoints", "node_endpoints"]
