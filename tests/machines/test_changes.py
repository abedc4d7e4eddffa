"""Changes of a lab on three machines by programs that keep it open, one after the other."""

from __future__ import annotations

import json
import random
import string
import sys
from pathlib import Path

from machines.labs import documents

CHANGING = Path(__file__).with_name("changing.py")


def test_a_lab_that_is_kept_open_has_the_changes_of_others(agents, unique, tmp_path):
    """It reads the lab again where another program changed it. A change is five requests to etcd, and a watch.

    They are the lease, the lock with all that a change reads, the proposal, the decision, and the end of the lease.
    """
    lab, on = unique("open"), agents("m1", "m2", "m3")
    on.netlab("m1", "up", "-f", _written(tmp_path, documents(lab, "overlay", 3)))
    done = on.on["m2"].run(sys.executable, CHANGING, lab)
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)

    once = [{"p1": "once"}, {"p1": "once", "p2": "once"}, {"p1": "once", "p2": "once", "p3": "once"}]
    assert once == found["seen"]
    assert ["lease/grant", "kv/txn", "kv/txn", "kv/txn", "lease/revoke"] == found["asked"]
    assert [] == on.drift(lab)


def test_a_change_of_a_large_record_is_in_force_everywhere(agents, unique, tmp_path):
    """Such a record is in parts, which both phases write and every machine reads; no part of a proposal stays."""
    lab, on = unique("large"), agents("m1", "m2", "m3")
    on.netlab("m1", "up", "-f", _written(tmp_path, documents(lab, "overlay", 3) + _random_labels(60, 200)))
    assert any(key.startswith("parts/") for key in on.etcd_keys())
    on.netlab("m2", "label", "--lab", lab, "pod", "p1", "app=p2")

    assert [] == on.drift(lab)
    assert not [key for key in on.etcd_keys() if "next/" in key]


def _written(folder: Path, text: str) -> Path:
    file = folder / "lab.yaml"
    file.write_text(text)
    return file


def _random_labels(namespaces: int, labels: int) -> str:
    """Return namespaces with random labels, as what etcd keeps is compressed."""
    choose = random.Random(1).choices  # noqa: S311  # it keeps no secret
    letters = string.ascii_letters + string.digits
    found = []
    for number in range(namespaces):
        values = {f"l{at}": "".join(choose(letters, k=63)) for at in range(labels)}
        metadata = {"name": f"random-{number}", "labels": values}
        found.append(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
    return "".join(f"---\n{one}\n" for one in found)
