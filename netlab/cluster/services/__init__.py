"""Services of a cluster: what the API server allocates, the endpoints, and which endpoints each node uses.

Nothing is imported here, as most clusters have no Service.
"""
