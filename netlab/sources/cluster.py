"""``cluster:CONTEXT``: all that netlab reads of a live cluster, by kubeconfig; ``cluster:``: the current context.

It is read-only. The text after ``cluster:`` may be any name of a context. A git revision named ``cluster`` is
``heads/cluster:PATH``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netlab.errors import Problem
from netlab.frozen import frozen

if TYPE_CHECKING:
    from netlab.objects.documents import Reader
    from netlab.objects.types import Document

PREFIX = "cluster:"
_MOST_NAMED = 10


@frozen
class _Cluster:
    form: str = "cluster:CONTEXT"

    def claims(self, text: str) -> bool:
        return text.startswith(PREFIX)

    def read(self, text: str, reader: Reader) -> tuple[list[Document], list[Problem]]:
        """Return the documents; raises HostError if the API server cannot be asked, or refuses the credentials."""
        from netlab.kernel.kube_process import KubeError, KubeProcess
        from netlab.sources.cluster_api import Api
        from netlab.sources.cluster_objects import Reading

        context = text.removeprefix(PREFIX)
        try:
            process = KubeProcess(context)
        except KubeError as error:
            reader.files.append(text)
            return [], [Problem(text, 0, "", "", f"{error}{_known(context, error.names)}")]
        with process:
            name = f"{PREFIX}{process.context}"
            reader.files.append(name)
            reading = Reading(Api(process, reader.budget, name), name, process.namespace)
            return reading.read()


SOURCE = _Cluster()


def _known(context: str, names: Sequence[str]) -> str:
    """Return the contexts that exist, the one with the most similar name first."""
    from difflib import get_close_matches

    if not names:
        return ""
    near = get_close_matches(context[:100], names, 1)
    ordered = list(dict.fromkeys([*near, *sorted(names)]))
    more = f" and {len(ordered) - _MOST_NAMED} more" if len(ordered) > _MOST_NAMED else ""
    return f"; {f'did you mean {PREFIX}{near[0]}? ' if near else ''}there are {', '.join(ordered[:_MOST_NAMED])}{more}"
