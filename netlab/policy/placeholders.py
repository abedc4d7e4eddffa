"""Placeholders for the names of the two endpoints in a text that many pairs share."""

from __future__ import annotations

# No name of an object or a file has a NUL.
SOURCE, DESTINATION = "\0s", "\0d"
"""The placeholders for the source and the destination."""

# JSON escapes control characters, so these are in a JSON text only as placeholders.
SOURCE_MARK, DESTINATION_MARK = "\0", "\1"
"""The placeholders in JSON text: one letter is replaced six times as fast as two."""
