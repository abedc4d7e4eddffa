"""A profile in an input: what the user writes wins, and what does not fit is a problem with a line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from netlab.cluster import Cluster, try_resolve
from netlab.errors import Problem
from netlab.objects import decode
from netlab.objects.documents import parse

TOPOLOGY = "{{apiVersion: netlab/v1alpha1, kind: Topology, metadata: {{name: t}}, spec: {{{}}}}}\n---\n"
MINE = """
apiVersion: netlab/v1alpha1
kind: Profile
metadata: {name: mine}
spec:
  base: flannel-netpol
  policy: {icmp: {value: allow, mark: DOC, source: a page}}
"""
DUAL = """
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x}
spec: {nodeName: n1, containers: []}
status: {podIPs: [{ip: 10.244.0.9}, {ip: "fd00:10:244::9"}]}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: x}
spec:
  ipFamilyPolicy: PreferDualStack
  ipFamilies: [IPv4, IPv6]
  clusterIPs: [10.96.0.20, "fd00:10:96::20"]
  clusterIP: 10.96.0.20
  selector: {app: a}
  ports: [{port: 80}]
"""


def resolved(spec: str, more: str = "") -> tuple[Cluster, Sequence[Problem]]:
    """Return the cluster of a Topology's spec with further documents, and all problems."""
    documents, unread = parse(TOPOLOGY.format(spec) + more, "x.yaml")
    objects, problems = decode(documents)
    cluster, found = try_resolve(objects, warn=True)
    return cluster, [*unread, *problems, *found]


def said(problems: Sequence[Problem]) -> list[str]:
    return [str(one) for one in problems]


def test_a_profile_wires_and_judges() -> None:
    """The network has its name, range and traits; the policy settings are its choices."""
    cluster, problems = resolved("profile: weave, nodes: [{name: a}, {name: b}]")
    (network,) = cluster.networks

    assert [] == said(problems)
    assert "weave" == network.mode
    assert ["10.32.0.0/12"] == [*map(str, network.pod_cidrs)]
    assert "weave" == network.traits.wiring.bridge_name
    assert "refuse-policy" == cluster.policy.named_ports
    assert cluster.profile is not None
    assert "weave" == cluster.profile.name


@pytest.mark.parametrize("spec", ["profile: kubernetes", ""])
def test_kubernetes_is_no_profile(spec: str) -> None:
    """The cluster is that of an input without one."""
    cluster, problems = resolved(spec)

    assert [] == said(problems)
    assert cluster.profile is None
    assert cluster == resolved("")[0]


def test_written_settings_beat_those_of_the_profile() -> None:
    """In silence, as the user wrote both in one object. A setting with the default value is written too."""
    cluster, problems = resolved("profile: cilium, policy: {established: keep}")

    assert [] == said(problems)
    assert ("keep", "ignore") == (cluster.policy.established, cluster.policy.ip_block_pods)


def test_written_pieces_of_wiring_beat_those_of_the_profile() -> None:
    """The others stay."""
    spec = "profile: flannel, networks: [{name: default, wiring: {vni: 7}}], nodes: [{name: a}, {name: b}]"
    wiring = resolved(spec)[0].networks[0].traits.wiring

    assert (7, "flannel.1", 8472) == (wiring.vni, wiring.tunnel_name, wiring.tunnel_port)


def test_a_written_mode_beats_the_whole_wiring_and_a_warning_says_so() -> None:
    """The profile's policy settings stay."""
    cluster, problems = resolved("profile: flannel, networks: [{name: default, mode: routed}]")

    assert [
        "x.yaml:1: Topology t: spec.networks[0].mode: routed is written, so the network has none of the wiring of "
        "profile flannel"
    ] == said(problems)
    assert "warning" == problems[0].severity
    assert ("routed", "none") == (cluster.networks[0].mode, cluster.policy.enforcement)


def test_written_ranges_beat_those_of_the_profile_and_a_warning_says_so() -> None:
    """Of the first network, which alone has a default."""
    cluster, problems = resolved("profile: flannel, networks: [{name: default, podCIDRs: [10.9.0.0/16]}]")

    assert [
        "x.yaml:1: Topology t: spec.networks[0].podCIDRs: it is written, so it is not 10.244.0.0/16 of flannel"
    ] == said(problems)
    assert ["10.9.0.0/16"] == [*map(str, cluster.networks[0].pod_cidrs)]


def test_a_written_family_that_the_profile_lacks_is_left_out_with_a_warning() -> None:
    """The other one stays."""
    cluster, problems = resolved('profile: romana, networks: [{name: default, podCIDRs: [10.9.0.0/16, "fd00:9::/56"]}]')

    assert ["warning"] == [one.severity for one in problems]
    assert "fd00:9::/56 is left out: profile romana has IPv4 only" in str(problems[0])
    assert ["10.9.0.0/16"] == [*map(str, cluster.networks[0].pod_cidrs)]


def test_a_network_without_a_family_is_an_error() -> None:
    """It says what to write."""
    _, problems = resolved('profile: romana, networks: [{name: default, podCIDRs: ["fd00:9::/56"]}]')

    assert ["error"] == [one.severity for one in problems]
    assert "spec.networks[0].podCIDRs: profile romana has IPv4 only: write such a range" in str(problems[0])


