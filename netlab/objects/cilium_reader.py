"""Reads policies of Cilium that are plain labels, entities, CIDRs and ports. One other field leaves the policy unread.

The functions raise ``NotUnderstood``; ``plain_policy`` returns None in its place.

Source: Cilium's documentation of policies, and its ``pkg/policy/api`` and ``pkg/k8s/apis/cilium.io/utils`` for which
namespaces a selector means and which fields a rule can combine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any, cast

from netlab.objects.cilium_policies import CiliumPeer, CiliumPolicy, CiliumRule, CiliumSpec
from netlab.objects.cluster_policies import PodsPeer
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.policies import IPBlock, PolicyPort
from netlab.objects.selectors import LabelSelector, Operator, Requirement
from netlab.objects.types import DIRECTIONS, Direction, Meta, Prefix, Protocol, Source

API_VERSION = "cilium.io/v2"
_PROTOCOLS: tuple[Protocol, ...] = ("TCP", "UDP", "SCTP")
_OF_SPEC = frozenset(
    ("endpointSelector", "enableDefaultDeny", "description", "labels", "ingress", "ingressDeny", "egress", "egressDeny")
)
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_MOST_PORTS = 40
_POD_NAMESPACE, _NAMESPACE_LABELS = "io.kubernetes.pod.namespace", "io.cilium.k8s.namespace.labels."
_NOT_IDENTITY = re.compile(
    r"(?!app\.kubernetes\.io)(io\.kubernetes|io\.cilium|kubernetes\.io|.*\.?kubernetes\.io|.*k8s\.io|.*beta\.kubernetes"
    r"|pod-template-|controller-|annotation|etcd|job-name|reserved)"
)
"""Labels that are no part of an identity by default, so no selector matches them ("Limiting Identity-Relevant Labels").

