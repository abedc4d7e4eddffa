"""What Kubernetes says: the evaluator, its reasons, and what the policies of a cluster amount to.

Not exported here is ``groups``, of use to one command: importing it takes 9 ms, of the 160 that ``netlab check`` takes.
"""

from netlab.policy.decision import Decision, Match, Miss, Side
from netlab.policy.evaluate import evaluate, misses
from netlab.policy.explain import Explanation, explain
from netlab.policy.misplaced import misplaced
from netlab.policy.reachability import reachability, workload_of, workload_reachability
from netlab.policy.tiers.networkpolicy import isolating
from netlab.policy.warnings import warnings
from netlab.verdicts import Expected as Verdict

__all__ = [
    "Decision",
    "Explanation",
    "Match",
    "Miss",
    "Side",
    "Verdict",
    "evaluate",
    "explain",
    "isolating",
    "misplaced",
    "misses",
    "reachability",
    "warnings",
    "workload_of",
    "workload_reachability",
]
