"""Traces one real packet through the rulesets of nodes, with names of pods and policies.

nft reports the rules that matched. The elements that they looked up follow from the packet's fields and the ruleset;
the comments of elements name pods and policies.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from ipaddress import ip_address

from netlab.cluster.flows import Flow
from netlab.cluster.node_sources import source_address
from netlab.cluster.translate import translate
from netlab.cluster.types import Cluster, Endpoint, Node, Pod, address_of
from netlab.dataplane import names
from netlab.frozen import frozen
from netlab.kernel.machine import Event, Machine, Match, Monitor
from netlab.objects.types import Address
from netlab.policy.decision import Decision
from netlab.policy.evaluate import evaluate
from netlab.policy.explain import Section, by_tier
from netlab.probe import Measurement, measure
from netlab.ruleset import Ruleset
from netlab.ruleset.lookup import Found, find
from netlab.ruleset.service_hash import chosen

_FIELD = re.compile(r"\b(iif|oif|ip6? [sd]addr|ether [sd]addr|(?:tcp|udp|sctp) [ds]port) (\S+)")
_WORDS = r"(?:(?! set )[a-z0-9 ])+?"
# One field of a key: a register with some of its bits, or the words of an expression.
_PART = rf"(?:meta priority & [0-9a-f]+:[0-9a-f]+|{_WORDS})"
_REGISTER = r"(?P<name>meta priority|meta mark|ct mark) set"
# What a rule looks up or sets, in its order: a hash, a mark with some bits of another one, an element, a value.
_ACTION = re.compile(
    rf"{_REGISTER} jhash (?P<hashed>ip6? saddr) \. th sport mod (?P<count>\w+) seed \w+"
    rf"|{_REGISTER.replace('name', 'bits')} (?P<mark>meta mark|ct mark) (?P<operator>[&|]) (?P<mask>0x\w+)"
    rf"|(?:{_REGISTER.replace('name', 'found')} )?(?P<fields>{_PART}(?: \. {_PART})*) (?:map )?@(?P<set>\w+)"
    rf"|{_REGISTER.replace('name', 'to')} (?P<value>\S+)"
)
# The chains of tiers, and the verdicts of their rules that end them where no element decides (``ruleset.tier_chains``).
_TIERS = re.compile(r"(?:in|eg|own_node)_tiers(?:_again)?")
_UNDECIDED = re.compile(r"return|goto (?:in|eg)_allowed(?:_again)?")
_NO_TIER = "no cluster-wide policy decides"
_COUNTED = re.compile(r"counter packets \d+ bytes \d+")
_NAMES = {"iif": "iifname", "oif": "oifname"}
_PROTOCOL = re.compile(r"\b(tcp|udp|sctp|icmp|icmpv6|ipv6-icmp)\b")


@frozen
class TraceStep:
    """A rule that matched on a node, or the end of a base chain (``rule`` is "policy" then).

    ``chain`` is nft's family, table and chain; ``set``, ``key`` and ``comment`` are of the element that a lookup found,
    and on a denial of the element that denied it, or of the class for which no element allowed it. A rule that matched
    because no cluster-wide policy decides has a comment alone. ``endpoint`` is the address and port of the Service's
    endpoint that the packet is for, "" if there is none, or if no node translated the packet.
    """

    node: str
    chain: str
    rule: str
    verdict: str
    set: str = ""
    key: str = ""
    comment: str = ""
    endpoint: str = ""


@frozen
class Trace:
    """The measurement of a packet, the rules that it met, and the evaluator's decision.

    ``agree`` is whether both verdicts are equal, None where the evaluator's is unknown. ``tiers`` is what each tier of
    policies says on each side; it is empty if only NetworkPolicies exist.
    """

    measurement: Measurement
    steps: tuple[TraceStep, ...]
    decision: Decision
    tiers: tuple[Section, ...] = ()

    @property
    def agree(self) -> bool | None:
        if self.decision.verdict == "unknown":
            return None
        expected = {one.through.backend.address: one.verdict for one in self.decision.endpoints if one.through}
        measured = self.measurement.backends
        alike = all(expected.get(one.address, one.verdict) in (one.verdict, "unknown") for one in measured)
        return self.measurement.verdict == self.decision.verdict and alike


# Traces packets on nodes, with the nft families of each, during a block; its value returns what they met.
Tracing = Callable[[Match, Mapping[str, Sequence[str]]], AbstractContextManager[Callable[[], "_Events"]]]
_Events = Mapping[str, Sequence[Event]]


def trace(cluster: Cluster, rulesets: Mapping[str, Ruleset], flow: Flow, machine: Machine) -> Trace:
    """Send one packet in the running lab and return the rules that it met, node by node.

    Raises:
      HostError, KernelError: where the kernel or nft cannot trace, or no packet can be sent.
    """

    @contextlib.contextmanager
    def tracing(match: Match, nodes: Mapping[str, Sequence[str]]) -> Iterator[Callable[[], _Events]]:
        with contextlib.ExitStack() as stack:
            monitors: dict[str, Monitor] = {}
            for node, families in nodes.items():
                space = names.node_namespace(cluster.name, node)
                monitors[node] = stack.enter_context(machine.monitor(space, match, families))
            yield lambda: {node: monitor.events() for node, monitor in monitors.items()}

    return trace_by(cluster, rulesets, flow, tracing, lambda one: next(measure(cluster, [one], inside=machine.inside)))


def trace_by(
    cluster: Cluster,
    rulesets: Mapping[str, Ruleset],
    flow: Flow,
    tracing: Tracing,
    measured: Callable[[Flow], Measurement],
) -> Trace:
    """Do as ``trace``, where ``tracing`` traces packets on nodes and ``measured`` sends the packet."""
    flow = _with_destination(cluster, flow)
    steps: list[TraceStep] = []
    with contextlib.ExitStack() as stack:
        events: Callable[[], _Events] = dict
        if (match := _match(cluster, flow)) is not None:
            tables = {node: rulesets[node].tables for node in _nodes(cluster, flow)}
            families = {node: list(dict.fromkeys(one.family for one in found)) for node, found in tables.items()}
            events = stack.enter_context(tracing(match, families))
        measurement = measured(flow)
        endpoints = _endpoints(cluster, flow)
        for node, met in events().items():
            steps += read(node, rulesets[node], met, endpoints)
    decision = evaluate(cluster, flow)
    return Trace(measurement, tuple(steps), decision, by_tier(cluster, decision))


def _with_destination(cluster: Cluster, flow: Flow) -> Flow:
    """Return a flow to an address as a flow to the machine with the address, if there is one."""
    if flow.destination is not None or flow.address is None:
        return flow
    return flow._replace(destination=cluster.by_address.get(flow.address))


def _nodes(cluster: Cluster, flow: Flow) -> list[str]:
    """Return the nodes whose rulesets the packet may meet; the source's node comes first."""
    translated = translate(cluster, flow)
    behind = () if translated is None else (translated.node, *(way.backend.endpoint for way in translated.flows))
    ends: list[Endpoint | None] = [flow.source, flow.destination, *behind]
    found = [e.node if isinstance(e, Pod) else e.name for e in ends if isinstance(e, Pod | Node)]
    return list(dict.fromkeys(found))


