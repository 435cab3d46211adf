"""Checks that several tests of the demo set share."""

from __future__ import annotations

import math

import numpy as np

from tfrecords_tools.demo.camera.raster import draw_ids
from tfrecords_tools.demo.camera.view import View, look
from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.kit import Kit
from tfrecords_tools.demo.world.materials import Material
from tfrecords_tools.demo.world.scene import Ground, Scene, Stage


def scene_of(b: Builder, *, stage: Stage | None = None, ground: Ground | None = None) -> Scene:
    """A scene of a builder's faces in plain materials, without surroundings."""
    names = {face.material for face in b.faces}
    return Scene(
        b,
        {name: Material((200, 180, 150)) for name in sorted(names)},
        ground or Ground(),
        stage or Stage(radius=10, height=10),
        np.zeros(1024, np.float32),
    )


def view_from(
    azimuth: float, distance: float, height: float, *, target: float = 5.0, pixels: int = 96
) -> View:
    """A level camera that looks at the axis of the scene from an azimuth."""
    eye = (distance * math.sin(azimuth), -distance * math.cos(azimuth), height)
    return look(eye, (0.0, 0.0, target), field_of_view=0.9, roll=0.0, width=pixels, height=pixels)


def wrong_side_share(b: Builder | Scene, view: View) -> float:
    """Share of the drawn pixels that show the inside of a face; 0 for a closed body.

    Lines a pixel wide do not count: polygons are drawn with their edges, so a hidden face seen
    edge-on leaves one.
    """
    scene = scene_of(b) if isinstance(b, Builder) else b
    normal, offset = scene.normal, scene.offset
    outside = (normal * np.array(view.eye)).sum(axis=1) > offset
    usual = scene.two_sided
    correct = outside | usual
    scene.two_sided = np.ones_like(usual)  # draw inner sides too
    ids = draw_ids(scene, view, []).ids
    scene.two_sided = usual
    wrong = (ids >= 0) & ~correct[ids]
    inner = wrong[1:-1, 1:-1] & wrong[:-2, 1:-1] & wrong[2:, 1:-1] & wrong[1:-1, :-2]
    inner &= wrong[1:-1, 2:]
    return float(inner.sum()) / max(1, int((ids >= 0).sum()))


def build(builder, seed: int) -> tuple[Kit, object]:
    """A landmark of one kind: (kit with its faces, what the builder returned)."""
    kit = Kit(generator(1234, seed))
    return kit, builder(kit)


def check_landmark(builder, seeds) -> None:
    """What every builder of landmarks promises; raises AssertionError."""
    fingerprints = set()
    for seed in seeds:
        kit, landmark = build(builder, seed)
        stage, faces = landmark.stage, kit.b.faces
        own = np.array([p for face in faces if face.landmark for p in face.points])
        assert len(faces) <= 900, f"seed {seed}: {len(faces)} faces are too many to draw quickly"
        assert {face.material for face in faces} <= kit.materials.keys()
        assert own[:, 2].min() >= -1.5, f"seed {seed}: parts under the ground"
        assert own[:, 2].min() < 15, f"seed {seed}: nothing near the ground"
        reach = np.sqrt((own[:, :2] ** 2).sum(axis=1))
        assert np.quantile(reach, 0.9) <= 1.45 * stage.radius, f"seed {seed}: wider than stated"
        assert reach.max() >= 0.5 * stage.radius, f"seed {seed}: smaller than stated"
        top = own[:, 2].max()
        assert 0.6 * stage.height <= top <= 1.35 * stage.height, f"seed {seed}: {top} m high"
        for point, size in stage.sights:
            nearest = np.sqrt(((own - np.array(point)) ** 2).sum(axis=1)).min()
            assert nearest <= 1.5 * size, f"seed {seed}: sight {point} shows nothing"
        assert 0 < stage.sector[1] <= math.pi
        _check_outsides(kit.b, stage, seed)
        fingerprints.add(round(float(own.sum()), 6))
        again, _ = build(builder, seed)
        same = np.array([p for face in again.b.faces if face.landmark for p in face.points])
        np.testing.assert_array_equal(own, same)
    assert len(fingerprints) == len(seeds), "two seeds gave the same building"


def _check_outsides(b: Builder, stage: Stage, seed: int) -> None:
    keep = stage.keep_out or stage.radius
    scene = scene_of(b)
    distance = max(2.2 * stage.size, 1.5 * keep)
    shares = [
        wrong_side_share(scene, view_from(a, distance, h, target=stage.height / 2))
        for a, h in ((0.0, 2.0), (0.9, 9.0), (-1.2, 1.6), (2.8, 5.0), (0.4, stage.height))
    ]
    assert max(shares) <= 0.01, f"seed {seed}: inner sides of faces are seen: {shares}"
