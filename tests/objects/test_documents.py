"""Files, directories and standard input to documents with lines."""

from __future__ import annotations

import io
import json
import os
import socket
from pathlib import Path

import pytest
import yaml

from netlab.objects import from_record, read, to_record
from netlab.objects.documents import parse

POD = """\
# a comment
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web,
    tier: front}
spec:
  containers:
  - name: a
    ports:
    - containerPort: 80
    -
      containerPort: 81
"""


def data_of(text: str) -> list[object]:
    documents, problems = parse(text, "x.yaml")

    assert [] == problems
    return [d.data for d in documents]


def spec_of(text: str) -> object:
    (document,), problems = parse(f"apiVersion: v1\nkind: Pod\nspec:\n{text}", "x.yaml")

    assert [] == problems
    return document.data["spec"]


def test_every_field_has_the_line_of_its_key() -> None:
    """In block and in flow style. An item has the line of its value."""
    (document,), _ = parse(POD, "pod.yaml")
    lines = document.source.lines

    assert {
        "": 2,
        "metadata.labels": 6,
        "metadata.labels.app": 6,
        "metadata.labels.tier": 7,
        "spec.containers[0].ports[0]": 12,
        "spec.containers[0].ports[1]": 14,
        "spec.containers[0].ports[1].containerPort": 14,
    }.items() <= lines.items()


