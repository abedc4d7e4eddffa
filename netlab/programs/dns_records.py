"""DNS records of a cluster: what the lab's DNS answers for a name and a type.

Source: Kubernetes DNS-Based Service Discovery, 1.1.0 (github.com/kubernetes/dns, docs/specification.md). Where it is
silent, netlab does what CoreDNS does. An endpoint without a hostname is named by its address with dashes. A pod's name
(``10-244-0-5.shop.pod.cluster.local``) answers for every address, as with ``pods insecure`` in kubeadm's Corefile.

``dns_snapshot.of`` makes the data, and ``Zone`` answers from it. Each answer is computed when a client asks, so a
server of many Services starts at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from ipaddress import ip_address
from typing import Any, Literal

from netlab.frozen import frozen

VERSION = 1
SCHEMA = "1.1.0"
Code = Literal["NOERROR", "NXDOMAIN", "REFUSED"]

# The longest chain of aliases that is followed; a chain may be a circle.
_LONGEST_CHAIN = 8
_REVERSE = ("in-addr.arpa", "ip6.arpa")
_BELOW_REVERSE = tuple(f".{zone}" for zone in _REVERSE)


@frozen
class Record:
    """One record. ``name`` has no last dot; ``data`` is an address, a name or a text, for SRV ``PORT TARGET``."""

    name: str
    type: str
    data: str


@frozen
class Answer:
    """The answer to a question.

    ``extra`` has the addresses of the targets of SRV records. ``authority`` is the zone whose SOA is in a negative
    answer, else "".
    """

    code: Code
    records: tuple[Record, ...] = ()
    extra: tuple[Record, ...] = ()
    authority: str = ""


REFUSED = Answer("REFUSED")


class Zone:
    """Answers questions from a snapshot; raises KeyError, TypeError or ValueError if the snapshot is incomplete."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        if data["version"] != VERSION:
            raise ValueError(f"a snapshot of version {data['version']}")
        self.name: str = data["zone"]
        self._suffix = f".{self.name}"
        self._namespaces = frozenset(data["namespaces"])
        self._services: Mapping[str, Mapping[str, Any]] = data["services"]
        self._hosts: Mapping[str, Sequence[str]] = data["hosts"]

    def find(self, name: str, kind: str) -> Answer:
        """Return the answer for a name, without its last dot, and a type such as ``A``, or ``ANY``.

        Case does not matter. Records of the name have the case of the question.
        """
        return self._find(name, kind, _LONGEST_CHAIN)

    def _find(self, name: str, kind: str, left: int) -> Answer:
        low, zone = name.lower(), self.name
        if low == zone or low.endswith(self._suffix):
            found = self._within(name, low.removesuffix(zone).rstrip("."))
        elif low in self._hosts:
            found, zone = _addresses(name, self._hosts[low]), low
        elif low in _REVERSE or low.endswith(_BELOW_REVERSE):
            # Only the lab knows names of its addresses.
            names, zone = self._reverse.get(low, ()), ".".join(low.split(".")[-2:])
            found = [Record(name, "PTR", to) for to in names] or None
        else:
            return REFUSED
        if found is None:
            return Answer("NXDOMAIN", authority=zone)
        aliases = [record for record in found if record.type == "CNAME"]
        if aliases and kind not in ("CNAME", "ANY"):
            return self._follow(aliases[0], kind, left)
        records = tuple(record for record in found if kind in (record.type, "ANY"))
        return Answer("NOERROR", records, self._extra(records), "" if records else zone)

    def _follow(self, alias: Record, kind: str, left: int) -> Answer:
        """Return an alias and the records of its target; a target outside of the lab, or in a circle, adds none."""
        if left == 0:
            return Answer("NOERROR", (alias,))
        rest = self._find(alias.data, kind, left - 1)
        if rest.code == "REFUSED":
            return Answer("NOERROR", (alias,))
        return Answer(rest.code, (alias, *rest.records), rest.extra, rest.authority)

    def _extra(self, records: Iterable[Record]) -> tuple[Record, ...]:
        targets = dict.fromkeys(record.data.split(" ")[1] for record in records if record.type == "SRV")
        found = (self._within(name, name.removesuffix(self._suffix)) for name in targets)
        return tuple(record for records in found for record in records or () if record.type in ("A", "AAAA"))

    # --- inside the zone ------------------------------------------------------------------------------------------

    def _within(self, name: str, owner: str) -> list[Record] | None:
        """Return all records of a name, None if it does not exist; ``owner``: without the zone, in lower case."""
        match owner.split(".") if owner else []:
            case []:
                # The server adds the SOA's numbers.
                return [Record(name, "SOA", self.name), Record(name, "NS", f"kube-dns.kube-system.svc.{self.name}")]
            case ["dns-version"]:
                return [Record(name, "TXT", SCHEMA)]
            case ["pod"]:
                return []
            case [namespace, "pod"]:
                return [] if namespace in self._namespaces else None
            case [dashed, namespace, "pod"]:
                address = _undashed(dashed)
                return None if address is None or namespace not in self._namespaces else _addresses(name, [address])
            case ["svc"]:
                return [] if any(map(self._has_records, self._services.values())) else None
            case [namespace, "svc"]:
                return [] if any(map(self._has_records, self._by_namespace.get(namespace, ()))) else None
            case [*parts, service, namespace, "svc"]:
                one = self._services.get(f"{namespace}/{service}")
                return None if one is None else self._of_service(name, parts, one, f"{service}.{namespace}.svc")
        return None

    def _of_service(
        self, name: str, parts: Sequence[str], service: Mapping[str, Any], below: str
    ) -> list[Record] | None:
        if "alias" in service:
            return [Record(name, "CNAME", service["alias"])] if not parts else None
        if not self._has_records(service):
            return None
        match parts:
            case []:
                return _addresses(name, [one for addresses in _all(service).values() for one in addresses])
            case [port, protocol] if port[:1] == protocol[:1] == "_":
                return _srv(name, service, f"{port[1:]}/{protocol[1:]}", f"{below}.{self.name}") or None
            case [protocol] if protocol[:1] == "_":
                return [] if any(key.endswith(f"/{protocol[1:]}") for key in service["ports"]) else None
            case [host] if "endpoints" in service:
                addresses = service["endpoints"].get(host)
                return None if addresses is None else _addresses(name, addresses)
        return None

    @cached_property
    def _by_namespace(self) -> Mapping[str, list[Mapping[str, Any]]]:
        found: dict[str, list[Mapping[str, Any]]] = {}
        for key, service in self._services.items():
            found.setdefault(key.partition("/")[0], []).append(service)
        return found

    @cached_property
    def _reverse(self) -> Mapping[str, list[str]]:
        """The names of each address, by its name in the reverse zones."""
        found: dict[str, list[str]] = {}
        for key, service in self._services.items():
            namespace, _, name = key.partition("/")
            for host, addresses in _all(service).items():
                for address in addresses:
                    to = f"{host}.{name}.{namespace}.svc{self._suffix}".lstrip(".")
                    found.setdefault(ip_address(address).reverse_pointer, []).append(to)
        for name, addresses in self._hosts.items():
            for address in addresses:
                found.setdefault(ip_address(address).reverse_pointer, []).append(name)
        return found

    @staticmethod
    def _has_records(service: Mapping[str, Any]) -> bool:
        return "alias" in service or bool(service.get("addresses")) or bool(service.get("endpoints"))


def _all(service: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    """Return the addresses of a Service by the host names below it; "" is the Service itself."""
    return service.get("endpoints") or {"": service.get("addresses", ())}


def _addresses(name: str, addresses: Iterable[str]) -> list[Record]:
    return [Record(name, "AAAA" if ":" in one else "A", one) for one in dict.fromkeys(addresses)]


def _srv(name: str, service: Mapping[str, Any], port: str, below: str) -> list[Record]:
    """Return the SRV records of a named port (``http/tcp``); a headless Service has one for each host name and port."""
    found = service["ports"].get(port, ())
    if "endpoints" not in service:
        return [Record(name, "SRV", f"{number} {below}") for number in found]
    return [Record(name, "SRV", f"{number} {host}.{below}") for host, number in found]


def dashed(address: str) -> str:
    """Return an address as a DNS label, as CoreDNS writes it."""
    text = address.replace(".", "-").replace(":", "-")
    return f"{text}0" if text.endswith("-") else text


def _undashed(label: str) -> str | None:
    """Return the address that a label stands for, None if it stands for none."""
    for sign in (".", ":"):
        try:
            return str(ip_address(label.replace("-", sign)))
        except ValueError:
            pass
    return None
