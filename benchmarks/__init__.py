"""What netlab costs: every figure beside a floor and the peers on this host, in rounds that take turns.

``python -m benchmarks`` runs them all, ``python -m benchmarks.compare REVISION`` sets two revisions side by side. A
machine's speed changes from minute to minute; a ratio of two things measured in turns does so far less. Nothing here
asserts a time: see docs/performance.md for what the figures mean.
"""
