"""The CNI ignores a policy or a part of it."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Cluster
from netlab.objects.changed_policies import ChangedRule, settings_text
from netlab.objects.policies import IPBlock
from netlab.policy.lint.covers import is_inside
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matching import peer_path


def _find(given: Given) -> Iterator[Found]:
    """Find rules that settings change, and ipBlocks of pods where an ipBlock matches none."""
    ignored = given.cluster.policy.ip_block_pods == "ignore"
    for policy, _, rule in given.rules():
        if isinstance(rule, ChangedRule):
            message = f"the CNI reads the rule in another way{settings_text(rule.settings)}"
            yield found(policy, rule.path, message)
        for number, peer in enumerate(rule.peers if ignored else ()):
            if peer.ip_block is not None and _is_of_pods(given.cluster, peer.ip_block):
                path = f"{peer_path(rule, number)}.ipBlock"
                message = f"{peer.ip_block.cidr} has addresses of pods only, and matches none (ipBlockPods: ignore)"
                yield found(policy, path, message)


def _is_of_pods(cluster: Cluster, block: IPBlock) -> bool:
    """Say whether all addresses of a block are those of a pod network."""
    return any(is_inside(block.cidr, own) for network in cluster.networks for own in network.pod_cidrs)


RULE = Rule(
    "profile-ignores-policy",
    "warning",
    "the CNI ignores a policy or a part of it",
    what="With the profile of the lab (`--as NAME`, or `profile` of a Topology), a policy or a part of it has no"
    " effect or another meaning: nothing is enforced, egress is not enforced, SCTP is dropped, only the first"
    " port of a range counts, an ipBlock matches no pods. With the default profile, this is found for networks"
    " that bypass the rules of nodes.",
    why="The policy allows or denies something else than it says.",
    fix="write what the CNI enforces, or use another CNI",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: []
""",
    fires="""\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: lab}
spec: {profile: flannel}
""",
    clean="""\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: lab}
spec: {profile: calico}
""",
    checks=(
        "nothing-enforces",
        "policy-without-effect",
        "egress-not-judged",
        "sctp-dropped",
        "block-of-node",
        "not-enforced",
        "profile-ignores-field",
        "profile-ignores-version",
    ),
    find=_find,
)
