"""The inputs of the analyzers, and what is read from their output."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import analyzers
from netlab.objects import load


def test_all_analyzers_get_the_same_pods_and_policies(tmp_path: Path) -> None:
    """netlab and np-guard read one folder; cyclonus reads the policies as one list, and the pods as a model."""
    analyzers.write(tmp_path, 2)

    objects, problems = load([str(tmp_path / "manifests")])
    listed, _ = load([str(tmp_path / "policies.yaml")])
    model = json.loads((tmp_path / "probe.json").read_text())["Resources"]["Pods"]

    assert [] == list(problems)
    assert 20 == len(model) == len(objects.pods)
    assert {(one["Namespace"], one["Name"]) for one in model} == {
        (one.meta.namespace, one.meta.name) for one in objects.pods
    }
    assert 8 == len(objects.policies) == len(listed.policies)


def test_allowed_pairs_are_counted_in_the_output_of_each_analyzer() -> None:
    """np-guard prints ranges of ports, also for addresses; cyclonus prints a table of letters."""
    lines = (
        "a/x[Pod] => 0.0.0.0-255.255.255.255 : All Connections",
        "a/x[Pod] => a/y[Pod] : TCP 80,5430-5440",
        "a/y[Pod] => a/x[Pod] : TCP 80",
        "a/z[Pod] => a/x[Pod] : All Connections",
    )
    table = (
        *("Ingress:", "| | A/X |", "| a/x | . |"),
        *("Combined:", "| | A/X | A/Y |", "+--", "| a/x | . | . |", "| a/y | X | . |"),
        *("Combined:", "| |"),
    )

    assert 2 == analyzers.np_guard_pairs("\n".join(lines))
    assert 1 == analyzers.cyclonus_pairs("\n".join(table))
    assert 1 == analyzers.netlab_pairs('{"rows": [{"expected": "allow"}, {"expected": "deny"}]}')
