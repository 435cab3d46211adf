"""Thumbnails of anything, a fair choice of queries, and marks that cannot be mixed up."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from landmarks_tf.plots.gallery import (
    GalleryRow,
    Match,
    gallery_figure,
    pick_queries,
    thumbnail,
)


def encoded(image, kind="JPEG"):
    target = io.BytesIO()
    image.save(target, kind)
    return target.getvalue()


def decoded(uri):
    head, _, body = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    image = Image.open(io.BytesIO(base64.b64decode(body)))
    assert image.format == "JPEG"
    return image.convert("RGB")


def red_left_half(mode, size=(400, 200)):
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle([0, 0, size[0] // 2 - 1, size[1]], fill=(200, 0, 0))
    return image.convert(mode)


@pytest.mark.parametrize(
    "image",
    [
        encoded(red_left_half("RGB")),
        encoded(red_left_half("CMYK")),
        encoded(red_left_half("P"), "PNG"),
        encoded(red_left_half("RGBA"), "PNG"),
        np.asarray(red_left_half("RGB")),
    ],
    ids=["rgb", "cmyk", "palette-png", "rgba-png", "array"],
)
def test_thumbnails_of_every_kind(image):
    small = decoded(thumbnail(image, size_px=100))
    assert small.size == (100, 50)
    red, green, _ = small.getpixel((20, 25))
    assert red > 150
    assert green < 70
    assert min(small.getpixel((80, 25))) > 200


def test_grey_paths_and_small_pictures(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(Image.new("L", (30, 20), 77)))
    small = decoded(thumbnail(tmp_path / "a.jpg"))
    assert small.size == (30, 20)
    assert small.getpixel((3, 3)) == (77, 77, 77)
    assert decoded(thumbnail(np.full((9, 9), 200, np.uint8))).size == (9, 9)
    assert decoded(thumbnail(encoded(Image.new("RGB", (4000, 3))))).size == (144, 1)


def test_what_cannot_be_read_is_none(tmp_path):
    whole = encoded(red_left_half("RGB"))
    assert thumbnail(whole[: len(whole) // 2]) is None
    assert thumbnail(b"no picture") is None
    assert thumbnail(b"") is None
    assert thumbnail(tmp_path / "missing.jpg") is None


def test_queries_from_the_best_to_the_worst():
    scores = np.array([0.5, 0.0, 1.0, 0.25, 0.75])
    assert pick_queries(scores, 3).tolist() == [2, 0, 1]
    assert pick_queries(scores, 5).tolist() == [2, 4, 0, 3, 1]
    assert pick_queries(scores, 50).tolist() == [2, 4, 0, 3, 1]
    assert pick_queries([0.5, 0.5], 1).tolist() == [0]
    assert pick_queries([], 3).tolist() == []


def test_marks_and_frames():
    picture = thumbnail(encoded(red_left_half("RGB")))
    matches = (
        Match("a", 0.91, True, picture),
        Match("b", 0.52, False, None, "_Gate"),
        Match("c", 0.13, None, picture),
    )
    figure = gallery_figure(
        [
            GalleryRow("q1", picture, matches, "Big_$tower", "AP 0.4"),
            GalleryRow("q2", None, matches[:1]),
        ]
    )
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [r"Big_\$tower", "✓ 0.91", "✗ 0.52", "0.13", "q2", "✓ 0.91", "", ""]
    below = [axes.get_xlabel() for axes in figure.axes]
    assert below == ["AP 0.4", "", "\u200b_Gate", "", "", "", "", ""]
    late = gallery_figure([GalleryRow("q", picture, (Match("a", 0.5, True, picture, rank=1234),))])
    assert late.axes[1].get_title() == "✓ 0.50  rank 1,234"
    right, wrong, unjudged = (figure.axes[n] for n in (1, 2, 3))
    assert right.patches[0].get_edgecolor() != wrong.patches[0].get_edgecolor()
    assert right.patches[0].get_bbox().bounds == (-0.5, -0.5, 144, 72)  # around the picture
    assert not unjudged.patches
    assert [text.get_text() for text in wrong.texts] == ["no picture"]
    with pytest.raises(ValueError, match="at least one query"):
        gallery_figure([])
