"""Parts of a self-contained HTML page: no script, and no reference to another place."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from html import escape

Rows = Sequence[Sequence[object]]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .15rem .9rem .15rem 0; vertical-align: top; }
th { border-bottom: 1px solid #999; font-weight: 600; } tr.best td { font-weight: 600; }
.number { text-align: right; white-space: nowrap; }
img { max-width: 100%; margin: .3rem .6rem .3rem 0; } .quiet { color: #666; } .plots img { max-width: 31%; }
"""


def page(title: str, parts: Sequence[str], style: str = "") -> str:
    """A whole page; style: rules beside those of all pages."""
    head = f"<meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}{style}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def section(heading: str, content: str) -> str:
    """A heading and what stands beneath it."""
    return f"<h2>{escape(heading)}</h2>{content}"


def bullets(texts: Sequence[str]) -> str:
    """A list; nothing where there is nothing to list."""
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>" if texts else ""


def table(heads: Sequence[str], rows: Rows, best: object = None, numbers: Collection[int] = ()) -> str:
    """A table; the row that begins with `best` stands out, and the columns at `numbers` are flush right."""
    kinds = [" class=number" if i in numbers else "" for i in range(len(heads))]
    head = "".join(f"<th{kind}>{escape(each)}</th>" for kind, each in zip(kinds, heads, strict=True))
    body = ""
    for row in rows:
        cells = "".join(f"<td{kind}>{escape(str(cell))}</td>" for kind, cell in zip(kinds, row, strict=True))
        body += f"<tr{' class=best' if row[0] == best else ''}>{cells}</tr>"
    return f"<table><tr>{head}</tr>{body}</table>"


def image(name: str, png: bytes) -> str:
    """A picture, with its bytes in the page; name: what it shows, for those who cannot see it."""
    return f'<img alt="{escape(name)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
