"""Bridges, arches, palaces, theatres, monuments. Each function adds one landmark to `kit.b`."""

from __future__ import annotations

import math

from tfrecords_tools.demo import parts
from tfrecords_tools.demo.kit import Kit, Landmark
from tfrecords_tools.demo.materials import Band, Braces, Disc, Material, Posts, Row
from tfrecords_tools.demo.scene import Ground, Stage
import itertools


def triumphal_arch(kit: Kit) -> Landmark:
    """A free-standing arch with one or three openings, attic and perhaps a sculpture."""
    u, b = kit.u, kit.b
    three = kit.chance(0.5)
    width, height, deep = u(18, 26) if three else u(13, 19), u(15, 23), u(6, 9)
    main = width * (0.24 if three else u(0.34, 0.44))
    spring = height * u(0.3, 0.42)
    openings = [(0.0, main, spring, main / 2)]
    if three:
        small = main * 0.55
        off = width * 0.3
        low = spring * 0.65
        openings = [(-off, small, low, small / 2), *openings, (off, small, low, small / 2)]
    post = width / kit.pick([3, 4, 6])
    attic = Band(-height * 0.24, 0.7, 1.25)
    panel = Row(-height * 0.19, height * 0.12, post * 0.7, post, kind="niche")
    wall = kit.wall(
        "wall", Posts(post, 1.1, 1.15, top=height * 0.24), attic, panel, Band(-0.9, 0.9)
    )
    parts.arch_wall(b, width, height, deep, openings, wall, top=wall, segments=10)
    up = b.at(z=height)
    crown = kit.pick(["none", "block", "statue", "quadriga"])
    bronze = kit.plain("bronze", kit.pick([(96, 150, 130), (110, 84, 56), (205, 168, 80)]))
    up.box(width * 1.04, deep * 1.06, 0.8, wall, wall)
    if crown == "block":
        up.at(z=0.8).box(width * 0.6, deep * 0.8, u(2, 4), wall, wall)
    elif crown == "statue":
        parts.statue(up.at(z=0.8), u(5, 8), bronze)
    elif crown == "quadriga":
        for k in range(4):
            horse = up.at(x=(k - 1.5) * 1.6, y=-1, z=0.8)
            horse.box(0.9, 2.8, 2.0, bronze, bronze)
            horse.at(y=-1.6, z=1.6).box(0.6, 0.9, 1.6, bronze, bronze)
        parts.statue(up.at(y=1.6, z=0.8), 5, bronze)

    stage = Stage(
        radius=width * 0.7,
        height=height + 5,
        sights=(((0, -deep / 2, height * 0.8), width * 0.8), ((0, 0, height * 0.5), main * 2)),
        sector=(kit.pick([0.0, 0.0, math.pi]), 1.25),
    )
    return Landmark(stage, Ground(kit.pick(["asphalt", "grass"]), "cobble", width * u(1, 2)))


