"""Layouts of random pictures: nothing overlaps, text fits, and the same picture has the same layout."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from random import Random

import pytest
from sizes import samples

from netlab.pictures import routing
from netlab.pictures.layout import Layout, Place, lay_out
from netlab.pictures.model import Arrow, Box, BoxKind, Frame, Picture
from netlab.pictures.ranks import columns_of
from netlab.pictures.texts import label_of, lines_of, title_of


def some_picture(rng: Random) -> Picture:
    """Return a picture with nested frames, long names, all kinds of boxes, circles of arrows."""
    frames = [Frame(f"f{n}", "namespace", "n" * rng.randint(1, 60)) for n in range(rng.randint(0, 4))]
    frames += [Frame(f"g{n}", "group", "inner", inside=f.ident) for n, f in enumerate(frames) if rng.random() < 0.4]
    kinds: tuple[BoxKind, ...] = ("pods", "pods", "pods", "host", "node", "network", "policy")
    boxes = tuple(
        Box(
            f"b{n}",
            rng.choice(kinds),
            tuple("x" * rng.randint(0, 80) for _ in range(rng.randint(1, 4))),
            rng.choice(["", *(frame.ident for frame in frames)]),
            isolation=rng.choice(("", "none", "ingress", "both")),
            badges=tuple("from every pod but " + "y" * rng.randint(1, 90) for _ in range(rng.randint(0, 2))),
        )
        for n in range(rng.randint(1, 18))
    )
    idents = [box.ident for box in boxes]
    arrows = tuple(
        Arrow(rng.choice(idents), rng.choice(idents), f"{rng.randint(1, 99999)}/TCP", rng.choice(("allow", "some", "")))
        for _ in range(rng.randint(0, 20))
    )
    return Picture("random", boxes, tuple(frames), arrows)


def layouts() -> Iterator[tuple[Picture, Layout]]:
    for seed in range(samples(24)):
        picture = some_picture(Random(seed))  # noqa: S311  the same pictures every time, not a secret
        yield picture, lay_out(picture)


@pytest.fixture(scope="module")
def laid_out() -> list[tuple[Picture, Layout]]:
    return list(layouts())


def test_no_two_boxes_overlap(laid_out: list[tuple[Picture, Layout]]) -> None:
    """Boxes have room of their own."""
    for _, layout in laid_out:
        assert not [pair for pair in combinations([at for _, at in layout.boxes], 2) if pair[0].overlaps(pair[1])]


def test_frames_have_their_content_and_nothing_else(laid_out: list[tuple[Picture, Layout]]) -> None:
    """A box or frame is inside its frame below its title, and outside every other."""
    for picture, layout in laid_out:
        places = {frame.ident: at for frame, at in layout.frames}
        inside = {frame.ident: frame.inside for frame in picture.frames}
        items = [(box.frame, at) for box, at in layout.boxes] + [(frame.inside, at) for frame, at in layout.frames]
        for ident, at in items:
            around = [ident]
            while around[-1]:
                around.append(inside[around[-1]])
            for other, place in places.items():
                if other in around:
                    assert place.contains(at)
                    assert at.y >= place.y + 30
                else:
                    assert not place.overlaps(at) or at.contains(place)


def test_all_is_on_the_page(laid_out: list[tuple[Picture, Layout]]) -> None:
    """Boxes, frames and arrows are on the page."""
    for _, layout in laid_out:
        page = Place(0, 0, layout.width, layout.height)
        assert all(page.contains(at) for _, at in (*layout.boxes, *layout.frames))
        assert all(page.contains(Place(x, y, 0, 0)) for one in layout.arrows for x, y in one.points)


def test_text_fits(laid_out: list[tuple[Picture, Layout]]) -> None:
    """The lines of a box are not wider or higher than it, and so is the title of a frame."""
    for _, layout in laid_out:
        for box, at in layout.boxes:
            lines = lines_of(box)
            assert max(line.width for line in lines) <= at.width - 10
            assert sum(line.height for line in lines) <= at.height
        assert all(len(title_of(frame)) * 7.4 + 12 <= at.width for frame, at in layout.frames)


def test_arrows_go_around_boxes(laid_out: list[tuple[Picture, Layout]]) -> None:
    """An arrow leaves the edge of its source and ends at the edge of its target; no part of it is in a box."""
    for picture, layout in laid_out:
        places = {box.ident: at for box, at in layout.boxes}
        assert len(layout.arrows) == sum(arrow.source != arrow.target for arrow in picture.arrows)
        for one in layout.arrows:
            ends = (places[one.arrow.source], places[one.arrow.target])
            for place, (x, y) in zip(ends, (one.points[0], one.points[-1]), strict=True):
                assert x in (place.x, place.right) or y in (place.y, place.bottom)
            for (x, y), (to_x, to_y) in zip(one.points, one.points[1:], strict=False):
                assert x == to_x or y == to_y
                line = Place(min(x, to_x), min(y, to_y), abs(to_x - x) or 0.1, abs(to_y - y) or 0.1)
                assert not [at for at in places.values() if at.overlaps(line) and not _at_edge(at, line)]


def _at_edge(box: Place, line: Place) -> bool:
    return (
        line.right <= box.x + 0.2
        or line.x >= box.right - 0.2
        or line.bottom <= box.y + 0.2
        or line.y >= box.bottom - 0.2
    )


def test_the_same_picture_has_the_same_layout(laid_out: list[tuple[Picture, Layout]]) -> None:
    """A layout depends on the picture alone."""
    for picture, layout in laid_out[:4]:
        assert layout == lay_out(picture)


def test_labels_hide_neither_boxes_nor_one_another() -> None:
    """The labels of a few arrows are beside them, on free ground."""
    boxes = tuple(Box(name, "pods", (name,)) for name in "abcdef")
    arrows = tuple(Arrow(a, b, "8080/TCP", "allow") for a, b in ("ab", "ac", "bd", "cd", "de", "af"))
    layout = lay_out(Picture("few", boxes, (), arrows))
    labels = [one.label for one in layout.arrows if one.label is not None]

    assert len(arrows) == len(labels)
    assert not [pair for pair in combinations(labels, 2) if pair[0].overlaps(pair[1])]
    assert not [1 for label in labels for _, at in layout.boxes if label.overlaps(at)]


def test_callers_are_left_of_what_they_call() -> None:
    """Columns are the longest ways from callers; a circle is cut at one arrow."""
    assert [["web"], ["api", "worker"], ["db"]] == columns_of(
        ["api", "db", "web", "worker"], [("web", "api"), ("api", "db"), ("worker", "db")]
    )
    assert [["a"], ["b"], ["c"]] == columns_of(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")])


def test_outside_hosts_are_left_and_nodes_right() -> None:
    """Their places do not depend on arrows."""
    boxes = (Box("h", "host", ("h",)), Box("p", "pods", ("p",)), Box("q", "pods", ("q",)), Box("n", "node", ("n",)))
    places = dict(lay_out(Picture("", boxes, (), (Arrow("p", "h"), Arrow("n", "q"), Arrow("q", "p")))).boxes[::1])
    x = {box.ident: at.x for box, at in places.items()}

    assert x["h"] < x["q"] < x["p"] < x["n"]


def test_an_arrow_inside_a_frame_stays_in_it() -> None:
    """The way around other boxes is inside the frame, also if one outside of it has fewer crossings."""
    frame = Frame("f", "namespace", "shop")
    names = [f"p{n}" for n in range(11)]
    pods = [f"w{n}" for n in range(5)]
    boxes = tuple(Box(name, "policy", (name, "selects app=api", "in: 9000/TCP from app=web"), "f") for name in names)
    boxes += tuple(Box(name, "pods", (name,), "f") for name in pods)
    arrows = tuple(Arrow(name, pods[n * 3 % 5], "", "") for n, name in enumerate(names))
    layout = lay_out(Picture("one", boxes, (frame,), arrows))
    ((_, place),) = layout.frames

    outside = [
        route.arrow
        for route in layout.arrows
        if not all(place.x < x < place.right and place.y < y < place.bottom for x, y in route.points)
    ]

    assert [] == outside


def test_the_search_for_ways_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """If there are too many states, an arrow is a straight line."""
    monkeypatch.setattr(routing, "MOST_STATES", 5)
    boxes = tuple(Box(name, "pods", (name,)) for name in "abc")
    layout = lay_out(Picture("", boxes, (), (Arrow("a", "b", "80/TCP"), Arrow("b", "c"), Arrow("a", "c"))))

    assert [2, 2, 2] == [len(one.points) for one in layout.arrows]


def test_long_text_is_clipped_and_signs_are_before_labels() -> None:
    """A line has at most 34 characters; an unknown verdict has the mark of a truth table."""
    assert all(
        len(line.text) <= 34 for line in lines_of(Box("b", "pods", ("n" * 253, "x" * 100), badges=("y " * 200,)))
    )
    assert "u 80/TCP" == label_of(Arrow("a", "b", "80/TCP", "unknown"))
    assert "s 80/TCP" == label_of(Arrow("a", "b", "80/TCP", "some"))
