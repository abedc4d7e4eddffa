"""The manifests, topologies and scenarios that come with netlab.

A wheel has them in ``netlab/share``. A clone has them beside ``netlab``, where an editable install finds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from netlab.errors import HostError, UsageError

FOLDERS = ("examples", "scenarios", "topologies")
_PACKAGE = Path(__file__).parents[1]
_ABOUT = "description: "
_SUFFIXES = (".yaml", ".yml")


def root() -> Path:
    """Return the folder that has ``FOLDERS``.

    Raises:
      HostError: where this installation has none.
    """
    for place in (_PACKAGE / "share", _PACKAGE.parent):
        if all((place / folder).is_dir() for folder in FOLDERS):
            return place
    raise HostError("this installation has no examples: install netlab from its wheel, or run it from its repository")


def names() -> list[str]:
    """Return what a user may name: each folder of ``examples``, and each file beside them."""
    place = root()
    found = [path for folder in FOLDERS for path in sorted((place / folder).iterdir())]
    return [
        path.relative_to(place).as_posix()
        for path in found
        if path.suffix in _SUFFIXES or path.parent.name == "examples"
    ]


def about(name: str) -> str:
    """Return one line about what a name stands for: its first comment, or the description of its Scenario."""
    # The last file of the folder itself; those in folders below are parts of it.
    path = max(files([name]), key=lambda one: (-one.count("/"), one))
    for line in (root() / path).read_text().splitlines():
        if line.startswith("# "):
            return line.removeprefix("# ")
        if line.strip().startswith(_ABOUT):
            return line.strip().removeprefix(_ABOUT)
    return ""


def chosen(name: str) -> list[str]:
    """Return the files that a name stands for, and for a scenario also those that it reads; below ``root``.

    ``name`` is one of ``names``, its last part without the suffix, or one of ``FOLDERS``.

    Raises:
      UsageError: where nothing has that name.
    """
    wanted = name.strip("/")
    fitting = [one for one in names() if wanted in (one, PurePosixPath(one).stem)]
    if wanted in FOLDERS:
        return files([wanted])
    if not fitting:
        raise UsageError(f"no example {name!r}; 'netlab examples' lists them")
    if len(fitting) > 1:
        raise UsageError(f"{name!r} stands for {' and '.join(fitting)}: name one of them")
    return sorted({*files(fitting), *(one for path in files(fitting) for one in _read_by(path))})


def files(below: Iterable[str] = FOLDERS) -> list[str]:
    """Return the YAML files at or below these names."""
    place = root()
    found = {path for name in below for path in (place / name, *(place / name).rglob("*")) if path.suffix in _SUFFIXES}
    return sorted(path.relative_to(place).as_posix() for path in found if path.is_file())


def _read_by(name: str) -> Sequence[str]:
    """Return the files that a scenario names as resources."""
    if not name.startswith("scenarios/"):
        return []
    import yaml

    place = root().resolve()
    resources = [
        resource
        for document in yaml.safe_load_all((place / name).read_text())
        if isinstance(document, dict) and document.get("kind") == "Scenario"
        for resource in document["spec"].get("resources", ())
    ]
    return files((place / name).parent.joinpath(one).resolve().relative_to(place).as_posix() for one in resources)
