"""The wanted namespaces of a cluster as data, and their difference to existing ones."""