def _endpoints(cluster: Cluster, flow: Flow) -> dict[tuple[str, str], str]:
    """Return the endpoints of the Service that a flow is to, as text, by the address and port of packets."""
    translated = translate(cluster, flow)
    if translated is None or not translated.target.listed:
        return {}
    found: dict[tuple[str, str], str] = {}
    for way in translated.flows:
        address, port = way.backend.address, way.backend.port
        literal = f"[{address}]" if address.version == 6 else str(address)
        found[str(address), str(port)] = f"{literal}:{port}"
    return found


def _match(cluster: Cluster, flow: Flow) -> Match | None:
    """Return a match of the probe alone, before and after address translation."""
    own = source_address(cluster, flow.source, flow.destination, flow.family)
    if own is None or flow.address is None:
        return None
    sources = [own, *_addresses(cluster.nodes, flow.family)]
    destinations, ports = [flow.address], [flow.port or 0]
    if (translated := translate(cluster, flow)) is not None:
        destinations += [way.backend.address for way in translated.flows]
        ports += [way.backend.port or 0 for way in translated.flows]
        # A node of an overlay has another address on its tunnel, which masquerade uses.
        sources += [seen for way in translated.flows for seen in way.seen if seen is not None]
    return Match(
        flow.protocol, list(dict.fromkeys(sources)), list(dict.fromkeys(destinations)), list(dict.fromkeys(ports))
    )


def _addresses(ends: Iterable[Endpoint], family: int) -> list[Address]:
    return [address for end in ends if (address := address_of(end, family)) is not None]


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Packet:
    """What is known of one packet between two events; ``isolated`` is the class that was checked last."""

    fields: dict[str, str] = field(default_factory=dict)
    found: tuple[str, str, str] = ("", "", "")
    isolated: tuple[str, str, str] = ("", "", "")


