"""The report page: whole, self-contained, escaped, and upright in a real browser."""

from __future__ import annotations

import html.parser
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from experiments.report import (
    MetricTable,
    Report,
    ReportFigure,
    ReportPicture,
    flatten,
    format_number,
    render,
    write_report,
)
from landmarks_tf.plots import GalleryRow, Match, class_distribution, thumbnail
from tests.browser import browser

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }} & Söhne'
VOID = {"meta", "link", "img", "br", "hr", "input"}


def house(colour):
    """A small drawn landmark, as an encoded JPEG."""
    image = Image.new("RGB", (200, 150), (150, 190, 230))
    draw = ImageDraw.Draw(image)
    draw.rectangle([60, 70, 140, 150], fill=colour)
    draw.polygon([(50, 70), (100, 25), (150, 70)], fill=(90, 40, 30))
    target = io.BytesIO()
    image.save(target, "JPEG")
    return target.getvalue()


def full_report(folder):
    red, blue = thumbnail(house((190, 60, 50))), thumbnail(house((60, 70, 190)))
    matches = (
        Match("a" * 16, 0.9123, True, red, "Red House"),
        Match("b" * 16, 0.5, False, blue, HOSTILE),
        Match("c" * 16, 0.25, None, None),
    )
    protocol = {"data": "demo", "split": "test", "index": 761757, "seed": 3}
    (folder / "metrics.json").write_text("{}")
    return Report(
        title="inception_v200 & friends",
        summary="A made-up run.",
        facts={"mAP@100": 0.53211, "parameters": 22831898, "time": "7 min"},
        metrics=[
            MetricTable(
                "Retrieval",
                {"public": {"map@100": 0.53211, "queries": 97}, "private": {"map@100": None}},
                protocol,
            )
        ],
        published=[
            MetricTable("S2, table 2", {"50 epochs": {"top1": 0.9059}}, note="Samala and Jiang")
        ],
        curves=[{"step": s, "loss": 1 / s, "accuracy": 1 - 1 / s} for s in range(1, 40)],
        figures=[ReportFigure("Class sizes", class_distribution([1, 1, 2]), HOSTILE)],
        pictures=[ReportPicture("Maps", blue, "What matched."), ReportPicture("Lost", None)],
        gallery=[GalleryRow("d" * 16, red, matches, "Red House", "public, AP 0.43")],
        recipe={"name": HOSTILE, "train": {"learning_rate": 0.1, "sizes": [1, 2], "extra": {}}},
        files={"metrics": folder / "metrics.json", "elsewhere": "/nowhere/model.keras"},
        warnings=["A small index."],
    )


