"""A new fragment is one file (``toy_fragment.py``) and one line (``known``)."""

import runpy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from netlab.ruleset import Compiler, difference, fragments
from netlab.ruleset.elements import Set
from netlab.ruleset.fragment import NETLAB
from netlab.ruleset.tables import Chain, Hook, Parts, assembled
from netlab.testing.tracer import Packet, Tracer

FRAGMENT = runpy.run_path(str(Path(__file__).with_name("toy_fragment.py")))["FRAGMENT"]


@pytest.fixture
def known(monkeypatch):
    """Add the fragment to the list for one test."""
    monkeypatch.setattr(fragments, "FRAGMENTS", (*fragments.FRAGMENTS, FRAGMENT))


def clusters(build):
    """Return five clusters: no pod closes a port; x/a closes one; x/a another; x/a and x/b; none again."""
    a, b = (build.pod(f"x/{name}", f"10.244.0.{n}") for n, name in enumerate("ab", start=1))
    closing = [({}, {}), ({"toy/closed": "80"}, {}), ({"toy/closed": "81"}, {}), ({"toy/closed": "81"},) * 2, ({}, {})]
    return [build.cluster([replace(a, annotations=one), replace(b, annotations=two)], []) for one, two in closing]


def test_the_compiler_knows_no_fragment_by_name():
    """Only the list names fragments; the compiler, the differences and the text read the list."""
    root = Path(fragments.__file__).parent
    names = [path.stem for path in root.glob("*.py") if path.stem != "__init__"]
    for module in ("compile", "difference", "nftables", "tables", "fragment"):
        text = (root.parent / f"{module}.py").read_text()

        assert [] == [name for name in names if f"fragments.{name}" in text or f"import {name}" in text]


def test_its_rules_are_at_their_place(build, known):
    """A place is any number: here before the lookup of the connection's state, and after policy."""
    (ruleset,) = Compiler().compile(clusters(build)[1]).values()
    (forward,) = [chain for chain in ruleset.tables[0].chains if chain.name == "forward"]
    rules = [rule.split()[0:2] for rule in forward.rules]

    assert [["ip", "daddr"], ["ct", "state"], ["meta", "priority"]] == rules[:3]
    assert "meta l4proto . th dport @toy_count counter drop" == forward.rules[-1]


def test_its_elements_follow_pod_by_pod_and_cluster_by_cluster(build, known):
    """The difference touches only elements that differ, and a new compiler gives the same text."""
    compiler = Compiler()
    compiled = [compiler.compile(cluster)["node-1"] for cluster in clusters(build)]

    assert [True, False, False, True] == [difference(*pair).whole for pair in pairwise(compiled)]
    assert [2, 3] == [difference(*pair).elements for pair in pairwise(compiled[1:4])]
    assert "10.244.0.1 . tcp . 80" in difference(compiled[1], compiled[2]).text
    for ruleset, cluster in zip(compiled, clusters(build), strict=True):
        assert Compiler().compile(cluster)["node-1"].text() == ruleset.text()
    assert "# a note of the toy" in compiled[1].text()
    assert "toy" not in compiled[-1].text()


def test_the_tracer_reads_it(build, known):
    """The tracer reads the text and names no fragment."""
    (ruleset,) = Compiler().compile(clusters(build)[1]).values()
    tracer = Tracer(ruleset)

    assert "drop" == tracer.verdict(Packet("10.244.0.2", "10.244.0.1", "TCP", 80)).verdict
    assert "accept" == tracer.verdict(Packet("10.244.0.2", "10.244.0.1", "UDP", 80)).verdict


def test_the_kernel_takes_it(build, known, nft):
    """A chain of differences gives the same tables as a fresh load of the last ruleset."""
    compiler = Compiler()
    compiled = [compiler.compile(cluster)["node-1"] for cluster in clusters(build)[:4]]

    assert nft(compiled[-1].text()) == nft(
        compiled[0].text(), *(difference(old, new).text for old, new in pairwise(compiled))
    )


def test_two_fragments_may_not_declare_one_set_or_hook_one_chain_twice():
    """Names of sets are unique over all tables; a shared chain has one hook."""
    same = Parts((Set("s", ("mark",)),))
    with pytest.raises(ValueError, match="set s"):
        assembled([(NETLAB, same), (NETLAB, same)])
    hooks = (Hook("filter", "forward", 0), Hook("filter", "input", 0))
    with pytest.raises(ValueError, match="chain c"):
        assembled([(NETLAB, Parts(chains=(Chain("c", (), hook),))) for hook in hooks])
