"""The conformance suite of cluster-wide policies: ClusterNetworkPolicy and its older kinds, as cases."""
