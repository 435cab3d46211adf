"""Diagrams of networks, drawn from the built model: a block's branches, and several nets compared.

They go into pages as SVG pictures of their own, so each has its own white ground: a picture that is
linked from a page cannot take the page's colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from landmarks_tf.plots.block_graph import BlockGraph, Box, Fork, boxes_of, size_text
from landmarks_tf.plots.style import COLOURS, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDEST_IN = 9.6
_COLUMN_IN = (1.5, 2.3)  # least and most
_BOX_IN = 0.58  # height of a box of three lines
_BAR_IN = 0.34  # height of the entrance and of a join
_GAP_IN = 0.27  # between boxes, for the arrow
_BETWEEN_IN = 0.16  # between columns
_LINE_IN = 0.165
_LABEL_IN = 1.3  # of the rows of a comparison
_CELL_IN = (0.44, 0.2)  # height of a cell of two lines, and below it
_MARGIN_IN = 0.12

# Thin kernels are what these networks are about; a pool learns nothing.
_BLUE, _ORANGE, _GREEN, _GREY = COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[9]


def block_figure(graph: BlockGraph, title: str) -> Figure:
    """A block from its entrance, above, to its exit: branches are columns, layers are boxes.

    A box says kernel (height by width), filters and stride, and the size of the map it makes.

    Args:
        graph: from `landmarks_tf.plots.block_graph.read_block`.
        title: the figure's first line.
    """
    columns = _columns(graph.steps)
    column_in = min(_COLUMN_IN[1], max(_COLUMN_IN[0], _WIDEST_IN / columns))
    width = columns * column_in
    head = 3 * _LINE_IN + _MARGIN_IN
    height = head + _BAR_IN + _height(graph.steps) + _MARGIN_IN
    with drawing():
        figure, axes = _canvas(width, height)
        _words(axes, (_MARGIN_IN, head - 2 * _LINE_IN), title, size=11, weight="bold", ha="left")
        facts = f"{graph.parameters:,} parameters.{_footnote(graph)}"
        _words(axes, (_MARGIN_IN, head - 0.9 * _LINE_IN), facts, size=8.5, ha="left")
        inner = (_BETWEEN_IN / 2, width - _BETWEEN_IN / 2)
        _bar(axes, inner, head, f"input {size_text(graph.entrance)}")
        _draw(axes, graph.steps, inner, head + _BAR_IN)
    return figure


def comparison_figure(nets: Mapping[str, Sequence[BlockGraph]], title: str) -> Figure:
    """Networks side by side, block by block: what differs from the first stands out.

    A cell says the block's parameters and, where the networks differ, the kernels of the branches
    that do. A block that a network leaves out is an empty cell.

    Args:
        nets: a network's heading, of one or two lines, and its blocks in order. The first has
            every block that another has.
        title: the figure's first line.

    Raises:
        ValueError: a network has a block that the first has not.
    """
    reference, *_ = nets.values()
    known = [block.name for block in reference]
    if new := [b.name for blocks in nets.values() for b in blocks if b.name not in known]:
        raise ValueError(
            f"The first network sets the rows: {', '.join(known)}. Another has {', '.join(new)}; "
            f"put the network with the most blocks first."
        )
    column_in = (_WIDEST_IN - _LABEL_IN) / len(nets)
    step = sum(_CELL_IN)
    head = 6 * _LINE_IN + _MARGIN_IN
    height = head + step * len(reference) + 2 * _LINE_IN + _MARGIN_IN
    with drawing():
        figure, axes = _canvas(_WIDEST_IN, height)
        _words(axes, (_MARGIN_IN, 1.2 * _LINE_IN), title, size=11, weight="bold", ha="left")
        first = " ".join(next(iter(nets)).split())
        facts = f"Learnable parameters of each block. Orange: not as in {first}."
        _words(axes, (_MARGIN_IN, 2.3 * _LINE_IN), facts, size=8.5, ha="left")
        for row, block in enumerate(reference):
            middle = head + row * step + _CELL_IN[0] / 2
            _words(axes, (_MARGIN_IN, middle - _LINE_IN / 2), block.name, size=8.5, ha="left")
            spot = (_MARGIN_IN, middle + _LINE_IN / 2)
            _words(axes, spot, size_text(block.exit), size=8.5, ha="left")
        for number, (heading, blocks) in enumerate(nets.items()):
            left = _LABEL_IN + number * column_in
            span = (left, left + column_in - _BETWEEN_IN)
            _words(axes, (sum(span) / 2, head - 1.4 * _LINE_IN), heading, size=8.5, weight="bold")
            _cells(axes, reference, nets.values(), {b.name: b for b in blocks}, span, head)
            total = f"{sum(block.parameters for block in blocks):,}"
            _words(axes, (sum(span) / 2, height - 1.3 * _LINE_IN), total, size=8.5, weight="bold")
        _words(axes, (_MARGIN_IN, height - 1.3 * _LINE_IN), "all blocks", size=8.5, ha="left")
    return figure


def _cells(
    axes: Axes,
    reference: Sequence[BlockGraph],
    nets: Iterable[Sequence[BlockGraph]],
    blocks: Mapping[str, BlockGraph],
    span: tuple[float, float],
    top: float,
) -> None:
    """One network's column, from the first block down."""
    rows = [{b.name: b for b in net} for net in nets]
    for number, wanted in enumerate(reference):
        block = blocks.get(wanted.name)
        if block is None:
            _panel(axes, span, top, _CELL_IN[0], "none", linestyle="--", edgecolor=_ORANGE)
            lines = ["left out"]
        else:
            same = _content(block) == _content(wanted)
            _panel(axes, span, top, _CELL_IN[0], _GREY if same else _ORANGE)
            others = [row[wanted.name] for row in rows if wanted.name in row]
            lines = [f"{block.parameters:,}", *_differing_branches(block, others)]
        _lines(axes, lines, sum(span) / 2, top + _CELL_IN[0] / 2)
        top += _CELL_IN[0]
        if number < len(reference) - 1:
            _arrow(axes, sum(span) / 2, top, top + _CELL_IN[1])
        top += _CELL_IN[1]


