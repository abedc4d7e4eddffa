"""``@frozen`` makes what ``@dataclass(frozen=True, slots=True)`` makes, faster."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest

from netlab.frozen import frozen


@frozen
class Ours:
    """A value with every kind of field that netlab has."""

    name: str
    port: int = 80
    labels: dict[str, str] = field(default_factory=dict)
    source: str = field(default="", compare=False)
    secret: str = field(default="x", repr=False)
    memo: list[int] = field(default_factory=list, init=False, compare=False)
    strict: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Theirs:
    """The same, as the standard library makes it."""

    name: str
    port: int = 80
    labels: dict[str, str] = field(default_factory=dict)
    source: str = field(default="", compare=False)
    secret: str = field(default="x", repr=False)
    memo: list[int] = field(default_factory=list, init=False, compare=False)
    strict: bool = field(default=False, kw_only=True)


@frozen
class Checked:
    """It says what is wrong with it, and has a text of its own."""

    port: int

    def __post_init__(self) -> None:
        if self.port < 0:
            raise ValueError(self.port)

    def __repr__(self) -> str:
        return f"port {self.port}"


@frozen
class Below(Checked):
    """It has the fields of the class above it."""

    name: str = ""


@frozen
class Nothing:
    """No field."""


# What a class answers; the names of the two classes are no part of it.
ANSWERS: dict[str, Callable[[type[Any]], Any]] = {
    "fields": lambda cls: asdict(cls("a", 1, {"b": "c"}, strict=True)),
    "defaults": lambda cls: asdict(cls("a")),
    "defaults that are made anew": lambda cls: cls("a").labels is cls("a").labels,
    "equal": lambda cls: [cls("a") == cls("a"), cls("a") == cls("b"), cls("a") == cls("a", source="f")],
    "equal to another class": lambda cls: cls("a") == ("a", 80),
    "text": lambda cls: repr(cls("a")).partition("(")[2],
    "replaced": lambda cls: asdict(replace(cls("a", source="f"), port=1)),
    "copied": lambda cls: [asdict(copy.copy(cls("a"))), copy.deepcopy(cls("a")) == cls("a")],
    "pickled": lambda cls: pickle.loads(pickle.dumps(cls("a"))) == cls("a"),  # noqa: S301  # it is ours
    "no dictionary": lambda cls: hasattr(cls("a"), "__dict__"),
    "matched by place": lambda cls: cls.__match_args__,
    "names of the fields": lambda cls: [one.name for one in fields(cls)],
}
# What a class refuses.
REFUSALS: dict[str, Callable[[type[Any]], Any]] = {
    "no argument": lambda cls: cls(),
    "an unknown argument": lambda cls: cls("a", prot=1),
    "by place": lambda cls: cls("a", 1, {}, "", "", True),
    "set": lambda cls: setattr(cls("a"), "port", 1),
    "deleted": lambda cls: delattr(cls("a"), "port"),
    "hash of a dictionary": lambda cls: hash(cls("a")),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_it_answers_as_a_dataclass(what: str) -> None:
    """Fields, defaults, comparison, text and copies are the same."""
    assert ANSWERS[what](Theirs) == ANSWERS[what](Ours)


@pytest.mark.parametrize("what", REFUSALS)
def test_it_refuses_as_a_dataclass(what: str) -> None:
    """The error is of the same class and has the same words."""
    with pytest.raises((TypeError, FrozenInstanceError)) as theirs:
        REFUSALS[what](Theirs)
    with pytest.raises(type(theirs.value)) as ours:
        REFUSALS[what](Ours)

    assert str(theirs.value).replace("Theirs", "Ours") == str(ours.value)


def test_a_new_attribute_is_refused() -> None:
    """A value has its fields and nothing else."""
    with pytest.raises(AttributeError):
        setattr(Nothing(), "name", "a")  # noqa: B010  # mypy refuses an assignment


def test_equal_values_have_one_hash() -> None:
    """They are one key of a dictionary."""
    assert {Checked(1), Checked(1), Nothing(), Nothing()} == {Checked(1), Nothing()}


def test_methods_of_the_class_stay() -> None:
    """``__post_init__`` is called, and what the class defines is not replaced."""
    with pytest.raises(ValueError, match="-1"):
        Checked(-1)
    assert "port 1" == repr(Checked(1))


def test_a_class_below_has_the_fields_of_the_one_above() -> None:
    """Both are frozen."""
    assert Below(1, "a") == Below(port=1, name="a") != Below(1)
    with pytest.raises(ValueError, match="-1"):
        Below(-1)
