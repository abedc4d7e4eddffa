"""Models of cluster-wide policies that are wrong in one point each: what implementations get wrong, or could.

The name of a class says what is wrong.
"""

# ruff: noqa: D101

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cluster_policy_model import (
    Half,
    Model,
    Spec,
    Written,
    container_ports,
    contains,
    is_pod,
    isolating_specs,
    numbers,
    of_node,
    tier_of,
    written,
)

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.cluster.types import Host, Node, Pod
from netlab.objects import Document

WEAK: list[tuple[type[Model], bool]] = []
"""The models, each with whether upstream's own 397 probes notice it."""


def weak(*, upstream: bool) -> Any:
    """Add a model to the list; ``upstream``: whether upstream's probes notice it."""

    def add(model: type[Model]) -> type[Model]:
        WEAK.append((model, upstream))
        return model

    return add


# --- tiers and actions ------------------------------------------------------------------------------------------------


@weak(upstream=True)
class DenyDecidesBeforeAccept(Model):
    def tier(self, documents: Sequence[Document], tier: str, half: Half) -> str:
        found = list(self.actions(documents, tier, half))
        return "Deny" if "Deny" in found else next(iter(found), "")


@weak(upstream=True)
class AcceptDecidesBeforeDeny(Model):
    def tier(self, documents: Sequence[Document], tier: str, half: Half) -> str:
        found = list(self.actions(documents, tier, half))
        return "Accept" if "Accept" in found else next(iter(found), "")


@weak(upstream=True)
class TheLastRuleDecides(Model):
    def rules(self, policy: Written, direction: str) -> Sequence[Spec]:
        return super().rules(policy, direction)[::-1]


@weak(upstream=True)
class PriorityIsReversed(Model):
    def ordered(self, policies: Iterable[Written]) -> list[Written]:
        return sorted(policies, key=lambda one: (-one.spec.get("priority", -1), one.name))


@weak(upstream=True)
class PriorityIsIgnored(Model):
    def ordered(self, policies: Iterable[Written]) -> list[Written]:
        return sorted(policies, key=lambda one: one.name)


@weak(upstream=False)
class EqualPrioritiesByReverseName(Model):
    def ordered(self, policies: Iterable[Written]) -> list[Written]:
        backwards = sorted(policies, key=lambda one: one.name, reverse=True)
        return sorted(backwards, key=lambda one: one.spec.get("priority", -1))


@weak(upstream=True)
class OnlyTheFirstPolicyOfAPriority(Model):
    def ordered(self, policies: Iterable[Written]) -> list[Written]:
        first: dict[float, Written] = {}
        for one in super().ordered(policies):
            first.setdefault(one.spec.get("priority", -1), one)
        return list(first.values())


@weak(upstream=False)
class TheBaselineSingletonDecidesLast(Model):
    def ordered(self, policies: Iterable[Written]) -> list[Written]:
        return sorted(policies, key=lambda one: (one.spec.get("priority", 1001), one.name))


@weak(upstream=True)
class PrioritiesOfBothTiersAreOneOrder(Model):
    """A Baseline policy with a lower number decides before Admin."""

    def half(self, documents: Sequence[Document], half: Half) -> bool:
        ordered = self.ordered(written(documents))
        first = next((one for one in ordered if self._decides(one, half)), None)
        if first is not None and tier_of(first) == "Baseline":
            return self.tier(documents, "Baseline", half) != "Deny"
        return super().half(documents, half)

    def _decides(self, policy: Written, half: Half) -> bool:
        rules = self.rules(policy, half.direction)
        return self.peer(policy.spec["subject"], half._replace(other=half.pod)) and any(
            True for rule in rules for _ in self.action(rule, half)
        )


@weak(upstream=True)
class PassIsAccept(Model):
    def action(self, rule: Spec, half: Half) -> Iterator[str]:
        return ("Accept" if action == "Pass" else action for action in super().action(rule, half))


@weak(upstream=True)
class PassEndsItsOwnPolicyOnly(Model):
    def actions(self, documents: Sequence[Document], tier: str, half: Half) -> Iterator[str]:
        for policy in self.ordered([one for one in written(documents) if tier_of(one) == tier]):
            if self.peer(policy.spec["subject"], half._replace(other=half.pod)):
                rules = self.rules(policy, half.direction)
                first = next((action for rule in rules for action in self.action(rule, half)), "Pass")
                if first != "Pass":
                    yield first


