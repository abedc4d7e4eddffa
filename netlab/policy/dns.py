"""Warns of pods that policies cut off from DNS.

The pods of a DNS Service answer DNS, on its target port. Without such a Service, the pods that declare a UDP port named
``dns`` do. If the input has neither, a rule allows DNS if it allows port 53 to something that may exist, or if it
allows the pods of DNS that netlab adds to a lab with Services.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.frozen import NamedTuple
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.policy.isolating import isolating
from netlab.policy.matched_pods import pods_matched
from netlab.policy.matching import container_port, peer_mismatch_text, port_matches
from netlab.policy.problems import some, warning
from netlab.policy.service_ports import pods_of
from netlab.policy.unknown_labels import may_match_by_unknown_labels

if TYPE_CHECKING:
    from netlab.objects.services import Service

_PORT = 53
_DNS_PORTS = frozenset({_PORT, 5353, "dns", "dns-tcp"})
_FALLBACK = (("UDP", _PORT), ("TCP", _PORT))
# The names of the Service in kubeadm, k3s, EKS, GKE and AKS, in the CoreDNS chart, and in OpenShift.
_NAMES = ("kube-dns", "coredns", "dns-default")
_SPACES = ("kube-system", "openshift-dns")
# Replicas have the same labels, so a few of them are enough.
_MOST_PODS = 20

_Ports = tuple[tuple[str, int], ...]
"""Protocols, each with a port."""


class Dns(NamedTuple):
    """The pods that answer DNS: their name in messages, some of them with their ports, and the identities of all.

    ``added``: netlab added them, as the input has none.
    """

    name: str
    pods: tuple[tuple[Pod, _Ports], ...]
    all_pods: frozenset[int]
    added: bool = False


def pods_without_dns(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn once of each pod that cannot reach DNS, at the first policy that isolates it for egress."""
    if not policy.isolates("egress") or cluster.policy.directions == "ingress-only":
        return
    dns = _dns(cluster)
    cut_off: dict[_Ports, list[Pod]] = {}
    for pod in _first_isolated(cluster).get(id(policy), ()):
        policies = isolating(cluster, pod, "egress")
        # Nothing enforces policies on macvlan networks, and a DNS server asks servers outside the cluster.
        if not pod.traits.attachment.enforced:
            continue
        if dns is not None and id(pod) in dns.all_pods:
            continue
        missing = _missing(cluster, policies)
        if missing and cluster.cluster_policies:
            from netlab.policy.dns_by_tiers import opened_by_admin

            missing = tuple(one for one in missing if not opened_by_admin(cluster, pod, *one))
        if missing:
            cut_off.setdefault(missing, []).append(pod)
    for missing, pods in cut_off.items():
        ports = ", ".join(f"{port}/{protocol}" for protocol, port in missing)
        towards = f" to {dns.name}" if dns else ""
        message = (
            f"isolates {some([pod.ref for pod in pods])} for egress, and no rule allows DNS ({ports}); "
            f"allow {ports}{towards} under spec.egress"
        )
        yield warning(policy, "spec", message, "dns-cut")


def _first_isolated(cluster: Cluster) -> Mapping[int, Sequence[Pod]]:
    """Return the pods by the identity of the first policy that isolates them for egress."""
    known: dict[int, list[Pod]] | None = cluster.memo.get("policy.dns.first")
    if known is None:
        known = cluster.memo["policy.dns.first"] = {}
        for pod in cluster.asked_pods():
            policies = isolating(cluster, pod, "egress")
            if policies:
                known.setdefault(id(policies[0]), []).append(pod)
    return known


def only_dns(cluster: Cluster, rule: Rule) -> bool:
    """Say whether a rule lists ports of DNS only, and the input has no pods that answer DNS."""
    listed = {item.port for item in rule.ports}
    if not listed or not listed <= _DNS_PORTS:
        return False
    dns = _dns(cluster)
    return dns is None or dns.added


def dns_servers(cluster: Cluster) -> tuple[tuple[Pod, _Ports], ...]:
    """Return the pods that answer DNS, each with the protocols and ports; of pods with the same labels, one."""
    dns = _dns(cluster)
    return dns.pods if dns is not None else ()


