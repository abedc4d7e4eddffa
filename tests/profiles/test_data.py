"""Netlab's own profiles: each choice has a source, each fits, and together they say what tells the CNIs apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from netlab import modes, profiles
from netlab.objects.topology import TopologyPolicy

FOLDER = Path(profiles.__file__).parent / "data"
NAMES = profiles.names()
# The names that users find in the documentation.
ALWAYS = {
    *("kubernetes", "docker", "flannel", "flannel-host-gw", "flannel-netpol"),
    *("calico", "calico-ipip", "calico-vxlan", "calico-none", "canal"),
    *("cilium", "cilium-native", "cilium-cidr-nodes", "cilium-cidr-pods", "cilium-1.19", "cilium-1.20"),
    *("kube-router", "romana", "weave", "kindnet", "antrea", "ovn-kubernetes", "aws-vpc"),
}
EIGHT = ("docker", "flannel", "calico-vxlan", "canal", "cilium", "kube-router", "romana", "weave")
# Settings that decide a documented difference, with their values in the order of EIGHT.
TABLE = {
    "enforcement": ("none", "none", "all", "all", "all", "all", "all", "all"),
    "icmp": (*["rules-without-ports"] * 5, "basic-always", *["rules-without-ports"] * 2),
    "ip_block_pods": (*["match"] * 4, "ignore", *["match"] * 3),
    "ip_block_nodes": (*["match"] * 4, "ignore", *["match"] * 3),
    "own_node": ("allow", "allow", "enforce", "enforce", "enforce", "enforce", "allow", "allow"),
    "node_ports": (*["judge"] * 5, "exempt", *["judge"] * 2),
    "directions": (*["both"] * 6, "ingress-only", "both"),
    "isolation": (*["policies"] * 6, "annotated-namespaces", "policies"),
    "end_port": (*["honour"] * 6, "first-only", "first-only"),
    "named_ports": (*["resolve"] * 7, "refuse-policy"),
    "except_": (*["per-peer"] * 5, "per-rule", *["per-peer"] * 2),
    "established": (*["keep"] * 4, "reevaluate", *["keep"] * 3),
    "sctp": (*["judge"] * 4, "drop", "judge", "drop", "judge"),
    "unpublished": ("drop", *["open"] * 7),
    "multicast": (*["judge"] * 7, "allow"),
    "hairpin": (*["subject"] * 4, "exempt", "unwired", *["subject"] * 2),
}
WIRING = {
    "masquerade": (*["outside-and-nodes"] * 5, "outside", *["outside-and-nodes"] * 2),
    "remote_node_source": (None, "tunnel", "tunnel", "tunnel", "tunnel", "node", "node", "bridge"),
    "transport": ("none", "vxlan", "vxlan", "vxlan", "vxlan", "routes", "routes", "flat-vxlan"),
    "attachment": ("bridge", "bridge", "routed", "routed", "routed", "bridge", "routed", "bridge"),
    "mtu": (1500, None, None, 1500, None, None, None, 1376),
    "tunnel_port": (None, 8472, 4789, 8472, 8472, None, None, 6784),
    "vni": (None, 1, 4096, 1, None, None, None, None),
    "bridge_name": ("docker0", "cni0", "", "", "", "kube-bridge", "", "weave"),
    "tunnel_name": ("", "flannel.1", "vxlan.calico", "flannel.1", "cilium_vxlan", "", "", ""),
}


def test_the_documented_names_exist() -> None:
    """And ``kubernetes`` is the first."""
    assert set(NAMES) >= ALWAYS
    assert "kubernetes" == NAMES[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_complete(name: str) -> None:
    """It has a name, a system and a description; each choice and quirk has a source; each quirk has its settings."""
    profile = profiles.named(name)

    assert name == profile.name
    assert profile.system
    assert profile.about
    assert profile.families
    assert all(one.source for one in profile.choices)
    assert all(one.source for one in profile.quirks)
    assert all(one.text.endswith(".") for one in profile.quirks)
    assert all(one.about.endswith(".") for one in profile.choices if one.about)
    chosen = {one.name for one in profile.choices} | {"families", "podCIDRs"}
    assert [] == [one.text for one in profile.quirks if not chosen.issuperset(one.settings)]


@pytest.mark.parametrize("name", NAMES)
def test_the_wiring_of_a_profile_fits(name: str) -> None:
    """On one node and on several."""
    for mode in (modes.ONE_NODE, modes.SEVERAL_NODES):
        assert name == modes.wired(modes.of(mode), profiles.named(name).wiring, name).name


@pytest.mark.parametrize("name", NAMES)
def test_a_file_has_the_name_of_its_profile(name: str) -> None:
    """And lines that fit a page."""
    text = (FOLDER / f"{name}.yaml").read_text()

    assert f"metadata: {{name: {name}}}" in text
    assert [] == [line for line in text.splitlines() if len(line) > 120]


@pytest.mark.parametrize("setting", TABLE)
def test_the_eight_differ_in_a_setting_as_documented(setting: str) -> None:
    """A profile without a choice has the default of the setting."""
    default = getattr(TopologyPolicy(), setting)

    assert TABLE[setting] == tuple(profiles.named(name).policy.get(setting, default) for name in EIGHT)


@pytest.mark.parametrize("piece", WIRING)
def test_the_eight_differ_in_wiring_as_documented(piece: str) -> None:
    """Names of devices, tunnels, MTU, masquerade, and the source of a node's packets."""
    assert WIRING[piece] == tuple(getattr(profiles.named(name).wiring, piece) for name in EIGHT)


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("cilium", "named_ports", "resolve"),
        ("cilium-1.20", "named_ports", "resolve"),
        ("cilium-1.19", "named_ports", "skip-on-conflict"),
        ("cilium-1.16", "end_port", "honour"),
        ("cilium-1.15", "end_port", "first-only"),
        ("cilium-1.15", "named_ports", "skip-on-conflict"),
        ("cilium-cidr-nodes", "ip_block_nodes", "match"),
        ("cilium-cidr-nodes", "ip_block_pods", "ignore"),
        ("cilium-cidr-pods", "ip_block_pods", "match"),
        ("kube-router", "reject_with", "port-unreachable"),
        ("ovn-kubernetes", "named_ports", "whole-protocol"),
        ("aws-vpc", "service_egress", "pre-dnat"),
        ("aws-vpc", "except_", "longest-prefix"),
        ("flannel-netpol", "enforcement", "all"),
        ("kindnet", "own_node", "enforce"),
    ],
)
def test_a_variant_or_version_has_a_setting_of_its_own(name: str, setting: str, value: str) -> None:
    """What changed from version to version, and what an option changes."""
    assert value == profiles.named(name).policy[setting]


def test_single_stack_profiles() -> None:
    """Those whose manifests turn IPv6 off, and those that have none."""
    single = {name for name in NAMES if profiles.named(name).families == (4,)}

    assert {"calico", "calico-ipip", "canal", "flannel-ipip", "weave", "romana", "aws-vpc"} == single
