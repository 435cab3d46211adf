"""The style of a landmark."""

from __future__ import annotations

from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.kit import Kit
from tfrecords_tools.demo.world.materials import STONES, Band


def kit(seed: int = 0) -> Kit:
    return Kit(generator(9, seed))


def test_the_same_stream_gives_the_same_style():
    one, two = kit(), kit()
    assert (one.stone, one.roof, one.wall("w")) == (two.stone, two.roof, two.wall("w"))
    assert one.materials == two.materials
    assert {kit(n).stone for n in range(8)} != {kit().stone}


def test_choices_keep_to_their_limits():
    k = kit()
    assert {k.n(1, 3) for _ in range(60)} == {1, 2, 3}
    assert all(2 <= k.u(2, 5) < 5 for _ in range(60))
    assert {k.pick(["a", "b"]) for _ in range(30)} == {"a", "b"}
    assert not any(k.chance(0.0) for _ in range(20))
    assert all(k.chance(1.0) for _ in range(20))


def test_walls_are_of_the_landmarks_stone():
    k = kit(4)
    name = k.wall("keep", Band(0, 1))
    assert name == "keep"
    assert k.materials["keep"].colour == k.stone
    assert k.materials["keep"].features == (Band(0, 1),)
    base = STONES[k.stone_name]
    assert all(abs(a - b) <= 12 for a, b in zip(k.stone, base, strict=True))


def test_toned_colours_stay_below_white():
    assert kit().toned(2.0, (200.0, 100.0, 10.0)) == (250.0, 200.0, 20.0)


def test_other_materials():
    k = kit()
    k.striped("bands", period=2.0, second=(10, 20, 30))
    k.roofing()
    k.plain("bronze", (90, 80, 60), glow=0.5)
    assert (k.materials["bands"].pattern, k.materials["bands"].size) == ("stripes", 2.0)
    assert (k.materials["roof"].pattern, k.materials["roof"].colour) == ("tiles", k.roof)
    assert k.materials["bronze"].glow == 0.5
