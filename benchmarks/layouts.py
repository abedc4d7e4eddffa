"""nftables rulesets for one policy: netlab's, one with a chain per pod and policy, and minimal ones."""

from __future__ import annotations

from benchmarks.pods import PORT, Shop
from netlab.ruleset import compile_rulesets

_STATE = "ct state vmap { established : accept, related : accept, invalid : drop, untracked : accept }"

NOTHING = ""
"""No ruleset: the router only forwards."""

TRACKED = f"""\
table inet floor {{
	chain forward {{
		type filter hook forward priority filter; policy accept;
		{_STATE}
	}}
	chain nat {{
		type nat hook postrouting priority srcnat; policy accept;
	}}
}}
"""
"""Connection tracking and a NAT hook, which every stateful policy needs, without policy."""


def lookups(shop: Shop) -> str:
    """Return a lookup of each address and no policy: the minimum for any layout that tells pods apart."""
    pods = [address for n in shop.namespaces for address in (*shop.clients(n), *shop.servers(n))]
    elements = ", ".join(f"{address} : {number:#x}" for number, address in enumerate(pods, start=1))
    return f"""\
table inet lookups {{
	map pods {{ type ipv4_addr : mark; elements = {{ {elements} }}; }}
	chain forward {{
		type filter hook forward priority filter; policy accept;
		{_STATE}
		ct mark set ip saddr map @pods
		ct mark set ip daddr map @pods
	}}
	chain nat {{
		type nat hook postrouting priority srcnat; policy accept;
	}}
}}
"""


def netlab(shop: Shop) -> str:
    """Return netlab's ruleset for the cluster's node, without the bridge table: the router has no bridge."""
    return compile_rulesets(shop.cluster())["node-0"].text()


def chains(shop: Shop) -> str:
    """Return a chain for every pod that jumps to one for every policy that selects it, by which the pod is found.

    A policy's chain marks what it allows; the pod's chain returns on the mark after each of them, and drops at its end.
    """
    lines = ["table inet chains {"]
    maps: dict[str, list[str]] = {"in": [], "out": []}
    for namespace in shop.namespaces:
        sides = (
            ("in", shop.servers(namespace), "saddr", shop.clients(namespace)),
            ("out", shop.clients(namespace), "daddr", shop.servers(namespace)),
        )
        for way, pods, end, peers in sides:
            name = f"{way}_{namespace}"
            elements = ", ".join(map(str, peers))
            lines.append(f"\tset {name} {{ type ipv4_addr; elements = {{ {elements} }}; }}")
            for number in range(shop.policies):
                rule = f"ip {end} @{name} udp dport {PORT + number} meta mark set 1"
                lines.append(f"\tchain policy_{name}_{number} {{ {rule}; }}")
            jumps = "".join(f"jump policy_{name}_{n}; meta mark 1 return; " for n in range(shop.policies))
            for address in pods:
                pod = f"pod_{way}_{int(address):x}"
                lines.append(f"\tchain {pod} {{ meta mark set 0; {jumps}drop; }}")
                maps[way].append(f"{address} : jump {pod}")
    for way, entries in maps.items():
        elements = ", ".join(entries)
        lines.append(f"\tmap pods_{way} {{ type ipv4_addr : verdict; elements = {{ {elements} }}; }}")
    lines += [
        "\tchain forward {",
        "\t\ttype filter hook forward priority filter; policy accept;",
        f"\t\t{_STATE}",
        "\t\tip saddr vmap @pods_out",
        "\t\tip daddr vmap @pods_in",
        "\t}",
        "\tchain nat {",
        "\t\ttype nat hook postrouting priority srcnat; policy accept;",
        "\t}",
        "}",
    ]
    return "\n".join(lines) + "\n"
