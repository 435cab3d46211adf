"""Diagrams: what they say, and that nothing in them is cut off or runs over."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Annotation

from landmarks_tf.plots.architecture import block_figure, comparison_figure
from landmarks_tf.plots.block_graph import BlockGraph, Box, Fork
from landmarks_tf.plots.style import figure_svg

THEN = ("batch norm", "ReLU")


def conv(kernel, filters, side=17):
    return Box(f"{kernel}", f"{kernel} conv", f"{filters} filters", (side, side, filters), THEN)


def block(name, *first, shape=(17, 17, 768), parameters=1_234_567):
    pool = Box("pool", "3x3 average pool", "stride 1, zero-padded", (17, 17, 288))
    join = Box("join", "concat", "384 + 288 channels", shape)
    return BlockGraph(name, (35, 35, 288), (Fork((first, (pool,)), join),), parameters)


def nested():
    """Six columns: the widest block there is."""
    fork = Fork(((conv("1x3", 384),), (conv("3x1", 384),)), Box("j", "concat", "768", (8, 8, 768)))
    branches = ((conv("1x1", 320),), (conv("1x1", 384), fork), (conv("3x3", 384), fork), ())
    join = Box("join", "concat", "320 + 768 + 768 + 192 channels", (8, 8, 2048))
    return BlockGraph("wide", (8, 8, 1280), (Fork(branches, join),), 5_044_608)


def texts(figure):
    axes = figure.axes[0]
    return [t for t in axes.texts if not isinstance(t, Annotation)]


def words(figure):
    return [text.get_text() for text in texts(figure)]


def arrows(figure):
    return [t for t in figure.axes[0].texts if isinstance(t, Annotation)]


def panels(figure):
    return [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]


def test_a_block_says_every_box_in_the_order_of_its_branches():
    figure = block_figure(block("b", conv("1x3", 288), conv("3x1", 384)), "The title")
    assert words(figure) == [
        "The title",
        "1,234,567 parameters. After each convolution: batch norm, ReLU.",
        "input 35x35x288",
        *("1x3 conv", "288 filters", "17x17x288"),
        *("3x1 conv", "384 filters", "17x17x384"),
        *("3x3 average pool", "stride 1, zero-padded", "17x17x288"),
        "concat 384 + 288 channels → 17x17x768",
    ]
    assert len(panels(figure)) == 5
    assert len(arrows(figure)) == 5  # two into and one out of the first branch, two of the pool


def test_arrows_go_straight_down_from_box_to_box():
    figure = block_figure(nested(), "Wide")
    edges = []
    for panel in panels(figure):
        x, y, width, height = panel.get_x(), panel.get_y(), panel.get_width(), panel.get_height()
        edges.append((x, x + width, y, y + height))
    for arrow in arrows(figure):
        (x, start), (end_x, end) = arrow.xyann, arrow.xy
        assert x == pytest.approx(end_x)
        assert start < end
        tops = [top for left, right, top, _ in edges if left < x < right]
        bottoms = [bottom for left, right, _, bottom in edges if left < x < right]
        assert min(abs(end - top) for top in tops) < 1e-9
        assert min(abs(start - bottom) for bottom in bottoms) < 1e-9


def test_a_footnote_that_does_not_hold_is_left_out():
    bare = replace(conv("3x1", 384), then=())
    figure = block_figure(block("b", conv("1x3", 288), bare), "Title")
    assert words(figure)[1] == "1,234,567 parameters."


def family():
    plain, thin = block("6a", conv("3x3", 384)), block("6a", conv("1x3", 288), conv("3x1", 384))
    middle = block("6d", conv("1x1", 192))
    last = block("7a", conv("1x1", 192), shape=(8, 8, 1280))
    return {"Old": (plain, middle, last), "New\nas coded": (thin, last)}


def test_a_comparison_says_what_differs_and_what_is_left_out():
    figure = comparison_figure(family(), "Two networks")
    said = words(figure)
    assert said[:2] == [
        "Two networks",
        "Learnable parameters of each block. Orange: not as in Old.",
    ]
    assert said[2:8] == ["6a", "17x17x768", "6d", "17x17x768", "7a", "8x8x1280"]
    old, new = said.index("Old"), said.index("New\nas coded")
    number = "1,234,567"
    assert said[old + 1 : new] == [number, "3x3", number, number, "3,703,701"]
    assert said[new + 1 :] == [number, "1x3 → 3x1", "left out", number, "2,469,134", "all blocks"]
    colours = [panel.get_edgecolor()[:3] for panel in panels(figure)]
    grey, orange = colours[0], colours[3]
    assert grey != orange
    assert colours == [grey, grey, grey, orange, orange, grey]


def test_the_first_network_must_have_every_block():
    nets = family()
    nets["Old"] = nets["Old"][1:]
    with pytest.raises(ValueError, match=r"rows: 6d, 7a\. Another has 6a; put the network"):
        comparison_figure(nets, "Two networks")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: block_figure(block("b", conv("1x3", 288)), "mixed_6a: a title of a usual length"),
        lambda: block_figure(nested(), "A wide one"),
        lambda: comparison_figure(
            {f"Net {n}\nas coded": family()["Old"] for n in range(5)}, "Five networks"
        ),
    ],
)
def test_no_text_leaves_its_box_or_the_picture(draw):
    figure = draw()
    assert figure.get_figwidth() <= 9.6
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [panel.get_window_extent(renderer) for panel in panels(figure)]
    whole = figure.bbox
    for text in texts(figure):
        extent = text.get_window_extent(renderer)
        assert whole.x0 <= extent.x0 < extent.x1 <= whole.x1, text.get_text()
        assert whole.y0 <= extent.y0 < extent.y1 <= whole.y1, text.get_text()
        touched = [box for box in boxes if box.overlaps(extent)]
        assert len(touched) <= 1, text.get_text()
        for box in touched:
            assert box.x0 <= extent.x0 and extent.x1 <= box.x1, text.get_text()
            assert box.y0 <= extent.y0 and extent.y1 <= box.y1, text.get_text()
    extents = [text.get_window_extent(renderer) for text in texts(figure)]
    for number, extent in enumerate(extents):
        assert not any(extent.overlaps(other) for other in extents[number + 1 :])


def test_the_picture_has_its_own_white_ground_and_the_same_bytes():
    svg = figure_svg(block_figure(nested(), "Wide"))
    assert svg == figure_svg(block_figure(nested(), "Wide"))
    ground = re.search(r'<path d="([^"]+)"[^>]*style="fill: var\(--surface, white\)"', svg)
    width, height = (
        float(re.search(rf'{side}="([\d.]+)pt"', svg)[1]) for side in ("width", "height")
    )
    numbers = [float(n) for n in re.findall(r"[\d.]+", ground[1])]
    assert (max(numbers[::2]), max(numbers[1::2])) == pytest.approx((width, height), abs=0.01)
