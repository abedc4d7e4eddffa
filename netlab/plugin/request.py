"""What a runtime asks of the plugin: the environment and the network configuration, checked.

Source: CNI specification 1.1.0, section 2 (parameters, errors) and section 3; CONVENTIONS.md for ``args.cni`` and
``runtimeConfig``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from netlab.cni.types import COMMANDS, INTERFACE, NAME, CniError, Code
from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.objects.names import LabName, dns_label, dns_subdomain, label_key, label_value
from netlab.objects.types import Address

SUPPORTED = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""The versions whose results have interfaces."""

MOST_BYTES = 1 << 20
_MOST_ITEMS = 256
_LONGEST_ID = 200
# The commands that have a container.
_OF_CONTAINER = ("ADD", "CHECK", "DEL")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_LAST_PORT = 65535


@frozen
class Port:
    """A port that the runtime publishes: ``runtimeConfig.portMappings``."""

    container: int
    host: int
    protocol: str
    host_ip: str = ""


@frozen
class Request:
    """One call of the plugin.

    - ``pod``: ``NAMESPACE/NAME``. ``named``: the runtime named it; else netlab names it by the container ID.
    - ``node``: the node of a new pod, "" for any. ``network``: its network of the lab, "" for the default.
    - ``previous``: the addresses of ``prevResult``, in a CHECK.
    - ``attachments``: the container IDs and interfaces that GC keeps.
    """

    command: str
    version: str
    name: str = ""
    lab: str = ""
    node: str = ""
    network: str = ""
    container: str = ""
    interface: str = ""
    netns: str = ""
    pod: str = ""
    named: bool = False
    labels: Mapping[str, str] | None = None
    ports: tuple[Port, ...] = ()
    addresses: tuple[Address, ...] = ()
    previous: tuple[str, ...] = ()
    attachments: frozenset[tuple[str, str]] = frozenset()

    @property
    def key(self) -> tuple[str, str, str]:
        """What names an attachment: the network configuration's name, the container ID and the interface."""
        return self.name, self.container, self.interface

    @property
    def place(self) -> Path:
        """The file of the container's network namespace."""
        return Path(self.netns)


def version_of(config: Any) -> str:
    """Return the version in which errors are written: that of the configuration if it is known."""
    found = config.get("cniVersion") if isinstance(config, dict) else None
    return found if found in SUPPORTED else SUPPORTED[-1]


def decoded(text: bytes) -> dict[str, Any]:
    """Return the configuration of the standard input.

    Raises:
      CniError: if it is too long or no JSON object.
    """
    if len(text) > MOST_BYTES:
        raise CniError(Code.DECODING_FAILURE, f"the configuration is longer than {MOST_BYTES} bytes")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CniError(Code.DECODING_FAILURE, "the configuration is no JSON", str(error)[:200]) from error
    if not isinstance(found, dict):
        raise CniError(Code.DECODING_FAILURE, "the configuration is no JSON object")
    return found


def request(environment: Mapping[str, str], config: Mapping[str, Any]) -> Request:
    """Return what a runtime asks.

    Raises:
      CniError: with everything that is wrong in the environment, or in the configuration.
    """
    command = environment.get("CNI_COMMAND", "")
    if command not in COMMANDS:
        raise CniError(Code.INVALID_ENVIRONMENT, f"CNI_COMMAND is {command!r}; it is one of {', '.join(COMMANDS)}")
    version = config.get("cniVersion")
    if command == "VERSION":
        return Request(command, version_of(config))
    if version not in SUPPORTED:
        message = f"cniVersion is {version!r}; netlab-cni has {', '.join(SUPPORTED)}"
        raise CniError(Code.INCOMPATIBLE_VERSION, message)
    read = _Config(config)
    name, lab = read.text("name"), read.text("lab")
    node, network = read.text("node"), read.text("network")
    if not NAME.fullmatch(name):
        read.wrong.append(f"name is {name!r}, which is no name of a network")
    try:
        LabName(lab)
    except UsageError as error:
        read.wrong.append(f"lab: {error}")
    read.check("node", node, dns_subdomain)
    read.check("network", network, dns_label)
    extra = _container(environment, read) if command in _OF_CONTAINER else {}
    previous = read.previous() if command == "CHECK" else ()
    attachments = read.attachments() if command == "GC" else frozenset()
    if read.wrong:
        raise CniError(Code.INVALID_CONFIGURATION, "the network configuration is wrong", "; ".join(read.wrong))
    return Request(command, version, name, lab, node, network, previous=previous, attachments=attachments, **extra)


