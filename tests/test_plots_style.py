"""Figures as PNG and as SVG that can live in a page."""

from __future__ import annotations

import io
import itertools
import re
from xml.etree import ElementTree

import pytest
from PIL import Image

from landmarks_tf.plots.style import (
    drawing,
    figure_png,
    figure_svg,
    label,
    new_figure,
    series_styles,
)

HOSTILE = '<script>alert(1)</script>"&--> id="x" url(#y) fill: #000000 $x_{'


def figure_with(text):
    with drawing():
        figure = new_figure(3, 2)
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], label=label(text, 99))
        axes.set_title(label(text, 99))
        axes.legend()
    return figure


def test_png_is_a_picture_of_the_asked_size():
    image = Image.open(io.BytesIO(figure_png(figure_with("a"), dpi=100)))
    assert (image.format, image.size) == ("PNG", (300, 200))
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_svg_is_well_formed_escaped_and_deterministic():
    svg = figure_svg(figure_with(HOSTILE), "one-")
    assert svg == figure_svg(figure_with(HOSTILE), "one-")
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert HOSTILE in texts
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "style", "metadata", "image", "foreignObject"}


def test_svg_ids_are_prefixed_and_every_reference_resolves():
    first, second = (figure_svg(figure_with("a"), prefix) for prefix in ("one-", "two-"))
    ids = set(re.findall(r'\bid="([^"]+)"', first))
    used = re.findall(r"url\(#([^)]+)\)", first) + re.findall(r'href="#([^"]+)"', first)
    assert used
    assert set(used) <= ids
    assert not ids & set(re.findall(r'\bid="([^"]+)"', second))


def test_svg_takes_the_colours_of_the_page():
    svg = figure_svg(figure_with("a"))
    assert "stroke: currentColor" in svg
    assert "var(--surface, white)" in svg
    assert not re.search(r"(fill|stroke): #(000000|ffffff)", svg)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Notre Dame", "Notre Dame"),
        ("cash $5$", r"cash \$5\$"),
        ("a\n\tb\x00c\u202ed", "a b c d"),
        ("", "(no name)"),
        ("x" * 40, "x" * 31 + "…"),
        ("_private", "\u200b_private"),
        (1466, "1466"),
    ],
)
def test_labels_are_taken_literally(text, expected):
    assert label(text) == expected


def test_names_in_any_script_draw_without_a_warning():
    assert "日本橋" in figure_svg(figure_with("日本橋"))
    assert figure_png(figure_with("日本橋 कुतुब"))


def test_fifty_series_look_different():
    styles = list(itertools.islice(series_styles(), 50))
    assert len(set(styles)) == 50
    assert len({colour for colour, _ in styles[:10]}) == 10
