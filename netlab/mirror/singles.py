"""Objects that are asked for by their names: the Secrets of Ingresses. No watch tells of them.

Of each only the fields are kept that netlab reads: nothing of a Secret that is not for TLS.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from netlab.frozen import NamedTuple
from netlab.objects.bounds import TooLargeError
from netlab.objects.kinds.secret import TYPE
from netlab.objects.reduced import each_reduced
from netlab.objects.types import Document
from netlab.sources.cluster_api import Api, NotListedError
from netlab.sources.cluster_kinds import SECRET, Resource


class SingleKey(NamedTuple):
    """The kind, namespace and name of an object."""

    resource: Resource
    namespace: str
    name: str


class _Known(NamedTuple):
    until: float
    document: Document | None
    refused: NotListedError | None


class Singles:
    """Objects by their keys, each known until a time; ``api`` returns a connection with a new budget."""

    def __init__(self, api: Callable[[], Api]) -> None:
        self._api = api
        self._known: dict[SingleKey, _Known] = {}

    def get(self, key: SingleKey, until: float) -> Document | None:
        """Return an object, None if there is none; it is asked for the first time only. ``until``: what then counts.

        Raises:
          NotListedError: if the server does not tell it.
          HostError: if it is asked for, and the server does not answer.
        """
        if key not in self._known:
            self._known[key] = self._asked(key, until)
        _, document, refused = self._known[key]
        if refused is not None:
            raise refused
        return document

    def ask(self, key: SingleKey, until: float) -> bool:
        """Ask for an object once more, and return whether it changed; raises HostError."""
        _, before, why = self._known[key]
        # Also after an error it is not asked for at once.
        self._known[key] = _Known(until, before, why)
        _, document, refused = self._asked(key, until)
        if refused is not None and not refused.forbidden and why is None:
            # The server cannot tell it now. What was known stays.
            return False
        if (before and before.data) == (document and document.data) and str(why) == str(refused):
            return False
        self._known[key] = _Known(until, document, refused)
        return True

    def keep(self, needed: Collection[object]) -> None:
        """Drop the objects whose keys are not among others."""
        self._known = {key: one for key, one in self._known.items() if key in needed}

    def due(self, now: float) -> list[SingleKey]:
        """Return the keys of the objects that are to be asked for."""
        return [key for key, one in self._known.items() if now >= one.until]

    def times(self) -> list[float]:
        """Return when the objects are to be asked for."""
        return [one.until for one in self._known.values()]

    def _asked(self, key: SingleKey, until: float) -> _Known:
        try:
            found = self._api().one(*key)
        except NotListedError as error:
            return _Known(until, None, error)
        except TooLargeError as error:
            return _Known(until, None, NotListedError(str(error), forbidden=False))
        return _Known(until, None if found is None else _kept(found), None)


def _kept(document: Document) -> Document:
    """Return the document with the fields that netlab reads; of a Secret that is not for TLS, its type and name."""
    if document.kind != SECRET or document.data.get("type") == TYPE:
        return next(iter(each_reduced([document])))
    names = ("apiVersion", "kind", "metadata", "type")
    return Document({name: document.data[name] for name in names if name in document.data}, document.source)
