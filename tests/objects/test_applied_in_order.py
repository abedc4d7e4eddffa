"""The manifests of this repository can be applied to a cluster: kubectl applies a folder in the order of names."""

from __future__ import annotations

from pathlib import Path

import pytest

from netlab.objects import read

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("folder", ["examples/shop", "scenarios/manifests"])
def test_a_namespace_is_declared_before_it_is_used(folder: str) -> None:
    """An API server refuses objects of a namespace that does not exist."""
    documents, problems = read([str(ROOT / folder)])
    there = {"default", "kube-system"}
    early = []
    for document in documents:
        metadata = document.data["metadata"]
        if document.kind == "Namespace":
            there.add(metadata["name"])
        elif metadata.get("namespace", "default") not in there:
            early.append(f"{document.source.file}: {metadata['namespace']}")

    assert [] == problems
    assert [] == early
