"""Classes: which pods are isolated, and which of them share a class."""

import pytest

from netlab.ruleset.classes import Classes
from netlab.ruleset.cluster_change import cluster_change


def classify(cluster):
    """Return the classes of a cluster's pods."""
    found = Classes()
    found.update(cluster_change(None, cluster))
    return found


def test_pods_that_the_same_policies_select_share_a_class(build):
    """A class is the set of policies of one direction; other properties of the pods do not count."""
    members = [
        build.pod("x/a", "10.244.0.1", labels="app=web"),
        build.pod("x/b", "10.244.0.2", labels="app=web other=1", node="node-2"),
        build.pod("x/c", "10.244.0.3", labels="app=db"),
    ]
    policies = [build.policy("x/all", ingress=[], egress=[]), build.policy("x/web", "app=web", ingress=[])]
    found = classify(build.cluster(members, policies, nodes=("node-1", "node-2")))

    assert ("x/all", "x/web") == found.of["x/a"]["ingress"].policies
    assert found.of["x/a"]["ingress"] == found.of["x/b"]["ingress"]
    assert ("x/all",) == found.of["x/c"]["ingress"].policies
    assert 3 == len({found.number(one) for pod in found.of.values() for one in pod.values()})


def test_each_direction_has_a_class_of_its_own(build):
    """A policy for ingress does not isolate for egress."""
    found = classify(build.cluster([build.pod("x/a", "10.244.0.1")], [build.policy("x/p", ingress=[])]))

    assert {"x/a": ["ingress"]} == {ref: list(of) for ref, of in found.of.items()}


def test_policy_of_another_namespace_selects_nothing_here(build):
    """A policy selects pods of its own namespace only."""
    found = classify(build.cluster([build.pod("x/a", "10.244.0.1")], [build.policy("y/p", ingress=[])]))

    assert {} == found.of


@pytest.mark.parametrize("attachment", ["host", "none", "macvlan"])
def test_pods_whose_packets_the_node_does_not_forward_have_no_class(build, attachment):
    """The node cannot enforce policies on them."""
    member = build.pod("x/a", "10.244.0.1", attachment=attachment)

    assert {} == classify(build.cluster([member], [build.policy("x/p", ingress=[])])).of


def test_allow_all_rule_leaves_the_pod_without_a_class(build):
    """A rule without peers and ports allows everything, whatever other policies say; the result names its policy."""
    policies = [build.policy("x/deny", ingress=[], egress=[]), build.policy("x/open", ingress=[build.rule()])]
    found = classify(build.cluster([build.pod("x/a", "10.244.0.1")], policies))

    assert "x/open" == found.of["x/a"]["ingress"]
    assert ("x/deny",) == found.of["x/a"]["egress"].policies


def test_named_ingress_port_is_part_of_the_class(build):
    """Pods with another number for the name have another class; a name that a pod does not define has no number."""
    members = [
        build.pod("x/a", "10.244.0.1", ports="http=80/TCP"),
        build.pod("x/b", "10.244.0.2", ports="http=8080/TCP"),
        build.pod("x/c", "10.244.0.3", ports="http=80/UDP"),
        build.pod("x/d", "10.244.0.4", ports="http=80/TCP dns=53/UDP"),
    ]
    policies = [build.policy("x/p", ingress=[build.rule(build.port("http"))])]
    pods = classify(build.cluster(members, policies)).of

    assert 80 == pods["x/a"]["ingress"].number_of("http", "TCP")
    assert 8080 == pods["x/b"]["ingress"].number_of("http", "TCP")
    assert pods["x/c"]["ingress"].number_of("http", "TCP") is None
    assert pods["x/a"]["ingress"] == pods["x/d"]["ingress"]
