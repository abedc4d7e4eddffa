"""DNS where cluster-wide policies decide: what the tier Admin opens, and what the tiers Admin and Baseline cut off.

A query is judged on its source's side. Without pods that answer DNS in the input, nothing says where queries go.
"""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.types import Address, Protocol
from netlab.policy.decision import Ruling
from netlab.policy.dns import all_dns_pods, dns_servers
from netlab.policy.evaluate import judged_side
from netlab.policy.problems import some, warning
from netlab.policy.tiers import tier_of
from netlab.policy.tiers.cluster_policy import port_matches


def opened_by_admin(cluster: Cluster, pod: Pod, protocol: str, port: int) -> bool:
    """Say whether the tier Admin accepts queries of a pod to a pod of DNS, or may accept them if the input has none."""
    tier = tier_of("Admin")
    selecting: tuple[ClusterPolicy, ...] = tier.selecting(cluster, "egress", pod)
    if not selecting:
        return False
    flows = [*_queries(cluster, pod, protocol)]
    if not flows:
        rules = (rule for policy in selecting for rule in policy.rules("egress"))
        return any(rule.action == "allow" and port_matches(rule, protocol, port, None) for rule in rules)
    judge = tier.judge_for(cluster, "egress", pod)
    return any(judge(flow.destination, address, flow).action == "allow" for flow, address in flows)


def cut_by_tiers(cluster: Cluster) -> Iterator[Problem]:
    """Warn of each rule of a cluster-wide policy that denies pods their queries to all pods of DNS."""
    rules = (rule for policy in cluster.cluster_policies for rule in policy.egress)
    if cluster.policy.directions == "ingress-only" or not any(rule.action == "deny" for rule in rules):
        return
    answering = all_dns_pods(cluster)
    cut: dict[tuple[str, str], tuple[ClusterPolicy, dict[str, None], dict[str, None]]] = {}
    protocols: tuple[Protocol, ...] = ("UDP", "TCP")
    for pod in cluster.asked_pods():
        if not pod.selectable or not pod.traits.attachment.enforced or id(pod) in answering:
            continue
        for protocol in protocols:
            rulings = [
                judged_side(cluster, "egress", pod, flow.destination, address, flow).ruling
                for flow, address in _queries(cluster, pod, protocol)
            ]
            first = rulings[0] if rulings else None
            if not isinstance(first, Ruling) or first.policy is None or any(one.action != "deny" for one in rulings):
                continue
            found = cut.setdefault((first.policy.ref, first.rule), (first.policy, {}, {}))
            found[1][pod.ref] = None
            found[2][protocol] = None
    for (_, rule), (policy, refs, by) in cut.items():
        path = next((one.path for one in policy.rules("egress") if f" {one.path}" in f"{rule} "), "spec.egress")
        yield warning(
            policy,
            path,
            f"cuts {some([*refs])} off from DNS ({', '.join(by)}): a rule before it with action Accept for the"
            " pods of DNS opens it",
            "dns-cut",
        )


def _queries(cluster: Cluster, pod: Pod, protocol: str) -> Iterator[tuple[Flow, Address]]:
    """Yield the queries of a pod to the pods of DNS, each with its address."""
    for server, ports in dns_servers(cluster):
        for of, port in ports:
            if of == protocol and server is not pod:
                for address in server.addresses:
                    yield Flow(pod, server, address.version, of, port, address), address