def test_a_pyyaml_without_libyaml_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is slower, with the same values and lines."""
    text = f"{POD}---\n{{apiVersion: v1, kind: Pod, a: &x !!str 1, b: *x, c: '2', d: [yes, ~, 0x1f]}}\n"
    fast, _ = parse(text, "x.yaml")
    monkeypatch.setattr("netlab.objects.yaml_text._Parser", yaml.SafeLoader)
    slow, _ = parse(text, "x.yaml")

    assert 2 == len(fast)
    assert [(d.data, d.source.lines) for d in fast] == [(d.data, d.source.lines) for d in slow]


def test_a_field_that_was_not_written_has_its_parents_line() -> None:
    """The line is that of the nearest field above it."""
    (document,), _ = parse(POD, "pod.yaml")

    assert 12 == document.source.line("spec.containers[0].ports[0].protocol")
    assert 2 == document.source.line("status.phase")


def test_documents_of_one_stream_keep_their_own_lines() -> None:
    """Lines count from the beginning of the file. Empty documents are left out."""
    documents, problems = parse(f"---\n---\n{POD}---\n# nothing\n---\n{POD}", "x.yaml")

    assert [] == problems
    assert [4, 21] == [d.source.line() for d in documents]


def test_lists_are_unpacked() -> None:
    """Items of a List are documents with paths of their own."""
    first = "- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a\n"
    text = f"apiVersion: v1\nitems:\n{first}- {{apiVersion: v1, kind: Pod}}\nkind: List\n"
    documents, problems = parse(text, "x.yaml")

    assert [] == problems
    assert [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, {"apiVersion": "v1", "kind": "Pod"}] == [
        d.data for d in documents
    ]
    assert {"": 3, "apiVersion": 3, "kind": 4, "metadata": 5, "metadata.name": 6} == documents[0].source.lines
    assert 7 == documents[1].source.line("kind")


def test_items_of_a_typed_list_take_their_kind_from_it() -> None:
    """The API leaves kind and version out of the items of a PodList."""
    text = "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a}\n"

    assert [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}] == data_of(text)


def test_json_has_lines_too() -> None:
    """A JSON List is read like a YAML one."""
    text = '{"apiVersion": "v1", "kind": "List", "items": [\n{"apiVersion": "v1",\n"kind": "Pod"}]}'
    (document,), problems = parse(text, "x.json")

    assert [] == problems
    assert {"": 2, "apiVersion": 2, "kind": 3} == document.source.lines


def test_json_documents_may_follow_one_another() -> None:
    """A stream of JSON objects needs no separator."""
    assert 2 == len(data_of('{"apiVersion": "v1", "kind": "Pod"}\n{"apiVersion": "v1", "kind": "Pod"}'))


def test_a_flow_mapping_is_yaml() -> None:
    """A text that begins with a brace may be YAML."""
    assert [{"apiVersion": "v1", "kind": "Pod"}] == data_of("{apiVersion: v1, kind: Pod}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("  a: '80'\n  b: \"yes\"\n  c: |\n    1\n", {"a": "80", "b": "yes", "c": "1\n"}),
        (
            "  a: !!str 80\n  b: !!int '3'\n  c: !custom 5\n  d: !!timestamp 2001-01-01\n",
            {"a": "80", "b": 3, "c": "5", "d": "2001-01-01"},
        ),
        ("  1: a\n  true: b\n  1.5: c\n  on: d\n", {"1": "a", "true": "d", "1.5": "c"}),
        ("  a: &x {p: 1}\n  b: *x\n", {"a": {"p": 1}, "b": {"p": 1}}),
        ("  a: &x 1\n  b: &x 2\n  c: *x\n", {"a": 1, "b": 2, "c": 2}),
        ("  a: &x {p: 1, q: 2}\n  b: {<<: *x, q: 3}\n", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        ("  <<: [{p: 1, q: 1}, {p: 2, r: 2}]\n", {"p": 1, "q": 1, "r": 2}),
        ("  '<<': {a: 1}\n", {"<<": {"a": 1}}),
    ],
    ids=["quoted", "tagged", "keys", "alias", "anchor again", "merge", "merge several", "quoted merge key"],
)
def test_yaml_features(text: str, value: object) -> None:
    """Quotes, tags, keys, anchors and merge keys are read as by kubectl."""
    assert value == spec_of(text)


def test_the_last_of_duplicate_keys_counts() -> None:
    """As with kubectl. The document has the path and line of the second one."""
    (document,), problems = parse(
        "apiVersion: v1\nkind: Pod\nspec:\n  a: 1\n  b:\n  - {c: 1,\n     c: 2}\n  a: 3\n", "x"
    )

    assert [] == problems
    assert {"a": 3, "b": [{"c": 2}]} == document.data["spec"]
    assert (("spec.b[0].c", 7), ("spec.a", 8)) == document.duplicates


def test_a_key_that_overrides_a_merged_one_is_no_duplicate() -> None:
    """Merge keys are made to be overridden."""
    (document,), _ = parse("apiVersion: v1\nkind: Pod\na: &x {p: 1}\nb: {<<: *x, p: 2}\n", "x")

    assert () == document.duplicates


BROKEN = [
    ("syntax", "a: [1\nb: 2\n", 2, "not YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
    ("tab", "a:\n\tb: 1\n", 2, "not YAML: while scanning for the next token"),
    ("control character", "a: 1\nb: \x01\n", 2, "not YAML: control characters are not allowed"),
    ("unknown anchor", "\na: *x\n", 2, "not YAML: unknown anchor 'x' referenced"),
    ("anchor in itself", "a: &x [*x]\n", 1, "not YAML: unknown anchor 'x' referenced"),
    ("merge of a scalar", "a: 1\n<<: 5\n", 2, "not YAML: map merge requires map or sequence of maps as the value"),
    ("null key", "a: 1\n~: 5\n", 2, "not YAML: a mapping's key must be a string"),
    ("mapping as key", "? {a: b}\n: c\n", 1, "not YAML: a mapping's key must be a string"),
    ("tag that does not fit", "a: !!int x\n", 1, "not YAML: cannot decode 'x' as a !!int"),
    ("list", "- a\n", 1, "must be an object (a mapping), not a list"),
    ("scalar", "\nhello\n", 2, "must be an object (a mapping), not a scalar"),
    ("no kind", "\n\napiVersion: v1\n", 3, "Required value: an object has a kind"),
    ("no apiVersion", "kind: Pod\n", 1, "Required value: an object has an apiVersion"),
    ("kind of another type", "apiVersion: v1\nkind: 5\n", 2, "Required value: an object has a kind"),
    ("scalar in a List", "apiVersion: v1\nkind: List\nitems:\n- 1\n", 4, "must be an object (a mapping)"),
    ("too deep", "a: " + "[" * 1000, 1, "not YAML: nested more than 200 deep"),
]


@pytest.mark.parametrize(("text", "line", "message"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_what_cannot_be_read_is_a_problem_with_a_line(text: str, line: int, message: str) -> None:
    """No content of a file raises an exception."""
    documents, (problem,) = parse(text, "x.yaml")

    assert [] == documents
    assert ("x.yaml", line) == (problem.file, problem.line)
    assert problem.message.startswith(message)


def test_documents_before_a_syntax_error_are_kept() -> None:
    """So one run reports all problems of a file."""
    documents, (problem,) = parse(f"{POD}---\na: [\n", "x.yaml")

    assert ["Pod"] == [d.kind for d in documents]
    assert 17 == problem.line


def test_aliases_of_aliases_are_bounded() -> None:
    """A few lines of aliases cannot expand to a million values."""
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 8))
    documents, (problem,) = parse(f"l0: &l0 x\n{levels}", "x.yaml")

    assert [] == documents
    assert problem.message == "not YAML: document contains excessive aliasing"


def test_aliases_of_aliases_are_not_endlessly_deep() -> None:
    """The depth of all levels together is limited."""
    levels = "".join(f"l{n}: &l{n} {'[' * 90}*l{n - 1}{']' * 90}\n" for n in range(1, 20))
    documents, (problem,) = parse(f"l0: &l0 x\n{levels}", "x.yaml")

    assert [] == documents
    assert (4, "not YAML: document contains excessive aliasing") == (problem.line, problem.message)


def test_a_json_file_has_errors_of_json() -> None:
    """A .json file has the errors of JSON, not of YAML."""
    _, (problem,) = parse('{"a": 1,\n}', "x.json")

    assert (2, "not JSON: Expecting property name enclosed in double quotes") == (problem.line, problem.message)


# --- read -----------------------------------------------------------------------------------------------------------


def test_a_directory_is_read_recursively_in_sorted_order(tmp_path: Path) -> None:
    """Every .yaml, .yml and .json file below it, and no other."""
    for name in ("b.yml", "a/z.json", "a/b.yaml", "c.txt", "d/e/f.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{apiVersion: v1, kind: Pod}")
    (tmp_path / "a/z.json").write_text('{"apiVersion": "v1", "kind": "Pod"}')
    documents, problems = read([str(tmp_path)])

    assert [] == problems
    assert ["a/b.yaml", "a/z.json", "b.yml", "d/e/f.yaml"] == [
        str(Path(d.source.file).relative_to(tmp_path)) for d in documents
    ]


def _links(folder: Path, name: str) -> dict[str, str]:
    """Make an entry of each kind that is no file, and return the error of each that is named as YAML."""
    (folder / f"loop{name}").symlink_to(f"loop{name}")
    (folder / f"nowhere{name}").symlink_to("nothing")
    (folder / f"through{name}").symlink_to("pod.yaml/x")
    (folder / f"long{name}").symlink_to("x" * 300)
    os.mkfifo(folder / f"pipe{name}")
    (folder / f"device{name}").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / f"socket{name}"))
    return {
        "device": "is a device, not a file",
        "long": "File name too long",
        "loop": "Too many levels of symbolic links",
        "nowhere": "No such file or directory",
        "pipe": "is a pipe, not a file",
        "socket": "is a socket, not a file",
        "through": "Not a directory",
    }


@pytest.mark.parametrize("name", ["", ".txt", "\udcff"])
def test_an_entry_of_no_yaml_name_is_skipped(tmp_path: Path, name: str) -> None:
    """Whatever it is: a link that leads nowhere, a pipe, a socket or a device, or has a name that is no UTF-8."""
    (tmp_path / "pod.yaml").write_text(POD)
    _links(tmp_path, name)
    (document,), problems = read([str(tmp_path)])

    assert [] == problems
    assert "Pod" == document.kind


@pytest.mark.parametrize("name", [".yaml", "\udcff.json"])
def test_an_entry_of_a_yaml_name_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """And the other files of its folder are read."""
    (tmp_path / "pod.yaml").write_text(POD)
    expected = _links(tmp_path, name)
    (document,), problems = read([str(tmp_path)])

    assert "Pod" == document.kind
    assert {str(tmp_path / f"{one}{name}"): text for one, text in expected.items()} == {
        problem.file: problem.message for problem in problems
    }


def _two(folder: Path) -> None:
    (folder / "d").mkdir()
    for name in ("a", "b"):
        (folder / f"d/{name}.yaml").write_text(f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}")
    (folder / "link").symlink_to("d")
    (folder / "link.yaml").symlink_to("d/a.yaml")
    (folder / "hard.yaml").hardlink_to(folder / "d/a.yaml")


@pytest.mark.parametrize(
    ("paths", "files"),
    [
        (["d", "d"], ["d/a.yaml", "d/b.yaml"]),
        (["d", "./d/", "link"], ["link/a.yaml", "link/b.yaml"]),
        (["d/a.yaml", "d/a.yaml"], ["d/a.yaml"]),
        (["d/a.yaml", "link.yaml"], ["link.yaml"]),
        (["hard.yaml", "d/a.yaml"], ["d/a.yaml"]),
        (["d/a.yaml", "d/b.yaml", "d/a.yaml"], ["d/b.yaml", "d/a.yaml"]),
        (["d", "d/a.yaml"], ["d/b.yaml", "d/a.yaml"]),
        (["d/a.yaml", "d"], ["d/a.yaml", "d/b.yaml"]),
        (["link.yaml", "d", "hard.yaml"], ["d/b.yaml", "hard.yaml"]),
        (["d/a.yaml", "d/b.yaml"], ["d/a.yaml", "d/b.yaml"]),
    ],
)
def test_what_two_paths_lead_to_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: list[str], files: list[str]
) -> None:
    """At the later path, as of two objects with one name the last counts."""
    _two(tmp_path)
    monkeypatch.chdir(tmp_path)
    documents, problems = read(paths)

    assert [] == problems
    assert files == [document.source.file for document in documents]


def test_two_names_of_a_file_in_one_folder_are_two_files(tmp_path: Path) -> None:
    """Someone made both on purpose, and ``check`` says that the objects are defined twice."""
    _two(tmp_path)
    documents, _ = read([str(tmp_path)])

    assert ["a", "b", "a", "a"] == [document.data["metadata"]["name"] for document in documents]


def test_the_problems_of_a_file_that_two_paths_lead_to_are_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of what is not there."""
    _two(tmp_path)
    (tmp_path / "d/bad.yaml").write_text("{")
    monkeypatch.chdir(tmp_path)
    documents, problems = read(["d", "no", "d/bad.yaml", "no"])

    assert ["d/a.yaml", "d/b.yaml"] == [document.source.file for document in documents]
    assert ["d/bad.yaml", "no"] == [problem.file for problem in problems]