def all_dns_pods(cluster: Cluster) -> frozenset[int]:
    """Return the identities of all pods that answer DNS."""
    dns = _dns(cluster)
    return dns.all_pods if dns is not None else frozenset()


def reaches_dns(cluster: Cluster, pod: Pod, protocol: str) -> bool:
    """Say whether policies let a pod send DNS queries over a protocol; without pods of DNS, to any server."""
    policies = isolating(cluster, pod, "egress")
    return not policies or all(protocol != missing for missing, _ in _missing(cluster, policies))


def _missing(cluster: Cluster, policies: tuple[NetworkPolicy, ...]) -> _Ports:
    """Return the ports of DNS that no rule of these policies allows."""
    # Pods that the same policies isolate have the same result.
    known: dict[int, _Ports] = cluster.memo.setdefault("policy.dns.missing", {})
    found = known.get(id(policies))
    if found is None:
        dns = _dns(cluster)
        wanted = dict((port for _, ports in dns.pods for port in ports) if dns else _FALLBACK)
        opened: set[str] = set()
        for policy in policies:
            for rule in policy.rules("egress"):
                opened.update(_opened(cluster, policy, rule, dns))
        found = known[id(policies)] = tuple(
            (protocol, port) for protocol, port in wanted.items() if protocol not in opened
        )
    return found


def _opened(cluster: Cluster, policy: NetworkPolicy, rule: Rule, dns: Dns | None) -> frozenset[str]:
    """Return the protocols in which a rule allows DNS."""
    known: dict[tuple[int, int], frozenset[str]] = cluster.memo.setdefault("policy.dns.opened", {})
    found = known.get((id(policy), id(rule)))
    if found is None:
        protocols = set(_opened_to(cluster, policy, rule, dns) if dns is not None else ())
        if dns is None or (dns.added and _may_be_dns(cluster, policy, rule)):
            protocols.update(_opened_anywhere(cluster, policy, rule))
        found = known[id(policy), id(rule)] = frozenset(protocols)
    return found


def _may_be_dns(cluster: Cluster, policy: NetworkPolicy, rule: Rule) -> bool:
    """Say whether a rule may mean DNS of the user's cluster: by its ports, or by a peer that is not in the input."""
    return bool(rule.ports) or any(
        peer.ip_block is not None or not pods_matched(cluster, policy, peer) for peer in rule.peers
    )


def _opened_to(cluster: Cluster, policy: NetworkPolicy, rule: Rule, dns: Dns) -> Iterator[str]:
    blocks = any(peer.ip_block is not None for peer in rule.peers)
    for protocol, _ in _FALLBACK:
        # An ipBlock with port 53 is another DNS server: on the node (NodeLocal DNSCache), or outside the cluster.
        if blocks and any(item.port == _PORT and item.protocol == protocol for item in rule.ports):
            yield protocol
    for pod, ports in dns.pods:
        if rule.peers and not any(_reaches(cluster, policy, peer, pod) for peer in rule.peers):
            continue
        for protocol, port in ports:
            if not rule.ports or any(port_matches(item, pod, protocol, port) for item in rule.ports):
                yield protocol


def _reaches(cluster: Cluster, policy: NetworkPolicy, peer: Peer, pod: Pod) -> bool:
    """Say whether a peer matches a pod, or may match it by labels that are unknown."""
    if any(not peer_mismatch_text(cluster, policy, peer, pod, address) for address in pod.addresses):
        return True
    return may_match_by_unknown_labels(cluster, policy, peer, pod)


def _opened_anywhere(cluster: Cluster, policy: NetworkPolicy, rule: Rule) -> Iterator[str]:
    if not _may_match_something(cluster, policy, rule):
        return
    for protocol, port in _FALLBACK:
        if not rule.ports or any(_matches_port(cluster, item, protocol, port) for item in rule.ports):
            yield protocol


def _may_match_something(cluster: Cluster, policy: NetworkPolicy, rule: Rule) -> bool:
    """Say whether a rule matches pods of the input, or may match others: addresses, or pods of other namespaces."""
    return not rule.peers or any(
        peer.ip_block is not None or peer.namespace_selector is not None or bool(pods_matched(cluster, policy, peer))
        for peer in rule.peers
    )


