"""What is legal but surely not meant: policies, rules and peers that do nothing, or more than they seem to.

What one policy says of itself alone (rules of a direction that it does not isolate) is told where it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import collapse_addresses

from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.objects.types import Direction, NetworkPolicy, Peer, PolicyPort, Rule
from netlab.policy import unstated
from netlab.policy.evaluate import isolating
from netlab.policy.mismatch import container_port, port_matches
from netlab.policy.scope import namespaces_meant, pods_by_namespace

DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")
DNS = (("UDP", 53), ("TCP", 53))


def warnings(cluster: Cluster) -> list[Problem]:
    """Return a warning for everything in the policies that is legal but surely not meant, by policy, then by check."""
    found: list[Problem] = []
    for policy in cluster.policies:
        for check in _CHECKS:
            found += check(cluster, policy)
    return found


def _warning(policy: NetworkPolicy, path: str, message: str) -> Problem:
    source = policy.source
    return Problem(
        source.file, source.line(path), path, f"NetworkPolicy {policy.meta.key}", message, severity="warning"
    )


def _selected(cluster: Cluster, policy: NetworkPolicy) -> list[Pod]:
    """Return the pods that a policy applies to."""
    here = pods_by_namespace(cluster).get(policy.meta.namespace, ())
    return [pod for pod in here if pod.selectable and policy.pod_selector.matches(pod.labels)]


def _meant(cluster: Cluster, policy: NetworkPolicy, peer: Peer) -> tuple[Pod, ...]:
    """Return the pods that a peer's selectors match, host-network pods among them."""
    # Policies repeat one another's peers; "every namespace" is asked of every pod once and not for each policy.
    known: dict[tuple[str, Peer], tuple[Pod, ...]] = cluster.memo.setdefault("policy.meant", {})
    key = (policy.meta.namespace if peer.namespace_selector is None else "", peer)
    found = known.get(key)
    if found is None:
        pods = pods_by_namespace(cluster)
        found = known[key] = tuple(
            pod
            for namespace in namespaces_meant(cluster, policy, peer)
            for pod in pods.get(namespace, ())
            if peer.pod_selector is None or peer.pod_selector.matches(pod.labels)
        )
    return found


