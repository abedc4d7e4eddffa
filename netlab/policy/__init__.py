"""What Kubernetes says: the evaluator, its reasons, and what the policies of a cluster amount to.

Not exported here is what few commands need (``explain``, ``groups``, ``reachability``), as importing takes longer than
to judge a few pods.
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