def test_standard_input_twice_counts_once() -> None:
    """The second time nothing would be left of it."""
    (document,), problems = read(["-", "-"], io.StringIO(POD))

    assert [] == problems
    assert "Pod" == document.kind


@pytest.mark.parametrize("stdin", [io.BytesIO(POD.encode()), io.StringIO(POD)], ids=["bytes", "text"])
def test_a_dash_is_standard_input(stdin: io.BytesIO | io.StringIO) -> None:
    """As with ``-f -``."""
    (document,), problems = read(["-"], stdin)

    assert [] == problems
    assert ("<stdin>", "Pod") == (document.source.file, document.kind)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n", "apiVersion: v1\nkind: List\nitems: []\n"])
def test_a_file_with_no_object_is_an_error(tmp_path: Path, text: str) -> None:
    """Even if the file is empty."""
    path = tmp_path / "x.yaml"
    path.write_text(text)
    documents, problems = read([str(path)])

    assert ([], [f"{path}: no object in it"]) == (documents, [str(p) for p in problems])


def test_an_empty_directory_is_an_error(tmp_path: Path) -> None:
    """A directory must have at least one file to read."""
    _, problems = read([str(tmp_path)])

    assert [f"{tmp_path}: no *.yaml, *.yml, *.json file in it"] == [str(p) for p in problems]


