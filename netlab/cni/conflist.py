"""A network configuration list (``.conflist``): read, checked, and turned into what each plugin gets on its input.

Source: SPEC.md 1.1.0, sections 1 and 3. The list may be untrusted, so names, sizes and numbers have limits, and
fields that netlab sets itself, or that name files of the host, are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from netlab.cni.types import INTERFACE, NAME, VERSIONS, Json, Result, at_least, major_minor
from netlab.frozen import frozen

MOST_PLUGINS = 16
MOST_BYTES = 256 << 10
_MOST_DEPTH = 16
_HOST_LOCAL = "host-local"
PORT_MAPPINGS, BANDWIDTH = "portMappings", "bandwidth"
# Fields that the runtime sets (SPEC.md, "Reserved keys"), and those that read any file of the host (host-local).
_RESERVED = ("runtimeConfig", "args", "prevResult")
_READS_FILES = ("resolvConf", "kubeconfig")
# Arguments of iptables, or expressions of nftables (portmap). ``--modprobe`` of iptables runs any program.
_RUNS_PROGRAMS = ("conditionsV4", "conditionsV6")
# Go's encoding/json reads a field whatever the case of its name is.
_EXACT = {
    name.casefold(): name
    for name in (
        *(*_RESERVED, *_READS_FILES, *_RUNS_PROGRAMS, "type", "name", "cniVersion", "capabilities", "ipam", "dataDir"),
        *("bridge", "master", "device", "subnet", "ranges", "routes", "isGateway", "isDefaultGateway", "ipMasq"),
    )
}


class ConflistError(ValueError):
    """A list that cannot be used; ``problems`` are pairs of a field's path and what is wrong with it."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {message}" if path else message for path, message in problems))
        self.problems = tuple(problems)


