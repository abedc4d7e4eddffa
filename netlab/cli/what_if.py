"""How options change the input of a question: ``--with``, ``--without``, ``--label`` and ``--as``; and its sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netlab.cli import options, terminal
from netlab.errors import Problem

if TYPE_CHECKING:
    from netlab.cluster.what_if import WhatIf
    from netlab.objects import Document
    from netlab.objects.documents import Reader
    from netlab.objects.file_trees import InputSource
    from netlab.objects.input import Change


def change(of_lab: Sequence[Document] = (), *, assume: bool = True) -> Change | None:
    """Return the function that changes documents as ``--with``, ``--without``, ``--label`` and ``--as`` say.

    It is None without these options. ``of_lab`` has the documents of the running lab. Without ``assume``, only ``--as``
    counts.

    Raises:
      UsageError: if a label has a wrong form.
    """
    assumed, profile = wanted_changes() if assume else None, options.wanted_profile()
    if not assumed and not profile:
        return None

    def changed(documents: list[Document], reader: Reader) -> tuple[list[Document], list[Problem]]:
        problems: list[Problem] = []
        if assumed:
            terminal.say(f"what if: {assumed}")
            added, problems = reader.read(assumed.files)
            documents, more = assumed.changed(documents, added)
            problems = [*problems, *more]
        if profile:
            from netlab.profiles.documents import with_profile

            documents = with_profile(documents, profile, of_lab)
        return documents, problems

    return changed


def wanted_changes() -> WhatIf | None:
    """Return the changes of ``--with``, ``--without`` and ``--label``, None without these.

    Raises:
      UsageError: if a label has a wrong form.
    """
    without, files, labels = map(options.assumed, ("without", "with", "label"))
    if not (without or files or labels):
        return None
    from netlab.cli.commands.label import parse_labels
    from netlab.cluster.what_if import WhatIf
    from netlab.objects.meta import DEFAULT_NAMESPACE
    from netlab.objects.scenarios import LabelChange

    changes = []
    for name, text in labels:
        kind, colon, namespace = name.partition(":")
        if colon and kind in ("namespace", "ns"):
            changes.append(LabelChange("namespace", namespace, parse_labels([text])))
        else:
            full = name if "/" in name or colon else f"{_namespace() or DEFAULT_NAMESPACE}/{name}"
            changes.append(LabelChange("pod", full, parse_labels([text])))
    return WhatIf(tuple(without), tuple(files), tuple(changes))


def _namespace() -> str:
    """Return the namespace of names that have none, "" where the command has no option for it."""
    import click

    namespace: str = click.get_current_context().params.get("namespace", "")
    return namespace


def sources(files: Sequence[str] = ()) -> Sequence[InputSource]:
    """Return the sources that files and ``--with`` may name; () if no text has a colon, as every form has one."""
    if not any(":" in text for text in (*files, *options.assumed("with"))):
        return ()
    from netlab.sources import SOURCES

    return SOURCES


def lab_of(text: str) -> str | None:
    """Return the running lab that a text of ``-f`` names as ``lab:NAME``, None for another text."""
    if ":" not in text:
        return None
    from netlab.sources import running_lab

    return running_lab.name_of(text)
