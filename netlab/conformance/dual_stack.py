"""Cases in two IP families: each address and block gets an IPv6 twin, and each verdict holds for both families.

If a block contains an address, its twin contains the address's twin. The twin of 10.244.A.B is fd00:10:244:A::B, and
prefixes follow. Any other IPv4 address is the last 32 bits of 2001:db8::/96. The twin of 0.0.0.0/0 is ::/0. A block
across the border of 10.0.0.0/8 has no twin. Cases with such a block, or with IPv6, are asked in IPv4 only, in a
dual-stack lab. A Topology or a Pod that has IPv6 addresses is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from netlab.conformance.cases import Case, Cell, Stage, Table
from netlab.conformance.cluster_policies.shorthand import KINDS
from netlab.objects.addresses import plain_address
from netlab.objects.types import Document

_POLICIES = frozenset({"NetworkPolicy", *KINDS})
_PODS = IPv4Network("10.244.0.0/16")
_TEN = IPv4Network("10.0.0.0/8")
_POD_BASE = int(IPv6Address("fd00:10:244::"))
_OTHER_BASE = int(IPv6Address("2001:db8::"))


class NoTwinError(ValueError):
    """An IPv4 block has no IPv6 block that means the same in the twin network."""


def dual_stack(case: Case) -> Case:
    """Return the case in two families; a case with ``refusal`` is unchanged."""
    if case.refusal:
        return case
    return replace(case, stages=tuple(_stage(stage) for stage in case.stages))


def documents(written: Sequence[Document]) -> tuple[Document, ...]:
    """Return a cluster's documents with a second family; policies are unchanged."""
    return tuple(d if d.kind in _POLICIES else replace(d, data=_object(d.data)) for d in written)


def _stage(stage: Stage) -> Stage:
    around = documents(stage.documents)
    try:
        twins = tuple(replace(d, data=_policy(d.data)) if d.kind in _POLICIES else d for d in around)
    except NoTwinError:
        return replace(stage, documents=around)
    return replace(stage, documents=twins, table={**stage.table, **dict(_cells(stage.table))})


def _cells(table: Table) -> Iterator[tuple[Cell, str | None]]:
    """Yield the IPv6 twin of every IPv4 cell; nodes and addresses that are no endpoint's have no twins.

    A verdict that names addresses holds for IPv4 only. On its twin the judges only have to agree.
    """
    for cell, verdict in table.items():
        if cell.family == 6:
            continue
        ends = (cell.source, cell.destination)
        if not any(end.startswith("node:") or plain_address(end) is not None for end in ends):
            yield cell._replace(family=6), None if verdict is not None and verdict.startswith("some") else verdict


def address(found: IPv4Address) -> IPv6Address:
    """Return the IPv6 twin of an address."""
    if found in _PODS:
        third, fourth = found.packed[2:]
        return IPv6Address(_POD_BASE | third << 64 | fourth)
    return IPv6Address(_OTHER_BASE | int(found))


def prefix(text: str) -> IPv6Network:
    """Return the IPv6 twin of an IPv4 prefix; raises NoTwinError where there is none."""
    found = IPv4Network(text, strict=False)
    if found.prefixlen == 0:
        return IPv6Network("::/0")
    if found.subnet_of(_PODS):
        # Bits 17 to 24 of the prefix are A, the bits after them B.
        length = found.prefixlen + (40 if found.prefixlen <= 24 else 96)
        return IPv6Network((int(address(found.network_address)), length))
    if found == _TEN:
        return IPv6Network("fd00:10::/32")
    if found.overlaps(_TEN):
        raise NoTwinError(text)
    return IPv6Network((_OTHER_BASE | int(found.network_address), 96 + found.prefixlen))


def _object(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Topology or a Pod with its second addresses, or a Service of both families; others are unchanged."""
    if data["kind"] == "Service":
        return {**data, "spec": {**data["spec"], "ipFamilyPolicy": "RequireDualStack"}}
    if data["kind"] == "Topology":
        spec = dict(data["spec"])
        if any(":" in cidr for network in spec["networks"] for cidr in network["podCIDRs"]):
            return dict(data)
        spec["networks"] = [
            {**n, "podCIDRs": [*n["podCIDRs"], *(str(prefix(c)) for c in n["podCIDRs"])]} for n in spec["networks"]
        ]
        spec["hosts"] = [
            {**h, "addresses": [*h["addresses"], *(str(address(IPv4Address(a))) for a in h["addresses"])]}
            for h in spec.get("hosts", ())
        ]
        return {**data, "spec": spec}
    if data["kind"] == "Pod" and (stated := data.get("status", {}).get("podIPs")):
        if any(":" in item["ip"] for item in stated):
            return dict(data)
        twins = [{"ip": str(address(IPv4Address(item["ip"])))} for item in stated]
        return {**data, "status": {**data["status"], "podIPs": [*stated, *twins]}}
    return dict(data)


def _policy(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy with the twin of each ipBlock and network beside it."""
    spec = dict(data.get("spec") or {})
    for direction, where in (("ingress", "from"), ("egress", "to")):
        if isinstance(rules := spec.get(direction), list):
            spec[direction] = [
                {**rule, where: [twin for peer in rule[where] for twin in _peers(peer)]}
                if isinstance(rule, dict) and isinstance(rule.get(where), list)
                else rule
                for rule in rules
            ]
    return {**data, "spec": spec}


def _peers(peer: Any) -> Iterator[Any]:
    networks = peer.get("networks") if isinstance(peer, dict) else None
    if networks:
        _no_ipv6(networks)
        yield {"networks": [*networks, *dict.fromkeys(str(prefix(text)) for text in networks)]}
        return
    yield peer
    if isinstance(peer, dict) and (block := peer.get("ipBlock")) is not None:
        written = [block["cidr"], *block.get("except", ())]
        _no_ipv6(written)
        cidr, *excepts = (str(prefix(text)) for text in written)
        yield {"ipBlock": {"cidr": cidr, **({"except": excepts} if excepts else {})}}


def _no_ipv6(written: Sequence[str]) -> None:
    for text in written:
        if ":" in text:
            raise NoTwinError(text)