The pattern has more than Cilium's list: a policy that names one of these is not understood.
"""


class NotUnderstood(Exception):
    """A part of a policy that has no exact translation."""


def plain_policy(kind: str, meta: Meta, data: Mapping[str, Any], source: Source) -> CiliumPolicy | None:
    """Return a policy of Cilium as a value; None if netlab does not understand all of it.

    ``meta.namespace`` is "" for a CiliumClusterwideNetworkPolicy.
    """
    try:
        return CiliumPolicy(meta, kind, tuple(_specs(meta.namespace, data, source)), source)
    except NotUnderstood:
        return None


def _specs(namespace: str, data: Mapping[str, Any], source: Source) -> Iterator[CiliumSpec]:
    _check(data.get("apiVersion") == API_VERSION)
    _check({*data} <= {"apiVersion", "kind", "metadata", "spec", "specs", "status"})
    written = [("spec", data["spec"])] if data.get("spec") is not None else []
    if data.get("specs") is not None:
        written += [(f"specs[{at}]", one) for at, one in enumerate(_list(data["specs"]))]
    _check(bool(written))
    for path, one in written:
        yield _spec(namespace, path, _mapping(one, _OF_SPEC), source)


def _spec(namespace: str, path: str, spec: Mapping[str, Any], source: Source) -> CiliumSpec:
    default = _mapping(spec.get("enableDefaultDeny", {}), frozenset(DIRECTIONS))
    _check(all(isinstance(one, bool) for one in default.values()))
    rules: dict[Direction, tuple[CiliumRule, ...]] = {}
    isolates: set[Direction] = set()
    for direction in DIRECTIONS:
        written = {
            field: _list(spec[field]) for field in (f"{direction}Deny", direction) if spec.get(field) not in (None, [])
        }
        rules[direction] = tuple(
            _rule(namespace, direction, f"{path}.{field}[{at}]", one, source, denies=field != direction)
            for field, some in written.items()
            for at, one in enumerate(some)
        )
        if default.get(direction, bool(written)):
            isolates.add(direction)
    # The directions that a policy without rules isolates depend on the version of Cilium.
    _check(any(spec.get(field) for field in ("ingress", "ingressDeny", "egress", "egressDeny")))
    subject = _subject(namespace, spec.get("endpointSelector"))
    return CiliumSpec(subject, frozenset(isolates), rules["ingress"], rules["egress"], path)


def _rule(namespace: str, direction: Direction, path: str, rule: object, source: Source, *, denies: bool) -> CiliumRule:
    way = "from" if direction == "ingress" else "to"
    of_peers = {f"{way}{name}": name for name in ("Endpoints", "Entities", "CIDR", "CIDRSet")}
    fields = _mapping(rule, frozenset((*of_peers, "toPorts")))
    line = source.line(path)
    if not fields:
        # It allows nothing. What such a rule would deny is not documented.
        _check(not denies)
        return CiliumRule(denies, path=path, line=line)
    ports = tuple(_ports(fields["toPorts"])) if "toPorts" in fields else ()
    named = [field for field in fields if field in of_peers]
    # Cilium refuses rules that combine them.
    _check(len(named) <= 1)
    # The own node may always send to its pods. Whether a deny rule that covers the node stops it is not documented.
    every = not (denies and direction == "ingress")
    if not named:
        _check(every)
        return CiliumRule(denies, (CiliumPeer(place="everywhere"),), ports, path, line)
    items, name = _list(fields[named[0]]), of_peers[named[0]]
    _check(bool(items))
    peers: list[CiliumPeer] = []
    if name == "Endpoints":
        peers = [CiliumPeer(_peer(namespace, one)) for one in items]
    elif name == "Entities":
        peers = _entities(direction, items, every=every)
    else:
        peers = [CiliumPeer(block=_block(one, bare=name == "CIDR")) for one in items]
    return CiliumRule(denies, tuple(dict.fromkeys(peers)), ports, path, line)


def _entities(direction: Direction, entities: list[Any], *, every: bool) -> list[CiliumPeer]:
    """Return the peers that entities stand for.

    ``host`` is the own node. It may always send to its pods, so on ingress no rule needs to allow it. On egress, it and
    the other nodes are understood together only.
    """
    _check(all(one in ("all", "world", "cluster", "host", "remote-node") for one in entities))
    found: list[CiliumPeer] = []
    has_nodes = {"host", "remote-node"} <= {*entities} or (direction == "ingress" and "remote-node" in entities)
    for one in entities:
        _check(every or one in ("world", "remote-node"))
        if one == "all":
            found.append(CiliumPeer(place="everywhere"))
        elif one == "world":
            found.append(CiliumPeer(place="world"))
        elif one == "cluster":
            found += [CiliumPeer(PodsPeer()), CiliumPeer(place="nodes")]
        elif has_nodes:
            found.append(CiliumPeer(place="nodes"))
        else:
            _check(direction == "ingress" or bool({"all", "cluster"} & {*entities}))
    return found


def _block(written: object, *, bare: bool) -> IPBlock:
    if bare:
        return IPBlock(_prefix(written))
    fields = _mapping(written, frozenset(("cidr", "except")))
    cidr = _prefix(fields.get("cidr"), length=True)
    excepts = tuple(_prefix(one, length=True) for one in _list(fields.get("except", [])))
    _check(all(one.version == cidr.version and one.network_address in cidr for one in excepts))
    return IPBlock(cidr, excepts)


def _prefix(text: object, *, length: bool = False) -> Prefix:
    _check(isinstance(text, str) and re.fullmatch(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?", text) is not None)
    _check(not length or "/" in str(text))
    try:
        return ip_network(str(text), strict=False)
    except ValueError as error:
        raise NotUnderstood from error


def _ports(items: object) -> Iterator[PolicyPort]:
    rules = _list(items)
    _check(bool(rules))
    for rule in rules:
        ports = _list(_mapping(rule, frozenset(("ports",))).get("ports"))
        _check(0 < len(ports) <= _MOST_PORTS)
        for one in ports:
            yield from _port(_mapping(one, frozenset(("port", "endPort", "protocol"))))


def _port(fields: Mapping[str, Any]) -> Iterator[PolicyPort]:
    written, last, protocol = fields.get("port"), fields.get("endPort"), fields.get("protocol", "ANY")
    _check(isinstance(written, str) and _PORT.fullmatch(written) is not None)
    number = int(str(written))
    _check(number <= 65535 and protocol in (*_PROTOCOLS, "ANY"))
    _check(last is None or (type(last) is int and number <= last <= 65535))
    for one in _PROTOCOLS if protocol == "ANY" else (protocol,):
        yield PolicyPort(one, number, last)


# --- selectors ------------------------------------------------------------------------------------------------------


def _subject(namespace: str, selector: object) -> PodsPeer:
    """Return the pods that ``endpointSelector`` means: those of the policy's namespace, or of all."""
    spaces, pods = _selectors(selector)
    if not namespace:
        return _pods(spaces, pods)
    # Cilium replaces it with the policy's own namespace, and logs that it did.
    _check(all(one.key != NAMESPACE_LABEL for one in spaces))
    return _pods([_is(namespace), *spaces], pods)


