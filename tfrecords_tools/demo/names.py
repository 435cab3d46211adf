"""Names of the made-up landmarks: kind, Wikimedia-like category URL, hierarchical labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tfrecords_tools.demo.plan import generator

_PREFIX = "http://commons.wikimedia.org/wiki/Category:"

# kind of scene -> (title, supercategory, hierarchical label) in the manner of
# train_label_to_hierarchical.csv. Every kind has a builder in tfrecords_tools.demo.scenes.
KINDS: dict[str, tuple[str, str, str]] = {
    "cathedral": ("Cathedral", "church", "Religious site / Church"),
    "basilica": ("Basilica", "church", "Religious site / Church"),
    "onion_church": ("Church of the Assumption", "church", "Religious site / Church"),
    "mosque": ("Great Mosque", "mosque", "Religious site / Mosque"),
    "pagoda": ("Pagoda", "temple", "Religious site / Temple"),
    "temple": ("Temple", "temple", "Religious site / Temple"),
    "castle": ("Castle", "castle/fort", "Castle / Fort"),
    "city_gate": ("City Gate", "gate", "Gate"),
    "triumphal_arch": ("Triumphal Arch", "arch", "Arch"),
    "arch_bridge": ("Old Bridge", "bridge", "Bridge"),
    "suspension_bridge": ("Suspension Bridge", "bridge", "Bridge"),
    "aqueduct": ("Aqueduct", "aqueduct", "Water structure / Aqueduct"),
    "skyscraper": ("Tower", "skyscraper", "Building / Skyscraper"),
    "clock_tower": ("Clock Tower", "tower", "Tower"),
    "lattice_tower": ("Iron Tower", "tower", "Tower"),
    "lighthouse": ("Lighthouse", "lighthouse", "Tower / Lighthouse"),
    "palace": ("Palace", "palace", "Palace"),
    "town_hall": ("Town Hall", "government building", "Building / Government building"),
    "amphitheatre": ("Amphitheatre", "amphitheatre", "Theatre / Amphitheatre"),
    "monument": ("Monument", "monument", "Monument"),
    "museum": ("Museum of Modern Art", "museum", "Building / Museum"),
    "pyramid": ("Pyramid", "pyramid", "Pyramid"),
}

# Of the ids that only unclean pictures carry.
_NO_SCENE = ("View", "tourist attraction", "Other")

_HEADS = [
    "Alt",
    "Bor",
    "Cal",
    "Dun",
    "Esk",
    "Fal",
    "Gar",
    "Hol",
    "Ist",
    "Jor",
    "Kel",
    "Lun",
    "Mor",
    "Nor",
    "Ost",
    "Par",
]
_MIDDLES = ["a", "e", "i", "o", "u", "ar", "en", "il", "on", "ur"]
_TAILS = ["berg", "ford", "haven", "ia", "ano", "monte", "grad", "ville", "mouth", "stad"]


@dataclass(frozen=True)
class Place:
    """Names of one landmark id.

    Attributes:
        kind: key of KINDS, or 'none' for an id without a scene.
        category: URL that joins the train and the index label space.
        supercategory, hierarchical_label, origin: columns of *_label_to_hierarchical.csv
            (origin is `natural_or_human_made`).
    """

    kind: str
    category: str
    supercategory: str
    hierarchical_label: str
    origin: str = "human-made"


@cache
def _orders(seed: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    rng = generator(seed, 3)
    towns = len(_HEADS) * len(_MIDDLES) * len(_TAILS)
    kinds = list(KINDS)
    return (
        tuple(int(i) for i in rng.permutation(towns)),
        tuple(kinds[int(i)] for i in rng.permutation(len(kinds))),
    )


def kind_of(seed: int, number: int) -> str:
    """Kind of scene of landmark `number`: every kind once, then every kind a second time, ..."""
    kinds = _orders(seed)[1]
    return kinds[number % len(kinds)]


def place_of(seed: int, number: int, *, has_scene: bool = True) -> Place:
    """The names of landmark `number` (>= 0). Different numbers have different categories."""
    towns = _orders(seed)[0]
    town = _town(towns[number % len(towns)], number // len(towns))
    if has_scene:
        kind = kind_of(seed, number)
        title, supercategory, label = KINDS[kind]
    else:
        kind = "none"
        title, supercategory, label = _NO_SCENE
    # As in the published tables: letters beyond ASCII, commas (hence quoted fields), and a row
    # that is Latin-1 in a file that is otherwise UTF-8.
    if number % 9 == 4:
        name = f"{title}, {town}"
    elif number % 9 == 2:
        name = f"{title} (Châtelet-lès-{town})"
    elif number == 5:
        latin = "é".encode("latin-1").decode("utf-8", errors="surrogateescape")
        name = f"{title} of Saint-Andr{latin} {town}"
    else:
        name = f"{title} of {town}"
    return Place(kind, _PREFIX + name.replace(" ", "_"), supercategory, label)


def _town(draw: int, lap: int) -> str:
    head, rest = divmod(draw, len(_MIDDLES) * len(_TAILS))
    middle, tail = divmod(rest, len(_TAILS))
    suffix = f" {lap + 1}" if lap else ""
    return _HEADS[head] + _MIDDLES[middle] + _TAILS[tail] + suffix
