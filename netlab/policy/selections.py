"""Selections: which pods and peers a policy selects, and which policies select a pod."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from netlab.cluster.policies_in_force import policies_without_effect
from netlab.cluster.types import Cluster, Host, Node, Pod
from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.objects.cluster_policies import CLUSTER_POLICIES
from netlab.objects.policies import NetworkPolicy, Peer, Rule
from netlab.objects.similar_names import did_you_mean, similar
from netlab.objects.types import DIRECTIONS, Direction
from netlab.objects.unread import UnreadPolicy
from netlab.policy.cluster_selections import (
    ClusterPolicySelection,
    ClusterSelecting,
    cluster_policy_selection,
    selecting_pods,
)
from netlab.policy.isolating import isolating
from netlab.policy.matched_pods import namespaces_matched, pods_matched
from netlab.policy.matching import ANY_PEER, peer_mismatch_text, peer_path
from netlab.policy.meaning import policies_meant
from netlab.policy.port_sets import PortSet, ports_of
from netlab.policy.unread import selecting


@frozen
class SelectedPeers:
    """One item of ``from`` or ``to``, with the existing endpoints that it matches. ``namespaces`` are those of pods.

    ``number`` is ``ANY_PEER`` and ``peer`` None for a rule without peers, which matches everything.
    """

    number: int
    peer: Peer | None
    namespaces: tuple[str, ...] = ()
    pods: tuple[Pod, ...] = ()
    others: tuple[Node | Host, ...] = ()


@frozen
class SelectedRule:
    """One rule of a policy: its ports, and its peers."""

    direction: Direction
    rule: Rule
    ports: PortSet
    peers: tuple[SelectedPeers, ...]

    def path(self, peer: SelectedPeers) -> str:
        """Return the field path of a peer."""
        return peer_path(self.rule, peer.number)


@frozen
class PolicySelection:
    """What a policy selects. ``pods`` are those that it applies to. ``why`` says why it has no effect, if so."""

    policy: NetworkPolicy
    pods: tuple[Pod, ...]
    rules: tuple[SelectedRule, ...]
    why: str = ""


@frozen
class Selecting:
    """A policy with those of the pods in question that it isolates, by direction."""

    policy: NetworkPolicy
    ingress: tuple[Pod, ...]
    egress: tuple[Pod, ...]


@frozen
class PodSelection:
    """Which policies select a pod, or the pods of a workload; ``name`` is the name of either.

    ``unread`` are policies that may select one of them and that netlab does not read. ``cluster_policies`` are the
    cluster-wide policies that judge one of them, in the order in which they decide.
    """

    name: str
    pods: tuple[Pod, ...]
    policies: tuple[Selecting, ...]
    unread: tuple[UnreadPolicy, ...]
    cluster_policies: tuple[ClusterSelecting, ...] = ()

    def free(self, direction: Direction) -> tuple[Pod, ...]:
        """Return the pods that no policy isolates in a direction."""
        isolated = {pod.ref for one in self.policies for pod in getattr(one, direction)}
        return tuple(pod for pod in self.pods if pod.ref not in isolated)


def policy_selection(cluster: Cluster, policy: NetworkPolicy) -> PolicySelection:
    """Return what a policy selects in a cluster."""
    pods = tuple(
        pod
        for pod in cluster.pods
        if pod.namespace == policy.meta.namespace and pod.selectable and policy.pod_selector.matches(pod.labels)
    )
    rules = tuple(_rules(cluster, policy))
    why = "; ".join(f"it {one.why} ({one.setting})" for one in policies_without_effect(cluster) if one.policy is policy)
    return PolicySelection(policy, pods, rules, why)


def _rules(cluster: Cluster, policy: NetworkPolicy) -> Iterator[SelectedRule]:
    for direction in DIRECTIONS:
        for rule in policy.rules(direction):
            peers = [_peers(cluster, policy, number, peer) for number, peer in enumerate(rule.peers)]
            if not rule.peers:
                peers = [SelectedPeers(ANY_PEER, None, tuple(cluster.namespaces), cluster.pods, _others(cluster))]
            yield SelectedRule(direction, rule, ports_of(rule.ports), tuple(peers))


def _others(cluster: Cluster) -> tuple[Node | Host, ...]:
    return (*cluster.nodes, *cluster.hosts)


def _peers(cluster: Cluster, policy: NetworkPolicy, number: int, peer: Peer) -> SelectedPeers:
    """Return what one item matches, by the evaluator's own functions."""

    def matches(end: Pod | Node | Host) -> bool:
        return any(not peer_mismatch_text(cluster, policy, peer, end, address) for address in end.addresses)

    if peer.ip_block is not None:
        pods = tuple(pod for pod in cluster.pods if matches(pod))
        return SelectedPeers(number, peer, (), pods, tuple(filter(matches, _others(cluster))))
    system = tuple(pod for pod in cluster.pods if pod.system)
    found = tuple(pod for pod in (*pods_matched(cluster, policy, peer), *system) if matches(pod))
    nodes = tuple(filter(matches, cluster.nodes)) if cluster.policy.host_network_peers == "match" else ()
    return SelectedPeers(number, peer, namespaces_matched(cluster, policy, peer), found, nodes)


def pod_selection(cluster: Cluster, name: str, pods: Sequence[Pod]) -> PodSelection:
    """Return which policies select pods; ``name`` is that of the pod or of the workload."""
    by_policy: dict[int, tuple[NetworkPolicy, dict[str, list[Pod]]]] = {}
    unread: dict[int, UnreadPolicy] = {}
    for pod in pods:
        for direction in DIRECTIONS:
            for policy in isolating(cluster, pod, direction):
                _, found = by_policy.setdefault(id(policy), (policy, {"ingress": [], "egress": []}))
                found[direction].append(pod)
        unread |= {id(one.policy): one.policy for one in selecting(cluster, pod)}
    policies = [Selecting(policy, tuple(of["ingress"]), tuple(of["egress"])) for policy, of in by_policy.values()]
    policies.sort(key=lambda one: one.policy.meta.key)
    return PodSelection(name, tuple(pods), tuple(policies), tuple(unread.values()), selecting_pods(cluster, pods))


