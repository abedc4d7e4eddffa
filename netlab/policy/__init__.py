"""The evaluator: the verdict that the Kubernetes documentation gives a flow, its reason, and warnings about policies.

``explain``, ``groups`` and ``reachability`` are not imported here: few commands need them, and the imports take longer
than the verdicts of a few pods.
"""

from netlab.policy.decision import Decision, Match, Miss, Side
from netlab.policy.evaluate import evaluate, misses
from netlab.policy.misplaced import misplaced
from netlab.policy.tiers.networkpolicy import isolating
from netlab.policy.warnings import warnings
from netlab.verdicts import Expected as Verdict

__all__ = [
    "Decision",
    "Match",
    "Miss",
    "Side",
    "Verdict",
    "evaluate",
    "isolating",
    "misplaced",
    "misses",
    "warnings",
]
