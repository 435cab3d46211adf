"""Trees, people and cars: of life size, standing on their anchor."""

from __future__ import annotations

import numpy as np
import pytest

from tfrecords_tools.demo.world import sprites


def extent(sprite) -> tuple[float, float, float, float]:
    """(left, right, low, high) in metres."""
    xs, ys = [], []
    for tint, shape in sprite.shapes:
        assert len(tint) == 3
        assert all(0 <= c <= 255 for c in tint)
        if isinstance(shape[0], tuple):
            xs += [p[0] for p in shape]
            ys += [p[1] for p in shape]
        else:
            x, y, rx, ry = shape
            assert rx > 0
            assert ry > 0
            xs += [x - rx, x + rx]
            ys += [y - ry, y + ry]
    return min(xs), max(xs), min(ys), max(ys)


@pytest.mark.parametrize("species", sorted(set(sprites.TREES)))
def test_trees_have_their_height(species):
    for seed in range(5):
        tree = sprites.tree(np.random.default_rng(seed), (1.0, 2.0, 0.0), 10.0, species)
        left, right, low, high = extent(tree)
        assert tree.anchor == (1.0, 2.0, 0.0)
        assert abs(low) < 0.3
        assert high == pytest.approx(10, rel=0.2)
        assert right - left < 9


@pytest.mark.parametrize(
    ("make", "width", "height"),
    [
        (sprites.person, (0.3, 1.5), (1.4, 2.5)),
        (sprites.car, (3.5, 10.1), (1.3, 3.1)),
        (sprites.pole, (0.1, 2.0), (2.5, 5.6)),
    ],
)
def test_things_are_of_life_size(make, width, height):
    seen = set()
    for seed in range(30):
        thing = make(np.random.default_rng(seed), (0.0, 0.0, 0.0))
        left, right, low, high = extent(thing)
        assert width[0] <= right - left <= width[1]
        assert height[0] <= high <= height[1]
        assert -0.1 <= low <= 0.31
        seen.add(thing.shapes)
    assert len(seen) > 20


def test_bushes_branches_and_fences():
    rng = np.random.default_rng(0)
    assert extent(sprites.bush(rng, (0, 0, 0), 2.0))[3] == pytest.approx(1.9)
    left, right, _, _ = extent(sprites.branch(rng, (0, 0, 5), 4.0))
    assert right - left < 12
    assert extent(sprites.fence((0, 0, 0), 6.0)) == pytest.approx((-6.03, 6.03, 0, 1.07))


def test_a_lamp_shines_at_the_top_of_its_post():
    post, head = sprites.lamp((3.0, 4.0, 0.0), 5.0)
    assert (post.light, head.light) == (0.0, 1.0)
    assert head.anchor == (3.0, 4.0, 5.0)
    assert extent(post)[3] == 5.0
