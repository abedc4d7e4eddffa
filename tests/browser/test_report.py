"""The HTML report in a browser: it shows reasons by mouse and keys, filters, sorts, prints, and loads nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import picture_inputs
import pytest

MEGABYTE = 1_000_000
LOAD = "performance.getEntriesByType('navigation')[0].loadEventEnd"
NODES = "document.querySelectorAll('*').length"


@pytest.fixture
def page(opened: Any, report: Callable[[str, str], Path]) -> Any:
    """The report of 60 pods."""
    return opened(report("pods-60", picture_inputs.text(60)))


def rows_of(page: Any) -> list[str]:
    found: list[str] = page.locator(".grid tbody th").all_inner_texts()
    return found


def cell(page: Any, source: str, destination: str) -> Any:
    """Return the cell of a row and a column, by the beginnings of their names."""
    columns = [name.strip() for name in page.locator(".grid thead th").all_inner_texts()]
    at = next(number for number, name in enumerate(columns) if name.startswith(destination))
    row = page.locator(".grid tbody tr").filter(has=page.locator("th", has_text=source)).first
    return row.locator("td").nth(at - 1)


def test_a_click_shows_the_reason_with_policy_file_and_line(page: Any) -> None:
    """A denied cell names each rule that does not match; an allowed one names the rule that does."""
    cell(page, "shop-01 app=web", "shop-01/db").click()
    denied = page.locator(".panel").inner_text()
    cell(page, "shop-01 app=api", "shop-01/db").click()
    allowed = page.locator(".panel").inner_text()
    page.locator(".panel details summary").first.click()
    element = page.locator(".panel pre").first.inner_text()

    assert "5432/TCP: deny" in denied
    assert "NetworkPolicy shop-01/db-from-api spec.ingress[0] (" in denied
    assert "pods-60.yaml:" in denied
    assert "5432/TCP: allow" in allowed
    assert "allowed by NetworkPolicy shop-01/" in allowed
    assert "pods-60.yaml:" in allowed
    assert "by shop-01/" in element


def test_a_link_of_the_reason_opens_the_policy(page: Any) -> None:
    """The policy says what it selects and where it stands."""
    cell(page, "shop-01 app=api", "shop-01/db").click()
    link = page.locator(".panel a").first
    name = link.inner_text()
    link.click()
    shown = page.locator("details:target")

    assert shown.get_attribute("open") is not None
    assert name in shown.inner_text()
    assert "selects" in shown.inner_text()


def test_keys_move_open_and_close(page: Any) -> None:
    """Arrow keys move the focus, Enter shows the reason, the reason follows, Escape closes it and keeps the focus."""
    page.locator(".grid td").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    closed = page.locator(".panel").is_visible()
    page.keyboard.press("Enter")
    first = page.locator(".panel h3").inner_text()
    page.keyboard.press("ArrowRight")
    second = page.locator(".panel h3").inner_text()
    page.keyboard.press("End")
    place = page.evaluate("[document.activeElement.dataset.row, document.activeElement.cellIndex]")
    page.keyboard.press("Escape")

    assert not closed
    assert first != second
    assert ["1", len(rows_of(page))] == place
    assert not page.locator(".panel").is_visible()
    assert "TD" == page.evaluate("document.activeElement.tagName")
    assert 1 == page.locator('.grid td[tabindex="0"]').count()


def test_the_focus_is_visible(page: Any) -> None:
    """The cell with the focus has an outline."""
    page.locator(".grid td").first.focus()
    page.keyboard.press("ArrowRight")

    assert "solid" == page.evaluate("getComputedStyle(document.activeElement).outlineStyle")


def test_filters_by_namespace_and_label_leave_what_they_name(page: Any) -> None:
    """Both may be used together, for rows, columns or both; hosts stay."""
    every = len(rows_of(page))
    page.get_by_role("searchbox", name="Namespace").fill("shop-02")
    by_space = rows_of(page)
    page.get_by_role("searchbox", name="Label").fill("app=web")
    by_both = rows_of(page)
    page.get_by_role("combobox", name="Filter").select_option("rows")
    columns = page.locator(".grid thead th").count() - 1

    assert 6 == len(by_space) < every
    assert all(name.startswith(("shop-02", "host:")) for name in by_space)
    assert ["shop-02 app=web (5 pods)"] == [name for name in by_both if not name.startswith("host:")]
    assert every == columns


def test_rows_are_sorted_by_a_column_by_name_and_by_what_they_may(page: Any) -> None:
    """A column's name sorts by it, and a second click undoes that."""
    before = rows_of(page)
    page.locator(".grid thead button").last.click()
    by_column = [one.strip() for one in page.locator(".grid tbody td:last-child").all_inner_texts()]
    sorted_by = page.locator("[aria-sort]").count()
    page.locator(".grid thead button").last.click()
    again = rows_of(page)
    page.get_by_label("Order of rows").select_option("open")
    most_open = rows_of(page)[0]
    page.get_by_label("Order of rows").select_option("bare")
    bare = page.locator(".grid tbody th .flag").count()
    first = [name for name in rows_of(page)[:bare] if "not isolated" in name]

    assert by_column == sorted(by_column, key="!?.psuX-".index)
    assert 1 == sorted_by
    assert before == again
    assert most_open.startswith("monitoring/prometheus-0")
    assert 0 < bare == len(first)