def _container(environment: Mapping[str, str], read: _Config) -> dict[str, Any]:
    """Return the fields of a request that tell the container and its pod."""
    wrong: list[str] = []
    container = environment.get("CNI_CONTAINERID", "")
    if not NAME.fullmatch(container) or len(container) > _LONGEST_ID:
        wrong.append(f"CNI_CONTAINERID is {container[:_LONGEST_ID]!r}, which is no container ID")
    interface = environment.get("CNI_IFNAME", "")
    if not INTERFACE.fullmatch(interface):
        wrong.append(f"CNI_IFNAME is {interface[:40]!r}, which is no name of an interface")
    elif interface != "eth0":
        wrong.append(f"CNI_IFNAME is {interface!r}; pods of a lab have one interface, eth0")
    netns = environment.get("CNI_NETNS", "")
    if not netns and environment.get("CNI_COMMAND") != "DEL":
        wrong.append("CNI_NETNS is missing")
    if netns and (not netns.startswith("/") or "\0" in netns or len(netns) > 4096):
        wrong.append(f"CNI_NETNS is {netns[:80]!r}, which is no absolute path")
    arguments = _arguments(environment.get("CNI_ARGS", ""), wrong)
    space, name = arguments.get("K8S_POD_NAMESPACE", "default"), arguments.get("K8S_POD_NAME", "")
    named = bool(name)
    wrong += [f"K8S_POD_NAMESPACE is {space!r}: {message}" for message in dns_label(space)]
    wrong += [f"K8S_POD_NAME is {name!r}: {message}" for message in (dns_subdomain(name) if name else ())]
    if wrong:
        raise CniError(Code.INVALID_ENVIRONMENT, "the environment is wrong", "; ".join(wrong))
    return {
        "container": container,
        "interface": interface,
        "netns": netns,
        "pod": f"{space}/{name or _name_of(container)}",
        "named": named,
        "labels": read.labels(),
        "ports": read.ports(),
        "addresses": read.addresses(),
    }


def _name_of(container: str) -> str:
    """Return the name of the pod of a container that the runtime does not name."""
    low = re.sub("[^a-z0-9]", "", container.lower())
    return f"container-{low[:12]}" if low[:12] == container[:12] else f"container-{_digest(container)}"


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=6).hexdigest()


def _arguments(text: str, wrong: list[str]) -> dict[str, str]:
    """Return the pairs of ``CNI_ARGS``; unknown keys are left to their readers."""
    found: dict[str, str] = {}
    for pair in filter(None, text.split(";")):
        key, equals, value = pair.partition("=")
        if not equals:
            wrong.append(f"CNI_ARGS has {pair[:80]!r}, which is no KEY=VALUE")
        found[key] = value
    return found


