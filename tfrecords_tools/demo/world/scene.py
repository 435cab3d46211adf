"""A fixed 3-D place that can be photographed: faces, materials, ground, horizon."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tfrecords_tools.demo.world.bsp import Tree
from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.materials import Material
from tfrecords_tools.demo.world.mesh import Point


@dataclass(frozen=True)
class Ground:
    """What lies at z = 0.

    Attributes:
        base: 'grass', 'paving', 'cobble', 'sand', 'asphalt' or 'water'.
        inner: the same within `radius` metres of the origin.
        radius: see inner; 0 for none.
        river: (direction x, direction y, from, to): water where from < p . direction < to.
        tint: sRGB colour of the paving.
    """

    base: str = "grass"
    inner: str = "paving"
    radius: float = 0.0
    river: tuple[float, float, float, float] | None = None
    tint: tuple[float, float, float] = (150, 142, 130)


@dataclass(frozen=True)
class Stage:
    """How a place is usually photographed.

    Attributes:
        radius, height: of a cylinder that holds the landmark, metres.
        sights: points of interest with the size of the detail there, metres, for close-ups.
        sector: (azimuth, half width) from where it is freely seen, radians; azimuth 0 is the
            front (-y), counter-clockwise seen from above is positive.
        eye: (lowest, highest) usual height of the camera, metres.
        reach: nearest and farthest usual distance, as multiples of the size of the landmark.
        keep_out: the camera stays farther than this from the origin, metres; 0: `radius`.
    """

    radius: float
    height: float
    sights: tuple[tuple[Point, float], ...] = ()
    sector: tuple[float, float] = (0.0, 3.14)
    eye: tuple[float, float] = (1.6, 14.0)
    reach: tuple[float, float] = (0.9, 2.4)
    keep_out: float = 0.0

    @property
    def size(self) -> float:
        """The larger of width and height of the landmark, metres."""
        return max(2 * self.radius, self.height)


@dataclass
class Scene:
    """A place, ready to be drawn.

    Attributes:
        builder: holds faces and sprites.
        materials: name -> Material, all that the faces use.
        ground, stage: see there.
        skyline: (1024,) float32, tangent of the elevation of the hills all around.
        hills: sRGB colour of the hills.
        tree: partition of the faces.
        cells: cell of the partition -> numbers of the sprites in it.
        names: names of the materials in the order of `material_of`.
        material_of: (F,) int32.
        normal, origin, along, up: (F, 3) float64; offset, width, height: (F,) float64.
        axis: (F, 2) float64, NaN where the face is flat. landmark, two_sided: (F,) bool.
    """

    builder: Builder
    materials: dict[str, Material]
    ground: Ground
    stage: Stage
    skyline: np.ndarray
    hills: tuple[float, float, float] = (96, 112, 96)
    tree: Tree = field(init=False)
    cells: dict[int, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        faces = self.builder.faces
        missing = {face.material for face in faces} - self.materials.keys()
        if missing:
            raise ValueError(f"Faces use materials that the scene lacks: {sorted(missing)}.")
        self.tree = Tree(faces)
        self.cells = {}
        for number, sprite in enumerate(self.builder.sprites):
            self.cells.setdefault(self.tree.cell(sprite.anchor), []).append(number)
        self.names = list(self.materials)
        place = {name: i for i, name in enumerate(self.names)}
        self.material_of = np.array([place[face.material] for face in faces], np.int32)
        for name in ("normal", "origin", "along", "up"):
            table = np.array([getattr(face, name) for face in faces], np.float64)
            setattr(self, name, table.reshape(-1, 3))
        for name in ("offset", "width", "height"):
            setattr(self, name, np.array([getattr(face, name) for face in faces], np.float64))
        none = (float("nan"), float("nan"))
        self.axis = np.array([face.axis or none for face in faces], np.float64).reshape(-1, 2)
        self.landmark = np.array([face.landmark for face in faces], bool)
        self.two_sided = np.array([face.two_sided for face in faces], bool)