def test_other_matrices_show_pods_and_namespaces(page: Any) -> None:
    """The reader chooses; a cell of two namespaces opens their groups, and Escape goes back to the cell."""
    page.get_by_label("Show").select_option(label="pods")
    pods = len(rows_of(page))
    page.get_by_label("Show").select_option("2")
    spaces = rows_of(page)
    cell(page, "shop-01 and 2 alike", "shop-01 and 2 alike").click()
    page.locator(".panel button", has_text="shop-01 → shop-01").click()
    inside = rows_of(page)
    page.keyboard.press("Enter")
    reason = page.locator(".panel").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")

    assert 60 == pods
    assert "shop-01 and 2 alike" in spaces
    assert 5 == len(inside)
    assert "app=api (5 pods)" in inside
    assert "shop-01/api-0" in reason
    assert spaces == rows_of(page)


def test_a_namespace_of_the_picture_leads_to_its_groups(opened: Any, report: Callable[[str, str], Path]) -> None:
    """The link is a fragment of the page."""
    page = opened(report("pods-60", picture_inputs.text(60)), fragment="#namespace-shop-02")

    shown = page.locator(".controls strong").inner_text()

    assert "shop-01 → shop-01, the same for each of 3 namespaces alike" == shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_system_and_the_button(
    opened: Any, report: Callable[[str, str], Path], scheme: str
) -> None:
    """The background is bright or dark, of the page and of pictures."""
    page = opened(report("pods-60", picture_inputs.text(60)), scheme=scheme)
    background = "getComputedStyle(document.body).backgroundColor"
    picture = "getComputedStyle(document.querySelector('.nl-page')).fill"
    system = page.evaluate(background), page.evaluate(picture)
    page.locator("#theme").click()
    light = page.evaluate(background), page.evaluate(picture)
    page.locator("#theme").click()
    dark = page.evaluate(background), page.evaluate(picture)

    assert light != dark
    assert system == (light if scheme == "light" else dark)
    assert 1 == len({*light})
    assert 1 == len({*dark})


def test_it_prints(page: Any) -> None:
    """Folded parts are open on paper, in light colours, without fields and buttons; then all is as before."""
    folded = page.locator("details:not([open])").count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    unfolded = page.locator("details:not([open])").count()
    page.emulate_media(media="print")
    controls = page.locator(".controls").first.is_visible()
    printed = page.pdf(format="A4", landscape=True)
    page.evaluate("dispatchEvent(new Event('afterprint'))")

    assert folded
    assert not unfolded
    assert not controls
    assert printed.startswith(b"%PDF")
    assert folded == page.locator("details:not([open])").count()