def test_every_file_is_tried(tmp_path: Path) -> None:
    """A missing file, one that is not UTF-8 and one that is not YAML do not hide a valid one."""
    (tmp_path / "latin").write_bytes(b"apiVersion: v1\nkind: Pod # \xe9\n")
    (tmp_path / "broken").write_text("a: [")
    (tmp_path / "fine").write_text(POD)
    names = ["missing", "latin", "broken", "fine"]
    documents, problems = read([str(tmp_path / n) for n in names])

    assert ["Pod"] == [d.kind for d in documents]
    assert [
        (str(tmp_path / "missing"), 0, "No such file or directory"),
        (str(tmp_path / "latin"), 2, "not UTF-8: invalid continuation byte 0xe9"),
        (str(tmp_path / "broken"), 1, "not YAML: while parsing a flow node, did not find expected node content"),
    ] == [(p.file, p.line, p.message) for p in problems]


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbf" + POD.encode())

    assert [] == read([str(tmp_path)])[1]


def test_a_record_gives_back_the_documents() -> None:
    """Also through JSON, with file, lines and duplicates."""
    documents, _ = parse(f"{POD}spec: {{a: 1, a: 2}}\n", "pod.yaml")
    again = from_record(json.loads(json.dumps(to_record(documents))))

    assert documents == again
    assert [d.source.lines for d in documents] == [d.source.lines for d in again]
    assert documents[0].duplicates == again[0].duplicates != ()


def test_a_record_gives_back_the_lines_of_each_item() -> None:
    """Only those of the item. Lines by path, as earlier versions wrote them, are read too."""
    item = "- apiVersion: v1\n  kind: Pod\n  spec: {a: [{b: 1},\n    {c: {d: 2}}], a: [3]}\n"
    documents, _ = parse(f"apiVersion: v1\nkind: List\nitems:\n{item * 3}", "x.yaml")
    again = from_record(json.loads(json.dumps(to_record(documents))))
    flat = {"file": "x", "lines": {"": 3, "names": 4}, "duplicates": [], "data": {}}

    assert [d.source.lines for d in documents] == [d.source.lines for d in again]
    assert [4, 8, 12] == [d.source.line() for d in again]
    assert 4 == from_record([flat])[0].source.line("names")
