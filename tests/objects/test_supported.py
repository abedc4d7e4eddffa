"""Everything in the reference is read: both families, SCTP, port ranges, published ports, every mode."""

from __future__ import annotations

from collections.abc import Callable

import pytest

POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
TOPOLOGY = "apiVersion: netlab/v1alpha1\nkind: Topology\n"
SCENARIO = "apiVersion: netlab/v1alpha1\nkind: Scenario\nmetadata: {name: s}\n"
EXPECT = "from: a/b, to: a/c, verdict: allow"

READ = {
    "IPv6 podCIDR": f"{TOPOLOGY}spec: {{networks: [{{podCIDRs: [10.1.0.0/16, 'fd00::/56']}}]}}\n",
    "IPv6 host": f"{TOPOLOGY}spec: {{hosts: [{{name: a, addresses: ['2001:db8::1']}}]}}\n",
    "IPv6 underlay": f"{TOPOLOGY}spec: {{underlayCIDRs: [10.1.0.0/16, 'fd00::/64']}}\n",
    "IPv6 expectation": f"{SCENARIO}spec: {{steps: [{{expect: [{{{EXPECT}, family: 6}}]}}]}}\n",
    "IPv6 ipBlock": f"{POLICY}spec: {{ingress: [{{from: [{{ipBlock: {{cidr: '::/0'}}}}]}}]}}\n",
    "hostPort": f"{POD}spec: {{containers: [{{ports: [{{containerPort: 1, hostPort: 8080}}]}}]}}\n",
    "hostPort of a host network pod": (
        f"{POD}spec: {{hostNetwork: true, containers: [{{ports: [{{containerPort: 1, hostPort: 1}}]}}]}}\n"
    ),
    "exported dual-stack pod": f"{POD}status: {{podIPs: [{{ip: 10.0.0.1}}, {{ip: 'fd00::1'}}]}}\n",
    **{mode: f"{TOPOLOGY}spec: {{networks: [{{mode: {mode}}}]}}\n" for mode in ("overlay", "routed", "macvlan")},
}


@pytest.mark.parametrize("text", READ.values(), ids=READ.keys())
def test_what_the_reference_names_is_read(problems: Callable[[str], list[str]], text: str) -> None:
    """No family, mode or protocol is refused."""
    assert [] == problems(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{POLICY}spec: {{egress: [{{ports: [{{protocol: SCTP}}]}}]}}\n",
        f"{POLICY}spec: {{ingress: [{{}}, {{ports: [{{port: 1, endPort: 2}}]}}]}}\n",
        f"{POD}spec: {{containers: [{{ports: [{{containerPort: 1, protocol: SCTP}}]}}]}}\n",
        f"{SCENARIO}spec: {{steps: [{{expect: [{{{EXPECT}, protocol: SCTP, port: 1}}]}}]}}\n",
    ],
    ids=["SCTP in a policy", "endPort", "SCTP in a container", "SCTP probe"],
)
def test_sctp_and_port_ranges_are_read(problems: Callable[[str], list[str]], text: str) -> None:
    """They have no errors."""
    assert not [problem for problem in problems(text) if "not supported" in problem]
