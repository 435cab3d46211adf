"""Painting of materials."""

from __future__ import annotations

import numpy as np
import pytest

from tfrecords_tools.demo.camera.textures import Surface, hashed, linear, noise, noise_table, paint
from tfrecords_tools.demo.world.materials import Band, Braces, Disc, Material, Posts, Row

WIDTH, HEIGHT = 12.0, 8.0


def wall(step: float = 0.05, width: float = WIDTH, height: float = HEIGHT):
    """(surface of a wall, shape (rows from the foot, columns))."""
    u, v = np.meshgrid(
        np.arange(step / 2, width, step, dtype=np.float32),
        np.arange(step / 2, height, step, dtype=np.float32),
    )
    n = u.size
    full = np.full(n, 1, np.float32)
    surface = Surface(
        u.ravel(), v.ravel(), full * width, full * height, full * step, np.full(n, 7, np.uint32)
    )
    return surface, u.shape


def painted(*features, pattern: str = "flat", lit: float = 0.0, **options):
    surface, shape = wall()
    material = Material((200, 180, 150), pattern, features=features, **options)
    rgb, glow = paint(material, surface, lit)
    return rgb.reshape(*shape, 3), glow.reshape(*shape, 3)


def dark(rgb) -> np.ndarray:
    return rgb[..., 0] < 0.3 * linear((200, 180, 150))[0]


def test_linear_is_the_square():
    np.testing.assert_allclose(linear((255, 0, 127.5)), [1, 0, 0.25], atol=1e-6)


def test_a_flat_material_has_its_colour_everywhere():
    rgb, glow = painted()
    assert (rgb == linear((200, 180, 150))).all()
    assert not glow.any()


@pytest.mark.parametrize("pattern", ["plain", "blocks", "tiles", "planks", "rough", "glass"])
def test_patterns_vary_about_their_colour(pattern):
    rgb, _ = painted(pattern=pattern)
    ratio = rgb.mean(axis=(0, 1)) / linear((200, 180, 150))
    assert (np.abs(ratio - 1) < 0.35).all()
    assert rgb.std() > 0.005
    assert rgb.min() > 0


def test_stripes_alternate():
    rgb, _ = painted(pattern="stripes", size=2.0, second=(20, 20, 20))
    rows = rgb[:, 100, 0] > 0.1
    assert rows[10] and not rows[50] and rows[90] and not rows[130]


def test_fine_patterns_fade_with_distance():
    near, _ = wall()
    far, _ = wall()
    far.footprint[:] = 5.0
    material = Material((200, 180, 150), "blocks", size=0.4, length=0.8, contrast=0.3)
    one, two = (paint(material, surface, 0)[0][:, 0].std() for surface in (near, far))
    assert two < 0.5 * one


def test_windows_are_where_they_should_be():
    rgb, _ = painted(Row(bottom=2, height=3, width=1, bay=3, kind="dark"))
    mask = dark(rgb)
    rows, columns = np.flatnonzero(mask.any(axis=1)), mask[70]
    assert rows[0] * 0.05 == pytest.approx(2, abs=0.06)
    assert (rows[-1] + 1) * 0.05 == pytest.approx(5, abs=0.06)
    starts = np.flatnonzero(np.diff(columns.astype(int)) == 1) * 0.05
    np.testing.assert_allclose(starts, [1, 4, 7, 10], atol=0.1)  # bays of 3 m, middles at 1.5 ...
    assert mask.mean() == pytest.approx(4 * 3 * 1 / (WIDTH * HEIGHT), rel=0.08)


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ("rect", 8.0),
        ("round", 2 * 3 + np.pi / 2),
        ("circle", np.pi * 4),
        # Below the springing a rectangle, above it two sectors of 60 degrees less a triangle.
        ("pointed", 2 * (4 - np.sqrt(3)) + 4 * np.pi * 2 / 6 - np.sqrt(3)),
    ],
)
def test_openings_have_their_area(shape, area):
    rgb, _ = painted(Row(bottom=2, height=4, width=2, shape=shape, kind="dark"))
    assert dark(rgb).sum() * 0.05**2 == pytest.approx(area, rel=0.03)


def test_an_unknown_shape_is_refused():
    with pytest.raises(ValueError, match="Unknown shape of an opening: 'oval'"):
        painted(Row(1, 1, 1, shape="oval"))


