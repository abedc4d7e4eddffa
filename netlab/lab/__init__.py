"""Builds, changes, probes and removes labs, and keeps their records between commands."""
