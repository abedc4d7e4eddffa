"""Limits of an input: memory and time grow with its size, and an input beyond a limit is an error."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from netlab.objects import bounds, decode, read, to_record
from netlab.objects.bounds import Budget
from netlab.objects.documents import Reader, parse
from netlab.objects.fields import quoted

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n"
TOO_DENSE = "too much to read: its fields, aliases expanded, would take too much memory"
NAMES = ["k" * 50 + str(n) for n in range(150)]
DEEP = "- " + "".join(f"{{{name}: " for name in NAMES) + "1" + "}" * 150 + "\n"


def test_lines_of_deep_fields_take_little_memory() -> None:
    """3,000 fields at a depth of 150: their paths alone would take 20 times the text."""
    text = f"{POD}x:\n{DEEP * 20}"
    tracemalloc.start()
    (document,), problems = parse(text, "x.yaml")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    path = ".".join(["x[19]", *NAMES])

    assert [] == problems
    assert 24 == document.source.line(path)
    assert peak < 30 * len(text)
    assert len(json.dumps(to_record([document]))) < 4 * len(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.yaml", f"{POD}x: [{'{a: 1},' * 1000}]\n"),
        ("x.yaml", f"{POD}x: {{{','.join(f'a{n}: 1' for n in range(5000))}}}\n"),
        ("x.yaml", f"{POD}x: [{','.join(f'&a{n} 1' for n in range(3000))}]\n"),
        ("x.yaml", f"{POD}x: &x {'v' * 5000}\ny: [{','.join(['*x'] * 100)}]\n"),
        ("x.yaml", f"{POD}x: &x {{{','.join(f'a{n}: 1' for n in range(100))}}}\ny: [{'{<<: *x},' * 50}]\n"),
        ("x.yaml", f"{POD}---\n" * 300),
        ("x.yaml", "--- 1\n" * 300),
        ("x.yaml", f"apiVersion: v1\nkind: List\nitems: [{'{apiVersion: v1, kind: Pod},' * 300}]\n"),
        ("x.json", f'{{"apiVersion": "v1", "kind": "Pod", "x": [{"[]," * 3000}1]}}'),
        ("x.json", f'{{"apiVersion": "v1", "kind": "Pod", "x": "{"a" * 300_000}"}}'),
    ],
    ids=["maps", "fields", "anchors", "long aliases", "merges", "documents", "scalars", "items", "lists", "string"],
)
def test_an_input_that_takes_too_much_memory_is_refused(name: str, text: str) -> None:
    """Each form of input is counted."""
    documents, (problem,) = parse(text, name, Budget(memory=500_000))

    assert [] == documents
    assert (name, TOO_DENSE) == (problem.file, problem.message)


def test_a_large_input_may_take_memory_in_proportion() -> None:
    """An export of a large cluster is allowed."""
    budget = Budget()
    budget.take_file(100_000_000)

    assert budget.memory > 1_500_000_000


def test_too_many_bytes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    """A sparse file may have any size."""
    with (tmp_path / "x.yaml").open("wb") as file:
        file.truncate(bounds.MOST_BYTES + 1)
    _, (problem,) = read([str(tmp_path / "x.yaml")])

    assert "too much to read: more than 256 MiB in all" == problem.message


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    """The limit is for all files of a command, and is reported once."""
    for number in range(4):
        (tmp_path / f"{number}.yaml").write_text(POD)
    _, problems = Reader(budget=Budget(files=3)).read([str(tmp_path / f"{number}.yaml") for number in range(4)])

    assert [f"{tmp_path}/3.yaml: too much to read: more than {bounds.MOST_FILES} files"] == list(map(str, problems))


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as of the root of a file system."""
    for number in range(4):
        (tmp_path / f"{number}").mkdir()
    monkeypatch.setattr("netlab.objects.files.MOST_ENTRIES", 3)
    _, (problem,) = read([str(tmp_path)])

    assert problem.message.startswith("too much to read: more than 3 files and folders")


@pytest.mark.parametrize("digits", [400, 5000, 100_000])
@pytest.mark.parametrize("name", ["x.yaml", "x.json"])
def test_a_number_of_many_digits_is_a_text(name: str, digits: int) -> None:
    """Python's int() refuses more than 4,300 digits."""
    text = f'{{"apiVersion": "v1", "kind": "Pod", "x": {"1" * digits}}}'
    (document,), problems = parse(text, name)

    assert [] == problems
    assert "1" * digits == document.data["x"]


@pytest.mark.parametrize("text", [f"{POLICY}spec: {{{','.join(f'a{n}: 1' for n in range(1000))}}}\n"])
def test_the_first_problems_of_an_object_are_reported(text: str) -> None:
    """And a message says that there are more."""
    _, problems = decode(parse(text, "x.yaml")[0])

    assert bounds.MOST_OF_AN_OBJECT + 1 == len(problems)
    assert "and more: netlab reports only the first 100" == problems[-1].message


def test_warnings_leave_room_for_errors() -> None:
    """Many warnings before an error do not hide it."""
    text = POD + "spec: {hostNetwork: 5}\n" + "x: 1\n" * 300
    _, problems = decode(parse(text, "x.yaml")[0])

    assert ["spec.hostNetwork"] == [p.path for p in problems if p.severity == "error"]


def test_one_problem_of_each_object_is_reported_if_there_are_many() -> None:
    """An error has precedence over a warning."""
    one = f"{POLICY}spec: {{a: 1, b: 2, c: 3}}\n---\n"
    documents, _ = parse(one * (bounds.MOST_PROBLEMS // 2), "x.yaml")
    _, problems = decode(documents)
    errors = [p for p in problems if p.severity == "error"]

    assert bounds.MOST_PROBLEMS < len(errors) < 1.5 * bounds.MOST_PROBLEMS


@pytest.mark.parametrize("value", ["a" * 10**6, ["a"] * 10**6, {"a": ["b" * 10**6] * 100}, [[[]] * 1000] * 1000])
def test_a_long_value_is_cut(value: object) -> None:
    """A message is one line. To make it takes no more time than its length."""
    text = quoted(value)

    assert 300 == len(text)
    assert text.endswith("...")


def test_a_long_name_is_cut() -> None:
    """In the object and in the path of a problem."""
    metadata = {"name": "a" * 10_000, "labels": {"b" * 10_000: 1}}
    text = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    _, problems = decode(parse(text, "x.yaml")[0])

    assert problems
    assert all(len(str(problem)) < 2500 for problem in problems)