def _peer(namespace: str, selector: object) -> PodsPeer:
    """Return the pods that an item of ``fromEndpoints`` or ``toEndpoints`` means.

    They are of the policy's own namespace, unless the selector names namespaces or the policy has none.
    """
    spaces, pods = _selectors(selector)
    named = any(one.key == NAMESPACE_LABEL for one in spaces)
    if namespace and not spaces:
        return _pods([_is(namespace)], pods)
    # Nodes and the world have no labels of pods: a selector that only says what pods do not have matches them too.
    _check(not (namespace or named) or any(one.operator in ("In", "Exists") for one in (*spaces, *pods)))
    return _pods(spaces, pods)


def _is(namespace: str) -> Requirement:
    return Requirement(NAMESPACE_LABEL, "In", (namespace,))


def _pods(spaces: list[Requirement], pods: list[Requirement]) -> PodsPeer:
    return PodsPeer(*(LabelSelector((), tuple(dict.fromkeys(some))) if some else None for some in (spaces, pods)))


def _selectors(selector: object) -> tuple[list[Requirement], list[Requirement]]:
    """Return what a selector requires of namespaces, and of pods."""
    fields = _mapping(selector, frozenset(("matchLabels", "matchExpressions")))
    labels = fields.get("matchLabels", {})
    _check(isinstance(labels, dict))
    wanted: list[tuple[object, object, list[Any]]] = [(key, "In", [value]) for key, value in labels.items()]
    for item in _list(fields.get("matchExpressions", [])):
        one = _mapping(item, frozenset(("key", "operator", "values")))
        values = one.get("values", [])
        wanted.append((one.get("key"), one.get("operator"), _list([] if values is None else values)))
    spaces: list[Requirement] = []
    pods: list[Requirement] = []
    for key, operator, values in wanted:
        _check(operator in ("In", "NotIn", "Exists", "DoesNotExist"))
        _check(bool(values) == (operator in ("In", "NotIn")) and all(isinstance(one, str) for one in values))
        of_spaces, name = _key(key)
        found = Requirement(name, cast(Operator, operator), tuple(sorted({*values})))
        (spaces if of_spaces else pods).append(found)
    return spaces, pods


def _key(written: object) -> tuple[bool, str]:
    """Return whether a key is of namespaces, and the label's key."""
    _check(isinstance(written, str))
    source, colon, name = str(written).rpartition(":")
    _check(not colon or source in ("k8s", "any"))
    if name == _POD_NAMESPACE:
        return True, NAMESPACE_LABEL
    if name.startswith(_NAMESPACE_LABELS) and name != _NAMESPACE_LABELS:
        return True, name.removeprefix(_NAMESPACE_LABELS)
    _check(bool(name) and _NOT_IDENTITY.match(name) is None)
    return False, name


def _mapping(value: object, fields: frozenset[str]) -> Mapping[str, Any]:
    """Return a mapping that has no other fields."""
    if not isinstance(value, dict) or not {*value} <= fields:
        raise NotUnderstood
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise NotUnderstood
    return value


def _check(right: bool) -> None:
    if not right:
        raise NotUnderstood
