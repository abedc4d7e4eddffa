"""The façade: labs are built, changed, probed and removed here, and remembered between commands."""