def test_a_narrow_window_needs_no_sideways_scrolling_of_the_page(
    opened: Any, report: Callable[[str, str], Path]
) -> None:
    """Only matrix, tables and pictures scroll; the reason is at the lower edge, below its cell."""
    page = opened(report("pods-60", picture_inputs.text(60)), size=(400, 800))
    page.locator(".grid td").nth(3).click()
    cell, panel = page.locator(".grid td").nth(3).bounding_box(), page.locator(".panel").bounding_box()

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert 0 < cell["y"] < cell["y"] + cell["height"] <= panel["y"]


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&\u2028<!--"


def test_names_of_strangers_are_text(opened: Any, tmp_path: Path) -> None:
    """Markup in any text of any block makes no element and runs nothing."""
    from netlab.report import blocks
    from netlab.report.formats import Page, html

    text = HOSTILE
    answer = blocks.Answer(text, text, text, text, (text,), (text, "constructor", "__proto__"))
    unit = blocks.Header(text, (text,), (text,), (text,), text, text)
    matrix = blocks.Matrix(text, [unit], [unit], [[0]], [blocks.Cell("X", text, [answer])], notes=(text,))
    every = [
        blocks.Heading(text, 1),
        blocks.Heading(text),
        blocks.Paragraph(text),
        blocks.Bullets([text]),
        blocks.Rows((text,), [(text,)] * 20),
        blocks.Code(text),
        blocks.Details(text, [blocks.Paragraph(text)]),
        blocks.Numbers([blocks.Number(text, text, text)]),
        blocks.Matrices([matrix]),
        blocks.Policies([blocks.Policy(text, text, (text, text), (text,), (text,))]),
    ]

    class Result:
        def report(self) -> Any:
            return iter(every)

    file = tmp_path / "hostile.html"
    file.write_text("\n".join(html.lines(Result(), Page())), encoding="utf-8")
    page = opened(file)
    page.locator(".grid td").click()
    page.locator(".panel a").click()
    page.evaluate("location.hash = '#%'")

    assert 0 == page.locator("img, iframe, object, embed, link").count()
    assert 2 == page.locator("script").count()
    assert "onerror" in page.locator(".panel").inner_text()
    assert "onerror" in page.locator("h1").inner_text()


@pytest.mark.parametrize(("pods", "nodes"), [(10, 2_500), (500, 6_000), (10_000, 8_000)])
def test_a_page_stays_small(
    opened: Any, report: Callable[[str, str], Path], pods: int, nodes: int, record_property: Callable[[str, Any], None]
) -> None:
    """The size of the file and the number of elements are bounded; the time to load is printed."""
    file = report(f"pods-{pods}", picture_inputs.text(pods))
    page = opened(file)
    milliseconds, elements = page.evaluate(LOAD), page.evaluate(NODES)
    size = file.stat().st_size
    print(f"{pods} pods: {size:,} bytes, {elements:,} elements, loaded in {milliseconds:.0f} ms")
    record_property("milliseconds", milliseconds)

    assert size < MEGABYTE
    assert nodes > elements
    assert len(rows_of(page)) > 5


def test_namespaces_that_are_all_different_are_bounded_too(opened: Any, report: Callable[[str, str], Path]) -> None:
    """300 namespaces, each with a pod and a port of its own: the page shows the first rows and says how many more."""
    page = opened(report("different", different(300)))
    file = report("different", "")

    assert file.stat().st_size < 3 * MEGABYTE
    assert 120 == len(rows_of(page))
    assert "more rows are left out; `netlab reach --group -o wide` prints" in page.locator(".matrix").inner_text()


def different(number: int) -> str:
    """Return an input with namespaces of which no two are alike."""
    spaces = [
        f"""
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: s{at}, labels: {{app: web}}}}
spec: {{containers: [{{name: c, ports: [{{containerPort: {1000 + at}}}]}}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: some, namespace: s{at}}}
spec:
  podSelector: {{}}
  ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: s{(at + 1) % number}}}}}}}]}}]
"""
        for at in range(number)
    ]
    return "---".join(spaces)
