"""What surfaces are made of: plain data, painted by `textures`."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]

# Building stones and plasters, sRGB. Deliberately few and close together: many landmarks share
# one, so a landmark is not told by its colour.
STONES: dict[str, Colour] = {
    "limestone": (205, 190, 158),
    "sandstone": (196, 164, 118),
    "granite": (158, 154, 150),
    "brick": (160, 92, 72),
    "marble": (226, 221, 210),
    "ochre": (208, 168, 96),
    "basalt": (104, 100, 100),
    "rose": (198, 148, 126),
}
ROOFS: dict[str, Colour] = {
    "clay": (172, 88, 58),
    "slate": (84, 90, 104),
    "verdigris": (106, 160, 140),
    "lead": (138, 146, 156),
    "thatch": (150, 122, 78),
}


@dataclass(frozen=True)
class Row:
    """Openings that repeat along a wall, in one or more storeys.

    Attributes:
        bottom: height of the lowest sill above the foot of the wall, metres.
        height, width: of one opening, metres.
        bay: wished distance of two openings; the wall is divided evenly. 0: one opening.
        shape: 'rect', 'round' (semicircular head), 'pointed' or 'circle'.
        storeys, pitch: number of rows above each other, and their distance. 0 storeys: as many
            as fit below `clear` metres from the top.
        frame: width of the surround, metres.
        kind: 'window', 'dark' (an opening) or 'niche' (a shaded recess of the wall itself).
        margin: width left free at both ends of the wall.
        clear: see storeys.
        shift: moves the openings along the wall, in bays.
    """

    bottom: float
    height: float
    width: float
    bay: float = 0.0
    shape: str = "rect"
    storeys: int = 1
    pitch: float = 4.0
    frame: float = 0.0
    kind: str = "window"
    margin: float = 0.0
    clear: float = 0.0
    shift: float = 0.0


@dataclass(frozen=True)
class Band:
    """A horizontal course. `bottom` < 0 counts from the top of the wall."""

    bottom: float
    height: float
    tone: float = 1.15
    colour: Colour | None = None


@dataclass(frozen=True)
class Posts:
    """Vertical strips (pilasters, mullions, half-timber) at the borders of the bays."""

    bay: float
    width: float
    tone: float = 1.12
    colour: Colour | None = None
    bottom: float = 0.0
    top: float = 0.0


@dataclass(frozen=True)
class Disc:
    """A round ornament in the middle of the wall. `centre` < 0 counts from the top.

    kind: 'rose' (a spoked window), 'clock', or 'hole'.
    """

    centre: float
    radius: float
    kind: str = "rose"
    colour: Colour = (70, 60, 90)


@dataclass(frozen=True)
class Braces:
    """Diagonal bars that form lozenges of `size` metres."""

    size: float
    width: float
    colour: Colour = (230, 230, 230)


Feature = Row | Band | Posts | Disc | Braces


@dataclass(frozen=True)
class Material:
    """A surface.

    Attributes:
        colour: sRGB, 0..255.
        pattern: 'plain', 'blocks', 'tiles', 'planks', 'stripes', 'glass', 'rough' or 'flat'
            (no texture at all).
        size: height of a course, tile, stripe or pane, metres.
        length: length of a block or width of a pane, metres.
        contrast: strength of the pattern, 0..1.
        second: second colour of stripes; colour of the mullions of glass.
        features: painted over the pattern in this order.
        glow: light of its own at night, 0..1.
    """

    colour: Colour
    pattern: str = "plain"
    size: float = 0.6
    length: float = 1.4
    contrast: float = 0.18
    second: Colour = (90, 90, 90)
    features: tuple[Feature, ...] = ()
    glow: float = 0.0
