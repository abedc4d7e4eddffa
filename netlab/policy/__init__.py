"""The evaluator: the verdict that the Kubernetes documentation gives a flow, its reason, and warnings about policies.

Each name is imported from its own module: few commands need all of them, and the imports take longer than the verdicts
of a few pods.
"""