def _content(block: BlockGraph) -> list:
    return [[box.lines() for box in branch] for branch in block.branches]


def _differing_branches(block: BlockGraph, others: Sequence[BlockGraph]) -> list[str]:
    """The kernels of a block's branches that are not the same in all networks."""
    contents = [_content(other) for other in others]
    return [
        " → ".join(box.title.split()[0] for box in branch)
        for number, branch in enumerate(block.branches)
        if any(content[number : number + 1] != [_content(block)[number]] for content in contents)
    ]


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Axes in inches, y downwards, over a whole figure of white."""
    from matplotlib.patches import Rectangle

    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    axes.add_patch(Rectangle((0, 0), width, height, facecolor="white", edgecolor="none"))
    return figure, axes


def _columns(steps: Sequence[Box | Fork]) -> int:
    forks = [step for step in steps if isinstance(step, Fork)]
    return max([1, *(sum(map(_columns, fork.branches)) for fork in forks)])


def _height(steps: Sequence[Box | Fork]) -> float:
    """Inches from above the first step's arrow to below the last box."""
    total = 0.0
    for step in steps:
        if isinstance(step, Fork):
            total += max(map(_height, step.branches)) + _GAP_IN + _BAR_IN
        else:
            total += _GAP_IN + _BOX_IN
    return total


def _draw(axes: Axes, steps: Sequence[Box | Fork], span: tuple[float, float], top: float) -> float:
    """Draw steps below `top` over a span of x; returns where the last one ends."""
    centre = sum(span) / 2
    for step in steps:
        if isinstance(step, Fork):
            top = _draw_fork(axes, step, span, top)
        else:
            _arrow(axes, centre, top, top + _GAP_IN)
            _box(axes, step, span, top + _GAP_IN)
            top += _GAP_IN + _BOX_IN
    return top


def _draw_fork(axes: Axes, fork: Fork, span: tuple[float, float], top: float) -> float:
    """Branches side by side, each as wide as it has columns, and the bar that joins them."""
    join = top + max(map(_height, fork.branches)) + _GAP_IN
    column = (span[1] - span[0] + _BETWEEN_IN) / sum(map(_columns, fork.branches))
    left = span[0]
    for branch in fork.branches:
        right = left + column * _columns(branch) - _BETWEEN_IN
        end = _draw(axes, branch, (left, right), top)
        _arrow(axes, (left + right) / 2, end, join)
        left = right + _BETWEEN_IN
    *what, size = fork.join.lines()
    _bar(axes, span, join, f"{' '.join(what)} → {size}")
    return join + _BAR_IN


def _box(axes: Axes, box: Box, span: tuple[float, float], top: float) -> None:
    _panel(axes, span, top, _BOX_IN, _colour(box.title))
    _lines(axes, box.lines(), sum(span) / 2, top + _BOX_IN / 2, first="bold")


def _bar(axes: Axes, span: tuple[float, float], top: float, text: str) -> None:
    _panel(axes, span, top, _BAR_IN, "none")
    _words(axes, (sum(span) / 2, top + _BAR_IN / 2), text, size=8.5)


def _colour(title: str) -> str:
    if "conv" not in title:
        return _GREY
    if title.startswith("1x1 "):
        return _BLUE
    height, _, width = title.split()[0].partition("x")
    return _GREEN if height == width else _ORANGE


def _panel(
    axes: Axes, span: tuple[float, float], top: float, height: float, colour: str, **style
) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import FancyBboxPatch

    filled = colour != "none"
    axes.add_patch(
        FancyBboxPatch(
            (span[0], top),
            span[1] - span[0],
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=to_rgba(colour, 0.2) if filled else "none",
            **{"linewidth": 1.1, "edgecolor": colour if filled else _GREY} | style,
        )
    )


def _arrow(axes: Axes, x: float, start: float, end: float) -> None:
    style = {"arrowstyle": "-|>", "color": "black", "linewidth": 0.9, "mutation_scale": 8}
    style |= {"shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, end), (x, start), arrowprops=style)


def _lines(axes: Axes, lines: Sequence[str], x: float, y: float, first: str = "normal") -> None:
    """Lines centred on a spot, the first of a weight of its own."""
    y -= _LINE_IN * (len(lines) - 1) / 2
    for number, line in enumerate(lines):
        weight = "normal" if number else first
        _words(axes, (x, y + number * _LINE_IN), line, size=8.5, weight=weight)


def _words(axes: Axes, spot: tuple[float, float], text: str, *, size: float, **style) -> None:
    axes.text(*spot, text, fontsize=size, va="center", **{"ha": "center"} | style)


def _footnote(graph: BlockGraph) -> str:
    """What follows the convolutions, where it is the same for all."""
    behind = {box.then for box in boxes_of(graph.steps) if "conv" in box.title}
    if len(behind) != 1 or not (then := behind.pop()):
        return ""
    return f" After each convolution: {', '.join(then)}."
