"""Random objects of a kind: valid ones, ones with a hostile field, and ones with several.

The fields are those that netlab declares for the kind, so a new field is drawn without further work.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from ipaddress import IPv4Address
from random import Random
from typing import Any

from netlab.objects import kind as kinds
from netlab.objects.field_types import (
    Choice,
    Flag,
    OneOf,
    Part,
    Parts,
    Raw,
    Switch,
    Text,
    TextMap,
    Texts,
    Unread,
    Whole,
)
from netlab.objects.shapes import Field, Shape

from .whole_objects import CUSTOM, WHOLE, Object

_LONG = "a" * 63
NAMES = (
    *("a", "web", "a-b", "1", "a1", "0a", "x.y", "a.b.c", "A", "Web", "-a", "a-", "a_b", "a..b", ".a", "a."),
    *(
        "a b",
        " a",
        "a\n",
        "ä",
        "日本",
        "\u0130",
        "a/b",
        "a/b/c",
        "/a",
        "a/",
        "*",
        "*.a",
        "*.example.com",
        "a.*.b",
        "**",
    ),
    *(_LONG, f"{_LONG}a", "ä" * 32, ".".join([_LONG] * 4), ".".join([_LONG] * 3), "a" * 254, "a." * 126 + "a"),
    *(f"{_LONG[:10]}/{_LONG}", f"{_LONG[:10]}/{_LONG}a", f"{'a' * 254}/b", "example.com/", "Example.com/x"),
)
PORT_NAMES = ("http", "a" * 15, "a" * 16, "8080", "a--b", "-a", "a-", "HTTP", "a_b", "http2", "1-a", "80a")
ADDRESSES = (
    *("10.0.0.1", "192.0.2.7", "010.0.0.1", "10.0.0.256", "10.0.0", "10.0.0.1 ", "::1", "fe80::1", "fe80::1%eth0"),
    *(
        "127.0.0.1",
        str(IPv4Address(0)),
        "::",
        "169.254.0.1",
        "224.0.0.1",
        "ff02::1",
        "239.1.2.3",
        "::ffff:10.0.0.1",
        "1.2.3.4.5",
    ),
    *("fd00::1", "FD00::1", "fd00:0::1", "fd00::00001", "10.0.0.1/32", "255.255.255.255", "10.96.0.9", "10.96.9.99"),
    *("::10.0.0.1", "0x0a.0.0.1", "10.0.0.+1", "fd00::1::2", "[fd00::1]", "2001:db8::ffff", "ff01::1", "ff05::2"),
)
CIDRS = (
    *("10.0.0.0/8", "10.0.0.0/08", "10.0.0.1/8", "010.0.0.0/8", "::ffff:10.0.0.0/104", "10.0.0.0/33", "10.0.0.0"),
    *("0.0.0.0/0", "::/0", "fd00::/8", "fd00::1/8", "FD00::/8", "fd00::/008", "fd00::/129", "10.0.0.0/-1", "/8"),
    *("10.0.0.0/", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "192.168.0.0/16", "fd00:1::/32", "10.0.0.0/8 "),
    *("::ffff:10.1.0.0/112", "::ffff:10.0.0.0/90", "10.0.0.0/+8", "1.2.3/8", "10.0.0.0/8/8", "fe80::%eth0/64"),
)
HOSTS = ("shop.example", "*.shop.example", "*", "*.", "a.*", "10.0.0.1", "SHOP.example", "a_b.example", "shop.example.")
PATHS = (
    *("/", "/a", "a", "", "/a/", "//", "/a//b", "/./a", "/a/..", "/a/.", "/../a", "/%2f", "/%2F", "/a b", "*", "/*"),
    *("/a;b", "/(a|b)", "/ä", "/" + "a" * 3000),
)
CONTROLLERS = (
    "example.com/a",
    "example.com/",
    "/a",
    "example.com",
    "example.com/a/b",
    "a" * 251,
    "Example.com/a",
    "x/ä",
)
SHARES = ("25%", "0%", "100%", "101%", "0", "1", "-1%", "a%", "%", "25 %", "1.5%", "0025%", "99999999999%")
WORDS = (
    *("TCP", "tcp", "UDP", "SCTP", "ICMP", "Ingress", "Egress", "ingress", "In", "NotIn", "Exists", "DoesNotExist"),
    *("Gt", "IPv4", "IPv6", "FQDN", "None", "Local", "Cluster", "ClusterIP", "ClientIP", "VIP", "True", "Always"),
    *("Accept", "Admin", "Namespace", "Prefix", "Exact", "RollingUpdate", "Recreate", "OnDelete", "Indexed"),
)
NUMBERS = (
    *(-1, 0, 1, 2, 53, 79, 80, 81, 1000, 1001, 2000, 10250, 29999, 30000, 32767, 32768, 65535, 65536, 86400, 86401),
    *(100_000, 2**31 - 1, 2**31, -(2**31), 2**63),
)
_POOLS: dict[str, tuple[str, ...]] = {
    "cidr": CIDRS,
    "except": CIDRS,
    "podCIDR": CIDRS,
    "podCIDRs": CIDRS,
    "networks": CIDRS,
    "loadBalancerSourceRanges": CIDRS,
    "ip": ADDRESSES,
    "hostIP": ADDRESSES,
    "address": ADDRESSES,
    "addresses": ADDRESSES,
    "nameservers": ADDRESSES,
    "clusterIP": ("None", "", *ADDRESSES),
    "clusterIPs": ("None", *ADDRESSES),
    "externalIPs": ADDRESSES,
    "loadBalancerIP": ADDRESSES,
    "host": HOSTS,
    "hosts": HOSTS,
    "hostnames": HOSTS,
    "searches": (*HOSTS, ".", "_x.example"),
    "domainNames": HOSTS,
    "externalName": (*HOSTS, *ADDRESSES[:4]),
    "path": PATHS,
    "controller": CONTROLLERS,
    "port": PORT_NAMES,
    "targetPort": PORT_NAMES,
    "destinationNamedPort": PORT_NAMES,
    "maxSurge": SHARES,
    "maxUnavailable": SHARES,
}
_MISTYPED: tuple[Any, ...] = (True, 5, 1.5, "", "x", [], {}, ["x"], {"a": "b"}, [1], {"a": 1}, [None], "80", 80.0)


def fields_of(kind: str) -> dict[str, Field[Any]]:
    """Return every declared field of a kind that a random object may change, by its path without indices.

    Not changed: what the server writes, and the status, which a creation ignores.
    """
    shape = _shape(kind)
    found = {}
    for path, inner in shape.walk():
        for name, one in inner.fields.items():
            at = f"{path.removesuffix('[]')}.{name}".lstrip(".").replace("[]", "")
            if not isinstance(one, Unread) and not _left_alone(at):
                found[at] = one
    return found


def _left_alone(path: str) -> bool:
    return path.startswith("status") or path in (
        *("apiVersion", "kind", "metadata", "metadata.namespace", "metadata.deletionTimestamp"),
    )


def random_objects(kind: str, count: int, seed: int = 0) -> Iterator[Object]:
    """Yield objects of a kind; the same seed gives the same objects."""
    bases = (WHOLE | CUSTOM)[kind]
    for number in range(count):
        rng = Random(f"{kind} {seed} {number}")  # noqa: S311
        # Through JSON, so that no two places share a part.
        one = json.loads(json.dumps(rng.choice(bases)))
        for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 3, 6))):
            _change(rng, one, _shape(kind))
        yield one


def _shape(kind: str) -> type[Shape]:
    found = kinds.get(kind)
    assert found is not None
    assert found.shape is not None
    return found.shape


def places(data: Object, shape: type[Shape], path: str = "") -> Iterator[tuple[str, Object, Field[Any]]]:
    """Yield (path, mapping, field) for each declared field of the mappings of an object, written or not."""
    for name, one in shape.fields.items():
        at = f"{path}.{name}".lstrip(".")
        if isinstance(one, Unread) or (_left_alone(at) and at != "metadata"):
            continue
        if at != "metadata":
            yield at, data, one
        value = data.get(name)
        if isinstance(one, Part) and isinstance(value, dict):
            yield from places(value, one.shape, at)
        elif isinstance(one, Parts) and isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    yield from places(item, one.shape, at)


def _change(rng: Random, data: Object, shape: type[Shape]) -> None:
    found: dict[str, list[tuple[Object, Field[Any]]]] = {}
    for path, mapping, one in places(data, shape):
        found.setdefault(path, []).append((mapping, one))
    mapping, one = rng.choice(found[rng.choice(list(found))])
    how = rng.random()
    if how < 0.08:
        mapping.pop(one.name, None)
    elif how < 0.14:
        mapping[one.name] = None
    elif how < 0.2:
        mapping[one.name] = copy.deepcopy(rng.choice(_MISTYPED))
    elif how < 0.22 and shape.strict:
        mapping[f"{one.name}x"] = copy.deepcopy(mapping.get(one.name))
    else:
        mapping[one.name] = _value(rng, one, mapping.get(one.name))


def _value(rng: Random, one: Field[Any], old: Any) -> Any:
    if isinstance(one, Parts):
        return _items(rng, old)
    if isinstance(one, Part):
        return rng.choice(({}, old))
    if isinstance(one, Texts):
        return _texts(rng, one, old)
    if isinstance(one, TextMap):
        return _mapping(rng, old)
    if isinstance(one, Whole):
        return rng.choice(NUMBERS)
    if isinstance(one, (Flag, Switch)):
        return rng.choice((True, False))
    if isinstance(one, Raw):
        return rng.choice((*NUMBERS, *_POOLS.get(one.name, NAMES)))
    if isinstance(one, (Choice, OneOf, Text)):
        return _text(rng, one)
    return old


def _text(rng: Random, one: Field[Any]) -> str:
    listed = getattr(one, "values", ())
    if values := (listed() if callable(listed) else listed):
        return str(rng.choice((*values, *values, "", *WORDS)))
    own = _POOLS.get(one.name, PORT_NAMES if one.name == "name" and rng.random() < 0.3 else NAMES)
    return rng.choice(own if rng.random() < 0.8 else (*NAMES, *ADDRESSES, *CIDRS, *WORDS, ""))


def _items(rng: Random, old: Any) -> Any:
    """Change a list of mappings: none, fewer, one of them twice, or a null among them."""
    items = copy.deepcopy(old) if isinstance(old, list) else []
    how = rng.random()
    if how < 0.3 or not items:
        return [] if how < 0.2 else [{}]
    if how < 0.5:
        items.pop(rng.randrange(len(items)))
    elif how < 0.8:
        items.append(copy.deepcopy(rng.choice(items)))
    elif how < 0.9:
        items.insert(rng.randrange(len(items) + 1), None)
    else:
        items.insert(rng.randrange(len(items) + 1), {})
    return items


def _texts(rng: Random, one: Texts, old: Any) -> Any:
    items = list(old) if isinstance(old, list) else []
    how = rng.random()
    if how < 0.1:
        return []
    if how < 0.2 and items:
        return [*items, items[0]]
    if how < 0.25:
        return [*items, None]
    if how < 0.7 and items:
        items[rng.randrange(len(items))] = _text(rng, one)
        return items
    return [_text(rng, one) for _ in range(rng.choice((1, 1, 2, 3, 4)))]


def _mapping(rng: Random, old: Any) -> Any:
    found = dict(old) if isinstance(old, dict) else {}
    how = rng.random()
    if how < 0.1:
        return {}
    if how < 0.4:
        found[rng.choice(NAMES)] = "x"
    elif how < 0.8:
        found[rng.choice([*found, "y"])] = rng.choice((*NAMES, ""))
    elif how < 0.9:
        found[rng.choice([*found, "y"])] = None
    else:
        found[rng.choice([*found, "y"])] = copy.deepcopy(rng.choice(_MISTYPED))
    return found
