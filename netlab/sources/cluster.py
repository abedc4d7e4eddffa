"""``cluster:CONTEXT``: all that netlab reads of a live cluster, by kubeconfig; ``cluster:``: the current context.

It is read-only. The text after ``cluster:`` may be any name of a context. A git revision named ``cluster`` is
``heads/cluster:PATH``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netlab.errors import InputError, Problem
from netlab.frozen import frozen

if TYPE_CHECKING:
    from netlab.kernel.kube_process import KubeProcess
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
        from netlab.sources.cluster_api import Api
        from netlab.sources.cluster_objects import Reading

        try:
            process = opened(text)
        except InputError as error:
            reader.files.append(text)
            return [], list(error.problems)
        with process:
            name = f"{PREFIX}{process.context}"
            reader.files.append(name)
            reading = Reading(Api(process, reader.budget, name), name, process.namespace)
            return reading.read()


SOURCE = _Cluster()


def opened(text: str, *, watches: bool = False) -> KubeProcess:
    """Return the process that asks the API server of ``cluster:CONTEXT``; ``watches`` is that of ``KubeProcess``.

    Raises:
      InputError: if there is no such context, or its kubeconfig cannot be used.
      HostError: as ``KubeProcess`` does.
    """
    from netlab.kernel.kube_process import KubeError, KubeProcess

    context = text.removeprefix(PREFIX)
    try:
        return KubeProcess(context, watches=watches)
    except KubeError as error:
        raise InputError([Problem(text, 0, "", "", f"{error}{_known(context, error.names)}")]) from error


def _known(context: str, names: Sequence[str]) -> str:
    """Return the contexts that exist, the one with the most similar name first."""
    from difflib import get_close_matches

    if not names:
        return ""
    near = get_close_matches(context[:100], names, 1)
    ordered = list(dict.fromkeys([*near, *sorted(names)]))
    more = f" and {len(ordered) - _MOST_NAMED} more" if len(ordered) > _MOST_NAMED else ""
    return f"; {f'did you mean {PREFIX}{near[0]}? ' if near else ''}there are {', '.join(ordered[:_MOST_NAMED])}{more}"
