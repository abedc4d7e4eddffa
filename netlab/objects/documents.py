"""Files, directories and standard input as documents with line numbers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from json.decoder import JSONDecodeError
from typing import IO, Any

import yaml

from netlab.errors import Problem
from netlab.objects import folders, lines
from netlab.objects.bounds import DOCUMENT, MOST_OF_AN_OBJECT, Budget, TooLargeError
from netlab.objects.files import SUFFIXES, UnreadableError, below, is_inside, standard_input, text_of
from netlab.objects.json_text import JSONText
from netlab.objects.lines import Lines
from netlab.objects.lists import unpack
from netlab.objects.near import looks_like_object
from netlab.objects.types import Document, Source
from netlab.objects.yaml_text import YAMLText
from netlab.patterns import pattern

STDIN = "<stdin>"
_BRACE = pattern(r"\s*\{")


# --- text to documents ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Text:
    """What was found in a text: ``objects`` counts documents with kind and apiVersion, ``bare`` are those without.

    ``broken`` is the syntax error that ended it.
    """

    documents: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    objects: int = 0
    bare: list[Mapping[str, Any]] = field(default_factory=list)
    broken: Problem | None = None

    def all_problems(self) -> list[Problem]:
        return [*self.problems, *([self.broken] if self.broken else [])]


def parse(text: str, file: str, budget: Budget | None = None) -> tuple[list[Document], list[Problem]]:
    """Return the documents of a text, Lists unpacked, and what is wrong with it; documents before a syntax error stay.

    JSON is read as such where the text begins with a brace and is JSON; everything else is YAML, of which flow
    mappings begin with a brace as well.
    """
    try:
        found = _parsed(text, file, budget or Budget())
    except TooLargeError as error:
        return [], [Problem(file, 0, "", "", str(error))]
    return found.documents, found.all_problems()


def _parsed(text: str, file: str, budget: Budget) -> _Text:
    found = _Text()
    if _BRACE.match(text):
        left = replace(budget)
        try:
            _collect(JSONText(text, budget), file, found, budget)
            return found
        except JSONDecodeError as error:
            if file.endswith(".json"):
                found.broken = Problem(file, error.lineno, "", "", f"not JSON: {error.msg}")
                return found
            found, budget.memory = _Text(), left.memory
    try:
        _collect(YAMLText(text, budget), file, found, budget)
    except yaml.MarkedYAMLError as error:
        # The end of a text without a last newline is the line after its last, to libyaml.
        line = min(error.problem_mark.line, text.count("\n")) + 1 if error.problem_mark else 0
        message = ", ".join(part for part in (error.context, error.problem) if part)
        found.broken = Problem(file, line, "", "", f"not YAML: {message}")
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        found.broken = Problem(file, line, "", "", f"not YAML: {error.reason}")
    return found


def _collect(text: JSONText | YAMLText, file: str, found: _Text, budget: Budget) -> None:
    """Add the documents of a text as they are read, so that those before a syntax error are kept."""
    for value in text.values():
        if value is None:
            continue
        budget.spend(DOCUMENT)
        source = Source(file, text.lines)
        if not isinstance(value, dict):
            what = "a list" if isinstance(value, list) else "a scalar"
            found.problems.append(Problem(file, source.line(), "", "", f"must be an object (a mapping), not {what}"))
            continue
        documents, problems = unpack(Document(value, source, text.lines.duplicates(MOST_OF_AN_OBJECT)), budget)
        if documents or all(isinstance(value.get(name), str) and value[name] for name in ("apiVersion", "kind")):
            found.objects += 1
        else:
            found.bare.append(value)
        found.documents += documents
        found.problems += problems


# --- files to documents ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Reader:
    """Reads what is named, within one budget; what is read for one input shares a reader.

    With ``strict``, files of a directory that hold no object are errors. ``home`` is the folder that everything must
    be in, "" for anywhere; then pipes are refused too.
    """

    strict: bool = False
    home: str = ""
    stdin: IO[Any] | None = None
    budget: Budget = field(default_factory=Budget)
    files: list[str] = field(default_factory=list)
    _spent: bool = False

    def read(self, paths: Sequence[str]) -> tuple[list[Document], list[Problem]]:
        """Read every document of files, of directories (recursively, in sorted order) and, for ``-``, of stdin.

        Never raises for what the user wrote: what cannot be read, is not YAML or holds no object is in the problems,
        and what could be read is returned all the same. ``files`` has the names under which problems name them.
        """
        found: list[Document] = []
        problems: list[Problem] = []
        for path in paths:
            try:
                documents, more = self._path(path)
            except TooLargeError as error:
                if not self._spent:
                    problems.append(Problem(STDIN if path == "-" else path, 0, "", "", str(error)))
                self._spent = True
                break
            found += documents
            problems += more
        if not found and not any(problem.severity == "error" for problem in problems) and not self._spent:
            problems += [Problem(path, 0, "", "", "no object in it") for path in paths]
        return found, problems

    def _path(self, path: str) -> tuple[list[Document], list[Problem]]:
        if path != "-" and os.path.isdir(path) and (not self.home or is_inside(path, self.home)):
            return self._folder(path)
        name = STDIN if path == "-" else path
        self.files.append(name)
        try:
            text = self._text(path, pipes=not self.home)
        except UnreadableError as error:
            return [], [Problem(name, error.line, "", "", str(error))]
        found = self._parse(text, name)
        if found.broken and folders.TEMPLATE in text:
            message = f"{found.broken.message}; it looks like a template: read what `helm template` prints"
            found.broken = replace(found.broken, message=message)
        if folders.is_kustomization(path, found.documents):
            return [], [Problem(name, 0, "", "", "no object, but how to make some: read what `kustomize build` prints")]
        problems = found.all_problems()
        if not found.documents and not problems:
            problems = [Problem(name, 0, "", "", "no object in it")]
        return found.documents, problems

    def _text(self, path: str, *, pipes: bool) -> str:
        if path == "-":
            return standard_input(self.stdin, self.budget)
        return text_of(path, self.budget, pipes=pipes, home=self.home)

    def _parse(self, text: str, name: str) -> _Text:
        # What is read holds the text, and YAML's reader its bytes, until it is through.
        size = 2 * sys.getsizeof(text)
        self.budget.spend(size)
        found = _parsed(text, name, self.budget)
        self.budget.memory += size
        return found

    def _folder(self, path: str) -> tuple[list[Document], list[Problem]]:
        """Return the documents below a directory; files of other purposes are skipped, with a warning."""
        folder = below(path)
        told = folders.Told(path)
        told.links += folder.links
        self.files += folder.files
        found: list[Document] = []
        problems = folder.problems
        if not folder.files and not problems:
            problems.append(Problem(path, 0, "", "", f"no {', '.join('*' + s for s in SUFFIXES)} file in it"))
        # What a kustomization names as patches shows only when it is read.
        for file in sorted(folder.files, key=lambda file: not folders.is_kustomization(file)):
            if file in told.patches:
                continue
            try:
                text = self._text(file, pipes=False)
            except UnreadableError as error:
                problems.append(Problem(file, error.line, "", "", str(error)))
                continue
            read = self._parse(text, file)
            if folders.is_kustomization(file, read.documents):
                told.kustomization(file, [*read.bare, *(d.data for d in read.documents)])
            elif folders.is_template(file, text, broken=read.broken is not None):
                told.templates.append(file)
            elif _without_object(read, file, text):
                told.others.append(file)
            else:
                found += read.documents
                problems += read.all_problems()
        return found, [*problems, *told.problems(strict=self.strict)]


def _without_object(read: _Text, file: str, text: str) -> bool:
    """Say whether a file of a directory is there for something else than to hold objects."""
    if read.objects:
        return False
    if read.broken:
        return file.endswith(".json") and folders.is_commented(text)
    return not any(looks_like_object(data) for data in read.bare)


def read(
    paths: Sequence[str], stdin: IO[Any] | None = None, *, strict: bool = False
) -> tuple[list[Document], list[Problem]]:
    """Read every document of files, directories and ``-``, as ``Reader.read`` does."""
    return Reader(strict, stdin=stdin).read(paths)


# --- the record of a running lab ------------------------------------------------------------------------------------


def to_record(documents: Iterable[Document]) -> list[dict[str, Any]]:
    """Return documents as JSON can carry them, with file and lines."""
    return [
        {
            "file": d.source.file,
            "lines": d.source.lines.to_record() if isinstance(d.source.lines, Lines) else dict(d.source.lines),
            "duplicates": [list(pair) for pair in d.duplicates],
            "data": d.data,
        }
        for d in documents
    ]


def from_record(record: Iterable[Mapping[str, Any]]) -> list[Document]:
    """Return the documents that ``to_record`` was given."""
    return [
        Document(
            r["data"],
            Source(r["file"], lines.from_record(r["lines"])),
            tuple((path, line) for path, line in r["duplicates"]),
        )
        for r in record
    ]
