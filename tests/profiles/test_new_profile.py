"""A new profile is one file: no code, and no line elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from netlab import profiles

TOY = """
apiVersion: netlab/v1alpha1
kind: Profile
metadata: {name: toy}
spec:
  system: Toy
  about: A toy.
  podCIDRs: [10.77.0.0/16]
  policy: {ipBlockPods: {value: ignore, mark: DOC, source: a page}}
  wiring:
    attachment: {value: bridge, mark: DOC, source: a page}
    transport: {value: routes, mark: DOC, source: a page}
    bridgeName: {value: toy0, mark: DOC, source: a page}
"""


def test_a_file_among_the_data_is_a_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, netlab: Callable[..., Result]
) -> None:
    """It is listed, printed, and taken by name and as a base."""
    shutil.copytree(Path(profiles.__file__).parent / "data", tmp_path / "data")
    (tmp_path / "data" / "toy.yaml").write_text(TOY)
    (tmp_path / "data" / "toy-2.yaml").write_text(
        TOY.replace("{name: toy}", "{name: toy-2}").replace("spec:", "spec:\n  base: toy")
    )
    monkeypatch.setattr("netlab.profiles.resources.files", lambda name: tmp_path)

    assert "\ntoy " in netlab("profiles").stdout
    assert "bridgeName    toy0" in netlab("profiles", "toy").stdout
    assert "lab default as toy:" in netlab("check", "-f", "examples/shop", "--as", "toy").stdout
    assert "lab default as toy-2:" in netlab("check", "-f", "examples/shop", "--as", "toy-2.5").stdout
