"""Texts of containers that may name Services: env, args, commands, and the ConfigMaps that they use.

netlab keeps none of these fields. This module reads them from the documents of an input, for ``suggest`` only. It reads
no Secret, and of the ConfigMaps only those that a pod names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netlab.frozen import NamedTuple
from netlab.objects.decoders import object_of
from netlab.objects.kind import get
from netlab.objects.meta import DEFAULT_NAMESPACE, key_of
from netlab.objects.types import Document, Pod, Workload

# The most characters of one text, and of all texts together.
_MOST_OF_TEXT = 65_536
_MOST = 32 << 20


class Mention(NamedTuple):
    """A text of a container.

    - ``owner``: ``KIND NAMESPACE/NAME`` of the workload, or of the pod that has none.
    - ``name``: the name of the variable, flag or key; "" if it has none.
    - ``where``: what the text is, for people. ``place`` is its ``FILE:LINE``.
    - ``beside``: other variables of the container, or of the file: ``DB_PORT`` beside ``DB_HOST``.
    """

    owner: str
    namespace: str
    name: str
    text: str
    where: str
    place: str
    beside: Mapping[str, str]


class NotRead(NamedTuple):
    """Something that a container uses and that netlab cannot read, and why."""

    owner: str
    message: str
    place: str


class _Value(NamedTuple):
    name: str
    text: str
    where: str
    place: str


def mentions(documents: Iterable[Document]) -> Iterator[Mention | NotRead]:
    """Yield the texts of all pods and workloads of an input, in order; the sizes are bounded."""
    last = {key_of(document): document for document in documents}
    maps = {
        (str(key.namespace or DEFAULT_NAMESPACE), key.name): document
        for key, document in last.items()
        if key.kind == "ConfigMap" and key.api_version == "v1"
    }
    left = _MOST
    for document in last.values():
        kind = get(document.kind)
        if kind is None or (kind.template is None and kind.type is not Pod):
            continue
        one = object_of(document)
        if not isinstance(one, (Pod, Workload)):
            continue
        path = [] if isinstance(one, Pod) or kind.template is None else [*kind.template.path, "template"]
        owner = f"{'Pod' if isinstance(one, Pod) else one.kind} {one.meta.key}"
        for found in _Reader(document, owner, one.meta.namespace, maps).of_pod([*path, "spec"]):
            if isinstance(found, Mention):
                left -= len(found.text)
                if left < 0:
                    yield NotRead(owner, "too many texts: the rest is not read", document.source.place())
                    return
            yield found
            if isinstance(found, Mention) and len(found.text) == _MOST_OF_TEXT:
                yield NotRead(owner, f"{found.where} is too long: the rest is not read", found.place)


class _Reader:
    """Reads the containers of one document."""

    def __init__(
        self, document: Document, owner: str, namespace: str, maps: Mapping[tuple[str, str], Document]
    ) -> None:
        self._document = document
        self._owner = owner
        self._namespace = namespace
        self._maps = maps

    def of_pod(self, path: list[str]) -> Iterator[Mention | NotRead]:
        spec: Any = self._document.data
        for name in path:
            spec = _mapping(spec).get(name)
        at = ".".join(path)
        for field in ("initContainers", "containers"):
            for number, container in enumerate(_list(_mapping(spec).get(field))):
                yield from self._of_container(_mapping(container), f"{at}.{field}[{number}]")
        for number, volume in enumerate(_list(_mapping(spec).get("volumes"))):
            yield from self._of_volume(_mapping(volume), f"{at}.volumes[{number}]")

    def _of_container(self, container: Mapping[str, Any], path: str) -> Iterator[Mention | NotRead]:
        name = _text(container.get("name")) or "?"
        found: dict[str, _Value] = {}
        for number, source in enumerate(_list(container.get("envFrom"))):
            at = f"{path}.envFrom[{number}]"
            prefix = _text(_mapping(source).get("prefix"))
            reference = _mapping(_mapping(source).get("configMapRef"))
            if reference:
                values, problems = self._of_map(_text(reference.get("name")), at, optional=reference.get("optional"))
                yield from problems
                found.update({prefix + one.name: one._replace(name=prefix + one.name) for one in values})
            if _mapping(source).get("secretRef"):
                yield self._secret(_mapping(_mapping(source)["secretRef"]), at, name)
        for number, item in enumerate(_list(container.get("env"))):
            at = f"{path}.env[{number}]"
            variable = _mapping(item)
            key = _text(variable.get("name"))
            source = _mapping(variable.get("valueFrom"))
            reference = _mapping(source.get("configMapKeyRef"))
            if reference:
                wanted = _text(reference.get("key"))
                values, problems = self._of_map(_text(reference.get("name")), at, wanted, reference.get("optional"))
                yield from problems
                if values:
                    found[key] = values[0]._replace(name=key)
            elif source.get("secretKeyRef"):
                yield self._secret(_mapping(source["secretKeyRef"]), at, name)
            elif key:
                text = _text(variable.get("value"))
                found[key] = _Value(key, text, f"env {key} of container {name}", self._place(f"{at}.value"))
        variables = {key: one.text for key, one in found.items()}
        for one in found.values():
            yield self._mention(one._replace(text=_expanded(one.text, variables)), variables)
        yield from self._of_words(container, path, name, variables)

    def _of_words(
        self, container: Mapping[str, Any], path: str, name: str, variables: Mapping[str, str]
    ) -> Iterator[Mention]:
        """Yield the words of the command line; a flag and its value may be one word or two."""
        for field in ("command", "args"):
            words = [_expanded(_text(word), variables) for word in _list(container.get(field))]
            pairs = [_flag(word, after) for word, after in zip(words, [*words[1:], ""], strict=False)]
            flags = dict(pairs)
            for number, (word, (flag, value)) in enumerate(zip(words, pairs, strict=True)):
                one = _Value(flag, word, f"{field} of container {name}", self._place(f"{path}.{field}[{number}]"))
                yield self._mention(one, flags)
                if flag and value and value != word:
                    yield self._mention(one._replace(text=value), flags)

    def _of_volume(self, volume: Mapping[str, Any], path: str) -> Iterator[Mention | NotRead]:
        sources = [volume, *map(_mapping, _list(_mapping(volume.get("projected")).get("sources")))]
        for source in sources:
            reference = _mapping(source.get("configMap"))
            if not reference:
                continue
            wanted = {_text(_mapping(item).get("key")) for item in _list(reference.get("items"))}
            values, problems = self._of_map(_text(reference.get("name")), path, optional=reference.get("optional"))
            yield from problems
            for one in values:
                if not wanted or one.name in wanted:
                    yield self._mention(one._replace(name=""), {})

    def _of_map(
        self, name: str, path: str, wanted: str = "", optional: object = None
    ) -> tuple[list[_Value], list[NotRead]]:
        """Return the values of a ConfigMap, or only the wanted one."""
        document = self._maps.get((self._namespace, name))
        if document is None:
            message = f"ConfigMap {self._namespace}/{name} is not in the input"
            return [], [] if optional is True else [NotRead(self._owner, message, self._place(path))]
        values = [
            _Value(key, _text(value), f"{key} of ConfigMap {name}", document.source.place(f"data.{key}"))
            for key, value in _mapping(document.data.get("data")).items()
            if isinstance(key, str) and wanted in ("", key)
        ]
        return values, []

    def _secret(self, reference: Mapping[str, Any], path: str, container: str) -> NotRead:
        name = _text(reference.get("name"))
        message = f"container {container} uses Secret {self._namespace}/{name}, which netlab does not read"
        return NotRead(self._owner, message, self._place(path))

    def _mention(self, one: _Value, beside: Mapping[str, str]) -> Mention:
        text = one.text[:_MOST_OF_TEXT]
        return Mention(self._owner, self._namespace, one.name, text, one.where, one.place, beside)

    def _place(self, path: str) -> str:
        return self._document.source.place(path)


def _flag(word: str, after: str) -> tuple[str, str]:
    """Return the flag of a word of a command line and its value: ``--db-host=db``, or ``--db-host`` before ``db``."""
    name, equals, value = word.partition("=")
    if equals:
        return name.lstrip("-"), value
    return (word.lstrip("-"), after) if word.startswith("-") and not after.startswith("-") else ("", "")


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with ``$(NAME)`` replaced, as Kubernetes does."""
    if "$(" not in text:
        return text
    parts = text.split("$(")
    found = parts[0]
    for part in parts[1:]:
        name, closed, rest = part.partition(")")
        found += f"{variables[name]}{rest}" if closed and name in variables else f"$({part}"
        if len(found) > _MOST_OF_TEXT:
            break
    return found[:_MOST_OF_TEXT]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value)
