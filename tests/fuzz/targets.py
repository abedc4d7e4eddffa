"""The targets of the fuzzer: each is a strategy and a property of all that it draws."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from . import properties, strategies


@dataclass(frozen=True)
class Target:
    """A strategy, the property of its values, and how a value is written to and read from the corpus."""

    strategy: st.SearchStrategy[Any]
    holds: Callable[[Any], None]
    dump: Callable[[Any], bytes]
    load: Callable[[bytes], Any]


_RECORD: dict[str, Any] = {
    "version": 1,
    "lab": "fuzzed",
    "boot": "",
    "ready": True,
    "namespaces": ["netlab.fuzzed.node.node-1", "netlab.fuzzed.pod.shop.web-0"],
    "placement": {"shop/web-0": ["node-1", ["10.244.0.2"]]},
    "documents": [
        {
            "file": "a.yaml",
            "lines": {"": 1, "kind": 2},
            "duplicates": [],
            "data": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "namespace": "shop"}, "spec": {}},
        }
    ],
}


@st.composite
def _records(draw: st.DrawFn) -> bytes:
    data: Any = json.loads(json.dumps(_RECORD))
    data["boot"] = draw(st.sampled_from(["", "this"]))
    if data["boot"]:
        from netlab.kernel.privilege import boot_id

        data["boot"] = boot_id()
    data["ready"] = draw(st.booleans())
    for _ in range(draw(st.integers(0, 3))):
        places = list(strategies._places(data))
        if not places:
            break
        *above, last = draw(st.sampled_from(places))
        holder: Any = data
        for key in above:
            holder = holder[key]
        if draw(st.booleans()):
            holder[last] = draw(
                st.one_of(
                    strategies.scalars, st.sampled_from(["/proc/1/ns/net", "../../proc/1/ns/net", "netlab.other.x"])
                )
            )
        else:
            del holder[last]
    content = json.dumps(data, ensure_ascii=True).encode()
    return content[: draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]


_OPTIONS = [
    "--strict",
    "--port",
    "--family",
    "--nodes",
    "--self",
    "--group",
    "-o",
    "--node",
    "-n",
    "-v",
    "--lab",
    "-f",
    "--",
]
_WORDS = [
    "80",
    "53/UDP",
    "ICMP",
    "0",
    "4",
    "6",
    "table",
    "json",
    "wide",
    "yaml",
    "shop/p",
    "p:80",
    "[::1]:80",
    "host:",
    "-",
]


@st.composite
def _command_lines(draw: st.DrawFn) -> tuple[list[str], bytes]:
    command = draw(st.sampled_from(["check", "lint", "reach", "explain", "compile", "test"]))
    words = st.one_of(st.sampled_from(_OPTIONS), st.sampled_from(_WORDS), strategies.names)
    line = [command, "-f", "-", *draw(st.lists(words, max_size=6))]
    return [word.replace("\x00", "") for word in line], draw(strategies.texts())


def _same(content: bytes) -> bytes:
    return content


TARGETS: dict[str, Target] = {
    "input": Target(strategies.texts(), properties.input_holds, _same, _same),
    "text": Target(
        st.text(),
        properties.parse_holds,
        lambda t: t.encode("utf-8", "surrogatepass"),
        lambda b: b.decode("utf-8", "surrogatepass"),
    ),
    "name": Target(
        strategies.names,
        properties.name_holds,
        lambda t: t.encode("utf-8", "surrogatepass"),
        lambda b: b.decode("utf-8", "surrogatepass"),
    ),
    "conflist": Target(
        strategies.lists, properties.conflist_holds, lambda d: json.dumps(d).encode(), lambda b: json.loads(b)
    ),
    "plugin": Target(
        strategies.calls, properties.plugin_holds, lambda d: json.dumps(d).encode(), lambda b: json.loads(b)
    ),
    "record": Target(_records(), properties.record_holds, _same, _same),
    "flags": Target(
        _command_lines(),
        lambda drawn: properties.flags_hold(*drawn),
        lambda drawn: json.dumps({"arguments": drawn[0], "input": drawn[1].decode("latin-1")}).encode(),
        lambda b: ((d := json.loads(b))["arguments"], d["input"].encode("latin-1")),
    ),
}
"""Targets ``name``, ``record`` and ``flags`` run in a sandbox only: a fault of netlab could change the host."""

HARMLESS = ("input", "text")
