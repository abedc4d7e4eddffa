"""The features of this host that netlab uses, found by trying each in a temporary network namespace."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Callable, Iterator
from typing import Literal

from netlab.errors import HostError, KernelError
from netlab.frozen import frozen
from netlab.kernel import libc, netns, nft, privilege, sysctl

Status = Literal["ok", "missing", "not tried"]


@frozen
class Feature:
    """One feature that netlab uses: whether the host has it, what was seen, and how to get it.

    ``needed`` is false for a feature that only some labs need; ``detail`` then says which.
    """

    name: str
    status: Status
    detail: str = ""
    fix: str = ""
    needed: bool = True


@frozen
class _Trial:
    """A part of nftables, tried in the smallest table that uses it: one chain, and a set or map.

    ``module`` is the kernel module of the part, or the kernel option where the part has no module.
    """

    name: str
    module: str
    chain: str
    sets: str = ""
    family: str = "inet"

    @property
    def script(self) -> str:
        chain = self.chain.replace("; ", "\n")
        return f"table {self.family} t {{\n{self.sets}\nchain c {{\n{chain}\n}}\n}}\ndelete table {self.family} t\n"


_FORWARD = "type filter hook forward priority filter; "
# What netlab's own rulesets use (netlab/ruleset).
_RULESETS = (
    _Trial("nft inet forward", "nf_tables", f"{_FORWARD}counter drop"),
    _Trial(
        "nft ct state",
        "nft_ct",
        f"{_FORWARD}ct state vmap {{ established : accept, invalid : drop, untracked : accept }}; ct mark set 0x1",
    ),
    _Trial(
        "nft maps",
        "nf_tables",
        f"{_FORWARD}meta priority set ip saddr map @m accept",
        "map m { type ipv4_addr : classid; elements = { 192.0.2.1 : 1:2 }; }",
    ),
    _Trial(
        "nft interval maps",
        "nf_tables",
        f"{_FORWARD}ct mark set ip saddr map @m accept",
        "map m { type ipv4_addr : mark; flags interval; elements = { 192.0.2.0/24 : 1 }; }",
    ),
    _Trial(
        "nft concatenations",
        "nf_tables",
        f"{_FORWARD}meta priority . ct mark . meta l4proto . th dport @s accept",
        "set s { type classid . mark . inet_proto . inet_service; elements = { 1:2 . 3 . tcp . 80 }; }",
    ),
    _Trial(
        "nft ranges in concatenations",
        "nf_tables",
        f"{_FORWARD}meta priority . meta l4proto . th dport @s accept",
        "set s { type classid . inet_proto . inet_service; flags interval; elements = { 1:2 . tcp . 80-90 }; }",
    ),
    _Trial("nft notrack", "nft_ct", "type filter hook prerouting priority raw; meta l4proto 253 notrack"),
    _Trial("nft masquerade", "nft_masq", "type nat hook postrouting priority srcnat; ip saddr 192.0.2.0/24 masquerade"),
    _Trial(
        "nft published ports",
        "nft_nat",
        "type nat hook prerouting priority dstnat; dnat ip to meta l4proto . th dport map @m",
        "map m { type inet_proto . inet_service : ipv4_addr . inet_service; elements = { tcp . 80 : 192.0.2.1 . 8 }; }",
    ),
    _Trial("nft fib", "nft_fib_inet", "type filter hook prerouting priority raw; fib daddr type local accept"),
    _Trial(
        "nft bridge",
        "CONFIG_NF_TABLES_BRIDGE",
        "type filter hook prerouting priority -300; iifname . ether saddr . ip saddr @s accept",
        "set s { type ifname . ether_addr . ipv4_addr; elements = { eth0 . 0a:58:c0:00:02:01 . 192.0.2.1 }; }",
        "bridge",
    ),
    _Trial(
        "nft raw payload in sets",
        "nf_tables",
        "type filter hook prerouting priority -300; icmpv6 type nd-neighbor-advert iifname . @th,64,128 @s accept",
        "set s { typeof iifname . @th,64,128; elements = { eth0 . 0xfd000000000000000000000000000002 }; }",
        "bridge",
    ),
)
_VXLAN, _MACVLAN = "only for overlay networks", "only for macvlan networks"
_LINKS = "only for links that delay, lose or limit packets"
_IPIP = "only for networks with transport ipip"
_WIREGUARD = "only to encrypt labs on many machines"
_IPV6 = "only for networks with an IPv6 podCIDR and hosts with an IPv6 address"


def features() -> Iterator[Feature]:
    """Yield every feature. Where this user may not make a network namespace, the rest is not tried."""
    yield Feature("kernel", "ok", os.uname().release)
    allowed = _privilege()
    yield allowed
    yield _user_namespaces()
    yield _nft_program()
    yield _nginx()
    if allowed.status != "ok":
        for name in ("veth", "bridge", "IPv6", "br_netfilter", "packet sockets", *(trial.name for trial in _RULESETS)):
            yield Feature(name, "not tried", "no network namespace to try it in")
        return
    with netns.returning():
        libc.unshare(libc.CLONE_NEWNET)
        found = [*_links(), _netem(), _ipv6(), _br_netfilter(), _packet_sockets(), *map(_ruleset, _RULESETS)]
    yield from found


def _privilege() -> Feature:
    """Try to make a network namespace, as root or in a user namespace."""
    as_root = privilege.privileged()
    try:
        privilege.enter()
        with netns.returning():
            libc.unshare(libc.CLONE_NEWNET)
    except HostError as error:
        return Feature("network namespaces", "missing", error.what, error.fix)
    except KernelError as error:
        return Feature("network namespaces", "missing", str(error), "run netlab with sudo")
    return Feature("network namespaces", "ok", "as root" if as_root else "in a user namespace")


def _user_namespaces() -> Feature:
    """Read the settings that forbid user namespaces to ordinary users."""
    name = "user namespaces"
    found = privilege.forbidding_setting()
    if found is None:
        return Feature(name, "ok", "for use without root", needed=False)
    setting, forbids, allows = found
    return Feature(
        name, "missing", f"for use without root: {setting}={forbids}", f"sudo sysctl -w {setting}={allows}", False
    )


def _nft_program() -> Feature:
    try:
        path = nft.program()
        version_text = nft.call(["--version"], seconds=10)
    except HostError as error:
        return Feature("nft", "missing", error.what, error.fix)
    except KernelError as error:
        return Feature("nft", "missing", str(error), nft.MISSING.fix)
    version = re.search(r"v(\d[\w.]*)", version_text)
    return Feature("nft", "ok", f"{version[1] if version else version_text.strip()} ({path})")


def _nginx() -> Feature:
    from netlab.kernel import nginx

    try:
        return Feature("nginx", "ok", f"serves Ingresses ({nginx.program()})", needed=False)
    except HostError as error:
        return Feature("nginx", "missing", "serves Ingresses", error.fix, needed=False)


def _modprobe(module: str) -> str:
    if module.startswith("CONFIG_"):
        return f"a kernel that is built with {module}"
    return f"sudo modprobe {module}; where there is no such module, a kernel that has it"


# --- inside the scratch namespace -----------------------------------------------------------------------------------


def _links() -> Iterator[Feature]:
    """Try the kinds of links; each is made by itself, macvlan on the veth."""
    import pyroute2

    with pyroute2.IPRoute() as route:

        def parent() -> int:
            return int(route.link_lookup(ifname="veth0")[0])

        makers: tuple[tuple[str, str, Callable[[], object]], ...] = (
            ("veth", "", lambda: route.link("add", ifname="veth0", kind="veth", peer="veth1")),
            ("bridge", "", lambda: route.link("add", ifname="bridge0", kind="bridge")),
            ("vxlan", _VXLAN, lambda: route.link("add", ifname="vxlan0", kind="vxlan", vxlan_id=1, vxlan_port=4789)),
            ("ipip", _IPIP, lambda: route.link("add", ifname="ipip0", kind="ipip", ipip_local="192.0.2.1")),
            ("macvlan", _MACVLAN, lambda: route.link("add", ifname="macvlan0", kind="macvlan", link=parent())),
            ("wireguard", _WIREGUARD, lambda: route.link("add", ifname="wireguard0", kind="wireguard")),
        )
        for name, use, make in makers:
            try:
                make()
            except (pyroute2.NetlinkError, OSError, IndexError) as error:
                detail = f"{use}: {error}" if use else str(error)
                yield Feature(name, "missing", detail, _modprobe(name), needed=not use)
            else:
                yield Feature(name, "ok", use, needed=not use)


def _ipv6() -> Feature:
    if sysctl.without_ipv6():
        fix = "start the kernel without ipv6.disable=1; where that is not set, a kernel that is built with CONFIG_IPV6"
        return Feature("IPv6", "missing", _IPV6, fix, needed=False)
    return Feature("IPv6", "ok", _IPV6, needed=False)


def _netem() -> Feature:
    from netlab.kernel import queues

    lacking = queues.missing_modules()
    if lacking:
        return Feature(
            "netem", "missing", f"{_LINKS}: no {', '.join(lacking)}", _modprobe("-a " + " ".join(lacking)), False
        )
    return Feature("netem", "ok", _LINKS, needed=False)


def _br_netfilter() -> Feature:
    with contextlib.closing(sysctl.Tree()) as settings:
        value = settings.read("bridge/bridge-nf-call-iptables")
    if value is None:
        return Feature("br_netfilter", "missing", "bridged packets would pass policies by", _modprobe("br_netfilter"))
    return Feature("br_netfilter", "ok", "bridged packets meet policies")


def _packet_sockets() -> Feature:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except OSError as error:
        return Feature("packet sockets", "missing", error.strerror or str(error), _modprobe("af_packet"))
    return Feature("packet sockets", "ok", "probes")


def _ruleset(trial: _Trial) -> Feature:
    try:
        nft.here(trial.script)
    except HostError as error:
        return Feature(trial.name, "not tried", error.what, error.fix)
    except KernelError as error:
        return Feature(trial.name, "missing", str(error), _modprobe(trial.module))
    return Feature(trial.name, "ok")
