"""What stands for the two endpoints in texts that are made once for many pairs."""

from __future__ import annotations

# No name and no file's name holds a NUL.
SOURCE, DESTINATION = "\0s", "\0d"
"""What stands for the source and the destination."""
