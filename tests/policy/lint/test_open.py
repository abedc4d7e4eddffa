"""What is open: namespaces and pods without policies, rules for the outside, and ipBlocks of one IP family."""

from __future__ import annotations

import pytest
from linting import found_in

from netlab.policy.lint import all_rules

RULES = {rule.id: rule for rule in all_rules()}
SPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n---\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: x, labels: {app: %s}}\n---\n"
WEB = POD % ("web", "web")


def policy(spec: str, name: str = "one") -> str:
    head = f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: x}}\n"
    return f"{head}spec: {spec}\n---\n"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{podSelector: {}, policyTypes: [Ingress, Egress]}", ""),
        ("{podSelector: {}, policyTypes: [Ingress, Egress], egress: [{}]}", ""),
        (
            "{podSelector: {}, policyTypes: [Ingress]}",
            "for egress: no policy isolates new pods; today none isolates x/web",
        ),
        ("{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress]}", "isolates new pods"),
        ("{podSelector: {matchLabels: {app: web}}}", "today none isolates x/web for egress"),
        ("{podSelector: {matchLabels: {app: db}}}", "no policy isolates new pods; today none isolates x/web"),
    ],
)
def test_a_namespace_has_a_default_deny_if_a_policy_isolates_all_pods_that_may_come(spec: str, message: str) -> None:
    """In both directions; its rules do not matter."""
    found = found_in(SPACE + WEB + policy(spec), RULES["no-default-deny"])

    assert bool(message) == bool(found)
    for one in found:
        assert message in one.message
        assert "Namespace x" == one.object


def test_a_namespace_that_is_not_in_the_input_is_found_at_its_first_pod() -> None:
    """Those of the cluster itself are left out."""
    (one,) = found_in(WEB, RULES["no-default-deny"])

    assert "Pod x/web" == one.object
    assert [] == found_in(WEB.replace("namespace: x", "namespace: kube-system"), RULES["no-default-deny"])


OTHER_API = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: x}\nspec: {}\n---\n"


def test_pods_without_a_policy_are_found_once_for_a_workload() -> None:
    """Where policies of other APIs may decide, nothing is found."""
    deployment = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: db, namespace: x}\nspec:\n  replicas: 3\n"
        "  selector: {matchLabels: {app: db}}\n  template: {metadata: {labels: {app: db}}}\n---\n"
    )
    text = WEB + deployment + policy("{podSelector: {matchLabels: {app: web}}}")
    (one,) = found_in(text, RULES["pod-without-policy"])

    assert "Deployment x/db" == one.object
    assert [] == found_in(text + OTHER_API, RULES["pod-without-policy"])
    assert [] == found_in(WEB + OTHER_API, RULES["no-default-deny"])
    assert [] == found_in(WEB, RULES["pod-without-policy"])


SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: x}\nspec: {type: %s, selector: {app: web}, "
SERVICE += "ports: [{port: 80}]}\n---\n"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{}", "opens every port of x/web to every pod and every address"),
        ("{ports: [{port: 80}]}", "opens 80/TCP of x/web to every pod"),
        ("{ports: [{port: 80, endPort: 90, protocol: UDP}]}", "opens 80-90/UDP of"),
        ("{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}", "to every IPv4 address"),
        ("{from: [{ipBlock: {cidr: '::/0', except: ['fd00::/8']}}]}", "to every IPv6 address but those of except"),
        ("{from: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]}", "to every IPv4 address"),
        ("{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}", ""),
        ("{from: [{namespaceSelector: {}}]}", ""),
    ],
)
def test_a_rule_is_open_to_the_world_if_it_has_every_address_of_a_family(rule: str, message: str) -> None:
    """Pods that a Service exposes outside of the cluster are meant to be open."""
    text = WEB + policy(f"{{podSelector: {{}}, ingress: [{rule}]}}")
    found = found_in(text, RULES["open-to-world"])

    assert bool(message) == bool(found)
    assert all(message in one.message for one in found)
    assert bool(message) == bool(found_in(SERVICE % "ClusterIP" + text, RULES["open-to-world"]))
    assert [] == found_in(SERVICE % "NodePort" + text, RULES["open-to-world"])
    if message:
        assert all("x/db" in one.message for one in found_in(POD % ("db", "db") + text, RULES["open-to-world"]))


DUAL = "apiVersion: netlab/v1alpha1\nkind: Topology\nmetadata: {name: lab}\nspec:\n"
DUAL += "  networks: [{name: default, podCIDRs: [10.244.0.0/16, 'fd00:244::/56']}]\n---\n"


