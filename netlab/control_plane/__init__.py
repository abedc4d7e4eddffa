"""A real control plane in front of a lab: its programs, and netlab as its nodes."""
