"""The report's two panels and markers, whatever the sizes of the indexes."""

from __future__ import annotations

import pytest

from landmarks_tf.plots.scalability import compact, scalability_figure
from landmarks_tf.plots.style import COLOURS, figure_png


def line(label, method, **other):
    one = {"label": label, "method": method, "sizes": [100, 1000, 10_000]}
    return one | {"public": [1.0, 0.8, 0.5], "private": [1.0, 0.9, None]} | other


def drawn(figure, panel):
    return {at.get_label(): at for at in figure.axes[panel].get_lines()}


def test_two_panels_with_the_reports_markers():
    figure = scalability_figure(
        [
            line("ours", "arcface"),
            line("theirs", "arcface", dashed=True),
            line("other", "triplet"),
            line("again", "arcface"),
            line("unet", "mean_squared_error"),
            line("ge2e", "ge2e"),
        ]
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["public", "private"]
    public, private = drawn(figure, 0), drawn(figure, 1)
    blue, orange, _, red = COLOURS[:4]
    styles = {name: (one.get_color(), one.get_marker()) for name, one in public.items()}
    assert styles["ours"] == styles["theirs"] == (red, "s")
    assert styles["ge2e"] == (blue, "o")
    assert styles["unet"] == (orange, "^")
    assert len({styles[name] for name in ("ours", "other", "again", "unet", "ge2e")}) == 5
    assert public["theirs"].get_linestyle() == "--"
    assert public["ours"].get_xydata().tolist() == [[100, 100], [1000, 80], [10_000, 50]]
    # What is not defined is no point.
    assert private["ours"].get_xydata().tolist() == [[100, 100], [1000, 90]]
    assert figure.axes[0].get_xscale() == "log"
    assert len(figure.legends[0].get_texts()) == 6


def test_an_index_that_hardly_grows_is_drawn_too():
    figure = scalability_figure([line("a", "arcface", sizes=[758, 758, 758])])
    assert figure.axes[0].get_xscale() == "linear"
    figure_png(figure, dpi=50)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["758"]


def test_sizes_in_a_few_letters():
    sizes = (758, 12_563, 154_826, 761_757, 999_700, 1_580_470)
    assert [compact(n) for n in sizes] == ["758", "12.6k", "155k", "762k", "1M", "1.58M"]


def test_refusals():
    with pytest.raises(ValueError, match="at least one run"):
        scalability_figure([])
    with pytest.raises(ValueError, match=r"'a': expected one value for each of 2 index sizes"):
        scalability_figure([line("a", "arcface", sizes=[1, 2])])
