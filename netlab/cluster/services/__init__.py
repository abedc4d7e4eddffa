"""Services of a cluster: allocated addresses and ports, endpoints, and which endpoints each node uses.

``allocation`` fills in what the API server allocates. ``endpoints`` has the endpoints, as the controllers make them.
``selection`` has those that one node's kube-proxy uses. Nothing is imported here, as most clusters have no Service.
"""