@weak(upstream=True)
class PassMatchesNothing(Model):
    def action(self, rule: Spec, half: Half) -> Iterator[str]:
        return (action for action in super().action(rule, half) if action != "Pass")


@weak(upstream=False)
class PassInBaselineMatchesNothing(Model):
    def tier(self, documents: Sequence[Document], tier: str, half: Half) -> str:
        found = (one for one in self.actions(documents, tier, half) if tier == "Admin" or one != "Pass")
        return next(found, "")


@weak(upstream=False)
class PassInBaselineDenies(Model):
    def tier(self, documents: Sequence[Document], tier: str, half: Half) -> str:
        found = super().tier(documents, tier, half)
        return "Deny" if (tier, found) == ("Baseline", "Pass") else found


@weak(upstream=True)
class PassSkipsTheNetworkPolicyToo(Model):
    def half(self, documents: Sequence[Document], half: Half) -> bool:
        if self.tier(documents, "Admin", half) == "Pass":
            return self.tier(documents, "Baseline", half) != "Deny"
        return super().half(documents, half)


@weak(upstream=False)
class AnAcceptedHalfStillAsksTheNetworkPolicy(Model):
    def half(self, documents: Sequence[Document], half: Half) -> bool:
        if self.tier(documents, "Admin", half) == "Accept":
            return self.network_policies(documents, half) is not False
        return super().half(documents, half)


@weak(upstream=True)
class ANetworkPolicyOverrulesDeny(Model):
    def half(self, documents: Sequence[Document], half: Half) -> bool:
        return bool(self.network_policies(documents, half)) or super().half(documents, half)


@weak(upstream=True)
class NetworkPoliciesAreIgnored(Model):
    def network_policies(self, documents: Sequence[Document], half: Half) -> bool | None:
        return None


@weak(upstream=True)
class BaselineIsAskedAfterTheNetworkPolicy(Model):
    def network_policies(self, documents: Sequence[Document], half: Half) -> bool | None:
        return False if super().network_policies(documents, half) is False else None


@weak(upstream=False)
class BaselineAcceptsWhatTheNetworkPolicyDenies(Model):
    def network_policies(self, documents: Sequence[Document], half: Half) -> bool | None:
        found = super().network_policies(documents, half)
        return None if found is False and self.tier(documents, "Baseline", half) == "Accept" else found


@weak(upstream=False)
class ANetworkPolicySettlesBothDirections(Model):
    def network_policies(self, documents: Sequence[Document], half: Half) -> bool | None:
        found = super().network_policies(documents, half)
        other = "egress" if half.direction == "ingress" else "ingress"
        isolated = any(True for _ in isolating_specs(documents, half.pod, other))
        return True if found is None and isolated else found


@weak(upstream=True)
class ASelectedPodIsIsolated(Model):
    def half(self, documents: Sequence[Document], half: Half) -> bool:
        selected = any(
            self.peer(one.spec["subject"], half._replace(other=half.pod)) and one.spec.get(half.direction)
            for one in written(documents)
        )
        matched = any(self.tier(documents, tier, half) for tier in ("Admin", "Baseline"))
        return super().half(documents, half) and (matched or not selected)


# --- both sides -------------------------------------------------------------------------------------------------------


@weak(upstream=False)
class AcceptForEgressSkipsIngress(Model):
    def both(self, documents: Sequence[Document], halves: Sequence[Half]) -> bool:
        if halves and halves[0].direction == "egress" and self.tier(documents, "Admin", halves[0]) == "Accept":
            return True
        return super().both(documents, halves)


@weak(upstream=False)
class AcceptForIngressSkipsEgress(Model):
    def both(self, documents: Sequence[Document], halves: Sequence[Half]) -> bool:
        if halves and halves[-1].direction == "ingress" and self.tier(documents, "Admin", halves[-1]) == "Accept":
            return True
        return super().both(documents, halves)


@weak(upstream=True)
class RulesCountInBothDirections(Model):
    def rules(self, policy: Written, direction: str) -> Sequence[Spec]:
        other = "egress" if direction == "ingress" else "ingress"
        return [
            {**rule, "from": rule.get("from") or rule["to"], "to": rule.get("to") or rule["from"]}
            for way in (direction, other)
            for rule in policy.spec.get(way) or ()
        ]


@weak(upstream=True)
class EgressIsIgnored(Model):
    def both(self, documents: Sequence[Document], halves: Sequence[Half]) -> bool:
        return super().both(documents, [half for half in halves if half.direction == "ingress"])


