"""What Kubernetes says: the evaluator, its reasons, and what the policies of a cluster amount to."""

from netlab.policy.decision import Decision, Match, Miss, Side, Verdict
from netlab.policy.evaluate import evaluate, isolating, misses
from netlab.policy.explain import Explanation, explain
from netlab.policy.groups import Group, Groups, groups
from netlab.policy.reachability import reachability, workload_of, workload_reachability
from netlab.policy.warnings import warnings

__all__ = [
    "Decision",
    "Explanation",
    "Group",
    "Groups",
    "Match",
    "Miss",
    "Side",
    "Verdict",
    "evaluate",
    "explain",
    "groups",
    "isolating",
    "misses",
    "reachability",
    "warnings",
    "workload_of",
    "workload_reachability",
]