def arch_bridge(kit: Kit) -> Landmark:
    """A stone bridge of several arches over a river, perhaps with towers or houses on it."""
    u, b = kit.u, kit.b
    count, gap, pier = kit.n(2, 6), u(9, 15), u(2.2, 4)
    rise = gap * u(0.3, 0.5)
    spring, crown = u(1.5, 3), u(1.5, 2.6)
    width = count * (gap + pier) + pier + 2 * u(6, 14)
    height, deep = spring + rise + crown, u(5, 8)
    xs = [(k - (count - 1) / 2) * (gap + pier) for k in range(count)]
    wall = kit.wall("wall", Band(-1.1, 0.4, 1.3), Band(-2.2, 0.3, 0.8))
    deck = kit.plain("deck", (140, 134, 124))
    arches = [(x, gap, spring, rise) for x in xs]
    parts.arch_wall(b, width, height, deep, arches, wall, top=deck, segments=8)
    for k in range(count - 1):
        x = (xs[k] + xs[k + 1]) / 2
        for sign in (-1, 1):
            cut = b.at(x=x, y=sign * deep / 2)
            cut.lathe(
                [(pier * 0.62, 0), (pier * 0.62, spring + 1), (0, spring + 3)],
                6,
                wall,
                smooth=False,
            )
    kind = kit.pick(["plain", "tower", "towers", "statues", "houses"])
    up = b.at(z=height)
    roof = kit.roofing()
    top = height + 2
    if kind in ("tower", "towers"):
        for x in (xs[0] - (gap + pier) / 2, xs[-1] + (gap + pier) / 2)[
            : 2 if kind == "towers" else 1
        ]:
            tall = u(9, 14)
            tower = kit.wall("tower", Row(5, 2, 0.9, 2.8, "round"), Band(-0.7, 0.7))
            at = up.at(x=x, yaw=math.pi / 2)
            parts.arch_wall(at, deep + 1.5, tall, 5, [(0, 3.2, 3, 1.6)], tower, top=roof)
            at.at(z=tall).hip(deep + 2.2, 6, u(4, 7), 0.9, roof)
            top = height + tall + 5
    elif kind == "statues":
        bronze = kit.plain("bronze", (84, 90, 84))
        for x in xs:
            for sign in (-1, 1):
                at = up.at(x=x, y=sign * (deep / 2 - 0.5))
                at.box(1.2, 1.2, 1.6, wall, wall)
                parts.statue(at.at(z=1.6), 3.2, bronze)
    elif kind == "houses":
        shops = kit.wall("shops", Row(1.2, 1.5, 1.0, 2.2, storeys=2, pitch=2.6), tone=1.1)
        up.box((gap + pier) * (count - 1), deep * 0.8, 6.5, shops, None)
        up.at(z=6.5, yaw=math.pi / 2).gable(
            deep * 0.9, (gap + pier) * (count - 1), 2.6, roof, shops
        )
        top = height + 9
    else:
        for sign in (-1, 1):
            up.at(y=sign * (deep / 2 - 0.25)).box(width, 0.4, 1.0, wall, wall)
    bank = width / 2 - 5
    stage = Stage(
        radius=width * 0.5,
        height=top,
        sights=(((xs[0], -deep / 2, height * 0.6), gap * 1.5), ((0, 0, height), gap * 2)),
        sector=(kit.pick([0.0, math.pi]), 1.05),
        eye=(2.0, 16.0),
        reach=(0.7, 1.7),
    )
    return Landmark(stage, Ground("grass", "grass", 0, river=(1.0, 0.0, -bank, bank)))


def suspension_bridge(kit: Kit) -> Landmark:
    """Two pylons, main cables, hangers and a slender deck over water."""
    u, b = kit.u, kit.b
    span, tall, deck = u(70, 110), u(26, 40), u(7, 11)
    side, wide = span * u(0.35, 0.5), u(7, 9)
    steel = kit.plain(
        "steel", kit.pick([(176, 66, 48), (150, 156, 160), (70, 96, 84), (196, 190, 176)])
    )
    legs = kit.wall("legs", Band(-1, 1)) if kit.chance(0.5) else steel
    stone = legs != steel
    road = kit.define("road", Material((90, 92, 96), features=(Posts(4, 0.4, 0.7),)))
    b.at(z=deck - 1.2).box(span + 2 * side, wide, 1.4, road, kit.plain("asphalt", (100, 100, 102)))
    for sign in (-1, 1):
        at = b.at(x=sign * span / 2, yaw=math.pi / 2)
        if stone:
            gates = [
                (-wide * 0.27, wide * 0.4, deck + 5, 2.6),
                (wide * 0.27, wide * 0.4, deck + 5, 2.6),
            ]
            parts.arch_wall(at, wide * 1.5, tall, 4, gates, legs, top=legs, segments=6)
        else:
            for y in (-1, 1):
                at.at(x=y * wide * 0.55).box(1.6, 2.4, tall, steel, steel)
            for level in (0.55, 0.98):
                at.at(z=tall * level).box(wide * 1.2, 1.2, 1.4, steel, steel)
            if kit.chance(0.5):
                at.beam((-wide / 2, 0, deck), (wide / 2, 0, tall * 0.55), 0.8, steel, (0, -1, 0))
                at.beam((wide / 2, 0, deck), (-wide / 2, 0, tall * 0.55), 0.8, steel, (0, -1, 0))
        at.box(wide * 1.8, 7, 2.5, kit.wall("foot"), "foot")
    _cables(kit, span, side, tall, deck, wide, steel)
    stage = Stage(
        radius=span * 0.62,
        height=tall,
        sights=(((-span / 2, 0, tall * 0.6), tall), ((span / 2, 0, tall * 0.7), tall * 0.8)),
        sector=(kit.pick([0.0, math.pi]), 1.1),
        eye=(2.0, 20.0),
        reach=(0.75, 1.7),
    )
    bank = span / 2 + side * 0.75
    return Landmark(stage, Ground("grass", "grass", 0, river=(1.0, 0.0, -bank, bank)))


