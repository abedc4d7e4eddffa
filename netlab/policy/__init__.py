"""What Kubernetes says: the evaluator, its reasons, and what the policies of a cluster amount to.

Not exported here is what few commands need (``explain``, ``groups``, ``reachability``), as importing takes longer than
to judge a few pods.
"""

from netlab.policy.decision import Decision, Match, Miss, Side, Verdict
from netlab.policy.evaluate import evaluate, isolating, misses
from netlab.policy.misplaced import misplaced
from netlab.policy.warnings import warnings

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
