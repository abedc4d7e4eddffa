"""``@frozen`` makes what ``@dataclass(frozen=True, slots=True)`` makes, faster; others are alike."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any
from typing import NamedTuple as TypedTuple

import pytest

from netlab import frozen as of_frozen
from netlab.frozen import NamedTuple, by_name, frozen, mutable


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


# The methods before any call.
SLOW = {name: vars(Ours)[name] for name in ("__init__", "__eq__", "__hash__")}
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


@pytest.fixture(params=["slow methods", "compiled methods"])
def methods(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class begins with slow methods; others are compiled in their place, here by the first call or by none."""
    for name, method in SLOW.items():
        monkeypatch.setattr(Ours, name, method)
    monkeypatch.setattr(of_frozen, "_FEW", 10**9 if request.param == "slow methods" else 0)


@pytest.mark.usefixtures("methods")
@pytest.mark.parametrize("what", ANSWERS)
def test_it_answers_as_a_dataclass(what: str) -> None:
    """Fields, defaults, comparison, text and copies are the same."""
    assert ANSWERS[what](Theirs) == ANSWERS[what](Ours)


@pytest.mark.usefixtures("methods")
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


@pytest.mark.usefixtures("methods")
def test_post_init_of_a_class_below_is_not_called_by_the_one_above() -> None:
    """As with dataclasses, whichever methods are in use."""

    class Further(Ours):
        def __post_init__(self) -> None:
            raise AssertionError

    assert "a" == Further("a").name


def test_a_class_below_has_the_fields_of_the_one_above() -> None:
    """Both are frozen."""
    assert Below(1, "a") == Below(port=1, name="a") != Below(1)
    with pytest.raises(ValueError, match="-1"):
        Below(-1)


def test_methods_are_compiled_after_some_calls() -> None:
    """Both kinds of methods make equal values."""

    @frozen
    class Often:
        """A value that is made often."""

        name: str
        port: int = 80

    made = [Often(str(number), port=number) for number in range(3 * of_frozen._FEW)]

    assert [(str(number), number) for number in range(len(made))] == [(one.name, one.port) for one in made]
    assert len(made) == len({*made, *(Often(one.name, one.port) for one in made)})
    assert "<string>" == Often.__init__.__code__.co_filename == Often.__hash__.__code__.co_filename


@mutable
class OurMutable:
    """A value whose fields are set later."""

    name: str
    found: list[int] = field(default_factory=list)


@dataclass(slots=True)
class TheirMutable:
    """The same, as the standard library makes it."""

    name: str
    found: list[int] = field(default_factory=list)


def test_mutable_is_a_dataclass_with_slots() -> None:
    """Fields can be set, values are compared, and there is no hash and no dictionary."""
    for one in (OurMutable("a"), TheirMutable("a")):
        one.name = "b"

        assert ("b", []) == (one.name, one.found)
        assert one == type(one)("b") != type(one)("c")
        assert repr(one).endswith("Mutable(name='b', found=[])")
        assert not hasattr(one, "__dict__")
        assert "b" == copy.deepcopy(one).name == pickle.loads(pickle.dumps(one)).name  # noqa: S301  # it is ours
        with pytest.raises(TypeError, match="unhashable"):
            hash(one)


@by_name
class Above:
    """It has a field that is given by place."""

    name: str = field(kw_only=False)
    required: bool = False


@by_name
class Declared(Above):
    """It has one more field."""

    most: int = 3


def test_by_name_takes_fields_by_name() -> None:
    """Only what says otherwise is given by place; values are compared by identity."""
    one = Declared("a", most=4)

    assert ("a", False, 4) == (one.name, one.required, one.most)
    assert one != Declared("a", most=4)
    with pytest.raises(TypeError, match="positional"):
        Declared("a", True)  # type: ignore[call-arg]


class OurTuple(NamedTuple):
    """A named tuple with a default, a property and a method of its own."""

    name: str
    port: int = 80

    @property
    def text(self) -> str:
        return f"{self.name}:{self.port}"

    def __str__(self) -> str:
        return self.text


class TheirTuple(TypedTuple):
    """The same, as the standard library makes it."""

    name: str
    port: int = 80

    @property
    def text(self) -> str:
        return f"{self.name}:{self.port}"

    def __str__(self) -> str:
        return self.text


def test_a_named_tuple_is_that_of_typing() -> None:
    """Fields, defaults, methods, copies and texts are the same."""
    ours: Any = OurTuple("a")
    theirs: Any = TheirTuple("a")

    assert ("a", 80) == ours == theirs
    assert theirs.text == ours.text == str(ours) == str(theirs)
    assert repr(theirs) == repr(ours).replace("Our", "Their")
    assert ours._replace(port=1) == theirs._replace(port=1)
    assert (TheirTuple._fields, TheirTuple._field_defaults) == (OurTuple._fields, OurTuple._field_defaults)
    assert OurTuple is type(pickle.loads(pickle.dumps(ours))) is type(copy.copy(ours))  # noqa: S301  # it is ours
    assert [*TheirTuple.__annotations__] == [*OurTuple.__annotations__]
    assert (OurTuple.__doc__ or "").startswith("A named tuple")
    with pytest.raises(TypeError):
        OurTuple()  # type: ignore[call-arg]
