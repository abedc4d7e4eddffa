"""Scenarios from text, as users write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scenario_files import scenarios_of

from netlab.objects.scenarios import Scenario

PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}
"""
DENY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-all, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""
HEAD = """\
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: lesson}
spec:
  resources: [pods.yaml]
  steps:
"""

Write = Callable[[str], Scenario]


@pytest.fixture
def scenario(tmp_path: Path) -> Write:
    """Write the steps of a scenario beside two pods and a policy that denies; return it read."""
    (tmp_path / "pods.yaml").write_text(PODS)
    (tmp_path / "deny.yaml").write_text(DENY)

    def write(steps: str) -> Scenario:
        file = tmp_path / "lesson.yaml"
        file.write_text(HEAD + steps)
        (found,), problems = scenarios_of([str(file)])
        assert not problems
        return found

    return write
