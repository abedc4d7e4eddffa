"""A result's whole report as one file of HTML, which loads nothing and needs no network.

The style and the script are files of ``report/html``, written into the page. A policy of the page itself
(Content-Security-Policy) allows exactly these, by their hashes. Texts of the input are text: escaped, or set by
``textContent``.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files

from netlab.errors import printable
from netlab.pictures import svg, svg_style
from netlab.quantity import quantity
from netlab.report.blocks import (
    Block,
    Bullets,
    Code,
    Details,
    Heading,
    Image,
    Marker,
    Matrices,
    Numbers,
    Paragraph,
    Policies,
    Policy,
    Reported,
    Rows,
)
from netlab.report.formats import Page, Run
from netlab.report.html.data import PageData

# Tables and lists of policies with more items have a field that filters them.
_FILTERED = 12


def lines(result: Reported, page: Page) -> Iterator[str]:
    """Yield the lines of the page."""
    blocks = list(result.report())
    title = next((block.text for block in blocks if isinstance(block, Heading) and block.level == 1), "netlab")
    sections = [block.text for block in blocks if isinstance(block, Heading) and block.level == 2]
    if page.run is not None:
        sections.append(_HOW)
    style, script = _asset("page.css"), _asset("page.js")
    hashes = " ".join(map(_hash, (style, svg_style.STYLE)))
    policy = f"default-src 'none'; style-src {hashes}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{_text(title)}</title>"
    yield f"<style>{style}</style></head><body>"
    yield '<a class="skip" href="#main">Skip to the report</a>'
    yield f"<header><h1>{_text(title)}</h1>"
    yield '<button id="theme" type="button" hidden>Theme: system</button>'
    links = "".join(f'<li><a href="#s{number}">{_text(name)}</a></li>' for number, name in enumerate(sections, 1))
    yield f'<nav aria-label="Sections"><ul>{links}</ul></nav></header><main id="main" tabindex="-1">'
    writer = _Writer()
    yield "<section>"
    for block in blocks:
        yield from writer.lines(block)
    if page.run is not None:
        yield from writer.lines(Heading(_HOW))
        yield from _made(page.run)
    yield "</section></main>"
    yield f'<script type="application/json" id="data">{writer.data.text()}</script>'
    yield f"<script>{script}</script></body></html>"


_HOW = "How this page was made"


class _Writer:
    """Writes blocks, and collects the data of those that the script draws."""

    def __init__(self) -> None:
        self.data = PageData()
        self._sections = 0
        self._policies = 0

    def lines(self, block: Block) -> Iterator[str]:
        match block:
            case Marker():
                pass
            case Heading():
                yield from self._heading(block)
            case Paragraph():
                yield f"<p>{_text(block.text)}</p>"
            case Bullets():
                yield _list(block.items)
            case Rows():
                yield from _rows(block)
            case Code():
                text = "\n".join(map(printable, block.text.splitlines()))
                yield f'<pre tabindex="0">{escape(text)}</pre>'
            case Details():
                yield f"<details><summary>{_text(block.summary)}</summary>"
                for each in block.blocks:
                    yield from self.lines(each)
                yield "</details>"
            case Image():
                yield '<div class="picture" role="region" aria-label="Picture" tabindex="0">'
                yield from svg.lines(block.picture, below=False)
                yield "</div>"
            case Numbers():
                yield '<dl class="figures">'
                for one in block.items:
                    sign = f'<span aria-hidden="true">{_text(one.mark)}</span> ' if len(one.mark) == 1 else ""
                    kind = f' data-mark="{_text(one.mark)}"' if one.mark else ""
                    yield f"<div{kind}><dt>{sign}{_text(one.name)}</dt><dd>{_text(one.value)}</dd></div>"
                yield "</dl>"
            case Matrices():
                number = self.data.add_matrices(block.items)
                yield f'<div class="matrix" data-block="{number}">'
                yield "<noscript>The matrix needs JavaScript.</noscript></div>"
            case Policies():
                yield from self._all(block)

    def _heading(self, block: Heading) -> Iterator[str]:
        if block.level == 1:
            return
        if block.level > 2:
            yield f"<h{block.level}>{_text(block.text)}</h{block.level}>"
            return
        self._sections += 1
        ident = f"s{self._sections}"
        yield f'</section><section aria-labelledby="{ident}"><h2 id="{ident}">{_text(block.text)}</h2>'

    def _all(self, block: Policies) -> Iterator[str]:
        yield f'<div class="policies"{_filtered(len(block.items), "policies")}>'
        for policy in block.items:
            self._policies += 1
            yield from self._policy(policy, f"policy-{self._policies}")
        yield "</div>"
        if block.more:
            yield f"<p>and {block.more:,} more policies; <code>netlab get policies</code> lists all</p>"

    def _policy(self, policy: Policy, ident: str) -> Iterator[str]:
        self.data.add_policy(policy, ident)
        number = len(policy.warnings)
        badge = f' <span class="warning">! {quantity(number, "warning")}</span>' if number else ""
        yield f'<details id="{ident}"><summary><b>{_text(policy.name)}</b> <code>{_text(policy.place)}</code>{badge}'
        yield f" <span>{_text(policy.lines[0])}</span></summary>" if policy.lines else "</summary>"
        if policy.warnings:
            yield f'<div class="warning">{_list(policy.warnings)}</div>'
        yield _list(policy.lines[1:])
        if policy.rules:
            yield "<h4>Elements of nftables</h4>"
            text = "\n".join(map(printable, policy.rules))
            yield f'<pre tabindex="0">{escape(text)}</pre>'
        yield "</details>"


def _rows(block: Rows) -> Iterator[str]:
    if not block.rows:
        return
    filtered = _filtered(len(block.rows), "rows")
    yield f'<div class="rows" role="region" aria-label="Table" tabindex="0"{filtered}><table>'
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in block.columns)
    yield f"<thead><tr>{head}</tr></thead><tbody>"
    for at, row in enumerate(block.rows):
        begin, end = ("<td><strong>", "</strong></td>") if at in block.strong else ("<td>", "</td>")
        yield f"<tr>{''.join(f'{begin}{_text(cell)}{end}' for cell in row)}</tr>"
    yield "</tbody></table></div>"
    if block.more:
        yield f"<p>and {block.more:,} more</p>"


def _filtered(number: int, what: str) -> str:
    return f' data-filter="{what}"' if number > _FILTERED else ""


def _list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>" if items else ""


def _made(run: Run) -> Iterator[str]:
    rows = [
        ("command", run.command),
        ("netlab", run.version),
        ("started", run.started.isoformat(sep=" ", timespec="seconds")),
        ("seconds", f"{time.monotonic() - run.began:.2f}"),
        ("kernel", run.kernel),
    ]
    yield '<dl class="made">'
    yield from (f"<dt>{name}</dt><dd><code>{_text(value)}</code></dd>" for name, value in rows)
    yield "</dl>"


def _text(text: str) -> str:
    return escape(printable(text))


def _asset(name: str) -> str:
    return files("netlab.report.html").joinpath(name).read_text()


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