class _Config:
    """Reads a network configuration; ``wrong`` collects what is wrong."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self.wrong: list[str] = []

    def text(self, key: str) -> str:
        value = self._config.get(key, "")
        if not isinstance(value, str):
            self.wrong.append(f"{key} is no string")
            return ""
        return value

    def check(self, key: str, value: str, rule: Any) -> None:
        self.wrong += [f"{key} is {value[:80]!r}: {message}" for message in (rule(value) if value else ())]

    def labels(self) -> dict[str, str]:
        """Return the pod's labels: those of ``labels``, and of ``args.cni.labels``."""
        found: dict[Any, Any] = {**self._mapping(self._config, "labels")}
        for item in self._list(self._arguments(), "labels"):
            if isinstance(item, dict) and isinstance(item.get("key"), str):
                found[item["key"]] = item.get("value", "")
            else:
                self.wrong.append("args.cni.labels has an item without a key")
        for key, value in found.items():
            if not isinstance(key, str) or not isinstance(value, str):
                self.wrong.append("a label is no string")
                continue
            self.wrong += [f"label {key[:80]!r}: {message}" for message in (*label_key(key), *label_value(value))]
        return found

    def ports(self) -> tuple[Port, ...]:
        """Return the published ports."""
        found = []
        for item in self._list(self._mapping(self._config, "runtimeConfig"), "portMappings"):
            one = item if isinstance(item, dict) else {}
            numbers: tuple[Any, Any] = one.get("containerPort"), one.get("hostPort", 0)
            protocol, address = str(one.get("protocol") or "tcp").upper(), one.get("hostIP") or ""
            fits = all(type(n) is int and low <= n <= _LAST_PORT for low, n in zip((1, 0), numbers, strict=True))
            if not fits or protocol not in _PROTOCOLS or not self._is_address(address, empty=True):
                self.wrong.append("runtimeConfig.portMappings has an item that is no mapping of a port")
            else:
                found.append(Port(*numbers, protocol, address))
        return tuple(found)

    def addresses(self) -> tuple[Address, ...]:
        """Return the addresses that the runtime wants: ``runtimeConfig.ips`` or ``args.cni.ips``."""
        runtime = self._mapping(self._config, "runtimeConfig")
        found = []
        for item in self._list(runtime, "ips") or self._list(self._arguments(), "ips"):
            text = item.partition("/")[0] if isinstance(item, str) else item
            if self._is_address(text):
                found.append(ip_address(text))
            else:
                self.wrong.append("ips has an item that is no address")
        return tuple(found)

    def previous(self) -> tuple[str, ...]:
        """Return the addresses of ``prevResult``."""
        result = self._mapping(self._config, "prevResult")
        if not result:
            self.wrong.append("prevResult is missing")
        items = [item for item in self._list(result, "ips") if isinstance(item, dict)]
        return tuple(str(item.get("address", "")).partition("/")[0] for item in items)

    def attachments(self) -> frozenset[tuple[str, str]]:
        """Return the attachments that GC keeps."""
        if not isinstance(self._config.get("cni.dev/valid-attachments"), list):
            # Without the list GC would remove every container of the network.
            self.wrong.append("cni.dev/valid-attachments is missing")
        found = set()
        for item in self._list(self._config, "cni.dev/valid-attachments"):
            one = item if isinstance(item, dict) else {}
            pair = one.get("containerID"), one.get("ifname")
            if not all(isinstance(text, str) and text for text in pair):
                self.wrong.append("cni.dev/valid-attachments has an item without containerID or ifname")
            else:
                found.add((str(pair[0]), str(pair[1])))
        return frozenset(found)

    def _arguments(self) -> Mapping[str, Any]:
        return self._mapping(self._mapping(self._config, "args"), "cni")

    def _mapping(self, of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = of.get(key) or {}
        if not isinstance(value, dict):
            self.wrong.append(f"{key} is no object")
            return {}
        return value

    def _list(self, of: Mapping[str, Any], key: str) -> list[Any]:
        value = of.get(key) or []
        if not isinstance(value, list) or len(value) > (_MOST_ITEMS if key != "cni.dev/valid-attachments" else 65536):
            self.wrong.append(f"{key} is no list, or too long")
            return []
        return value

    @staticmethod
    def _is_address(text: Any, *, empty: bool = False) -> bool:
        if empty and text == "":
            return True
        try:
            ip_address(text if isinstance(text, str) else "")
        except ValueError:
            return False
        return True
