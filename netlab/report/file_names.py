"""Short names of files for ``explain``: without the folder that all files are in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence


def shortened(lines: Sequence[str], files: Iterable[str]) -> list[str]:
    """Return lines with each ``(FILE:LINE)`` relative to the common folder of ``files``, and a line with the folder.

    Return the lines unchanged if that is not shorter, or if a short name is the name of another file here.
    """
    folder = _common_folder(files)
    before = f"({folder}/"
    note = f"Files are in {folder}"
    saved = sum(line.count(before) for line in lines) * len(before)
    if not folder or saved <= len(note):
        return list(lines)
    return [*(line.replace(before, "(") for line in lines), "", note]


def _common_folder(files: Iterable[str]) -> str:
    """Return the common folder; "" if there is none, or if a short name would be ambiguous."""
    # Standard input is in no folder.
    paths = {file for file in files if file and not file.startswith(("<", "-"))}
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    except ValueError:
        return ""
    # Each path has to begin with the folder as text: commonpath normalizes.
    if folder in ("", "/") or not all(path.startswith(f"{folder}/") for path in paths):
        return ""
    return "" if any(_is_another(path.removeprefix(f"{folder}/"), path) for path in paths) else folder


def _is_another(short: str, path: str) -> bool:
    """Say whether a short name is the name of another file here."""
    try:
        return os.path.exists(short) and not os.path.samefile(short, path)
    except OSError:
        return True
