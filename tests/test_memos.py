"""The caches and variables of netlab's modules: no test sees what another one left there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import memos
import pytest

import netlab

ROOT = Path(netlab.__file__).parent
_KEEPING = {"cache", "lru_cache", "derived"}
_EMPTY = {"dict", "set", "list", "defaultdict", "WeakKeyDictionary"}
_MADE_EMPTY = rf"^\w+(:.*)? = (\{{\}}|\[\]|([\w.]+\.)?({'|'.join(_EMPTY)})\()"
_KEEPS = re.compile(rf"{'|'.join(_KEEPING)}|\bglobal\b|{_MADE_EMPTY}", re.MULTILINE)

_PURE = "a function of its arguments alone"
_REGISTRY = "emptied when a kind comes or goes; tests take theirs out again"
_LOCK = "a lock of this process; the fixtures that take it release it"
_CLEARED = "tests/memos.py clears it after each test"

# Every module-level cache and variable that changes, and why it carries nothing from test to test.
KEPT = {
    ("cli/__init__.py", "_code"): "set by main() only, which ends the process",
    ("cli/failures.py", "_verbose"): _CLEARED,
    ("conformance/base_cluster.py", "_namespace"): _CLEARED,
    ("conformance/base_cluster.py", "_pod"): _CLEARED,
    ("conformance/base_cluster.py", "topology"): _CLEARED,
    ("conformance/cluster_policies/clusters.py", "_host_pod"): _CLEARED,
    ("conformance/cluster_policies/houses.py", "_namespace"): _CLEARED,
    ("conformance/cluster_policies/houses.py", "_pod"): _CLEARED,
    ("conformance/cluster_policies/nodes.py", "topology"): _CLEARED,
    ("kernel/lock.py", "_taken"): _LOCK,
    ("kernel/netns.py", "_nsfs"): "the same for the whole run of a kernel",
    ("kernel/nft.py", "program"): _CLEARED,
    ("kernel/privilege.py", "_users"): _LOCK,
    ("kernel/signals.py", "_running"): "set in a block of deferred() only",
    ("cli/later.py", "_loading"): "empty but while a module is loaded",
    ("cli/terminal.py", "_task"): "the progress on a terminal, which no test has in its own process",
    ("lab/notices.py", "_print"): _CLEARED,
    ("machines/labs.py", "_choose"): _CLEARED,
    ("lab/notices.py", "_show"): "set on a terminal only, which no test has in its own process",
    ("modes/cni.py", "of_plugins"): _PURE,
    ("modes/__init__.py", "wired"): _PURE,
    ("policy/label_sets.py", "labels_of"): _PURE,
    ("programs/agnhost/sctp.py", "_raw"): "set in the process of a pod's program only",
    ("programs/agnhost/sctp.py", "_stacks"): "set in the process of a pod's program only",
    ("policy/lint/covers.py", "_ports"): _PURE,
    ("objects/addresses.py", "parse_cidr"): _PURE,
    ("objects/addresses.py", "_is_usual_ipv4"): _PURE,
    ("objects/kind.py", "_CACHES"): _REGISTRY,
    ("objects/kind.py", "_KINDS"): _REGISTRY,
    ("objects/kind.py", "deletable"): _REGISTRY,
    ("objects/kind.py", "every"): _REGISTRY,
    ("objects/kind.py", "_is_namespaced"): _REGISTRY,
    ("objects/kind.py", "written"): _REGISTRY,
    ("objects/kind.py", "written_names"): _REGISTRY,
    ("objects/names.py", "dns1035_label"): _PURE,
    ("objects/names.py", "dns_label"): _PURE,
    ("objects/names.py", "dns_subdomain"): _PURE,
    ("objects/names.py", "label_key"): _PURE,
    ("objects/names.py", "label_value"): _PURE,
    ("objects/names.py", "port_name"): _PURE,
    ("objects/names.py", "subdomain_with_underscore"): _PURE,
    ("objects/names.py", "wildcard_subdomain"): _PURE,
    ("objects/similar_names.py", "_groups"): _REGISTRY,
    ("objects/similar_names.py", "_names"): _REGISTRY,
    ("objects/similar_names.py", "close_to"): _REGISTRY,
    ("objects/similar_names.py", "list_kinds"): _REGISTRY,
    ("objects/similar_names.py", "misspelt"): _REGISTRY,
    ("objects/scalars.py", "resolve"): _PURE,
    ("policy/address_sets.py", "public"): _PURE,
    ("policy/deciding.py", "_attributes"): "the fields of a declaration",
    ("probe/crc32c.py", "_table"): _PURE,
    ("probe/ports.py", "_last"): "a counter: no two runs of a process have the same source ports",
    ("profiles/__init__.py", "_loaded"): "the content of a file of netlab itself",
    ("ruleset/difference.py", "_NOTHING"): "empty, and a Mapping",
    ("ruleset/elements.py", "writer"): _PURE,
    ("testing/statements.py", "statements"): _PURE,
}


def kept() -> Iterator[tuple[str, str]]:
    """Yield the file and name of every cached function, changing global and empty container of a module."""
    for file in sorted(ROOT.rglob("*.py")):
        name, text = file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")
        # To parse all files takes seconds.
        if not _KEEPS.search(text):
            continue
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and _KEEPING.intersection(map(_word, node.decorator_list)):
                yield name, node.name
            elif isinstance(node, ast.Global):
                yield from ((name, variable) for variable in node.names)
        for node in tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and _is_empty(node.value):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from ((name, target.id) for target in targets if isinstance(target, ast.Name))


def _word(node: ast.expr) -> str:
    """Return the last name of ``functools.lru_cache(maxsize=1)``."""
    called = node.func if isinstance(node, ast.Call) else node
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _is_empty(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        return _word(value) in _EMPTY and not value.args
    return (isinstance(value, ast.Dict) and not value.keys) or (isinstance(value, ast.List) and not value.elts)


def test_every_cache_is_listed() -> None:
    """A new cache has a line here: why it is harmless; or tests/memos.py clears it."""

    assert {*KEPT} == {*kept()}


def test_the_listed_caches_are_cleared() -> None:
    """Table and fixture have the same entries."""

    assert {place for place, why in KEPT.items() if why is _CLEARED} == {*memos.CLEARED}


@pytest.mark.parametrize("place", memos.CLEARED, ids="/".join)
def test_a_memo_is_cleared(place: tuple[str, str]) -> None:
    """The memo is empty afterwards."""
    leave, left = memos.CLEARED[place].leave, memos.CLEARED[place].left
    leave()
    assert left()

    memos.clear()

    assert not left()