def _cables(kit: Kit, span, side, tall, deck, wide, steel) -> None:
    sag = tall - deck - kit.u(2, 5)
    cuts = 10
    for y in (-wide / 2, wide / 2):
        low = [(span * (k / cuts - 0.5), tall - sag * (1 - (2 * k / cuts - 1) ** 2))
               for k in range(cuts + 1)]  # fmt: skip
        line = [(-span / 2 - side, deck), *low, (span / 2 + side, deck)]
        for (ax, az), (bx, bz) in itertools.pairwise(line):
            kit.b.beam((ax, y, az), (bx, y, bz), 0.6, steel, (0, -1, 0))
        for x, z in low[1:-1]:
            if z > deck + 0.8:
                kit.b.beam((x, y, deck), (x, y, z), 0.28, steel, (0, -1, 0))


def aqueduct(kit: Kit) -> Landmark:
    """Two or three tiers of arches across a valley."""
    u, b = kit.u, kit.b
    tiers, count = kit.n(2, 3), kit.n(4, 7)
    gap, pier = u(6, 9), u(1.8, 2.6)
    pitch = gap + pier
    width = count * pitch + pier
    wall = kit.wall("wall", Band(-0.5, 0.5, 1.25))
    z, deep = 0.0, 4.5
    for tier in range(tiers):
        tall = (u(9, 13), u(7, 10), u(3.5, 5))[
            tier if tiers == 3 else (0 if tier == 0 else 2 - kit.n(0, 1))
        ]
        small = tier == 2 or (tier == tiers - 1 and tall < 6)
        cells = 3 * count if small else count
        hole = gap if not small else pitch / 3 - 0.9
        step = pitch if not small else pitch / 3
        rise = hole / 2
        xs = [(k - (cells - 1) / 2) * step for k in range(cells)]
        arches = [(x, hole, max(0.3, tall - rise - 0.9), rise) for x in xs]
        parts.arch_wall(
            b.at(z=z), width, tall, deep, arches, wall, top=wall, segments=4 if small else 6
        )
        z += tall
        deep *= 0.85
    if kit.chance(0.6):
        bank = width * u(0.12, 0.25)
        river = (1.0, 0.0, -bank, bank)
    else:
        river = None
    stage = Stage(
        radius=width * 0.5,
        height=z,
        sights=(((0, 0, z * 0.6), pitch * 2), ((pitch, 0, z * 0.8), pitch * 2.2)),
        sector=(kit.pick([0.0, math.pi]), 1.1),
        reach=(0.7, 1.8),
    )
    return Landmark(stage, Ground("grass", "sand", 0, river=river))


