"""The values of the Container Network Interface: versions, error codes, results and errors, read and written.

A result of any version is read to one ``Result``, and written in the form of any version (SPEC.md 0.2.0 "Result",
0.4.0 "Result", 1.1.0 section 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network
from typing import Any, TypeVar

from netlab.frozen import frozen
from netlab.patterns import pattern

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""The versions of the specification, from first to last."""

COMMANDS = ("ADD", "CHECK", "DEL", "GC", "STATUS", "VERSION")

Json = dict[str, Any]
Interface = IPv4Interface | IPv6Interface
_T = TypeVar("_T")
_MOST_ITEMS = 256
_LONGEST = 1024

NAME = pattern(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
"""The form of a network's name, a container ID and, here, of a plugin's type: also the name of a file, without a
path."""

INTERFACE = pattern(r"[^\s/:\x00-\x1f\x7f]{1,15}")
"""The form of the name of an interface: Linux, dev_valid_name of net/core/dev.c."""


class Code(IntEnum):
    """The error codes of the specification; from 100 on each plugin has its own."""

    INCOMPATIBLE_VERSION = 1
    UNSUPPORTED_FIELD = 2
    UNKNOWN_CONTAINER = 3
    INVALID_ENVIRONMENT = 4
    IO_FAILURE = 5
    DECODING_FAILURE = 6
    INVALID_CONFIGURATION = 7
    TRY_AGAIN_LATER = 11
    NOT_AVAILABLE = 50
    LIMITED_CONNECTIVITY = 51
    INTERNAL = 999


class CniError(Exception):
    """An error of a plugin, with its code, message and details."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(f"{message}: {details}" if details else message)
        self.code, self.message, self.details = code, message, details

    def document(self, version: str) -> Json:
        """Return the error as a plugin prints it."""
        found: Json = {"cniVersion": version, "code": int(self.code), "msg": self.message}
        return {**found, "details": self.details} if self.details else found

    @classmethod
    def read(cls, data: Any) -> CniError | None:
        """Return the error of a plugin's output, None where it is none."""
        if not isinstance(data, dict) or type(data.get("code")) is not int:
            return None
        message, details = data.get("msg", ""), data.get("details", "")
        if not isinstance(message, str) or not isinstance(details, str):
            return None
        return cls(data["code"], message[:_LONGEST], details[:_LONGEST])


def major_minor(version: str) -> tuple[int, ...]:
    """Return a version as numbers that can be compared; raises ValueError for an unknown one."""
    if version not in VERSIONS:
        raise ValueError(f"{version!r} is no version of CNI that is known: {', '.join(VERSIONS)}")
    return tuple(map(int, version.split(".")))


def at_least(version: str, other: str) -> bool:
    """Return whether a version is another one or a later one."""
    return major_minor(version) >= major_minor(other)


def versions_document(version: str, supported: Sequence[str] = VERSIONS) -> Json:
    """Return what a plugin prints for VERSION."""
    return {"cniVersion": version, "supportedVersions": [*supported]}


@frozen
class ResultInterface:
    """An interface of a result. ``sandbox`` is the path of the container's namespace, "" for one on the host."""

    name: str
    mac: str = ""
    sandbox: str = ""
    mtu: int = 0


@frozen
class ResultAddress:
    """An address with its prefix. ``interface`` is an index of ``Result.interfaces``, None where none is named."""

    address: Interface
    gateway: str = ""
    interface: int | None = None


@frozen
class ResultRoute:
    """A route of a result: its destination as CIDR, and its gateway or ""."""

    destination: str
    gateway: str = ""
    mtu: int = 0


@frozen
class Result:
    """What ADD returns, without regard to a version."""

    interfaces: tuple[ResultInterface, ...] = ()
    addresses: tuple[ResultAddress, ...] = ()
    routes: tuple[ResultRoute, ...] = ()
    dns: Mapping[str, Any] | None = None

    def of_container(self, sandbox: str = "") -> tuple[Interface, ...]:
        """Return the addresses of the container's interfaces; an address that names no interface is one.

        ``sandbox``: the container's namespace; "": any.
        """
        found = []
        for one in self.addresses:
            where = self.interfaces[one.interface].sandbox if one.interface is not None else sandbox
            if one.interface is None or (where == sandbox if sandbox else where):
                found.append(one.address)
        return tuple(found)

    def document(self, version: str) -> Json:
        """Return the result in the form of a version.

        Raises:
          ValueError: for an unknown version, or for two addresses of a family before 0.3.0.
        """
        if not at_least(version, "0.3.0"):
            return self._old(version)
        last, current = at_least(version, "1.1.0"), at_least(version, "1.0.0")
        document: Json = {"cniVersion": version}
        if self.interfaces:
            document["interfaces"] = [
                _without_empty(name=i.name, mac=i.mac, sandbox=i.sandbox, mtu=i.mtu if last else 0)
                for i in self.interfaces
            ]
        document["ips"] = [
            {
                **({} if current else {"version": str(a.address.version)}),
                "address": str(a.address),
                **({"gateway": a.gateway} if a.gateway else {}),
                **({} if a.interface is None else {"interface": a.interface}),
            }
            for a in self.addresses
        ]
        if self.routes:
            document["routes"] = [
                _without_empty(dst=r.destination, gw=r.gateway, mtu=r.mtu if last else 0) for r in self.routes
            ]
        document["dns"] = dict(self.dns or {})
        return document

    def _old(self, version: str) -> Json:
        document: Json = {"cniVersion": version}
        for one in self.addresses:
            key = f"ip{one.address.version}"
            if key in document:
                raise ValueError(f"a result of version {version} has one IPv{one.address.version} address only")
            routes = [
                _without_empty(dst=r.destination, gw=r.gateway)
                for r in self.routes
                if ip_network(r.destination).version == one.address.version
            ]
            document[key] = {**_without_empty(ip=str(one.address), gateway=one.gateway), "routes": routes}
        document["dns"] = dict(self.dns or {})
        return document

    @classmethod
    def read(cls, data: Any) -> Result:
        """Return the result of a document of any version.

        Raises:
          ValueError: where it is not one, with what is wrong.
        """
        _typed(dict, data, "the result")
        version = data.get("cniVersion", "0.1.0")
        # A plugin of 0.1.0 may leave the version out.
        old = version == "" or not at_least(_typed(str, version, "cniVersion"), "0.3.0")
        dns = _typed(dict, data.get("dns") or {}, "dns")
        if old:
            return _read_old(data, dns)
        interfaces = tuple(map(_interface, _items(data, "interfaces")))
        addresses = tuple(_address(item, len(interfaces)) for item in _items(data, "ips"))
        return cls(interfaces, addresses, tuple(map(_route, _items(data, "routes"))), dns)


def _read_old(data: Json, dns: Json) -> Result:
    addresses: list[ResultAddress] = []
    routes: list[ResultRoute] = []
    for family in (4, 6):
        one = data.get(f"ip{family}")
        if one is None:
            continue
        part = _typed(dict, one, f"ip{family}")
        found = _address({"address": part.get("ip"), "gateway": part.get("gateway", "")}, 0)
        if found.address.version != family:
            raise ValueError(f"ip{family} has the address {found.address}")
        addresses.append(found)
        routes += map(_route, _items(part, "routes"))
    return Result((), tuple(addresses), tuple(routes), dns)


def _interface(item: Any) -> ResultInterface:
    part = _typed(dict, item, "an interface")
    name = _text(part, "name")
    if not INTERFACE.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an interface")
    return ResultInterface(name, _mac(_text(part, "mac")), _text(part, "sandbox"), _number(part, "mtu"))


def _mac(text: str) -> str:
    if text and not _MAC.fullmatch(text):
        raise ValueError(f"{text!r} is not a MAC address")
    return text.lower()


def _address(item: Any, interfaces: int) -> ResultAddress:
    part = _typed(dict, item, "an address")
    text, gateway, index = _text(part, "address"), _text(part, "gateway"), part.get("interface")
    if "/" not in text:
        raise ValueError(f"the address {text!r} has no prefix length")
    _without_zone(text, gateway)
    if gateway:
        ip_address(gateway)
    # The reference library writes a negative index for "no interface" in some versions.
    if index is not None and (type(index) is not int or index >= interfaces):
        raise ValueError(f"the address {text} names the interface {index!r}, which there is not")
    return ResultAddress(ip_interface(text), gateway, index if index is None or index >= 0 else None)


def _route(item: Any) -> ResultRoute:
    part = _typed(dict, item, "a route")
    destination, gateway = _text(part, "dst"), _text(part, "gw")
    _without_zone(destination, gateway)
    if gateway:
        ip_address(gateway)
    return ResultRoute(str(ip_network(destination, strict=False)), gateway, _number(part, "mtu"))


def _without_zone(*texts: str) -> None:
    for text in texts:
        if "%" in text:
            raise ValueError(f"{text!r} has a zone, which no address of a pod has")


_MAC = pattern(r"(?:[0-9A-Fa-f]{2}:){5,19}[0-9A-Fa-f]{2}")


def _items(data: Json, key: str) -> list[Any]:
    found = _typed(list, data.get(key) or [], key)
    if len(found) > _MOST_ITEMS:
        raise ValueError(f"{key} has more than {_MOST_ITEMS} items")
    return found


def _text(part: Json, key: str) -> str:
    text = _typed(str, part.get(key) or "", key)
    if len(text) > _LONGEST:
        raise ValueError(f"{key} is longer than {_LONGEST} characters")
    return text


def _number(part: Json, key: str) -> int:
    number = _typed(int, part.get(key) or 0, key)
    if number < 0:
        raise ValueError(f"{key} is negative")
    return number


def _typed(kind: type[_T], value: Any, what: str) -> _T:
    if not isinstance(value, kind):
        raise ValueError(f"{what} has another type than {kind.__name__}")  # noqa: TRY004  one error for all that is wrong
    return value


def _without_empty(**fields: Any) -> Json:
    return {key: value for key, value in fields.items() if value not in ("", 0, None)}
