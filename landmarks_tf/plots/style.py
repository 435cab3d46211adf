"""How every figure of this project looks, and how it is written as a picture.

Figures are made without pyplot: no window, no global state, nothing to close.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import unicodedata
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The first six are Okabe and Ito's (the blue a little lighter), told apart with any colour vision;
# all stand out on light and dark ground. With the markers no two of the first 50 series look alike.
COLOURS = (
    *("#1f83c9", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"),
    *("#7e57c2", "#8bb300", "#a0522d", "#888888"),
)
MARKERS = ("o", "s", "^", "D", "v")

_RC = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#8a8a8a",
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",  # text stays text: small, sharp, selectable
    "svg.hashsalt": "landmarks_tf",  # same figure, same bytes
}


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Draw inside this: the project's style, and no warning about what a name may be.

    A landmark may be named in any script (a browser has the glyphs that matplotlib's font has not)
    and at a length that leaves the axes little room.
    """
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context(_RC):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        yield


def new_figure(width_in: float = 4.8, height_in: float = 3.1) -> Figure:
    """An empty figure of so many inches that keeps its labels inside."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def series_styles() -> Iterator[tuple[str, str]]:
    """(colour, marker) for one series after the other."""
    for number in itertools.count():
        yield (
            COLOURS[number % len(COLOURS)],
            MARKERS[(number + number // len(COLOURS)) % len(MARKERS)],
        )


def label(text: object, max_length: int = 32) -> str:
    """Any text as a label: one line, shortened, taken literally.

    matplotlib reads $...$ as a formula and leaves names that begin with "_" out of legends.
    """
    text = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in str(text))
    text = " ".join(text.split()) or "(no name)"
    if len(text) > max_length:
        text = text[: max_length - 1].rstrip() + "…"
    text = text.replace("$", r"\$")
    return f"\u200b{text}" if text.startswith("_") else text


def figure_png(figure: Figure, dpi: int = 150) -> bytes:
    """The figure as a PNG on white."""
    return _written(figure, format="png", dpi=dpi, facecolor="white")


def figure_svg(figure: Figure, id_prefix: str = "") -> str:
    """The figure as an <svg> element that takes the colours of the page around it.

    Black becomes `currentColor` and white `var(--surface, white)`, so that one drawing serves light
    and dark pages.

    Args:
        figure: the figure.
        id_prefix: put before every id, so that several drawings can live in one page.
    """
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    svg = _written(figure, format="svg", facecolor="none", metadata=nothing).decode()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # matplotlib styles "*", which in a page would be everything; the root can hand it down.
    svg = re.sub(r"\s*<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    # Tags only: a label may spell an id or a colour, too, and "<" in a label is escaped.
    svg = re.sub(r"<[^>]*>", lambda tag: _adapted(tag.group(), id_prefix), svg)
    inherited = 'fill="currentColor" stroke-linejoin="round" stroke-linecap="butt"'
    return svg.replace("<svg ", f"<svg {inherited} ", 1)


def _adapted(tag: str, id_prefix: str) -> str:
    tag = re.sub(r'\bid="', f'id="{id_prefix}', tag)
    tag = tag.replace("url(#", f"url(#{id_prefix}").replace('href="#', f'href="#{id_prefix}')
    tag = re.sub(r"(fill|stroke): #000000", r"\1: currentColor", tag)
    return re.sub(r"(fill|stroke): #ffffff", r"\1: var(--surface, white)", tag)


def _written(figure: Figure, **options) -> bytes:
    target = io.BytesIO()
    with drawing():
        figure.savefig(target, **options)
    return target.getvalue()
