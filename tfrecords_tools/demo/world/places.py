"""The scene of a landmark, from its number; and one-off places without a landmark."""

from __future__ import annotations

import math

from tfrecords_tools.demo.names import kind_of
from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world import (
    antiquity,
    bridges,
    churches,
    civic,
    modern,
    parts,
    sprites,
    strongholds,
    temples,
    towers,
)
from tfrecords_tools.demo.world.kit import Kit
from tfrecords_tools.demo.world.scene import Ground, Scene, Stage
from tfrecords_tools.demo.world.surroundings import furnish, house_materials, skyline

# Kind of scene (a key of names.KINDS) -> function that builds one.
BUILDERS = {
    **antiquity.BUILDERS,
    **bridges.BUILDERS,
    **churches.BUILDERS,
    **civic.BUILDERS,
    **modern.BUILDERS,
    **strongholds.BUILDERS,
    **temples.BUILDERS,
    **towers.BUILDERS,
}
_HILLS = ((92, 108, 84), (104, 112, 120), (126, 118, 96), (80, 96, 92))


def landmark_scene(seed: int, number: int) -> Scene:
    """The place of landmark `number` of the set with this seed; always the same."""
    rng = generator(seed, 5, number)
    kit = Kit(rng)
    landmark = BUILDERS[kind_of(seed, number)](kit)
    furnish(kit, landmark.stage, landmark.ground)
    return Scene(
        kit.b, kit.materials, landmark.ground, landmark.stage, skyline(rng), kit.pick(list(_HILLS))
    )


def ordinary_scene(rng, kind: str) -> Scene:
    """A place without a landmark: 'street', 'house' or 'landscape'."""
    kit = Kit(rng)
    b = kit.b.surroundings()
    ground = Ground(kit.pick(["grass", "grass", "sand", "water"]))
    stage = Stage(radius=14, height=9, reach=(0.8, 1.6))
    species = kit.pick(list(sprites.TREES))
    if kind != "landscape":
        walls = house_materials(kit, 3)
        ground = Ground(kit.pick(["grass", "asphalt", "cobble"]))
        count = 1 if kind == "house" else kit.n(4, 9)
        for k in range(count):
            x = (k - (count - 1) / 2) * kit.u(10, 15)
            at = b.at(x=x, y=kit.u(-1, 3), yaw=kit.u(-0.15, 0.15))
            height = kit.u(3.5, 7) if kind == "house" else kit.u(5, 14)
            parts.house(at, kit.u(8, 13), kit.u(8, 11), height, kit.pick(walls), "house_roof",
                        kit.n(0, 2))  # fmt: skip
        stage = Stage(radius=12 if count == 1 else 30, height=9, sector=(0.0, 1.2))
    for _ in range(kit.n(2, 6) if kind != "landscape" else kit.n(4, 40)):
        a, r = kit.u(0, 2 * math.pi), kit.u(10, 60)
        anchor = (r * math.cos(a), r * math.sin(a), 0.0)
        if ground.base != "water":
            b.sprite(sprites.tree(kit.rng, anchor, kit.u(4, 10), species))
    return Scene(
        kit.b, kit.materials, ground, stage, skyline(rng) * (1 + 2 * (kind == "landscape"))
    )