def _matches_port(cluster: Cluster, item: PolicyPort, protocol: str, port: int) -> bool:
    """Say whether an item of ``ports`` matches a port; a named port, whether it does on some pod."""
    if not isinstance(item.port, str):
        return port_matches(item, None, protocol, port)
    known: dict[tuple[str, str], set[int]] | None = cluster.memo.get("policy.names")
    if known is None:
        known = cluster.memo["policy.names"] = {}
        for pod in cluster.asked_pods():
            # The first of several ports of one name counts, see container_port().
            first = {(p.name, p.protocol): p.port for p in reversed(pod.ports) if p.name} if pod.selectable else {}
            for key, number in first.items():
                known.setdefault(key, set()).add(number)
    return item.protocol == protocol and port in known.get((item.port, protocol), ())


def _dns(cluster: Cluster) -> Dns | None:
    """Return the pods of the input that answer DNS, None if there are none."""
    if "policy.dns" not in cluster.memo:
        cluster.memo["policy.dns"] = _of_services(cluster) or _of_ports(cluster) or _added(cluster)
    found: Dns | None = cluster.memo["policy.dns"]
    return found


def _of_services(cluster: Cluster) -> Dns | None:
    own = [service for service in cluster.services if not service.system]
    on_port_53 = [service for service in own if any(port.port == _PORT for port in service.ports)]
    known = [one for one in on_port_53 if one.meta.name in _NAMES or one.meta.namespace in _SPACES]
    named = [one for one in on_port_53 if any(p.port == _PORT and p.name.startswith("dns") for p in one.ports)]
    for services in (known, named):
        pods = {id(pod): (pod, ports) for one in services for pod, ports in _behind(cluster, one)}
        if pods:
            names = sorted(one.meta.key for one in services if pods_of(cluster, one))
            plural = "Services" if len(names) > 1 else "Service"
            return Dns(f"the pods of {plural} {some(names)}", _few(pods.values()), frozenset(pods))
    return None


def _added(cluster: Cluster) -> Dns | None:
    """Return the pods of DNS that netlab added, None if the lab has none."""
    if not cluster.services:
        return None
    from netlab.cluster.services.endpoints import endpoints

    pods = {pod.ref: pod for pod in cluster.pods if pod.system}
    found: list[tuple[Pod, _Ports]] = []
    for service in (one for one in cluster.services if one.system and one.meta.name in _NAMES):
        for port in service.ports[:1]:
            refs = [one.pod for family in cluster.families for one in endpoints(cluster, service, port, family)]
            found += [(pods[ref], _FALLBACK) for ref in dict.fromkeys(refs) if ref in pods]
    name = "the pods of Service kube-system/kube-dns"
    return Dns(name, tuple(found), frozenset(id(pod) for pod, _ in found), added=True) if found else None


def _behind(cluster: Cluster, service: Service) -> Iterator[tuple[Pod, _Ports]]:
    from netlab.cluster.services.endpoints import target_port

    for pod in pods_of(cluster, service):
        found = [(one.protocol, target_port(one, pod)) for one in service.ports if one.port == _PORT]
        ports = tuple((protocol, number) for protocol, number in found if number is not None)
        if ports:
            yield pod, ports


def _of_ports(cluster: Cluster) -> Dns | None:
    """Return the pods that declare ports of DNS, as an export of pods may have no Services; None if there are none."""
    found: list[tuple[Pod, _Ports]] = []
    for pod in cluster.asked_pods():
        udp = container_port(pod, "dns", "UDP") if pod.ports else None
        if udp is not None:
            tcp = container_port(pod, "dns-tcp", "TCP") or container_port(pod, "dns", "TCP")
            found.append((pod, (("UDP", udp), *((("TCP", tcp),) if tcp is not None else ()))))
    refs, all_pods = [pod.ref for pod, _ in found], frozenset(id(pod) for pod, _ in found)
    return Dns(some(refs), _few(found), all_pods) if found else None


def _few(pods: Iterable[tuple[Pod, _Ports]]) -> tuple[tuple[Pod, _Ports], ...]:
    alike = {(pod.namespace, frozenset(pod.labels.items()), ports): (pod, ports) for pod, ports in pods}
    return tuple(alike.values())[:_MOST_PODS]