Selection = PolicySelection | PodSelection | ClusterPolicySelection


# --- names ------------------------------------------------------------------------------------------------------------

_POLICIES = ("networkpolicy", "networkpolicies", "netpol")
_PODS = ("pod", "pods", "po")


def find_selections(cluster: Cluster, text: str, namespace: str = "default") -> list[Selection]:
    """Return the selections of all that have a name: of a policy, and of a pod or the pods of a workload.

    ``text`` is ``NAMESPACE/NAME``, ``NAME`` in ``namespace``, or either with a kind before it, as ``pod/shop/web`` and
    ``networkpolicy/web``. Without a kind it may name a policy and a workload. A cluster-wide policy is
    ``clusternetworkpolicy/NAME``, with the word for its kind.

    Raises:
      UsageError: if nothing has the name.
    """
    parts = text.split("/")
    if len(parts) == 2 and parts[0].lower() in _cluster_kinds():
        return [_of_cluster_policy(cluster, _cluster_kinds()[parts[0].lower()], parts[1])]
    kinds = _kinds(cluster)
    kind = parts[0].lower() if len(parts) == 3 or (len(parts) == 2 and parts[0].lower() in kinds) else ""
    names = parts[1:] if kind else parts
    if not 0 < len(names) < 3 or not all(names) or (kind and kind not in kinds):
        known = ", ".join(dict.fromkeys(kinds.values()))
        raise UsageError(f"{text!r}: write NAMESPACE/NAME or KIND/NAMESPACE/NAME; KIND is one of {known}")
    key = f"{names[0] if len(names) == 2 else namespace}/{names[-1]}"
    candidates = _candidates(cluster, key)
    wanted = kinds.get(kind, "")
    found = {name: make for name, make in candidates.items() if not wanted or name.partition("/")[0] == wanted}
    # As everywhere, a pod has precedence over a workload of its name.
    if f"pod/{key}" in found and not wanted:
        found = {name: make for name, make in found.items() if name.partition("/")[0] in ("pod", "networkpolicy")}
    if not found:
        raise UsageError(_missing(cluster, wanted or "policy, pod or workload", key))
    return [make() for make in found.values()]


def _cluster_kinds() -> dict[str, str]:
    """Return the words for the kinds of cluster-wide policies, each with the kind."""
    from netlab.objects.kind import every

    kinds = [one for one in every() if one.group == CLUSTER_POLICIES]
    return {word: one.name for one in kinds for word in (*one.names, one.name.lower())}


def _of_cluster_policy(cluster: Cluster, kind: str, name: str) -> Selection:
    of_kind = [one for one in cluster.cluster_policies if one.kind == kind]
    policy = next((one for one in of_kind if one.meta.name == name), None)
    if policy is not None:
        return cluster_policy_selection(cluster, policy)
    if any((one.kind, one.meta.name) == (kind, name) for one in cluster.cluster_policies_not_read):
        setting = f"clusterPolicies: {cluster.policy.cluster_policies}"
        raise UsageError(f"{kind} {name} selects nothing, as this kind is not read ({setting})")
    raise UsageError(f"no {kind} {name!r}{did_you_mean(similar(name, [one.meta.name for one in of_kind]))}")


def _kinds(cluster: Cluster) -> dict[str, str]:
    """Return the words for kinds, each with the kind's own word."""
    found = dict.fromkeys(_POLICIES, "networkpolicy") | dict.fromkeys(_PODS, "pod")
    from netlab.objects.kind import get

    for workload in dict.fromkeys(pod.workload.split(" ", 1)[0] for pod in cluster.pods if pod.workload):
        known = get(workload)
        words = (*known.names, workload.lower()) if known is not None else (workload.lower(),)
        found |= {word: workload.lower() for word in words if word not in found}
    return found


def _candidates(cluster: Cluster, key: str) -> dict[str, Callable[[], Selection]]:
    """Return everything that has a name, as ``KIND/NAMESPACE/NAME``, with the functions that find selections."""
    found: dict[str, Callable[[], Selection]] = {}
    policy = next((one for one in (*policies_meant(cluster), *cluster.policies) if one.meta.key == key), None)
    if policy is not None:
        found[f"networkpolicy/{key}"] = lambda: policy_selection(cluster, policy)
    pod = cluster.by_ref.get(key)
    if isinstance(pod, Pod):
        found[f"pod/{key}"] = lambda: pod_selection(cluster, pod.ref, (pod,))
    by_workload: dict[str, list[Pod]] = {}
    for one in cluster.pods:
        if one.workload.endswith(f" {key}"):
            by_workload.setdefault(one.workload, []).append(one)
    for workload, pods in by_workload.items():
        kind = workload.split(" ", 1)[0].lower()
        found[f"{kind}/{key}"] = lambda workload=workload, pods=pods: pod_selection(cluster, workload, pods)  # type: ignore[misc]
    return found


def _missing(cluster: Cluster, what: str, key: str) -> str:
    known = [
        *(one.meta.key for one in policies_meant(cluster)),
        *(pod.ref for pod in cluster.pods),
        *cluster.by_workload,
    ]
    unread = next((one for one in cluster.unread if one.meta.key == key), None)
    if unread is not None:
        return f"{unread} is a policy that netlab does not read, so it is not known what it selects"
    return f"no {what} {key!r}{did_you_mean(similar(key, known))}"
