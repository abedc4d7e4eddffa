"""The bill of materials says what the wheel runs with, and nothing of the machine that wrote it."""

from __future__ import annotations

from typing import Any

from docs.sbom import completed


def bill() -> dict[str, Any]:
    """Return what cyclonedx-py writes of an environment, in short."""
    return {
        "metadata": {"component": {"bom-ref": "root", "name": "netlab"}, "timestamp": "2026-11-26T00:00:00Z"},
        "components": [
            {"bom-ref": "click==8", "name": "click"},
            {"bom-ref": "netlab==1", "name": "netlab", "externalReferences": [{"url": "file:///home/me/netlab.whl"}]},
            {"bom-ref": "pip==23", "name": "pip"},
            {"bom-ref": "setuptools==65", "name": "setuptools"},
        ],
        "dependencies": [
            {"ref": "click==8", "dependsOn": ["setuptools==65"]},
            {"ref": "netlab==1", "dependsOn": ["click==8"]},
            {"ref": "pip==23"},
            {"ref": "root", "dependsOn": ["netlab==1"]},
        ],
    }


def test_the_subject_is_the_wheel_with_its_hash() -> None:
    """Whoever has the file can tell that the bill is about it."""
    subject = completed(bill(), "1.0", "abc")["metadata"]["component"]

    assert ("1.0", [{"alg": "SHA-256", "content": "abc"}]) == (subject["version"], subject["hashes"])


def test_the_subject_needs_what_the_wheel_needs() -> None:
    """Tools of the installation are no part of it."""
    found = completed(bill(), "1.0", "abc")

    assert ["click"] == [one["name"] for one in found["components"]]
    assert [{"ref": "click==8", "dependsOn": []}, {"ref": "root", "dependsOn": ["click==8"]}] == found["dependencies"]


def test_nothing_is_of_this_machine() -> None:
    """No path and no time."""
    text = str(completed(bill(), "1.0", "abc"))

    assert "file:" not in text
    assert "timestamp" not in text