def read(
    node: str, ruleset: Ruleset, events: Sequence[Event], endpoints: Mapping[tuple[str, str], str] | None = None
) -> list[TraceStep]:
    """Return the rules of a node's events, in order.

    ``endpoints`` has the names of a Service's endpoints by address and port. Before the translation, a packet has the
    same source port as after it.
    A bridge floods a frame to a port that it has not learned, and the anti-spoof table drops all copies but the
    receiver's. These copies are left out.
    """
    endpoints = endpoints or {}
    packets: dict[str, _Packet] = {}
    by_source_port: dict[str, str] = {}
    for event in events if endpoints else ():
        if event.kind == "packet":
            _enter(seen := _Packet(), event.text)
            if endpoint := _endpoint(seen, endpoints):
                by_source_port[seen.fields["th sport"]] = endpoint
    steps: list[TraceStep] = []
    delivered = any((e.family, e.chain, e.verdict) == ("bridge", "forward", "accept") for e in events)
    for event in events:
        packet = packets.setdefault(event.id, _Packet())
        if event.kind == "packet":
            _enter(packet, event.text)
            continue
        if delivered and (event.family, event.chain, event.text) == ("bridge", "forward", "drop"):
            continue
        _look_up(packet, ruleset, event.text)
        entry = packet.isolated if event.chain.startswith("deny_") else packet.found
        if not entry[0] and _TIERS.fullmatch(event.chain) and _UNDECIDED.fullmatch(event.verdict):
            entry = ("", "", _NO_TIER)
        chain = f"{event.family} {event.table} {event.chain}"
        rule = _COUNTED.sub("counter", event.text)
        endpoint = _endpoint(packet, endpoints) or by_source_port.get(packet.fields.get("th sport", ""), "")
        steps.append(TraceStep(node, chain, rule or "policy", event.verdict, *entry, endpoint))
    return steps


def _endpoint(packet: _Packet, endpoints: Mapping[tuple[str, str], str]) -> str:
    fields = packet.fields
    to = fields.get("ip daddr") or fields.get("ip6 daddr") or ""
    return endpoints.get((to, fields.get("th dport", "")), "")


def _enter(packet: _Packet, text: str) -> None:
    """Note the fields of a packet that enters a base chain."""
    for name, value in _FIELD.findall(text):
        port = name.partition(" ")[2] if name.endswith("port") else ""
        packet.fields[f"th {port}" if port else _NAMES.get(name, name)] = value
    if (protocol := _PROTOCOL.search(text)) is not None:
        packet.fields["meta l4proto"] = protocol[1]


def _look_up(packet: _Packet, ruleset: Ruleset, rule: str) -> None:
    """Find the elements that a rule looked up, and note the fields that the rule sets; the last element is kept."""
    packet.found = ("", "", "")
    for action in _ACTION.finditer(rule):
        if action["set"] is not None:
            found = _element(packet, ruleset, action["fields"], action["set"])
            if found is not None:
                packet.found = (action["set"], found.key, found.comment)
            if action["found"] is None:
                continue
            packet.fields[action["found"]] = found.value if found is not None else ""
            if action["found"] == "meta priority" and found is not None:
                packet.isolated = packet.found
        elif action["hashed"] is not None:
            packet.fields[action["name"]] = _hashed(packet, action["hashed"], int(action["count"], 0))
        elif action["bits"] is not None:
            mark, mask = int(packet.fields.get(action["mark"]) or "0", 0), int(action["mask"], 0)
            packet.fields[action["bits"]] = f"{mark & mask if action['operator'] == '&' else mark | mask:#x}"
        else:
            packet.fields[action["to"]] = action["value"]


def _element(packet: _Packet, ruleset: Ruleset, fields: str, name: str) -> Found | None:
    declared = ruleset.sets.get(name)
    if declared is None:
        return None
    wanted = [_value(packet, one) for one in fields.split(" . ")]
    return find(declared[1], ruleset.elements.get(name, {}), wanted)


def _hashed(packet: _Packet, source: str, count: int) -> str:
    """Return the index of the endpoint that the hash of a packet chooses, as nft writes a class id."""
    index = chosen(ip_address(packet.fields[source]), int(packet.fields["th sport"]), count)
    return f"0:{index:x}"


def _masked(classid: str, mask: str) -> str:
    """Return some bits of a class id, as nft writes it; "" without one."""
    if not classid:
        return ""
    numbers = ((int(one, 16), int(other, 16)) for one, other in zip(classid.split(":"), mask.split(":"), strict=True))
    return ":".join(f"{one & other:x}" for one, other in numbers)


def _value(packet: _Packet, name: str) -> str:
    """Return the packet's field that an expression ends with: ``ct mark 0x0 ct mark set ip saddr`` is its saddr."""
    name, _, mask = name.strip().partition(" & ")
    if mask:
        return _masked(_value(packet, name), mask)
    for known in sorted(packet.fields, key=len, reverse=True):
        if name.endswith(known):
            return packet.fields[known]
    return ""