@weak(upstream=False)
class APodIsJudgedOnItsWayToItself(Model):
    def to_itself(self, documents: Sequence[Document], cluster: Cluster, flow: Flow) -> str:
        if not isinstance(flow.source, Pod) or flow.source.host_network:
            return "allow"
        half = Half(cluster, "egress", flow.source, flow.destination, str(flow.address), flow)
        return "allow" if self.half(documents, half) else "deny"


# --- peers ------------------------------------------------------------------------------------------------------------


@weak(upstream=True)
class OnlyTheFirstPeer(Model):
    def peers(self, peers: Sequence[Spec], half: Half) -> bool:
        return super().peers(peers[:1], half)


@weak(upstream=True)
class NetworksMatchNoPods(Model):
    def networks(self, networks: Sequence[str], half: Half) -> bool:
        return not is_pod(half.other) and super().networks(networks, half)


@weak(upstream=False)
class NetworksMatchNoHostNetworkPods(Model):
    def networks(self, networks: Sequence[str], half: Half) -> bool:
        return not of_node(half.other) and super().networks(networks, half)


@weak(upstream=False)
class NetworksMatchNoHosts(Model):
    def networks(self, networks: Sequence[str], half: Half) -> bool:
        return not isinstance(half.other, Host) and super().networks(networks, half)


@weak(upstream=False)
class EveryIPv4AddressIsEveryAddress(Model):
    def networks(self, networks: Sequence[str], half: Half) -> bool:
        return "0.0.0.0/0" in networks or super().networks(networks, half)


@weak(upstream=False)
class HostBitsOfNetworksCount(Model):
    def networks(self, networks: Sequence[str], half: Half) -> bool:
        exact = [one for one in networks if contains(one, half.address)]
        return any(one.endswith(".0/24") or not one.endswith("/24") for one in exact)


@weak(upstream=False)
class HostNetworkPodsMatchByTheirLabels(Model):
    def selectable(self, end: object) -> bool:
        return isinstance(end, Pod)


@weak(upstream=False)
class HostNetworkPodsAreSubjects(Model):
    def __init__(self) -> None:
        self._subject: object = None

    def is_subject(self, end: object) -> bool:
        return isinstance(end, Pod)

    def half(self, documents: Sequence[Document], half: Half) -> bool:
        self._subject = half.pod
        return super().half(documents, half)

    def selectable(self, end: object) -> bool:
        return is_pod(end) or end is self._subject


@weak(upstream=False)
class EveryNamespaceIsEverything(Model):
    def namespaces(self, selector: Spec, half: Half) -> bool:
        return not selector or super().namespaces(selector, half)


@weak(upstream=True)
class ANamespaceThatIsLeftOutIsNone(Model):
    def pods(self, content: Spec, half: Half) -> bool:
        return "namespaceSelector" in content and super().pods(content, half)


@weak(upstream=True)
class ANamespaceThatIsLeftOutIsThePodsOwn(Model):
    def pods(self, content: Spec, half: Half) -> bool:
        own = isinstance(half.other, Pod) and half.other.namespace == half.pod.namespace
        return ("namespaceSelector" in content or own) and super().pods(content, half)


@weak(upstream=True)
class PodsAreTheirNamespaces(Model):
    def pods(self, content: Spec, half: Half) -> bool:
        return super().pods({**content, "podSelector": {}}, half)


@weak(upstream=True)
class NodesMatchNoHostNetworkPods(Model):
    def nodes(self, selector: Spec, half: Half) -> bool:
        return isinstance(half.other, Node) and super().nodes(selector, half)


@weak(upstream=False)
class NodesAreAllOfThem(Model):
    def nodes(self, selector: Spec, half: Half) -> bool:
        return super().nodes({}, half)


@weak(upstream=True)
class ThePodsOwnNodeIsExcepted(Model):
    """In upstream's suite the client and the server of host-network probes are on one node."""

    def half(self, documents: Sequence[Document], half: Half) -> bool:
        own = half.direction == "egress" and of_node(half.other) == half.pod.node
        return own or super().half(documents, half)


@weak(upstream=False)
class ADomainNameIsEveryHost(Model):
    def named(self, name: str, hostname: str) -> bool:
        return True


@weak(upstream=False)
class AWildcardIsOneLabel(Model):
    def named(self, name: str, hostname: str) -> bool:
        same = hostname.count(".") == name.rstrip(".").count(".")
        return super().named(name, hostname) and same