class Page(html.parser.HTMLParser):
    """Reads a page, checks that elements nest, and keeps what the tests ask for."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend((tag, name, value or "") for name, value in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def values(self, wanted):
        return [value for _, name, value in self.attributes if name == wanted]


@pytest.fixture
def page(tmp_path):
    path = write_report(tmp_path / "report.html", full_report(tmp_path))
    return Page(path.read_text(encoding="utf-8"))


def test_nothing_is_fetched_and_nothing_runs(page):
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in {"src", "srcset", "href", "xlink:href", "data", "action", "poster"}:
            assert value.startswith(("data:", "#", "./")), (tag, name, value)
    assert not set(page.tags) & {"script", "iframe", "object", "embed", "base", "form"}
    styles = "".join(page.texts)
    assert "@import" not in styles
    assert "url(http" not in styles
    policy = next(v for t, n, v in page.attributes if (t, n) == ("meta", "content") and "src" in v)
    assert "default-src 'none'" in policy


def test_hostile_names_are_text(page):
    assert page.texts.count(HOSTILE) >= 2  # the landmark's name and the caption
    assert "49" not in "".join(page.texts)
    assert any(HOSTILE in value for value in page.values("alt"))
    assert any(HOSTILE in value for value in page.values("title"))


def test_right_and_wrong_are_marked_in_words_signs_and_classes(page):
    verdicts = [c for c in page.values("class") if c in ("right", "wrong", "unjudged")]
    assert verdicts == ["right", "wrong", "unjudged"]
    alts = page.values("alt")
    assert "match 1, right: Red House" in alts
    assert any(alt.startswith("match 2, wrong: ") for alt in alts)
    labels = [value for tag, name, value in page.attributes if name == "aria-label"]
    assert "match 3, unjudged" in labels
    assert (labels.count("right"), labels.count("wrong")) == (1, 1)
    text = "".join(page.texts)
    assert text.count("✓") == text.count("✗") == 2  # one in the key, one at its match
    assert "0.912" in text


def test_each_table_says_what_its_numbers_depend_on(page):
    text = re.sub(r"\s+", " ", " ".join(page.texts))
    assert "data demo split test index 761,757 seed 3" in text
    assert "map@100 0.5321 \N{EN DASH}" in text  # not defined: a dash, not a zero
    assert "queries 97 \N{EN DASH}" in text
    assert "22,831,898" in text
    assert "A small index." in text


def test_published_numbers_stand_apart(tmp_path):
    text = render(full_report(tmp_path), tmp_path)
    ours, _, theirs = text.partition('id="published"')
    assert "0.9059" not in ours
    assert "0.9059" in theirs
    assert "not measured here" in theirs
    assert 'class="tables theirs"' in theirs


def test_recipe_files_and_figures(page):
    text = " ".join(page.texts)
    assert "train.learning_rate" in text
    assert "./metrics.json" in page.values("href")
    assert "/nowhere/model.keras" in text  # named, not linked
    assert not any("nowhere" in href for href in page.values("href"))
    assert page.tags.count("svg") == 3  # loss, accuracy, class sizes
    assert "Maps" in page.values("alt")
    assert "Lost" in page.values("aria-label")  # a picture that could not be read is named
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_a_title_alone_is_a_page(tmp_path):
    page = Page(render(Report(title="empty"), tmp_path))
    assert "h2" not in page.tags
    assert "empty" in page.texts


def test_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "made" / "report.html"
    write_report(path, full_report(tmp_path))
    before = path.read_bytes()
    broken = replace(
        full_report(tmp_path), metrics=[MetricTable("Retrieval", {"map@100": 0.5, "p@1": 0.1})]
    )
    with pytest.raises(ValueError, match="'Retrieval': expected column -> metric -> value"):
        write_report(path, broken)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"),
        (0.0, "0.0000"),
        (0.53211, "0.5321"),
        (1e-5, "1e-05"),
        (12.44, "12.4"),
        (761757, "761,757"),
        (True, "yes"),
        (np.float64(0.25), "0.2500"),
        (np.int64(5000), "5,000"),
        ("7 min", "7 min"),
    ],
)
def test_numbers_as_shown(value, text):
    assert format_number(value) == text


def test_flatten_keeps_order_and_empty_parts():
    recipe = {"b": {"y": 1, "x": {"z": None}}, "a": "text", "c": {}, "d": (1, 2)}
    assert flatten(recipe) == [
        ("b.y", "1"),
        ("b.x.z", "null"),
        ("a", "text"),
        ("c", "{}"),
        ("d", "[1, 2]"),
    ]


# --- in a browser -------------------------------------------------------------------------------

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BROKEN = "[...document.images].filter(i => !i.naturalWidth).length"


def show(page, path, width, dark=False):
    """Opens a page, brings every lazy picture into view, and waits for them."""
    page.open(path.as_uri(), width, dark=dark)
    page.evaluate("document.querySelectorAll('img').forEach(i => { i.loading = 'eager'; })")
    page.wait_for("[...document.images].every(i => i.complete)")


def test_upright_at_every_width_and_silent(tmp_path):
    path = write_report(tmp_path / "report.html", full_report(tmp_path))
    with browser() as page:
        for width in (320, 390, 800, 1280, 2000):
            show(page, path, width, dark=width == 800)
            assert page.evaluate(OVERFLOW) <= 0, width
            assert page.evaluate("document.images.length") == 4
            assert page.evaluate(BROKEN) == 0
            assert page.messages == []
            assert [u for u in page.requests if not u.startswith("data:")] == [path.as_uri()]


def test_dark_pages_have_light_ink_also_in_drawings(tmp_path):
    path = write_report(tmp_path / "report.html", full_report(tmp_path))
    ink = "getComputedStyle(document.querySelector('{}')).{}"
    with browser() as page:
        for dark in (False, True):
            show(page, path, 800, dark)
            for selector, name in (("h1", "color"), ("svg text", "fill")):
                red = int(re.search(r"\d+", page.evaluate(ink.format(selector, name))).group())
                assert (red > 150) == dark, (selector, dark)
            ground = page.evaluate(ink.format("body", "backgroundColor"))
            assert (int(re.search(r"\d+", ground).group()) < 100) == dark


def test_the_browser_check_sees_what_it_looks_for(tmp_path):
    path = write_report(tmp_path / "report.html", full_report(tmp_path))
    bad = '<div style="width: 3000px">wide</div><script>alert(1)</script><img src="data:,"></body>'
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", bad), encoding="utf-8")
    with browser() as page:
        show(page, path, 390)
        assert page.evaluate(OVERFLOW) > 2000
        assert page.evaluate(BROKEN) == 1
        assert "Content Security Policy" in "".join(page.messages)  # it stopped the script