def palace(kit: Kit) -> Landmark:
    """A long front with wings and a raised middle."""
    u, b = kit.u, kit.b
    width, depth, height = u(46, 70), u(12, 16), u(11, 16)
    bay = u(3.2, 4.4)
    storey = height / kit.n(2, 3)
    shape = kit.pick(["rect", "round"])
    windows = Row(1.1, storey * 0.55, bay * 0.36, bay, shape, storeys=0, pitch=storey, frame=0.22)
    extras = (Posts(bay, 0.5),) if kit.chance(0.5) else (Band(storey, 0.4), Band(2 * storey, 0.4))
    walls = kit.wall("walls", windows, *extras, Band(-0.9, 0.9, 1.2))
    mansard = kit.roofing("roof", Row(0.7, 1.7, 1.1, bay * 1.3, "round", frame=0.2))
    tall_roof = u(3, 6.5)
    b.box(width, depth, height, walls, None)
    b.at(z=height).hip(width + 0.6, depth + 0.6, tall_roof, u(0.25, 0.6), mansard)
    wing_depth = depth + u(6, 18)
    for sign in (-1, 1):
        wing = b.at(x=sign * (width / 2 - 4), y=-(wing_depth - depth) / 2)
        tall = height * u(1.0, 1.15) if sign < 0 else height * 1.05
        wing.box(11, wing_depth, tall, walls, None)
        wing.at(z=tall).hip(11.6, wing_depth + 0.6, tall_roof * 1.2, 0.5, mansard)
    middle = b.at(y=-depth / 2 + 1)
    wide = u(11, 17)
    door = Row(0, 4.2, 2.2, wide / 3, "round", kind="dark", frame=0.3)
    centre = kit.wall("centre", door, Row(storey + 1, storey * 0.6, 1.6, wide / 3, shape, frame=0.3),
                      Posts(wide / 3, 0.8), Band(-1, 1, 1.25))  # fmt: skip
    middle.box(wide, 7, height * 1.15, centre, "roof")
    crown = kit.pick(["pediment", "dome", "pavilion"])
    up = middle.at(z=height * 1.15)
    top = height * 1.15 + tall_roof
    if crown == "pediment":
        parts.pediment(up, wide + 0.8, 8, u(3, 4.5), "roof", centre)
    elif crown == "dome":
        radius = wide * 0.36
        up.lathe([(radius, 0), (radius, 2.6)], 16, centre)
        parts.dome(up.at(z=2.6), radius * 1.05, radius * u(1, 1.5), kit.roofing("cupola"), 16)
        top += radius * 1.5
    else:
        up.hip(wide + 0.8, 8, u(6, 9), 0.55, "roof")
        parts.needle(up.at(z=7), 5, "roof", 0.3)
        top += 5
    stage = Stage(
        radius=width * 0.52,
        height=top,
        sights=(((0, -depth / 2, height * 0.7), wide * 1.5), ((-width / 2, -8, height * 0.6), 16)),
        sector=(0.0, u(1.2, 1.7)),
        reach=(0.8, 1.7),
    )
    return Landmark(stage, Ground("grass", "sand", u(30, 55)))


