"""Suggested NetworkPolicies: what is needed, the policies that allow it and nothing else, and the proof."""