@weak(upstream=False)
class AWildcardMatchesTheApex(Model):
    def named(self, name: str, hostname: str) -> bool:
        return super().named(name, hostname) or name == f"*.{hostname}"


@weak(upstream=False)
class ANameMatchesItsSubdomains(Model):
    def named(self, name: str, hostname: str) -> bool:
        return super().named(name, hostname) or hostname.endswith(f".{name}")


# --- ports ------------------------------------------------------------------------------------------------------------


@weak(upstream=True)
class PortsAreIgnored(Model):
    def ports(self, rule: Spec, half: Half) -> bool:
        return True


@weak(upstream=True)
class ProtocolsAreIgnored(Model):
    def port(self, item: Spec, half: Half) -> bool:
        ((kind, content),) = item.items()
        if "amedPort" in kind:
            return super().port(item, half)
        _, first, last = numbers(kind, content)
        return half.flow.port is not None and first <= half.flow.port <= last


@weak(upstream=True)
class ARangeExcludesItsEnd(Model):
    def port(self, item: Spec, half: Half) -> bool:
        ((kind, content),) = item.items()
        found = super().port(item, half)
        if "amedPort" in kind or not found:
            return found
        _, first, last = numbers(kind, content)
        return first == last or half.flow.port != last


@weak(upstream=False)
class ANamedPortIsEveryPortOfTheName(Model):
    def named_port(self, name: str, half: Half) -> bool:
        return (name, half.flow.protocol, half.flow.port) in container_ports(half.flow.destination)


@weak(upstream=False)
class ANamedPortIsANumber(Model):
    def named_port(self, name: str, half: Half) -> bool:
        own = container_ports(half.flow.destination)
        return any((of, number) == (name, half.flow.port) for of, _, number in own)


@weak(upstream=False)
class ANamedPortIsTheSources(Model):
    def named_port(self, name: str, half: Half) -> bool:
        return (name, half.flow.protocol, half.flow.port) in container_ports(half.flow.source)


@weak(upstream=False)
class ANamedPortIsTheSelectedPods(Model):
    """For egress it is the client's."""

    def named_port(self, name: str, half: Half) -> bool:
        return (name, half.flow.protocol, half.flow.port) in container_ports(half.pod)


@weak(upstream=True)
class ANamedPortMatchesNothing(Model):
    def named_port(self, name: str, half: Half) -> bool:
        return False


@weak(upstream=False)
class ANamedPortThatNoPodHasMatchesEverything(Model):
    def named_port(self, name: str, half: Half) -> bool:
        known = any(name == of for of, *_ in container_ports(half.flow.destination))
        return super().named_port(name, half) or not known


@weak(upstream=False)
class ICMPMatchesPorts(Model):
    def ports(self, rule: Spec, half: Half) -> bool:
        return half.flow.protocol == "ICMP" or super().ports(rule, half)


@weak(upstream=False)
class ICMPAlwaysPasses(Model):
    def half(self, documents: Sequence[Document], half: Half) -> bool:
        return half.flow.protocol == "ICMP" or super().half(documents, half)


@weak(upstream=False)
class ICMPMatchesNoRule(Model):
    def ports(self, rule: Spec, half: Half) -> bool:
        return half.flow.protocol != "ICMP" and super().ports(rule, half)


@weak(upstream=False)
class APortWithoutAProtocolIsEveryProtocol(Model):
    def port(self, item: Spec, half: Half) -> bool:
        ((kind, content),) = item.items()
        if "amedPort" in kind or "destinationPort" in content or "protocol" in content:
            return super().port(item, half)
        _, first, last = numbers(kind, content)
        return half.flow.port is not None and first <= half.flow.port <= last


@weak(upstream=False)
class FailsOpen(Model):
    """A rule with an unknown protocol is left out, whatever its action."""

    def action(self, rule: Spec, half: Half) -> Iterator[str]:
        known = all(self.is_known(item) for item in rule.get("ports", ()))
        return super().action(rule, half) if known else iter(())


@weak(upstream=False)
class AnAcceptWithAnUnknownProtocolAccepts(Model):
    def action(self, rule: Spec, half: Half) -> Iterator[str]:
        known = all(self.is_known(item) for item in rule.get("ports", ()))
        if known or rule["action"] != "Allow":
            return super().action(rule, half)
        return iter(["Accept"] if self.peers(rule.get("from") or rule["to"], half) else [])