def town_hall(kit: Kit) -> Landmark:
    """A gabled hall over an arcade with a belfry at one end or in the middle."""
    u, b = kit.u, kit.b
    width, depth, height = u(22, 36), u(13, 18), u(11, 15)
    bay = u(3.4, 4.6)
    shape = kit.pick(["pointed", "round", "rect"])
    arcade = Row(0, 4, bay * 0.66, bay, kit.pick(["round", "pointed"]), kind="dark")
    upper = Row(6, height * 0.3, bay * 0.36, bay, shape, frame=0.25)
    walls = kit.wall("walls", arcade, upper, Band(4.9, 0.5), Band(-0.8, 0.8))
    back = kit.wall("back", Row(1.4, 2.2, 1.2, bay, storeys=0, pitch=4, frame=0.2, clear=1))
    roof = kit.roofing("roof", Row(1.5, 1.4, 1.1, 6.5, frame=0.2))
    b.box(width, depth, height, [walls, back, back, walls], None)
    stepped = kit.chance(0.5)
    peak = depth * u(0.5, 0.8)
    turned = b.at(z=height, yaw=math.pi / 2)
    turned.gable(depth, width, peak, roof, back)
    if stepped:
        for end in (-1, 1):
            for k in range(4):
                share = 1 - k / 4
                at = turned.at(y=end * width / 2, z=peak * k / 4 - 0.2)
                at.box(depth * share, 0.8, peak / 4 + 1.0, back, back)
    place = kit.pick([0.0, -0.38, 0.38])
    size, tall = u(5.5, 7.5), height * u(2.0, 3.0)
    clock = Disc(-size * 0.5 - 5.5, size * 0.3, "clock")
    belfry = Row(-4.6, 3.6, 1.1, 2.2, shape, kind="dark", frame=0.2)
    tower = kit.wall(
        "tower", belfry, clock, Row(6, 2.4, 1, storeys=0, pitch=5, clear=13), Band(-5.4, 0.4)
    )
    at = b.at(x=place * width, y=-depth / 2 + size * 0.3)
    at.box(size, size, tall, tower, "roof")
    up = at.at(z=tall)
    cap = kit.pick(["spire", "bulb", "corner", "pyramid"])
    if cap == "corner":
        for x in (-1, 1):
            for y in (-1, 1):
                turret = up.at(x=x * size * 0.45, y=y * size * 0.45, z=-2)
                turret.lathe([(0.9, 0), (0.9, 3.4), (0, 6.4)], 8, ["tower", "roof"], smooth=False)
    if cap == "bulb":
        parts.onion(up, size * 0.46, u(7, 10), "roof")
    else:
        sides = 8 if cap == "spire" else 4
        reach = size * (0.5 if sides == 8 else 0.74)
        up.lathe([(reach, 0), (0, u(8, 14))], sides, "roof", smooth=False, turn=math.pi / sides)
    stage = Stage(
        radius=width * 0.65,
        height=tall + 9,
        sights=(((place * width, -depth / 2, tall * 0.85), 15), ((0, -depth / 2, 5), width * 0.6)),
        sector=(u(-0.4, 0.4), u(1.3, 1.9)),
    )
    return Landmark(stage, Ground("cobble", "paving", u(25, 45), tint=kit.toned(0.85)))


def amphitheatre(kit: Kit) -> Landmark:
    """An oval ring of arcades in storeys, part of it broken down."""
    u, b = kit.u, kit.b
    radius, squash, storey = u(26, 36), u(0.72, 1.0), u(5.2, 7)
    storeys, sides = kit.n(2, 4), 28
    bay = u(4.2, 5.6)
    arches = Row(0.4, storey * 0.72, bay * 0.6, bay, "round", storeys=0, pitch=storey, kind="dark")
    bands = tuple(Band(storey * k - 0.6, 0.6, 1.25) for k in range(1, storeys + 1))
    outer = kit.wall("outer", arches, Posts(bay, 0.7, 1.12), *bands)
    inner = kit.define("inner", Material(kit.toned(0.85), "stripes", 1.2, second=kit.toned(0.68)))
    rim = kit.wall("rim")
    height = storey * storeys
    broken = kit.n(0, 9) if kit.chance(0.65) else 0
    start = kit.n(0, sides - 1)
    wedges = [2 * math.pi * k / sides for k in range(sides + 1)]
    thick, floor = u(5, 8), u(0.45, 0.6)
    around = 0.0
    total = sum(
        math.dist(*((radius * math.cos(a), radius * squash * math.sin(a)) for a in pair))
        for pair in itertools.pairwise(wedges)
    )
    for k, (a, c) in enumerate(itertools.pairwise(wedges)):
        gone = (k - start) % sides < broken
        top = height - (storey if gone else 0)
        ring = [(math.cos(t), math.sin(t) * squash) for t in (a, c)]
        (ax, ay), (cx, cy) = [(x * radius, y * radius) for x, y in ring]
        (bx, by), (dx, dy) = [(x * (radius - thick), y * (radius - thick)) for x, y in ring]
        (ex, ey), (fx, fy) = [(x * radius * floor, y * radius * floor) for x, y in ring]
        b.face([(ax, ay, 0), (cx, cy, 0), (cx, cy, top), (ax, ay, top)], outer,
               wall=(around, total, height))  # fmt: skip
        around += math.dist((ax, ay), (cx, cy))
        b.face([(ax, ay, top), (cx, cy, top), (dx, dy, top), (bx, by, top)], rim)
        b.face([(dx, dy, top * 0.8), (bx, by, top * 0.8), (bx, by, top), (dx, dy, top)], rim)
        low = 1.5
        b.face([(fx, fy, low), (ex, ey, low), (bx, by, top * 0.8), (dx, dy, top * 0.8)], inner)
        for one, two, sign in (((ax, ay), (bx, by), 1), ((cx, cy), (dx, dy), -1)):
            before, after = (k - 1 - start) % sides < broken, (k + 1 - start) % sides < broken
            if not gone and (before if sign == 1 else after):
                b.face([(*one, top - storey), (*two, top - storey), (*two, top), (*one, top)],
                       rim, two_sided=True)  # fmt: skip
    stage = Stage(
        radius=radius,
        height=height,
        sights=(((0, -radius * squash, height * 0.5), height * 1.4),),
        sector=(u(-3, 3), 2.4),
        eye=(1.6, 35.0),
        reach=(0.75, 1.8),
    )
    return Landmark(stage, Ground(kit.pick(["grass", "cobble"]), "sand", radius * floor))