def test_storeys_repeat_and_keep_clear_of_the_top():
    rgb, _ = painted(Row(0.5, 1, 1, 3, storeys=0, pitch=2, clear=1.0, kind="dark"))
    mask = dark(rgb)[:, 30]
    assert np.count_nonzero(np.diff(mask.astype(int)) == 1) == 3  # at 0.5, 2.5, 4.5; not 6.5
    rgb, _ = painted(Row(0.5, 1, 1, 3, storeys=2, pitch=2, kind="dark"))
    assert np.count_nonzero(np.diff(dark(rgb)[:, 30].astype(int)) == 1) == 2


def test_rows_and_bands_can_hang_from_the_top():
    rgb, _ = painted(Row(-3, 1, 1, kind="dark"))
    rows = np.flatnonzero(dark(rgb).any(axis=1)) * 0.05
    assert rows[0] == pytest.approx(5, abs=0.1)
    rgb, _ = painted(Band(-1, 1, colour=(0, 0, 0)))
    assert dark(rgb)[-20:].all() and not dark(rgb)[:-20].any()


def test_frames_are_lighter_and_around_the_opening():
    plain, _ = painted(Row(2, 3, 1, kind="dark"))
    framed, _ = painted(Row(2, 3, 1, kind="dark", frame=0.5))
    lighter = (framed[..., 0] > plain[..., 0] * 1.2) & ~dark(plain)
    assert lighter.sum() * 0.05**2 == pytest.approx(4 * 2 - 3 * 1, rel=0.08)


def test_posts_and_braces():
    rgb, _ = painted(Posts(3, 0.4, colour=(0, 0, 0)))
    assert dark(rgb).mean() == pytest.approx(4 * 0.4 / 12, rel=0.1)
    rgb, _ = painted(Braces(2, 0.2, (0, 0, 0)))
    # Two families of bars 2 * 0.2 wide (along u), a period of 2 apart: 1 - 0.8 ** 2.
    assert dark(rgb).mean() == pytest.approx(0.36, abs=0.02)


@pytest.mark.parametrize("kind", ["rose", "clock", "hole"])
def test_round_ornaments_are_in_the_middle(kind):
    rgb, _ = painted(Disc(4, 2, kind))
    changed = (np.abs(rgb - linear((200, 180, 150))) > 1e-3).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert columns.mean() * 0.05 == pytest.approx(6, abs=0.1)
    assert rows.mean() * 0.05 == pytest.approx(4, abs=0.1)
    assert changed.sum() * 0.05**2 == pytest.approx(np.pi * 4 * 1.2, rel=0.05)


def test_windows_light_up_at_night_in_the_stated_share():
    row = Row(0.5, 1, 1, 1.5, storeys=4, pitch=2)
    assert not painted(row)[1].any()
    shares = [np.mean(painted(row, lit=share)[1].max(axis=2) > 0) for share in (0.3, 1.0)]
    assert 0 < shares[0] < shares[1]
    assert shares[1] == pytest.approx(8 * 4 / (WIDTH * HEIGHT), rel=0.1)
    again = painted(row, lit=0.3)[1]
    np.testing.assert_array_equal(again, painted(row, lit=0.3)[1])


def test_materials_may_shine():
    _, glow = painted(glow=0.5)
    np.testing.assert_allclose(glow[0, 0], linear((200, 180, 150)) * 0.5)


def test_hashes_are_uniform_and_depend_on_every_key():
    i, j = np.meshgrid(np.arange(300), np.arange(300))
    values = hashed(i.ravel().astype(np.float32), j.ravel().astype(np.float32))
    counts = np.histogram(values, bins=10, range=(0, 1))[0]
    assert counts.min() > 0.9 * 9000
    assert counts.max() < 1.1 * 9000
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(values[:-300], values[300:])[0, 1]) < 0.02
    swapped = hashed(j.ravel().astype(np.float32), i.ravel().astype(np.float32))
    assert np.mean(values == swapped) < 0.02


def test_noise_is_smooth_tiles_and_stays_within_one():
    table = noise_table()
    assert table.shape == (256, 256)
    assert -1 <= table.min() < -0.4
    assert 0.4 < table.max() <= 1
    steps = np.abs(np.diff(table, axis=0)).max()
    assert np.abs(table[0] - table[-1]).max() <= 2 * steps
    u = np.array([0.3, 64.3], np.float32)
    assert noise(u, u)[0] == noise(u, u)[1]
