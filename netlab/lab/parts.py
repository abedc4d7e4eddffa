"""The part of a lab on several machines, as JSON in the lab's record."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from netlab.dataplane.part import Part, Peer


def to_json(part: Part) -> dict[str, Any]:
    """Return a part as JSON data."""
    peers = [{"name": one.name, "address": str(one.address), "ends": sorted(one.ends)} for one in part.peers]
    return {
        "number": part.number,
        "address": str(part.address),
        "ends": sorted(part.ends),
        "peers": peers,
        "port": part.port,
        "machineMTU": part.machine_mtu,
        "etcd": part.etcd,
        "encrypted": part.encrypted,
    }


def from_json(data: dict[str, Any]) -> Part:
    """Return the part of JSON data; raises ValueError, TypeError or KeyError where they are damaged."""
    peers = tuple(Peer(_text(one["name"]), _address(one), _ends(one)) for one in data["peers"])
    numbers = data["number"], data["port"], data["machineMTU"]
    if not all(type(one) is int for one in numbers):
        raise TypeError("numbers")
    number, port, mtu = numbers
    etcd = _text(data.get("etcd", ""))
    encrypted = data.get("encrypted", False)
    if type(encrypted) is not bool:
        raise TypeError("encrypted")
    return Part(number, _address(data), _ends(data), peers, port, mtu, etcd, encrypted)


def _address(data: dict[str, Any]) -> Any:
    return ip_address(_text(data["address"]))


def _ends(data: dict[str, Any]) -> frozenset[str]:
    return frozenset(map(_text, data["ends"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value