def monument(kit: Kit) -> Landmark:
    """An obelisk, a column with a statue, a rider, or a tall plinth with a figure."""
    u, b = kit.u, kit.b
    stone = kit.wall("stone", Band(-0.5, 0.5))
    bronze = kit.plain(
        "bronze", kit.pick([(90, 146, 126), (104, 80, 56), (212, 172, 70), (70, 70, 66)])
    )
    side = u(8, 14)
    parts.steps(b, side, side, u(1.2, 3), kit.n(3, 5), stone)
    z = 2.0
    plinth, plinth_height = side * u(0.4, 0.6), u(3, 6)
    relief = kit.wall(
        "relief", Row(0.8, plinth_height * 0.55, plinth * 0.6, kind="niche"), Band(-0.6, 0.6)
    )
    b.at(z=z).box(plinth, plinth, plinth_height, relief, stone)
    z += plinth_height
    kind = kit.pick(["obelisk", "column", "figure", "rotunda", "wings"])
    if kind == "obelisk":
        tall = u(18, 34)
        reach = plinth * 0.42
        profile = [(reach, 0), (reach * 0.62, tall), (0, tall * 1.09)]
        b.at(z=z).lathe(profile, 4, stone, smooth=False, turn=math.pi / 4)
        top = z + tall * 1.1
    elif kind == "column":
        tall, radius = u(14, 26), plinth * 0.3
        shaft = kit.wall("shaft", Posts(0.8, 0.2, 0.8), Band(-1, 1))
        b.at(z=z).lathe([(radius, 0), (radius * 0.85, tall)], 14, shaft)
        b.at(z=z + tall).box(radius * 2.8, radius * 2.8, 1, stone, stone)
        parts.statue(b.at(z=z + tall + 1), u(4, 6), bronze)
        top = z + tall + 6
    elif kind == "figure":
        tall = u(12, 22)
        parts.statue(b.at(z=z), tall, bronze)
        top = z + tall
    elif kind == "rotunda":
        count, radius, tall = kit.n(6, 10), side * 0.42, u(7, 10)
        for k in range(count):
            a = 2 * math.pi * k / count
            parts.column(
                b.at(x=radius * math.cos(a), y=radius * math.sin(a), z=2), 0.5, tall, stone
            )
        ring = b.at(z=2 + tall)
        ring.lathe([(radius * 1.15, 0), (radius * 1.15, 1.4)], 16, stone, top=stone)
        parts.dome(ring.at(z=1.4), radius * 1.05, radius * u(0.6, 1), kit.roofing(), 16)
        top = 3 + tall + radius
    else:
        tall = u(16, 28)
        for sign in (-1, 1):
            w = plinth * 0.4
            b.face([(sign * 0.3, -w / 2, z), (sign * w * 3, -w / 2, z + tall * 0.5),
                    (sign * w * 1.2, 0, z + tall)], stone, two_sided=True)  # fmt: skip
            b.face([(sign * 0.3, w / 2, z), (sign * w * 3, w / 2, z + tall * 0.5),
                    (sign * w * 1.2, 0, z + tall)], stone, two_sided=True)  # fmt: skip
        parts.statue(b.at(z=z), tall * 0.5, bronze, arm=False)
        top = z + tall
    stage = Stage(
        radius=side * 0.8,
        height=top,
        sights=(((0, 0, top - 4), 9), ((0, 0, z * 0.7), 9)),
        sector=(u(-3, 3), 2.4),
        reach=(1.1, 2.8),
    )
    return Landmark(stage, Ground(kit.pick(["cobble", "grass"]), "paving", u(14, 30)))


