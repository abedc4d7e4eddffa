"""Labels and kinds as kubectl's users type them."""

from __future__ import annotations

import pytest

from netlab.cli.commands.apply import _refs
from netlab.cli.commands.label import parse_labels
from netlab.cli.kind_names import kind_of
from netlab.errors import UsageError
from netlab.objects.scenarios import ObjectRef


def test_labels_are_set_and_removed() -> None:
    """``KEY=VALUE`` sets, ``KEY-`` removes; a value may be empty and may hold no further equals sign."""

    assert {"a": "b", "example.com/c": "", "d": None} == parse_labels(["a=b", "example.com/c=", "d-"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a"], "'a': write KEY=VALUE to set a label, KEY- to remove it"),
        (["a=b", "a-"], "'a-': label 'a' is given twice"),
        (["a b=c"], "'a b=c': name part must consist of alphanumeric characters"),
        (["a=b c"], "'a=b c': "),
        (["a=b=c"], "'a=b=c': "),
        (["=b"], "'=b': name part must be non-empty"),
        (["-"], "'-': name part must be non-empty"),
    ],
)
def test_invalid_labels(texts: list[str], message: str) -> None:
    """The API server's rules for keys and values hold before anything is changed."""
    with pytest.raises(UsageError) as error:
        parse_labels(texts)

    assert message in str(error.value)


def test_every_invalid_label_has_a_line() -> None:
    """All are reported at once."""
    with pytest.raises(UsageError) as error:
        parse_labels(["a", "=b"])

    assert 3 == len(str(error.value).splitlines())
    assert ["'a'", "'=b'", "'=b'"] == [line.split(":")[0] for line in str(error.value).splitlines()]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("po", "Pod"), ("NetworkPolicies", "NetworkPolicy"), ("netpol", "NetworkPolicy"), ("deploy", "Deployment")],
)
def test_kinds_have_kubectls_names(name: str, kind: str) -> None:
    """Plurals and short forms, in any case."""

    assert kind == kind_of(name)


def test_an_unknown_kind() -> None:
    """The error lists the known kinds."""
    with pytest.raises(UsageError, match="no kind 'secrets' here; it is one of pods, services"):
        kind_of("secrets", "Pod", "Service")
    with pytest.raises(UsageError, match="no kind 'secrets' here; it is one of pod, namespace"):
        kind_of("secrets", "Pod", "Namespace", plural=False)


@pytest.mark.parametrize(
    ("names", "refs"),
    [
        (["netpol", "a", "x/b"], [ObjectRef("NetworkPolicy", "a", "shop"), ObjectRef("NetworkPolicy", "b", "x")]),
        (["netpol/a", "ns/shop"], [ObjectRef("NetworkPolicy", "a", "shop"), ObjectRef("Namespace", "shop")]),
        (["node", "n1"], [ObjectRef("Node", "n1")]),
    ],
)
def test_objects_to_delete(names: list[str], refs: list[ObjectRef]) -> None:
    """``KIND NAME...`` or ``KIND/NAME...``, in the namespace of ``-n``."""

    assert refs == _refs(names, "shop")


@pytest.mark.parametrize("names", [["netpol"], ["netpol/a", "b"], ["lab", "x"]])
def test_invalid_objects_to_delete(names: list[str]) -> None:
    """A kind alone, both notations at once, and a lab, which is not an object."""
    with pytest.raises(UsageError):
        _refs(names, "shop")
