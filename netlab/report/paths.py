"""Names of files as ``explain`` prints them: without the folder that all of them are in, where that is shorter."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence


def shortened(lines: Sequence[str], files: Iterable[str]) -> list[str]:
    """Return lines with ``(FILE:LINE)`` in them relative to the folder of all ``files``, and one that names the folder.

    They stay as they are where that is not shorter, or where a short name is that of another file here.
    """
    folder = _common_folder(files)
    before = f"({folder}/"
    note = f"Files are in {folder}"
    saved = sum(line.count(before) for line in lines) * len(before)
    if not folder or saved <= len(note):
        return list(lines)
    return [*(line.replace(before, "(") for line in lines), "", note]


def _common_folder(files: Iterable[str]) -> str:
    """Return the folder, "" where there is none that is longer than nothing or a short name means two files."""
    # What was read from standard input is in no folder and has a name of its own.
    paths = {file for file in files if file and not file.startswith(("<", "-"))}
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    except ValueError:
        return ""
    # The text before a name has to be the folder as it was written.
    if folder in ("", "/") or not all(path.startswith(f"{folder}/") for path in paths):
        return ""
    return "" if any(_is_another(path.removeprefix(f"{folder}/"), path) for path in paths) else folder


def _is_another(short: str, path: str) -> bool:
    """Say whether a short name is that of a file here which is not the one that is meant."""
    try:
        return os.path.exists(short) and not os.path.samefile(short, path)
    except OSError:
        return True