def museum(kit: Kit) -> Landmark:
    """Modern forms: stacked boxes, shells, a ring or a folded roof."""
    u, b = kit.u, kit.b
    white = kit.pick([(228, 228, 224), (190, 192, 190), (150, 92, 70), (70, 74, 80), kit.stone])
    skin = kit.define("skin", Material(white, "blocks", 1.6, 3.0, 0.06))
    pane = kit.pick([(96, 120, 132), (120, 140, 130), (70, 80, 92)])
    glass = kit.define(
        "glass", Material(pane, "glass", u(1.6, 3), u(1.6, 3), 0.12, (210, 212, 210))
    )
    net = kit.define(
        "net", Material(pane, "plain", features=(Braces(u(2.6, 5), u(0.25, 0.45), white),))
    )
    roof = kit.plain("roof", tuple(0.8 * c for c in white))
    form = kit.pick(["stack", "shells", "ring", "fold", "net"])
    reach, top = u(20, 30), 12.0
    if form == "stack":
        z = 0.0
        for k in range(kit.n(3, 5)):
            w, d, h = u(16, 34), u(14, 24), u(4.5, 7)
            at = b.at(x=u(-7, 7), y=u(-5, 5), z=z, yaw=u(-0.25, 0.25))
            at.box(
                w,
                d,
                h,
                [glass, skin, skin, skin] if k % 2 == 0 else [skin, skin, glass, glass],
                roof,
            )
            z += h
        top = z
    elif form == "shells":
        b.box(reach * 2, 26, 3, skin, skin)
        for k in range(kit.n(3, 5)):
            at = b.at(x=(k - 1.5) * 10, y=u(-3, 3), z=3)
            w, d, h = u(7, 9), u(10, 13), u(14, 26)
            tip = (0.0, -d * u(0.8, 1.2), h)
            left, right, back = (-w, d * 0.3, 0), (w, d * 0.3, 0), (0.0, d, 0)
            at.face([back, left, tip], skin, two_sided=True)
            at.face([right, back, tip], skin, two_sided=True)
            at.face([left, right, tip], glass, two_sided=True)
            top = max(top, h + 3)
    elif form == "ring":
        h, slope = u(7, 14), u(0.85, 1.25)
        profile = [(reach * 0.75, 0), (reach * 0.75 * slope, h)]
        band = Row(h * 0.35, h * 0.25, 4, 5, kind="window")
        ring = kit.define("ring", Material(white, "plain", features=(band,)))
        b.lathe(profile, 24, ring, top=roof)
        b.at(z=h).lathe([(reach * 0.4, 0), (reach * 0.5 * slope, h * 0.8)], 20, skin, top=roof)
        top = h * 1.8
    elif form == "fold":
        bays, h = kit.n(4, 7), u(8, 13)
        wide = reach * 2 / bays
        for k in range(bays):
            at = b.at(x=(k - (bays - 1) / 2) * wide)
            at.box(wide, 22, h, glass, None)
            at.at(z=h).gable(wide, 24, wide * u(0.5, 1.3), skin, skin)
        top = h + wide
    else:
        h = u(14, 24)
        b.box(reach * 1.1, reach, h, net, roof)
        top = h
    stage = Stage(
        radius=reach,
        height=top,
        sights=(((0, -8, top * 0.6), top * 1.2), ((reach * 0.4, -6, top * 0.5), top * 1.1)),
        sector=(u(-0.8, 0.8), u(1.6, 2.4)),
    )
    return Landmark(
        stage, Ground(kit.pick(["paving", "grass", "water"]), "paving", reach * u(1.2, 1.8))
    )


