"""Files, directories and standard input to documents with line numbers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import IO, TYPE_CHECKING, Any

from netlab.errors import Problem
from netlab.frozen import mutable
from netlab.objects import ignore_comments, lines, skipped_files
from netlab.objects.bounds import DOCUMENT, MOST_OF_AN_OBJECT, Budget, TooLargeError
from netlab.objects.file_trees import FileTree, HostFiles, InputSource
from netlab.objects.files import SUFFIXES, UnreadableError, each_once, identity, standard_input
from netlab.objects.lines import Lines
from netlab.objects.lists import unpack
from netlab.objects.similar_names import looks_like_object
from netlab.objects.types import Document, Source
from netlab.objects.yaml_text import MarkedYAMLError, ReaderError, YAMLText
from netlab.patterns import pattern

if TYPE_CHECKING:
    from netlab.objects.json_text import JSONText

STDIN = "<stdin>"
_TOPOLOGY = "Topology"
_RECORD_LINE = "record line"
_BRACE = pattern(r"\s*\{")


# --- text to documents ----------------------------------------------------------------------------------------------


@mutable
class _Text:
    """The content of a text: ``objects`` is the number of documents with kind and apiVersion, ``bare`` has the others.

    ``broken`` is the syntax error at which reading ended. ``tree``: the files that its own is among, as in ``Source``.
    """

    documents: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    objects: int = 0
    bare: list[Mapping[str, Any]] = field(default_factory=list)
    broken: Problem | None = None
    tree: FileTree | None = None

    def all_problems(self) -> list[Problem]:
        return [*self.problems, *([self.broken] if self.broken else [])]


def parse(text: str, file: str, budget: Budget | None = None) -> tuple[list[Document], list[Problem]]:
    """Return the documents of a text, with Lists unpacked, and the problems. Documents before a syntax error count.

    A text that begins with a brace is JSON, or if that fails, YAML with a flow mapping. Other texts are YAML.
    """
    try:
        found = _parsed(text, file, budget or Budget())
    except TooLargeError as error:
        return [], [Problem(file, 0, "", "", str(error))]
    return found.documents, found.all_problems()


def _parsed(text: str, file: str, budget: Budget, tree: FileTree | None = None) -> _Text:
    found = _Text(tree=tree)
    if _BRACE.match(text):
        from json.decoder import JSONDecodeError

        from netlab.objects.json_text import JSONText

        left = replace(budget)
        try:
            _collect(JSONText(text, budget), file, found, budget)
            return found
        except JSONDecodeError as error:
            if file.endswith(".json"):
                found.broken = Problem(file, error.lineno, "", "", f"not JSON: {error.msg}")
                return found
            found, budget.memory = _Text(tree=tree), left.memory
    try:
        _collect(YAMLText(text, budget), file, found, budget)
    except MarkedYAMLError as error:
        # For an error at the end of a text without a final newline, libyaml reports one line too many.
        line = min(error.problem_mark.line, text.count("\n")) + 1 if error.problem_mark else 0
        message = ", ".join(part for part in (error.context, error.problem) if part)
        found.broken = Problem(file, line, "", "", f"not YAML: {message}")
    except ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        found.broken = Problem(file, line, "", "", f"not YAML: {error.reason}")
    if ignore_comments.MARK in text:
        found.documents = list(ignore_comments.with_ignored(found.documents, text))
        message = "a comment silences rules only on the first line of an object, or directly above it"
        # Comments behind a syntax error may be those of objects that were not read.
        places = [] if found.broken else ignore_comments.without_effect(found.documents, text)[:MOST_OF_AN_OBJECT]
        found.problems += [Problem(file, at, "", "", message, "warning", "comment-in-vain") for at in places]
    return found


def _collect(text: JSONText | YAMLText, file: str, found: _Text, budget: Budget) -> None:
    """Add the documents of a text one by one, so that those before a syntax error are kept."""
    for value in text.values():
        if value is None:
            continue
        budget.spend(DOCUMENT)
        source = Source(file, text.lines, found.tree)
        if isinstance(value, list) and (items := _items_of_bundle(value, file)) is not None:
            budget.spend(DOCUMENT * len(items))
            own = [*text.lines.items_of("")]
            for item, item_lines in zip(
                items, own if len(own) == len(items) else [text.lines] * len(items), strict=True
            ):
                one = Document(item, Source(file, item_lines, found.tree), item_lines.duplicates(MOST_OF_AN_OBJECT))
                found.documents.append(one)
            found.objects += 1
            continue
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


def _items_of_bundle(value: list[Any], file: str) -> list[dict[str, Any]] | None:
    from netlab.objects.bundle_files import items_of

    return items_of(value, file)


# --- files to documents ---------------------------------------------------------------------------------------------


_Part = tuple[list[Document], list[Problem], Sequence[str]]
"""What one path of an input has: documents, problems, and the names of the files of this host."""


@mutable
class Reader:
    """Reads all files of one input, within one budget.

    - ``strict``: files of a directory without an object are errors.
    - ``tree``: where the files are.
    - ``sources``: the forms of input that are no path. What a file names is never read from them.
    - ``files`` has the names of all files that were read, for messages.
    """

    strict: bool = False
    stdin: IO[Any] | None = None
    budget: Budget = field(default_factory=Budget)
    tree: FileTree = field(default_factory=HostFiles)
    sources: Sequence[InputSource] = ()
    files: list[str] = field(default_factory=list)
    _spent: bool = False

    def read(self, paths: Sequence[str]) -> tuple[list[Document], list[Problem]]:
        """Return the documents of paths, and the problems.

        A path is a file, a directory (read recursively, sorted), ``-`` for stdin, or a text that a source claims. A
        file that cannot be read, is not YAML or holds no object is a problem. The other documents are returned. What
        two paths lead to counts once, at the later one.
        """
        problems: list[Problem] = []
        parts: list[_Part] = []
        several = len(paths) > 1 and isinstance(self.tree, HostFiles)
        paths = each_once(paths) if several else paths
        for path in paths:
            start = len(self.files)
            try:
                documents, more = self._path(path)
            except TooLargeError as error:
                if not self._spent:
                    problems.append(Problem(STDIN if path == "-" else path, 0, "", "", str(error)))
                self._spent = True
                break
            parts.append((documents, more, self.files[start:] if self._source(path) is None else []))
        if several and any(map(os.path.isdir, paths)):
            parts = _without_repeated(parts)
        found = [document for documents, _, _ in parts for document in documents]
        problems = [*(problem for _, more, _ in parts for problem in more), *problems]
        for index, document in enumerate(found):
            if document.kind == _TOPOLOGY:
                found[index], more = self._with_conflists(document)
                problems += more
        if not found and not any(problem.severity == "error" for problem in problems) and not self._spent:
            problems += [Problem(path, 0, "", "", "no object in it") for path in paths]
        return found, problems

    def _with_conflists(self, document: Document) -> tuple[Document, list[Problem]]:
        """Return a Topology with the files that it names, and the problems."""
        from netlab.objects import conflist_files

        if not conflist_files.names_conflist(document):
            return document, []
        tree = document.source.tree or self.tree
        try:
            return conflist_files.with_conflists(document, self.budget, tree)
        finally:
            tree.close()

    def _path(self, path: str) -> tuple[list[Document], list[Problem]]:
        source = self._source(path)
        return self.read_path(path, self.tree) if source is None else source.read(path, self)

    def _source(self, path: str) -> InputSource | None:
        # A file or folder of the name has precedence over a source.
        if not self.sources or path == "-" or os.path.lexists(path):
            return None
        return next((one for one in self.sources if one.claims(path)), None)

    def read_path(self, path: str, tree: FileTree) -> tuple[list[Document], list[Problem]]:
        """Return the documents of a file or folder of a tree, or of ``-``, and the problems."""
        if path != "-" and tree.is_folder(path):
            return self._folder(path, tree)
        name = STDIN if path == "-" else tree.name(path)
        self.files.append(name)
        try:
            text = standard_input(self.stdin, self.budget) if path == "-" else tree.text(path, self.budget, pipes=True)
        except UnreadableError as error:
            return [], [Problem(name, error.line, "", "", str(error))]
        found = self._parse(text, name, tree)
        if found.broken and skipped_files.TEMPLATE in text:
            message = f"{found.broken.message}; it looks like a template: read the output of `helm template`"
            found.broken = replace(found.broken, message=message)
        if skipped_files.is_kustomization(path, found.documents):
            return [], [
                Problem(name, 0, "", "", "a kustomization, which holds no object: read the output of `kustomize build`")
            ]
        problems = found.all_problems()
        if not found.documents and not problems:
            problems = [Problem(name, 0, "", "", "no object in it")]
        return found.documents, problems

    def _parse(self, text: str, name: str, tree: FileTree) -> _Text:
        # While a text is parsed, the text and the bytes of libyaml's reader are in memory.
        size = 2 * sys.getsizeof(text)
        self.budget.spend(size)
        found = _parsed(text, name, self.budget, None if isinstance(tree, HostFiles) else tree)
        self.budget.memory += size
        return found

    def _folder(self, path: str, tree: FileTree) -> tuple[list[Document], list[Problem]]:
        """Return the documents below a directory, and the problems. Files of other tools are skipped with a warning."""
        from netlab.objects import bundle_files
        from netlab.objects.unlisted import unlisted

        folder = tree.below(path)
        skipped = skipped_files.SkippedFiles(path, tree)
        skipped.links += folder.links
        skipped.submodules += folder.submodules
        self.files += map(tree.name, folder.files)
        found: list[Document] = []
        problems = folder.problems
        if not folder.files and not problems:
            problems.append(
                Problem(tree.name(path), 0, "", "", f"no {', '.join('*' + s for s in SUFFIXES)} file in it")
            )
        # Kustomizations first, as they name the files that are patches.
        for file in sorted(folder.files, key=lambda file: not skipped_files.is_kustomization(file)):
            if file in skipped.patches:
                continue
            name = tree.name(file)
            try:
                text = tree.text(file, self.budget)
            except UnreadableError as error:
                problems.append(Problem(name, error.line, "", "", str(error)))
                continue
            read = self._parse(text, name, tree)
            if skipped_files.is_kustomization(file, read.documents):
                skipped.kustomization(file, [*read.bare, *(d.data for d in read.documents)])
            elif skipped_files.is_template(file, text, tree, broken=read.broken is not None):
                skipped.templates.append(file)
            elif skipped_files.is_result(read.documents):
                continue
            elif _without_object(read, file, text):
                skipped.others.append(file)
            else:
                found += read.documents
                problems += read.all_problems()
        own = None if isinstance(tree, HostFiles) else tree
        for namespace, file in bundle_files.without_policies(folder.files):
            found.append(unlisted(namespace, Source(tree.name(file), tree=own)))
        return found, [*problems, *skipped.problems(strict=self.strict)]


def _without_repeated(parts: Sequence[_Part]) -> list[_Part]:
    """Return the parts, each without what it has of files that a later one has too, as a folder and a file in it."""
    found: list[_Part] = []
    later: set[object] = set()
    for documents, problems, files in reversed(parts):
        known = {file: identity(file) for file in files}
        again = {file for file, one in known.items() if one in later}
        later.update(known.values())
        if again:
            from netlab.objects.unread import UNLISTED

            # What a folder of a dump lacks is said of one of its files, and is not in the file.
            documents = [one for one in documents if one.source.file not in again or one.kind == UNLISTED]
            problems = [one for one in problems if one.file not in again]
        found.append((documents, problems, files))
    return found[::-1]


def _without_object(read: _Text, file: str, text: str) -> bool:
    """Say whether a file of a directory has another purpose than to hold objects."""
    if read.objects:
        return False
    if read.broken:
        commented = file.endswith(".json") and skipped_files.is_commented(text)
        return commented or skipped_files.is_message(file, text)
    return not any(looks_like_object(data) for data in read.bare)


def read(
    paths: Sequence[str], stdin: IO[Any] | None = None, *, strict: bool = False
) -> tuple[list[Document], list[Problem]]:
    """Return the documents of files, directories and ``-``, and the problems, as ``Reader.read`` does."""
    return Reader(strict, stdin=stdin).read(paths)


# --- the record of a running lab ------------------------------------------------------------------------------------


def to_record(documents: Iterable[Document]) -> list[dict[str, Any]]:
    """Return documents as JSON values, with file and lines."""
    return [
        {
            "file": d.source.file,
            "lines": d.source.lines.to_record() if isinstance(d.source.lines, Lines) else dict(d.source.lines),
            "duplicates": [list(pair) for pair in d.duplicates],
            "data": d.data,
            **({"ignored": sorted(d.source.ignored)} if d.source.ignored else {}),
        }
        for d in documents
    ]


def record_lines(documents: Iterable[Document]) -> list[bytes]:
    """Return the JSON text of each item of ``to_record``, in one line each; a document is encoded once."""
    import json

    given = list(documents)
    new = [document for document in given if _RECORD_LINE not in document.memo]
    for document, item in zip(new, to_record(new), strict=True):
        document.memo[_RECORD_LINE] = json.dumps(item, separators=(",", ":")).encode()
    return [document.memo[_RECORD_LINE] for document in given]


def from_record_line(text: bytes) -> Document:
    """Return the document of one line of ``record_lines``, and keep the line for the next record."""
    import json

    (document,) = from_record([json.loads(text)])
    document.memo[_RECORD_LINE] = text
    return document


def from_record(record: Iterable[Mapping[str, Any]]) -> list[Document]:
    """Return the documents from the result of ``to_record``."""
    return [
        Document(
            r["data"],
            Source(r["file"], lines.from_record(r["lines"]), ignored=frozenset(r.get("ignored", ()))),
            tuple((path, line) for path, line in r["duplicates"]),
        )
        for r in record
    ]
