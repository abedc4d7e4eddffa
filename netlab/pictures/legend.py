"""What the signs of a picture mean: only those that it has."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.pictures.model import Picture

_VERDICTS = {
    "allow": "allowed (.); no arrow and no badge: denied (X)",
    "some": "s: allowed to some endpoints of the Service only",
    "unknown": "u: unknown: a policy that netlab does not read may change it",
    "deny": "X: denied",
}


def signs(picture: Picture) -> Iterator[tuple[str, str]]:
    """Yield each kind of sign in a picture, and its meaning."""
    verdicts = {arrow.verdict for arrow in picture.arrows}
    for verdict, words in _VERDICTS.items():
        if verdict in verdicts:
            yield verdict, words
    if any(box.badges for box in picture.boxes):
        yield "badge", "stands for an arrow to or from every box that it names"
    if any(box.isolation == "none" for box in picture.boxes):
        yield "open", "not isolated: no policy isolates it in either direction"