def pyramid(kit: Kit) -> Landmark:
    """A smooth, stepped or glass pyramid."""
    u, b = kit.u, kit.b
    base, tall = u(30, 46), u(20, 32)
    kind = kit.pick(["stepped", "smooth", "glass", "stepped"])
    stone = kit.wall("stone", Band(-0.6, 0.6, 0.85))
    if kind == "stepped":
        count = kit.n(5, 9)
        for k in range(count):
            side = base * (1 - 0.82 * k / count)
            b.at(z=tall * k / count).box(side, side, tall / count, stone, stone)
        stair = kit.define(
            "stair", Material(kit.toned(1.1), "stripes", 0.8, second=kit.toned(0.75))
        )
        for k in range(kit.pick([1, 2, 4])):
            at = b.at(yaw=k * (math.pi / 2 if k != 1 else math.pi))
            w, run = base * 0.1, base / 2 * 1.06
            near = base * 0.09 + 0.5
            at.face([(-w, -run, 0), (w, -run, 0), (w, -near, tall), (-w, -near, tall)], stair)
            at.face([(w, -run, 0), (w, -near, 0), (w, -near, tall)], stone)
            at.face([(-w, -near, 0), (-w, -run, 0), (-w, -near, tall)], stone)
        house = kit.wall("house", Row(0, 3.4, 1.4, 3, kind="dark"), Band(-1.4, 1.0, 1.2))
        b.at(z=tall).box(base * 0.17, base * 0.15, u(5, 7), house, stone)
    elif kind == "smooth":
        flank = kit.define("flank", Material(kit.toned(1.0), "blocks", 1.2, 2.4, 0.22))
        b.hip(base, base, tall, 1, flank)
        side = base * u(0.3, 0.5)
        b.at(x=base * u(0.7, 0.9), y=u(-8, 14)).hip(side, side, side * 0.65, 1, flank)
        door = kit.wall("temple", Row(0, 3, 1.6, 3.2, kind="dark"), Band(-0.8, 0.8))
        b.at(y=-base * 0.62).box(u(10, 16), 6, 5, door, stone)
    else:
        pane = Material((120, 146, 156), "glass", 2.2, 2.2, 0.16, (220, 222, 220),
                        (Braces(u(3, 4.5), 0.2),))  # fmt: skip
        b.hip(base * 0.8, base * 0.8, tall * 0.75, 1, kit.define("pane", pane))
        for sign in (-1, 1):
            b.at(x=sign * base * 0.62, y=-4).hip(6, 6, 4, 1, "pane")
        hall = kit.wall(
            "hall", Row(1.5, 3.2, 1.5, 4, "round", storeys=2, pitch=5, frame=0.3), Band(-1, 1)
        )
        b.at(y=base * 0.9).box(base * 2.2, 10, 12, hall, kit.roofing())
    stage = Stage(
        radius=base * 0.72,
        height=tall + 5,
        sights=(((0, -base * 0.25, tall * 0.6), tall), ((0, 0, tall), tall * 0.6)),
        sector=(u(-0.6, 0.6), 2.0),
    )
    ground = (
        Ground("paving", "paving", 0) if kind == "glass" else Ground(kit.pick(["sand", "grass"]))
    )
    return Landmark(stage, ground)


BUILDERS = {
    "triumphal_arch": triumphal_arch,
    "arch_bridge": arch_bridge,
    "suspension_bridge": suspension_bridge,
    "aqueduct": aqueduct,
    "palace": palace,
    "town_hall": town_hall,
    "amphitheatre": amphitheatre,
    "monument": monument,
    "museum": museum,
    "pyramid": pyramid,
}
