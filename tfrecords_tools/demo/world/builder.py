"""Solids of flat faces, placed in nested frames."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from tfrecords_tools.demo.world.mesh import Face, Point, Sprite, cross, dot, newell, subtract, unit


class Builder:
    """Adds solids to a list of faces, in a frame of its own.

    A frame is a position and a turn about the vertical. `at(...)` gives a builder in a frame
    relative to this one that adds to the same lists. Solids stand on z = 0 of the frame, centred,
    with their front towards -y.
    """

    def __init__(self, landmark: bool = True) -> None:
        self.faces: list[Face] = []
        self.sprites: list[Sprite] = []
        self.landmark = landmark
        self._x = self._y = self._z = 0.0
        self._cos, self._sin = 1.0, 0.0
        self._yaw = 0.0

    def at(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Builder:
        """A builder at (x, y, z) of this frame, turned by `yaw` radians counter-clockwise."""
        other = Builder(self.landmark)
        other.faces, other.sprites = self.faces, self.sprites
        other._x, other._y, other._z = self.world((x, y, z))
        other._yaw = self._yaw + yaw
        other._cos, other._sin = math.cos(other._yaw), math.sin(other._yaw)
        return other

    def surroundings(self) -> Builder:
        """The same frame, for things that do not belong to the landmark."""
        other = self.at()
        other.landmark = False
        return other

    def world(self, p: Point) -> Point:
        return (
            self._x + self._cos * p[0] - self._sin * p[1],
            self._y + self._sin * p[0] + self._cos * p[1],
            self._z + p[2],
        )

    # Faces

    def face(
        self,
        points: list[Point],
        material: str,
        *,
        wall: tuple[float, float, float] | None = None,
        frame: tuple[Point, Point] | None = None,
        round_axis: bool = False,
        two_sided: bool = False,
    ) -> None:
        """Adds a polygon given in this frame.

        Args:
            points: corners, counter-clockwise seen from outside; the first edge is the u axis.
            material: key of the material table.
            wall: (u of the first corner, width, height) of the wall that this is a piece of;
                default: the polygon is a wall of its own.
            frame: (origin, direction of the u axis) of the surface coordinates; default: the first
                corner, moved by the start of `wall`, and the first edge.
            round_axis: part of a round body about the vertical axis of this frame.
            two_sided: visible from both sides.
        """
        corners = [self.world(p) for p in points]
        normal = newell(corners)
        if frame is None:
            along = unit(subtract(corners[1], corners[0]))
        else:
            start = self.world(frame[0])
            ahead = self.world(tuple(a + d for a, d in zip(*frame, strict=True)))
            along = unit(subtract(ahead, start))
        up = cross(normal, along)
        width = math.dist(corners[0], corners[1])
        height = max(dot(subtract(c, corners[0]), up) for c in corners)
        origin = corners[0]
        if wall is not None:
            start, width, height = wall
            origin = tuple(o - start * a for o, a in zip(origin, along, strict=True))
        if frame is not None:
            origin = self.world(frame[0])
        self.faces.append(
            Face(
                points=tuple(corners),
                material=material,
                normal=normal,
                offset=dot(normal, corners[0]),
                origin=origin,
                along=along,
                up=up,
                width=width,
                height=height,
                axis=(self._x, self._y) if round_axis else None,
                landmark=self.landmark,
                two_sided=two_sided,
            )
        )

    def sprite(self, sprite: Sprite) -> None:
        """Adds a sprite whose anchor is given in this frame."""
        self.sprites.append(replace(sprite, anchor=self.world(sprite.anchor)))

    # Solids

    def prism(
        self, outline: list[tuple[float, float]], height: float, walls, top: str | None
    ) -> None:
        """An upright prism over a convex outline (counter-clockwise seen from above).

        `walls` is one material, or one for each edge (None leaves a wall out).
        """
        count = len(outline)
        for i in range(count):
            material = walls if isinstance(walls, str) else walls[i]
            if material is not None:
                (ax, ay), (bx, by) = outline[i], outline[(i + 1) % count]
                self.face([(ax, ay, 0), (bx, by, 0), (bx, by, height), (ax, ay, height)], material)
        if top is not None:
            self.face([(x, y, height) for x, y in outline], top)

    def box(
        self, width: float, depth: float, height: float, walls, top: str | None, bottom=None
    ) -> None:
        """A block; `walls` in the order front (-y), right, back, left. `bottom`: its underside."""
        x, y = width / 2, depth / 2
        self.prism([(-x, -y), (x, -y), (x, y), (-x, y)], height, walls, top)
        if bottom is not None:
            self.face([(-x, y, 0), (x, y, 0), (x, -y, 0), (-x, -y, 0)], bottom)

    def lathe(
        self,
        profile: list[tuple[float, float]],
        sides: int,
        material,
        *,
        smooth: bool = True,
        top: str | None = None,
        turn: float = 0.0,
        squash: float = 1.0,
    ) -> None:
        """A body of revolution about the vertical axis.

        Args:
            profile: (radius, z) from bottom to top; radius 0 makes a point.
            sides: number of facets around.
            material: one material, or one for each ring of the profile.
            smooth: shade as round.
            top: material of the flat top, if the profile does not end in a point.
            turn: angle of the first corner, radians.
            squash: scale of the y direction (1 = circular).
        """
        angles = [turn + 2 * math.pi * k / sides for k in range(sides)]
        ring = [(math.cos(a), math.sin(a) * squash) for a in angles]
        chords = [math.dist(ring[k], ring[(k + 1) % sides]) for k in range(sides)]
        starts = [sum(chords[:k]) for k in range(sides)]
        for level, ((r0, z0), (r1, z1)) in enumerate(pairwise(profile)):
            name = material if isinstance(material, str) else material[level]
            widest = max(r0, r1)
            slope = math.hypot(r1 - r0, z1 - z0)
            for k in range(sides):
                (ax, ay), (bx, by) = ring[k], ring[(k + 1) % sides]
                low_a, low_b = (ax * r0, ay * r0, z0), (bx * r0, by * r0, z0)
                high_a, high_b = (ax * r1, ay * r1, z1), (bx * r1, by * r1, z1)
                wall = (starts[k] * widest, sum(chords) * widest, slope)
                if r0 < 1e-6:
                    corners = [low_a, high_b, high_a]
                elif r1 < 1e-6:
                    corners = [low_a, low_b, high_a]
                else:
                    corners = [low_a, low_b, high_b, high_a]
                self.face(corners, name, wall=wall, round_axis=smooth and squash == 1.0)
        if top is not None:
            radius, z = profile[-1]
            self.face([(x * radius, y * radius, z) for x, y in ring], top)

    def gable(
        self, width: float, depth: float, height: float, roof: str, ends: str | None, eave=0.0
    ) -> None:
        """A saddle roof over a width x depth block; the ridge runs front to back."""
        x, y = width / 2, depth / 2
        drop = -eave * height / x
        self.face(
            [(x + eave, -y, drop), (x + eave, y, drop), (0, y, height), (0, -y, height)], roof
        )
        self.face(
            [(-x - eave, y, drop), (-x - eave, -y, drop), (0, -y, height), (0, y, height)], roof
        )
        if ends is not None:
            self.face([(-x, -y, 0), (x, -y, 0), (0, -y, height)], ends)
            self.face([(x, y, 0), (-x, y, 0), (0, y, height)], ends)

    def hip(self, width: float, depth: float, height: float, inset: float, roof: str, top=None):
        """A roof that slopes in from all four sides; `inset` 1 makes a pyramid, less is cut off."""
        x, y = width / 2, depth / 2
        low = [(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0)]
        self.face(low[::-1], roof)  # the underside of the eaves
        keep = 1 - inset
        u, w = x * keep, y * keep
        if inset >= 1:
            for i in range(4):
                self.face([low[i], low[(i + 1) % 4], (0.0, 0.0, height)], roof)
            return
        high = [(-u, -w, height), (u, -w, height), (u, w, height), (-u, w, height)]
        for i in range(4):
            j = (i + 1) % 4
            self.face([low[i], low[j], high[j], high[i]], roof)
        self.face(high, top or roof)

    def beam(
        self, a: Point, b: Point, thickness: float, material: str, plane: Point | None = None
    ) -> None:
        """A thin bar from a to b: a strip in the plane with normal `plane`, or two crossed ones."""
        direction = unit(subtract(b, a))
        if plane is not None:
            sides = [unit(cross(direction, plane))]
        else:
            helper = (0.0, 0.0, 1.0) if abs(direction[2]) < 0.9 else (1.0, 0.0, 0.0)
            one = unit(cross(direction, helper))
            sides = [one, cross(direction, one)]
        for side in sides:
            s = tuple(thickness / 2 * c for c in side)
            corners = [
                subtract(a, s),
                subtract(b, s),
                tuple(p + q for p, q in zip(b, s, strict=True)),
                tuple(p + q for p, q in zip(a, s, strict=True)),
            ]
            self.face(corners, material, two_sided=True)
