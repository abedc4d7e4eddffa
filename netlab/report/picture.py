"""A picture as a result, which has the formats of pictures and a page of its own."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.pictures.model import Picture
from netlab.report.blocks import Block, Bullets, Heading, Image


class DrawnPicture:
    """One picture."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def picture(self) -> Picture:
        """Return the picture."""
        return self._picture

    def report(self) -> Iterator[Block]:
        """Yield the picture below its title, and the text under it."""
        yield Heading(self._picture.title, 1)
        yield Image(self._picture)
        if self._picture.below:
            yield Bullets(self._picture.below)
