"""Order of visibility, against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.demo_checks import scene_of, view_from
from tests.reference import ray_cast
from tfrecords_tools.demo.camera.raster import draw_ids
from tfrecords_tools.demo.world.bsp import Tree, split_polygon
from tfrecords_tools.demo.world.builder import Builder


def random_scene(seed: int) -> Builder:
    """Boxes, towers and roofs that stand in and through one another."""
    rng = np.random.default_rng(seed)
    b = Builder()
    for _ in range(6):
        x, y, yaw = rng.uniform(-6, 6), rng.uniform(-6, 6), rng.uniform(0, 3)
        at = b.at(x, y, 0, yaw)
        if rng.random() < 0.5:
            at.box(rng.uniform(2, 7), rng.uniform(2, 7), rng.uniform(2, 9), "wall", "wall")
        else:
            at.lathe([(rng.uniform(1, 3), 0), (rng.uniform(1, 3), 7), (0, 10)], 5, "wall")
    b.beam((-8, -8, 0), (8, 8, 9), 0.8, "wall")
    return b


def directions(view):
    """(row, column, direction) of a grid of pixels."""
    for row in range(3, view.height, 9):
        for column in range(3, view.width, 9):
            sx = (column + 0.5 - view.width / 2) / view.scale
            sy = (view.height / 2 - row - 0.5) / view.scale
            yield (
                row,
                column,
                [sx * view.right[i] + sy * view.up[i] + view.forward[i] for i in range(3)],
            )


@pytest.mark.parametrize("seed", range(6))
def test_what_is_seen_is_what_is_nearest(seed):
    b = random_scene(seed)
    scene = scene_of(b)
    polygons = [face.points for face in b.faces]
    view = view_from(seed * 1.1, 26, 3 + seed, target=4)
    ids = draw_ids(scene, view, []).ids
    wrong = total = 0
    for row, column, direction in directions(view):
        found, _ = ray_cast.nearest(view.eye, direction, polygons)
        shown = int(ids[row, column])
        total += 1
        if (-1 if found is None else found) == shown:
            continue
        # Right at an edge the two may differ; then another pixel next to it agrees.
        around = ids[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        wrong += (-1 if found is None else found) not in around
    assert total > 100
    assert wrong == 0


def test_pieces_cover_their_faces_exactly():
    b = random_scene(3)
    tree = Tree(b.faces)
    areas = np.zeros(len(b.faces))
    for piece, owner in enumerate(tree.owner):
        p = tree.points[tree.starts[piece] : tree.starts[piece + 1]]
        areas[owner] += sum(
            np.linalg.norm(np.cross(p[k] - p[0], p[k + 1] - p[0])) / 2 for k in range(1, len(p) - 1)
        )
    for face, area in zip(b.faces, areas, strict=True):
        p = np.array(face.points)
        whole = sum(
            np.linalg.norm(np.cross(p[k] - p[0], p[k + 1] - p[0])) / 2 for k in range(1, len(p) - 1)
        )
        assert area == pytest.approx(whole, rel=1e-3)
    assert len(tree.owner) > len(b.faces), "nothing was cut: the scene tests little"


def test_every_piece_is_listed_once_from_anywhere():
    tree = Tree(random_scene(1).faces)
    for eye in ((30, 0, 5), (-3, -20, 1), (0, 0, 50)):
        order = tree.order(eye, (0, 0, 1), {})
        assert sorted(order) == list(range(len(tree.owner)))
    assert sorted(tree.order(None, (0.6, 0.0, 0.8), {})) == list(range(len(tree.owner)))


def test_things_in_cells_are_listed_behind_what_hides_them():
    b = Builder()
    b.box(4, 4, 4, "wall", "wall")
    tree = Tree(b.faces)
    behind, before = tree.cell((0, 9, 1)), tree.cell((0, -9, 1))
    front = next(i for i, face in enumerate(b.faces) if face.normal[1] < -0.9)
    order = tree.order((0, -30, 1), (0, -1, 0), {behind: [-1], before: [-2]})
    assert order.index(-1) < order.index(front) < order.index(-2)
    order = tree.order((0, 30, 1), (0, 1, 0), {behind: [-1], before: [-2]})
    assert order.index(-2) < order.index(front) < order.index(-1)


def test_a_scene_without_faces_lists_the_things_alone():
    tree = Tree([])
    assert tree.cell((1, 2, 3)) == -1
    assert tree.order((0, 0, 0), (0, 0, 1), {-1: [-2, -1]}) == [-2, -1]


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 8), st.floats(-1.2, 1.2), st.floats(0, 6))
def test_a_cut_polygon_keeps_its_area_and_stays_on_its_sides(count, offset, turn):
    corners = tuple(
        (math.cos(turn + 2 * math.pi * k / count), math.sin(turn + 2 * math.pi * k / count), 0.0)
        for k in range(count)
    )
    distances = [x - offset for x, _, _ in corners]
    front, back = split_polygon(corners, distances)

    def area(points) -> float:
        pairs = zip(points, points[1:] + points[:1], strict=True)
        return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs) / 2

    parts = sum(area(part) for part in (front, back) if len(part) >= 3)
    assert parts == pytest.approx(area(corners), abs=2e-3)
    assert all(x >= offset - 1e-3 for x, _, _ in front)
    assert all(x <= offset + 1e-3 for x, _, _ in back)