@frozen
class Conflist:
    """A checked list: ``text`` is its JSON in one form, so that equal lists are equal."""

    text: str

    @property
    def data(self) -> Json:
        found: Json = json.loads(self.text)
        return found

    @property
    def name(self) -> str:
        """The network's name for the plugins."""
        return str(self.data["name"])

    @property
    def plugins(self) -> list[Json]:
        """The configurations of the plugins, in order."""
        return list(self.data["plugins"])

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that the list is for, from first to last."""
        data = self.data
        return tuple(sorted({data.get("cniVersion") or "0.1.0", *data.get("cniVersions", ())}, key=major_minor))

    @property
    def checks(self) -> bool:
        """Whether CHECK may be called."""
        return not self.data.get("disableCheck", False)

    @property
    def collects(self) -> bool:
        """Whether GC may be called."""
        return not self.data.get("disableGC", False)

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of all plugins that the list needs, those for addresses too."""
        found = [one["type"] for one in self.plugins]
        found += [one["ipam"]["type"] for one in self.plugins if one.get("ipam", {}).get("type")]
        return tuple(dict.fromkeys(found))

    @property
    def kind(self) -> str:
        """The type of the first plugin, which makes the pod's link."""
        return str(self.plugins[0]["type"])

    @property
    def masquerades(self) -> bool:
        """Whether a plugin masquerades what leaves the network (``ipMasq``)."""
        return any(one.get("ipMasq") is True for one in self.plugins)

    @property
    def publishes(self) -> bool:
        """Whether a plugin publishes ports of pods on their node."""
        return self.has_capability(PORT_MAPPINGS)

    def has_capability(self, name: str) -> bool:
        """Return whether a plugin of the list declares a capability."""
        return any(one.get("capabilities", {}).get(name) is True for one in self.plugins)

    @property
    def has_gateway(self) -> bool:
        """Whether the node gets an address on the network: the bridge plugin makes it on request, ptp always."""
        first = self.plugins[0]
        return first["type"] != "bridge" or bool(first.get("isGateway") or first.get("isDefaultGateway"))

    @property
    def has_default_route(self) -> bool:
        """Whether a pod gets a default route; netlab asks for one where it gives the range."""
        first = self.plugins[0]
        routes = first.get("ipam", {}).get("routes") or []
        found = any(str(route.get("dst")).endswith("/0") for route in routes if isinstance(route, dict))
        return found or first.get("isDefaultGateway") is True or (self.takes_range and not routes)

    @property
    def takes_range(self) -> bool:
        """Whether netlab gives the pods' range: the list leaves it to a ``host-local`` without one."""
        ipam = self.plugins[0].get("ipam", {})
        return ipam.get("type") == _HOST_LOCAL and not ipam.get("subnet") and not ipam.get("ranges")

    @property
    def ranges(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The ranges that the list itself gives to ``host-local``, each once, in order."""
        ipam = self.plugins[0].get("ipam", {})
        texts = [ipam["subnet"]] if isinstance(ipam.get("subnet"), str) else []
        for one in ipam.get("ranges") or []:
            texts += [part["subnet"] for part in one if isinstance(part, dict) and isinstance(part.get("subnet"), str)]
        return tuple(dict.fromkeys(ip_network(text, strict=False) for text in texts))

    def request(
        self,
        index: int,
        version: str,
        *,
        ranges: Sequence[IPv4Network | IPv6Network] = (),
        capabilities: Mapping[str, Any] | None = None,
        result: Result | None = None,
        addresses: Sequence[str] = (),
        valid: Sequence[tuple[str, str]] | None = None,
    ) -> Json:
        """Return the configuration that a plugin gets (SPEC.md, "Deriving request configuration").

        Args:
          index: of the plugin in the list.
          version: of the protocol.
          ranges: for ``host-local``, where the list has none.
          capabilities: what the runtime offers; a plugin gets what it declares.
          result: of the plugin before, or of ADD.
          addresses: that the pod should have, where the plugin follows ``args.cni.ips`` (CONVENTIONS.md).
          valid: for GC, the container ID and interface of each attachment that is still there.
        """
        one = dict(self.plugins[index])
        declared = one.pop("capabilities", {})
        one["cniVersion"], one["name"] = version, self.name
        if one.get("ipam", {}).get("type") == _HOST_LOCAL:
            ipam = {key: value for key, value in one["ipam"].items() if key != "dataDir"}
            if ranges and self.takes_range:
                ipam["ranges"] = [[{"subnet": str(cidr)}] for cidr in ranges]
                if not one.get("isDefaultGateway") and not ipam.get("routes"):
                    ipam["routes"] = [{"dst": _default(cidr)} for cidr in ranges]
            one["ipam"] = ipam
        if valid is not None:
            one["cni.dev/valid-attachments"] = [{"containerID": ident, "ifname": name} for ident, name in valid]
            return one
        offered = {k: v for k, v in (capabilities or {}).items() if declared.get(k) is True}
        if offered:
            one["runtimeConfig"] = offered
        if addresses:
            one["args"] = {"cni": {"ips": list(addresses)}}
        if result is not None:
            one["prevResult"] = result.document(version)
        return one


def _default(cidr: IPv4Network | IPv6Network) -> str:
    return "0.0.0.0/0" if cidr.version == 4 else "::/0"


def conflist(data: Any) -> Conflist:
    """Return the list of JSON data.

    Raises:
      ConflistError: with all that is wrong.
    """
    problems = list(_problems(data))
    if problems:
        raise ConflistError(problems)
    return Conflist(json.dumps(data, sort_keys=True, separators=(",", ":")))


def _problems(data: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(data, dict):
        yield "", "must be an object with name, cniVersion and plugins"
        return
    if _depth(data) > _MOST_DEPTH:
        yield "", f"is nested deeper than {_MOST_DEPTH}"
        return
    try:
        size = len(json.dumps(data))
    except (TypeError, ValueError):
        yield "", "must hold what JSON can hold"
        return
    if size > MOST_BYTES:
        yield "", f"is longer than {MOST_BYTES >> 10} KiB"
        return
    if not isinstance(data.get("name"), str) or not NAME.fullmatch(data["name"]):
        yield "name", f"must be a name of letters, digits, '_', '.' and '-', not {data.get('name')!r}"
    yield from _version_problems(data)
    for key in ("disableCheck", "disableGC", "loadOnlyInlinedPlugins"):
        if not isinstance(data.get(key, False), bool):
            yield key, "must be true or false"
    plugins = data.get("plugins")
    if not isinstance(plugins, list) or not 1 <= len(plugins) <= MOST_PLUGINS:
        yield "plugins", f"must be a list of 1 to {MOST_PLUGINS} plugins"
        return
    for index, one in enumerate(plugins):
        yield from _plugin_problems(f"plugins[{index}]", one)


def _version_problems(data: Json) -> Iterator[tuple[str, str]]:
    several = data.get("cniVersions", [])
    if not isinstance(several, list) or len(several) > len(VERSIONS):
        yield "cniVersions", "must be a list of versions"
        several = []
    named = [("cniVersion", data.get("cniVersion", "")), *((f"cniVersions[{i}]", v) for i, v in enumerate(several))]
    for path, version in named:
        if version not in VERSIONS and not (path == "cniVersion" and version == ""):
            yield path, f"must be one of {', '.join(VERSIONS)}, not {version!r}"


def _plugin_problems(path: str, one: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(one, dict):
        yield path, "must be an object"
        return
    if "type" not in one:
        yield f"{path}.type", "is required"
    for key in one:
        if key in _RESERVED or key.casefold().startswith("cni.dev/"):
            yield f"{path}.{key}", "is set by the runtime"
    for key in ("capabilities", "ipam"):
        if not isinstance(one.get(key, {}), dict):
            yield f"{path}.{key}", "must be an object"
            return
    for at, key, value in _fields(path, one):
        if key == "type" and (not isinstance(value, str) or not NAME.fullmatch(value)):
            yield at, f"must be the name of a plugin without a path, not {value!r}"
        elif key in _READS_FILES and value not in ("", None):
            yield at, "names a file of the host, and netlab gives plugins none"
        elif key in _RUNS_PROGRAMS and value not in ([], None):
            yield at, "has arguments of a program, and these can run other programs"
        elif (exact := _EXACT.get(key.casefold(), key)) != key:
            yield at, f"must be written {exact!r}, as plugins read it so whatever its case is"
        elif key in ("bridge", "master", "device") and isinstance(value, str) and not INTERFACE.fullmatch(value or "-"):
            yield at, f"must be the name of an interface, not {value!r}"
        elif key == "subnet" and not _is_prefix(value):
            yield at, f"must be a range such as 10.1.0.0/16, not {value!r}"
    ranges = one.get("ipam", {}).get("ranges") or []
    if not isinstance(ranges, list) or not all(isinstance(part, list) for part in ranges):
        yield f"{path}.ipam.ranges", "must be a list of lists"
    routes = one.get("ipam", {}).get("routes") or []
    if not isinstance(routes, list):
        yield f"{path}.ipam.routes", "must be a list"


def _is_prefix(value: Any) -> bool:
    try:
        return isinstance(value, str) and "%" not in value and bool(ip_network(value, strict=False))
    except ValueError:
        return False


def _fields(path: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the path, the name and the value of every field, of inner mappings too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}", str(key), inner
            yield from _fields(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _fields(f"{path}[{index}]", inner)


def _depth(value: Any) -> int:
    """Return how deep mappings and lists are nested, without recursion beyond the limit."""
    level, depth = [value], 0
    while level and depth <= _MOST_DEPTH:
        inner = [part for one in level if isinstance(one, (dict, list)) for part in _parts(one)]
        level, depth = inner, depth + 1
    return depth


def _parts(one: Any) -> list[Any]:
    return list(one.values()) if isinstance(one, dict) else one


def select(wanted: Sequence[str], supported: Sequence[Sequence[str]]) -> str:
    """Return the highest version of a list that all plugins support, or else the list's highest.

    Then a plugin refuses it, and its message names the versions (SPEC.md, "Version considerations").
    """
    ordered = sorted(wanted, key=major_minor, reverse=True)
    return next((one for one in ordered if all(one in each for each in supported)), ordered[0])


def has_check(version: str) -> bool:
    """Return whether a version has CHECK."""
    return at_least(version, "0.4.0")


def has_gc(version: str) -> bool:
    """Return whether a version has GC and STATUS."""
    return at_least(version, "1.1.0")
