"""What should exist for a cluster, as data, and the difference to what exists."""
