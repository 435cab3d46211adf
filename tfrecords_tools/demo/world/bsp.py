"""Exact back-to-front order of a fixed set of polygons: a binary space partition.

Fuchs, Kedem, Naylor, "On visible surface generation by a priori tree structures", 1980. A scene is
fixed and is photographed many times, so its polygons are sorted into a tree once; then each
camera position needs one walk and no depth buffer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tfrecords_tools.demo.world.mesh import Face, Point

_EPSILON = 1e-4  # metres
_CANDIDATES = 10
_ON, _FRONT, _BACK, _SPLIT = 0, 1, 2, 3


@dataclass(slots=True)
class _Node:
    normal: Point
    offset: float
    pieces: list[int] = field(default_factory=list)
    front: int = -1
    back: int = -1


class Tree:
    """A partition of `faces`.

    Attributes:
        points: (P, 3) float64, corners of all pieces, piece after piece.
        starts: (M + 1,) int64, the corners of piece m are points[starts[m]:starts[m + 1]].
        owner: (M,) int32, the face that piece m is cut from.
    """

    def __init__(self, faces: list[Face]) -> None:
        self._nodes: list[_Node] = []
        pieces: list[tuple[int, tuple[Point, ...]]] = []
        self._root = self._build(faces, pieces)
        counts = [len(points) for _, points in pieces]
        self.owner = np.array([face for face, _ in pieces], np.int32)
        self.starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.points = np.array([p for _, points in pieces for p in points], np.float64)
        self.points = self.points.reshape(-1, 3)
        self._normals = np.array([n.normal for n in self._nodes], np.float64).reshape(-1, 3)
        self._offsets = np.array([n.offset for n in self._nodes], np.float64)

    def cell(self, point: Point) -> int:
        """Key of the cell that holds a point, for things that have no faces in the tree."""
        node, side = self._root, 0
        key = -1
        while node != -1:
            here = self._nodes[node]
            n = here.normal
            side = n[0] * point[0] + n[1] * point[1] + n[2] * point[2] > here.offset
            key = 2 * node + side
            node = here.front if side else here.back
        return key

    def order(self, eye: Point | None, towards: Point, cells: dict[int, list[int]]) -> list[int]:
        """Numbers of all pieces, back to front.

        Args:
            eye: position of the camera, or None for a parallel view.
            towards: unit vector towards the viewer (used for a parallel view only).
            cells: key of a cell -> numbers (< 0) to be listed where that cell's turn comes.
        """
        n = self._normals
        if eye is not None:
            side = n[:, 0] * eye[0] + n[:, 1] * eye[1] + n[:, 2] * eye[2] - self._offsets
        else:
            side = n[:, 0] * towards[0] + n[:, 1] * towards[1] + n[:, 2] * towards[2]
        in_front = (side > 0).tolist()
        result: list[int] = []
        nodes = self._nodes
        if not nodes:
            return list(cells.get(-1, ()))
        # (node, -1): walk it; (node, 2): list its pieces; (node, side): list that side's cell.
        stack = [(self._root, -1)]
        while stack:
            number, what = stack.pop()
            node = nodes[number]
            if what == 2:
                result += node.pieces
                continue
            if what >= 0:
                result += cells[2 * number + what]
                continue
            near = in_front[number]
            for side_of, then in ((near, None), (not near, 2)):
                child = node.front if side_of else node.back
                if then is not None:
                    stack.append((number, then))
                if child != -1:
                    stack.append((child, -1))
                elif 2 * number + side_of in cells:
                    stack.append((number, int(side_of)))
        return result

    def _build(self, faces: list[Face], pieces: list) -> int:
        if not faces:
            return -1
        work = [(i, face.points) for i, face in enumerate(faces)]
        stack = [(work, -1, True)]
        root = -1
        while stack:
            group, parent, is_front = stack.pop()
            points = np.array([p for _, pts in group for p in pts], np.float64)
            starts = np.cumsum([0] + [len(pts) for _, pts in group[:-1]])
            chosen, low, high, distance = _choose_plane(faces, group, points, starts)
            face = faces[group[chosen][0]]
            node = _Node(face.normal, face.offset)
            number = len(self._nodes)
            self._nodes.append(node)
            if parent == -1:
                root = number
            elif is_front:
                self._nodes[parent].front = number
            else:
                self._nodes[parent].back = number
            front, back = [], []
            lows, highs, begins = low.tolist(), high.tolist(), starts.tolist()
            for k, (owner, pts) in enumerate(group):
                if lows[k] >= -_EPSILON and highs[k] <= _EPSILON:
                    node.pieces.append(len(pieces))
                    pieces.append((owner, pts))
                elif lows[k] >= -_EPSILON:
                    front.append((owner, pts))
                elif highs[k] <= _EPSILON:
                    back.append((owner, pts))
                else:
                    sides = distance[begins[k] : begins[k] + len(pts)].tolist()
                    one, two = split_polygon(pts, sides)
                    front.append((owner, one))
                    back.append((owner, two))
            if front:
                stack.append((front, number, True))
            if back:
                stack.append((back, number, False))
        return root


def _choose_plane(faces, group, points, starts):
    """The face whose plane cuts few others and leaves two halves of similar size."""
    count = len(group)
    tries = range(count) if count <= _CANDIDATES else range(0, count, count // _CANDIDATES)
    best = None
    for k in tries:
        face = faces[group[k][0]]
        a, b, c = face.normal
        distance = points[:, 0] * a + points[:, 1] * b + points[:, 2] * c - face.offset
        low = np.minimum.reduceat(distance, starts)
        high = np.maximum.reduceat(distance, starts)
        in_front = int(np.count_nonzero(high > _EPSILON))
        behind = int(np.count_nonzero(low < -_EPSILON))
        cut = int(np.count_nonzero((high > _EPSILON) & (low < -_EPSILON)))
        cost = 6 * cut + abs(in_front - behind)
        if best is None or cost < best[0]:
            best = (cost, k, low, high, distance)
    return best[1:]


def split_polygon(
    points: tuple[Point, ...], distances: list[float]
) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """Cuts a convex polygon where the signed distance changes sign: (front part, back part)."""
    front: list[Point] = []
    back: list[Point] = []
    count = len(points)
    for i in range(count):
        p, d = points[i], distances[i]
        q, e = points[(i + 1) % count], distances[(i + 1) % count]
        if d >= -_EPSILON:
            front.append(p)
        if d <= _EPSILON:
            back.append(p)
        if (d > _EPSILON and e < -_EPSILON) or (d < -_EPSILON and e > _EPSILON):
            t = d / (d - e)
            cut = (
                p[0] + t * (q[0] - p[0]),
                p[1] + t * (q[1] - p[1]),
                p[2] + t * (q[2] - p[2]),
            )
            front.append(cut)
            back.append(cut)
    return tuple(front), tuple(back)