@pytest.mark.parametrize(
    ("rule", "addresses"),
    [
        ("{}", ["169.254.169.254", "fd00:ec2::254"]),
        ("{ports: [{port: 443}]}", []),
        ("{ports: [{port: 53, protocol: UDP}]}", []),
        ("{ports: [{port: 1, endPort: 1024}]}", ["169.254.169.254", "fd00:ec2::254"]),
        ("{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}", ["169.254.169.254"]),
        ("{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}", []),
        ("{to: [{ipBlock: {cidr: 169.254.169.254/32}}]}", []),
        ("{to: [{ipBlock: {cidr: 'fd00::/8'}}]}", ["fd00:ec2::254"]),
        ("{to: [{namespaceSelector: {}}]}", []),
    ],
)
def test_the_metadata_service_is_found_where_a_rule_allows_it_on_port_80(rule: str, addresses: list[str]) -> None:
    """By IPv6 only if pods have IPv6 addresses; a block of the address alone is meant."""
    text = WEB + policy(f"{{podSelector: {{}}, policyTypes: [Egress], egress: [{rule}]}}")
    rule_ = RULES["metadata-reachable"]

    assert addresses == [one.message.split()[1].rstrip(",") for one in found_in(DUAL + text, rule_)]
    only_4 = [one for one in addresses if ":" not in one]
    assert only_4 == [one.message.split()[1].rstrip(",") for one in found_in(text, rule_)]
    assert [] == found_in(text.replace("podSelector: {}", "podSelector: {matchLabels: {app: no}}"), rule_)


@pytest.mark.parametrize(
    ("peers", "beside", "message"),
    [
        ("[{ipBlock: {cidr: 0.0.0.0/0}}]", "", "0.0.0.0/0 is IPv4, and no rule allows IPv6"),
        ("[{ipBlock: {cidr: '2001:db8::/32'}}]", "", "2001:db8::/32 is IPv6, and no rule allows IPv4"),
        ("[{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: '::/0'}}]", "", ""),
        ("[{ipBlock: {cidr: 192.0.2.1/32}}]", "", ""),
        ("[{ipBlock: {cidr: 10.0.0.0/8}}]", "{PODS: {}, RULES: [{PEERS: [{ipBlock: {cidr: 'fd00::/8'}}]}]}", ""),
        ("[{ipBlock: {cidr: 10.0.0.0/8}}]", "{PODS: {}, RULES: [{ports: [{port: 1, endPort: 99}]}]}", ""),
        (
            "[{ipBlock: {cidr: 10.0.0.0/8}}]",
            "{PODS: {}, RULES: [{PEERS: [{ipBlock: {cidr: 'fd00::/8'}}], ports: [{port: 81}]}]}",
            "no rule allows IPv6",
        ),
        (
            "[{ipBlock: {cidr: 10.0.0.0/8}}]",
            "{PODS: {matchLabels: {app: db}}, RULES: [{PEERS: [{ipBlock: {cidr: 'fd00::/8'}}]}]}",
            "10.0.0.0/8 is IPv4",
        ),
        (
            "[{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}, {ipBlock: {cidr: '::/0'}}]",
            "",
            "except has IPv4 ranges, and all of IPv6 is allowed",
        ),
        (
            "[{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}, {ipBlock: {cidr: '::/0', except: ['fd00::/8']}}]",
            "",
            "",
        ),
    ],
)
@pytest.mark.parametrize(("direction", "field"), [("ingress", "from"), ("egress", "to")])
def test_a_block_of_one_family_needs_one_of_the_other_family(
    peers: str, beside: str, message: str, direction: str, field: str
) -> None:
    """On the same ports and for the same pods, in this policy or another; only where pods have both families."""
    spec = f"{{PODS: {{matchLabels: {{app: web}}}}, RULES: [{{PEERS: {peers}, ports: [{{port: 80}}]}}]}}"
    text = WEB + policy(spec) + (policy(beside, "two") if beside else "")
    types = f"policyTypes: [{direction.capitalize()}], {direction}"
    text = text.replace("PODS", "podSelector").replace("RULES", types).replace("PEERS", field)
    found = [one for one in found_in(DUAL + text, RULES["one-family-only"]) if one.object == "NetworkPolicy x/one"]

    assert bool(message) == bool(found)
    assert all(message in one.message for one in found)
    assert [] == found_in(text, RULES["one-family-only"])
