"""Profiles state which versions of the API of cluster-wide policies a CNI reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from linting import given

from netlab.policy.cluster_policy_warnings import warnings
from netlab.profiles import named as profile_named

POLICY = """\
apiVersion: policy.networking.k8s.io/%s
kind: ClusterNetworkPolicy
metadata: {name: one}
spec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x}
"""


def test_policies_that_differ_in_their_version_alone_are_equal() -> None:
    """The versions mean the same."""
    one, other = (given(POLICY % version).cluster.cluster_policies for version in ("v1alpha2", "v1beta1"))

    assert one == other
    assert ("v1alpha2", "v1beta1") == (one[0].version, other[0].version)


@pytest.mark.parametrize(
    ("profile", "version", "warned"),
    [
        ("cilium", "v1beta1", True),
        ("cilium", "v1alpha2", False),
        ("calico-vxlan", "v1beta1", True),
        ("kubernetes", "v1beta1", False),
    ],
)
def test_a_version_that_the_cni_does_not_read_is_a_warning(profile: str, version: str, warned: bool) -> None:
    """An API server may serve both versions of an object."""
    cluster = replace(given(POLICY % version).cluster, profile=profile_named(profile))
    found = [one.message for one in warnings(cluster, cluster.cluster_policies[0]) if "reads v1alpha2" in one.message]

    assert warned == bool(found)
