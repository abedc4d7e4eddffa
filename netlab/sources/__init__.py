"""Where objects come from, besides files: each source is one module and one line here.

Every form has a colon. What a user names with ``-f`` may be a source. What a file names, as a scenario's resources,
never is: the file may be a stranger's.
"""

from __future__ import annotations

from netlab.objects.file_trees import InputSource
from netlab.sources import cluster, revision, running_lab

SOURCES: tuple[InputSource, ...] = (running_lab.SOURCE, cluster.SOURCE, revision.SOURCE)
"""The first that claims a text reads it. ``revision`` claims every text with a colon, so it is the last."""