def _selects_nothing(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    if _selected(cluster, policy):
        return
    namespace = policy.meta.namespace
    here = pods_by_namespace(cluster).get(namespace, ())
    path = "spec.podSelector"
    if not here:
        yield _warning(policy, "metadata.namespace", f"namespace {namespace!r} has no pods")
    elif any(policy.pod_selector.matches(pod.labels) for pod in here):
        yield _warning(
            policy,
            path,
            f"{policy.pod_selector} matches only pods that no policy applies to, such as host-network pods",
        )
    else:
        yield _warning(policy, path, f"{policy.pod_selector} matches no pod of namespace {namespace!r}")


def _peers_that_match_nothing(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    hosts_are_meant = cluster.policy.host_network_peers == "match"
    for direction, rule in _rules(policy):
        for i, peer in enumerate(rule.peers):
            path = f"{rule.path}.{'from' if direction == 'ingress' else 'to'}[{i}]"
            if peer.ip_block is not None:
                if [*collapse_addresses(peer.ip_block.excepts)] == [peer.ip_block.cidr]:  # type: ignore[type-var]
                    yield _warning(policy, f"{path}.ipBlock", "matches no address: its excepts are all of its cidr")
                continue
            meant = _meant(cluster, policy, peer)
            if not meant:
                yield _warning(policy, path, "matches no pod of the lab")
            elif not any(pod.selectable or (hosts_are_meant and pod.host_network) for pod in meant):
                yield _warning(policy, path, f"matches only {meant[0].ref}, which selectors never mean")


def _names_that_nobody_has(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    for direction, rule in _rules(policy):
        named = [(i, port) for i, port in enumerate(rule.ports) if isinstance(port.port, str)]
        if not named:
            continue
        if direction == "ingress":
            destinations, whose = _selected(cluster, policy), "that the policy selects"
        else:
            destinations, whose = _destinations(cluster, policy, rule), "that the rule matches"
        blocks_only = direction == "egress" and rule.peers and all(peer.ip_block is not None for peer in rule.peers)
        for i, port in named:
            if (destinations or blocks_only) and all(
                container_port(pod, str(port.port), port.protocol) is None for pod in destinations
            ):
                message = f"no pod {whose} has a {port.protocol} port named {port.port!r}"
                yield _warning(policy, f"{rule.path}.ports[{i}].port", message)


def _destinations(cluster: Cluster, policy: NetworkPolicy, rule: Rule) -> list[Pod]:
    """Return the pods that an egress rule means: those that its selectors match, and those in its ipBlocks."""
    if not rule.peers:
        return [pod for pod in cluster.pods if pod.selectable]
    blocks = [peer.ip_block for peer in rule.peers if peer.ip_block and cluster.policy.ip_block_pods == "match"]
    inside = [pod for pod in cluster.pods if blocks and any(b.contains(a) for b in blocks for a in pod.addresses)]
    selected = [pod for peer in rule.peers if peer.ip_block is None for pod in _meant(cluster, policy, peer)]
    return [pod for pod in (*selected, *inside) if pod.selectable]


def _cuts_dns(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn once for each pod that cannot ask DNS, at the first policy that isolates it for egress."""
    cut: dict[tuple[str, ...], list[Pod]] = {}
    for pod in _selected(cluster, policy):
        policies = isolating(cluster, pod, "egress")
        if not policies or policies[0] is not policy:
            continue
        rules = [rule for p in policies for rule in p.rules("egress") if _means_somebody(cluster, p, rule)]
        missing = tuple(f"{port}/{proto}" for proto, port in DNS if not _opens(cluster, rules, proto, port))
        if missing:
            cut.setdefault(missing, []).append(pod)
    for missing, pods in cut.items():
        others = f" and {len(pods) - 1} more" if len(pods) > 1 else ""
        message = f"isolates {pods[0].ref}{others} for egress, and no rule allows DNS ({', '.join(missing)})"
        yield _warning(policy, "spec", message)


def _means_somebody(cluster: Cluster, policy: NetworkPolicy, rule: Rule) -> bool:
    """Say whether there is anybody in the lab, or may be outside of it, whom a rule means."""
    return not rule.peers or any(peer.ip_block is not None or _meant(cluster, policy, peer) for peer in rule.peers)


def _opens(cluster: Cluster, rules: Iterable[Rule], protocol: str, port: int) -> bool:
    """Say whether some rule allows a port to somebody."""
    return any(not r.ports or any(_means(cluster, item, protocol, port) for item in r.ports) for r in rules)


def _means(cluster: Cluster, item: PolicyPort, protocol: str, port: int) -> bool:
    """Say whether an item of ``ports`` means a port of some pod: a name is looked for in all of them, once."""
    if not isinstance(item.port, str):
        return port_matches(item, None, protocol, port)
    known: dict[tuple[PolicyPort, str, int], bool] = cluster.memo.setdefault("policy.names", {})
    key = (item, protocol, port)
    if key not in known:
        known[key] = any(port_matches(item, owner, protocol, port) for owner in cluster.pods)
    return known[key]


def _shadowed(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn of a policy of which every pod is opened to all by another policy: policies are a union."""
    for direction in DIRECTIONS:
        pods = _selected(cluster, policy)
        if not pods or not policy.isolates(direction) or _allows_all(policy, direction):
            continue
        openers = [next((p for p in isolating(cluster, q, direction) if _allows_all(p, direction)), None) for q in pods]
        names = sorted({p.meta.key for p in openers if p is not None})
        if None not in openers:
            message = f"has no effect: {', '.join(names)} allows all {direction} of every pod that it selects"
            yield _warning(policy, f"spec.{direction}", message)


def _unenforced(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    past: dict[str, list[str]] = {}
    for pod in _selected(cluster, policy):
        if not pod.traits.attachment.enforced:
            past.setdefault(pod.attachment, []).append(pod.ref)
    for mode, refs in past.items():
        message = f"not enforced on {', '.join(refs)}: a {mode} network goes past the node"
        yield _warning(policy, "spec.podSelector", message)


def _allows_all(policy: NetworkPolicy, direction: Direction) -> bool:
    return any(not rule.peers and not rule.ports for rule in policy.rules(direction))


def _rules(policy: NetworkPolicy) -> Iterator[tuple[Direction, Rule]]:
    for direction in DIRECTIONS:
        for rule in policy.rules(direction):
            yield direction, rule


_CHECKS: tuple[Callable[[Cluster, NetworkPolicy], Iterator[Problem]], ...] = (
    _selects_nothing,
    _peers_that_match_nothing,
    _names_that_nobody_has,
    _cuts_dns,
    _shadowed,
    _unenforced,
    unstated.of_namespaces,
    unstated.of_controllers,
)
