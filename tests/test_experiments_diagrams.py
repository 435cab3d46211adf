"""The committed diagrams of the Inception family, and the page that shows them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from experiments import diagrams
from landmarks_tf.models import build_embedder, build_landmark_model, count_parameters
from tests import networks, seeded_weights

PAGE = (diagrams.FOLDER.parent / "inception.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def drawn():
    """File -> SVG, drawn now from the built networks."""
    return diagrams.diagrams(lambda name: networks.inception(name).model)


def said(svg: str) -> list[str]:
    elements = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(element.itertext()) for element in elements]


def shapes(svg: str) -> int:
    return svg.count("<path")


def test_committed_diagrams_are_those_of_the_networks(drawn):
    committed = {path.stem: path.read_text("utf-8") for path in diagrams.FOLDER.glob("*")}
    assert committed.keys() == drawn.keys()
    for name, svg in drawn.items():
        again = f"{name}.svg is old: python -m experiments.diagrams draws it again"
        assert said(committed[name]) == said(svg), again
        assert shapes(committed[name]) == shapes(svg), again
        assert len(svg) < 100_000


@pytest.mark.parametrize(
    ("name", "parameters", "first_branch"),
    [
        ("reduction_plain", "1,153,280", ["3x3 conv", "384 filters, stride 2", "17x17x384"]),
        (
            "reduction_enhanced",
            "2,067,008",
            [
                *("1x3 conv", "288 filters, stride 1", "35x35x288"),
                *("3x1 conv", "384 filters, stride 1", "35x35x384"),
                *("3x3 conv", "384 filters, stride 2", "17x17x384"),
            ],
        ),
        (
            "reduction_figure7",
            "822,656",
            [
                *("1x1 conv", "288 filters, stride 1", "35x35x288"),
                *("1x3 conv", "288 filters, stride 1x2", "35x17x288"),
                *("3x1 conv", "384 filters, stride 2x1", "17x17x384"),
            ],
        ),
    ],
)
def test_reduction_blocks_say_what_section_1_3_says(drawn, name, parameters, first_branch):
    title, facts, *boxes = said(drawn[name])
    assert title.startswith("mixed_6a: ")
    assert facts == f"{parameters} parameters. After each convolution: batch norm, ReLU."
    assert boxes == [
        "input 35x35x288",
        *first_branch,
        *("1x1 conv", "64 filters, stride 1", "35x35x64"),
        *("3x3 conv", "96 filters, stride 1", "35x35x96"),
        *("3x3 conv", "96 filters, stride 2", "17x17x96"),
        *("3x3 max pool", "stride 2", "17x17x288"),
        "concat 384 + 96 + 288 channels → 17x17x768",
    ]


def test_the_overview_shows_the_dropped_block_and_the_other_reductions(drawn):
    words = said(drawn["family"])
    assert words.count("left out") == 2
    assert words.count("1x3 → 3x1 → 3x3") == 2
    assert words.count("1x1 → 1x3 → 3x1") == 1
    # Section 1.5 without the dense layer's 2049 * 890.
    dense = 2049 * 890
    for whole in (23_609_178, 24_522_906, 22_831_898, 21_918_170):
        assert f"{whole - dense:,}" in words


def test_the_page_shows_every_diagram():
    linked = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    assert sorted(linked) == sorted(f"inception/{p.name}" for p in diagrams.FOLDER.glob("*"))


def test_counts_on_the_page_are_the_networks():
    rows = re.findall(r"^\| `(inception\w+)` \|[^|]*\|[^|]*\|(.+)\|$", PAGE, re.MULTILINE)
    assert len(rows) == 5
    for name, cells in rows:
        backbone = networks.inception(name)
        embedder = build_embedder(backbone)
        with seeded_weights.no_initial_values():
            counted = [
                build_landmark_model(
                    embedder, backbone, num_classes=classes, head="softmax", auxiliary=auxiliary
                )
                for classes in (890, 1000)
                for auxiliary in (False, True)
            ]
        expected = [count_parameters(model.trainer)["trainable"] for model in counted]
        assert [int(cell.replace(",", "")) for cell in cells.split("|")] == expected, name


def test_the_command_writes_them_all(drawn, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(diagrams, "_build", lambda name: networks.inception(name).model)
    assert diagrams.main(["--out", str(tmp_path / "new")]) == 0
    written = capsys.readouterr().out.split()
    assert written == [str(tmp_path / "new" / f"{name}.svg") for name in drawn]
    for name, svg in drawn.items():
        assert (tmp_path / "new" / f"{name}.svg").read_text("utf-8") == svg + "\n"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert diagrams.main(["--out", str(tmp_path / "file" / "below")]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'file' / 'below'}: ")