def test_exported_addresses_of_a_family_that_the_profile_lacks_are_left_out_with_warnings() -> None:
    """Of pods and of Services."""
    cluster, problems = resolved("profile: weave", DUAL)

    assert {"warning"} == {one.severity for one in problems}
    assert {"Pod x/a", "Service x/s"} == {one.object for one in problems}
    assert all("IPv6 is left out: profile weave does not have it" in str(one) for one in problems)
    assert [4] == [a.version for a in cluster.by_ref["x/a"].addresses]
    assert (4,) == next(one for one in cluster.services if one.meta.name == "s").ip_families


def test_a_profile_with_both_families_leaves_nothing_out() -> None:
    """The same objects."""
    cluster, problems = resolved("profile: calico-none", DUAL)

    assert [] == said(problems)
    assert [4, 6] == [a.version for a in cluster.by_ref["x/a"].addresses]


def test_a_second_network_has_other_device_names() -> None:
    """Two networks of a node cannot have a device of one name."""
    spec = (
        "profile: flannel, nodes: [{name: a}, {name: b}], "
        "networks: [{name: default}, {name: blue, podCIDRs: [10.9.0.0/16]}]"
    )
    first, second = (one.traits.wiring for one in resolved(spec)[0].networks)

    assert ("cni0", "flannel.1") == (first.bridge_name, first.tunnel_name)
    assert ("", "", None) == (second.bridge_name, second.tunnel_name, second.vni)


def test_a_profile_of_the_input_has_the_choices_of_its_base() -> None:
    """And its own."""
    cluster, problems = resolved("profile: mine", MINE)

    assert [] == said(problems)
    assert ("allow", "enforce", "all") == (cluster.policy.icmp, cluster.policy.own_node, cluster.policy.enforcement)
    assert "mine" == cluster.networks[0].mode


def test_a_profile_of_the_input_may_stand_for_netlabs_own() -> None:
    """With a warning."""
    cluster, problems = resolved("profile: cilium", MINE.replace("name: mine", "name: cilium"))

    assert ["x.yaml:6: Profile cilium: metadata.name: it stands for netlab's own profile cilium"] == said(problems)
    assert "allow" == cluster.policy.icmp


@pytest.mark.parametrize(
    ("more", "said_of_it"),
    [
        (
            MINE.replace("flannel-netpol", "flanel"),
            "Profile mine: spec.base: no profile 'flanel': did you mean flannel",
        ),
        (
            MINE.replace("  base: flannel-netpol\n", "").replace(
                "spec:", "spec:\n  wiring: {transport: {value: underlay, mark: DOC, source: s}}"
            ),
            "Profile mine: spec.wiring: mine: bridge does not go with transport underlay",
        ),
    ],
    ids=["base", "wiring"],
)
def test_a_profile_that_does_not_fit_is_an_error_without_a_topology_too(more: str, said_of_it: str) -> None:
    """`netlab check` finds it in a file that has nothing else."""
    _, problems = resolved("", more)

    assert ["error"] == [one.severity for one in problems]
    assert said_of_it in str(problems[0])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("profile: ciliun", "spec.profile: no profile 'ciliun': did you mean cilium"),
        ("profile: ./mine.yaml", 'spec.profile: Invalid value: "./mine.yaml": must be the name of a profile'),
        ("networks: [{wiring: {masquerade: none}}]", "spec.networks[0].wiring: bridge: outside hosts have no route"),
    ],
)
def test_what_is_wrong_has_the_line_of_its_field(spec: str, message: str) -> None:
    """Beside all other problems of the input."""
    _, problems = resolved(f"{spec}, hosts: [{{name: h, addresses: [192.0.2.300]}}]")

    assert any(str(one).startswith(f"x.yaml:1: Topology t: {message}") for one in problems)
    assert any("spec.hosts[0].addresses[0]" in str(one) for one in problems)


def test_a_wrong_profile_of_the_input_is_not_said_to_be_missing() -> None:
    """Its own error is the only one."""
    _, problems = resolved("profile: mine", f"---{MINE.replace('value: allow', 'value: never')}")

    assert ["spec.policy.icmp.value"] == [one.path for one in problems]


def test_a_change_of_a_profile_in_the_input_is_resolved_anew() -> None:
    """The next state of a lab does not keep the old choices."""
    from netlab.cluster.resolve_change import resolve_change

    spec = TOPOLOGY.format("profile: mine")
    old, new = (decode(parse(spec + text, "x")[0])[0] for text in (MINE, MINE.replace("allow", "basic-always")))

    assert resolve_change(try_resolve(old)[0], old, new) is None


def test_a_default_that_is_written_later_is_resolved_anew() -> None:
    """It overrides the profile's value, and the Topologies are equal but for what they write."""
    from netlab.cluster.resolve_change import resolve_change

    old, new = (
        decode(parse(TOPOLOGY.format(f"profile: cilium{policy}"), "x")[0])[0]
        for policy in ("", ", policy: {established: keep}")
    )

    assert resolve_change(try_resolve(old)[0], old, new) is None


def test_a_pod_that_is_added_has_the_wiring_of_the_profile() -> None:
    """The change is resolved without resolving all objects again."""
    from netlab.cluster.resolve_change import resolve_change

    pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: x}, spec: {containers: []}}\n---\n"
    spec = TOPOLOGY.format("profile: calico-none, nodes: [{name: a}, {name: b}]")
    old, new = (decode(parse(spec + more, "x")[0])[0] for more in ("", pod))
    changed = resolve_change(try_resolve(old)[0], old, new)

    assert changed is not None
    assert dataclasses.replace(changed) == try_resolve(new)[0]
    assert ["calico-none"] == [pod.attachment for pod in changed.pods]
