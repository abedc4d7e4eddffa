"""Comments that silence rules of ``netlab lint`` for one object."""

from __future__ import annotations

import json

import pytest

from netlab.objects.documents import from_record, parse, to_record
from netlab.objects.reduced import reduced
from netlab.policy.lint.places import ignored_by

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"


def ignored(text: str, file: str = "a.yaml") -> list[set[str]]:
    """Return what each document of a text silences."""
    documents, problems = parse(text, file)

    assert {"comment-in-vain"} >= {problem.rule for problem in problems}
    return [set(ignored_by(one)) for one in documents]


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (POD, set()),
        (f"# netlab: ignore=a-b\n{POD}", {"a-b"}),
        (f"# netlab: ignore=a-b, c\n{POD}", {"a-b", "c"}),
        (f"# netlab: ignore = a-b\n{POD}", {"a-b"}),
        (f"# netlab: ignore=*\n{POD}", {"*"}),
        (f"#netlab:ignore=a because of that\n{POD}", {"a"}),
        (POD.replace("v1\n", "v1  # netlab: ignore=a\n"), {"a"}),
        (f"# why\n# netlab: ignore=a\n# and why\n{POD}", {"a"}),
        (f"# netlab: ignore=a\n\n{POD}", set()),
        (f"# netlab: ignore=a\n---\n{POD}", set()),
        (f"---\n# netlab: ignore=a\n{POD}", {"a"}),
        (f"{POD}# netlab: ignore=a\n", set()),
        (POD.replace("Pod\n", "Pod  # netlab: ignore=a\n"), set()),
        (POD.replace("{name", "{annotations: {netlab/ignore: 'a,b'}, name"), {"a", "b"}),
    ],
)
def test_a_comment_counts_on_the_first_line_and_directly_above(text: str, rules: set[str]) -> None:
    """Elsewhere it is text; the annotation counts in YAML too."""
    assert [rules] == ignored(text)


def test_a_comment_is_about_one_object() -> None:
    """Objects of one file, and items of a list, have comments of their own."""
    items = "\n".join(f"- {line}" if not at else f"  {line}" for at, line in enumerate(POD.splitlines()))

    assert [set(), {"a"}, set()] == ignored(f"{POD}---\n# netlab: ignore=a\n{POD}---\n{POD}")
    text = f"apiVersion: v1\nkind: List\nitems:\n{items}\n# netlab: ignore=a\n{items}\n"
    assert [set(), {"a"}] == ignored(text)


def test_json_has_an_annotation_in_place_of_a_comment() -> None:
    """A text in JSON that looks like a comment is none."""
    text = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "# netlab: ignore=b", "annotations": %s}}'

    assert [{"a"}] == ignored(text % '{"netlab/ignore": "a"}', "a.json")
    assert [set()] == ignored(text % "{}", "a.json")


def test_a_running_lab_keeps_what_comments_silence() -> None:
    """Its record has no comments, but the names of their rules."""
    documents, _ = parse(f"# netlab: ignore=a\n{POD}---\n{POD}", "a.yaml")
    again = from_record(json.loads(json.dumps(to_record(reduced(documents)))))

    assert [{"a"}, set()] == [set(ignored_by(one)) for one in again]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"# netlab: ignore=a\n{POD}", []),
        (f"# netlab: ignore=a\n---\n{POD}", [1]),
        (POD.replace("Pod\n", "Pod  # netlab: ignore=a\n"), [2]),
        (f"{POD}---\n# netlab: ignore=a\n{POD}# netlab: ignore=b\n", [9]),
        ("# netlab: labs are made of this\n" + POD, []),
    ],
)
def test_a_comment_elsewhere_has_a_warning(text: str, lines: list[int]) -> None:
    """It names the line: who wrote the comment takes the finding for silenced."""
    _, problems = parse(text, "a.yaml")

    assert [("comment-in-vain", "warning", at) for at in lines] == [(p.rule, p.severity, p.line) for p in problems]
