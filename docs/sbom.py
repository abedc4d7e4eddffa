"""Complete a bill of materials (CycloneDX): ``python docs/sbom.py FILE VERSION SHA256`` prints it.

cyclonedx-py lists what an environment has. The wheel stands there as a package that was installed from a path of this
machine. Here it becomes the subject, with its version and the hash of its file. pip and setuptools, which are there for
the installation, go. What is printed is the same on every machine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def completed(bill: dict[str, Any], version: str, digest: str) -> dict[str, Any]:
    """Return the bill with the wheel as its subject; without pip, setuptools and paths."""
    gone = {one["bom-ref"] for one in bill["components"] if one["name"] in ("netlab", "pip", "setuptools")}
    subject = bill["metadata"]["component"]
    subject |= {"version": version, "hashes": [{"alg": "SHA-256", "content": digest}]}
    # The time is that of the machine's clock; SOURCE_DATE_EPOCH is not read by every version.
    bill["metadata"].pop("timestamp", None)
    bill["components"] = [one for one in bill["components"] if one["bom-ref"] not in gone]
    needs = {one["ref"]: {*one.get("dependsOn", ())} for one in bill["dependencies"]}
    root = subject["bom-ref"]
    needs[root] = needs.get(root, set()).union(*(needs[ref] for ref in gone & needs.keys() if ref.startswith("netlab")))
    bill["dependencies"] = [
        {"ref": ref, "dependsOn": sorted(needs[ref] - gone)} for ref in sorted(needs) if ref not in gone
    ]
    return bill


if __name__ == "__main__":
    print(json.dumps(completed(json.loads(Path(sys.argv[1]).read_text()), *sys.argv[2:4]), indent=2, sort_keys=True))
