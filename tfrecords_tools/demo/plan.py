"""The census of a demo set: which picture of what goes into which split, before anything is drawn.

Everything here is a pure function of the settings. A picture is drawn later from its own seed,
(set seed, split, number), so the order of drawing and the number of workers cannot matter.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from itertools import pairwise

import numpy as np

MIN_LANDMARKS = 6
SPLITS = ("train", "index", "test")
# The largest id + 1 of the two label spaces of the published set.
TRAIN_ID_SPACE = 203_094
INDEX_ID_SPACE = 101_302

GENERIC = -1  # `scene` of a picture that shows no landmark
CORRUPT_KINDS = ("truncated", "empty", "not_an_image")
READABLE_KINDS = ("grey", "cmyk", "png", "panorama", "strip")


@dataclass(frozen=True)
class Settings:
    """What decides the content of a demo set.

    Attributes:
        landmarks: number of made-up landmarks, at least 6. About a tenth of them appear in
            index and test only.
        seed: 0..2**32-1. The same settings give the same bytes.
        images_per_landmark: mean number of clean training images per training landmark (>= 4);
            the sizes follow a long tail that ends at 2.
        index_per_landmark: mean number of index images per landmark (>= 2).
        queries_per_landmark: number of test images per landmark (>= 1).
        no_landmark_share: test images without a landmark, as a fraction of the queries that
            show one (0..4).
    """

    landmarks: int = 32
    seed: int = 0
    images_per_landmark: int = 48
    index_per_landmark: int = 15
    queries_per_landmark: int = 5
    no_landmark_share: float = 0.4

    def __post_init__(self) -> None:
        limits = {
            "landmarks": (MIN_LANDMARKS, 5_000),
            "seed": (0, 2**32 - 1),
            "images_per_landmark": (4, 10_000),
            "index_per_landmark": (2, 10_000),
            "queries_per_landmark": (1, 1_000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"{name} must be a whole number, received {value!r}.")
            if not low <= value <= high:
                raise ValueError(f"{name} must lie in {low}..{high}, received {value}.")
        share = self.no_landmark_share
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 4:
            raise ValueError(f"no_landmark_share must lie in 0..4, received {share!r}.")

    def as_dict(self) -> dict[str, int | float]:
        return asdict(self)


@dataclass(frozen=True)
class Picture:
    """One file of the set.

    Attributes:
        split: 'train', 'index' or 'test'.
        number: running number within the split; decides id and appearance.
        id: 16 hex characters, a hash of (seed, split, number).
        scene: number of the landmark that is really shown, or GENERIC.
        landmark_id: the label that the CSVs give (train or index space); None for test and for
            pictures of no landmark.
        clean: listed in train_clean.csv (train only).
        kind: None for an ordinary RGB JPEG, else one of CORRUPT_KINDS or READABLE_KINDS.
    """

    split: str
    number: int
    id: str
    scene: int
    landmark_id: int | None = None
    clean: bool = False
    kind: str | None = None

    @property
    def path(self) -> str:
        """Path below the root of the set, as GLDv2 nests it."""
        a, b, c = self.id[:3]
        return f"{self.split}/{a}/{b}/{c}/{self.id}.jpg"


@dataclass(frozen=True)
class Census:
    """All pictures and label spaces of a set.

    Attributes:
        pictures: in the order train, index, test.
        train_ids: landmark number -> train landmark id (landmarks of the training set).
        index_ids: landmark number -> index landmark id (landmarks of the index).
        extra_ids: train landmark ids that have unclean images only, as most ids of GLDv2 do.
    """

    settings: Settings
    pictures: tuple[Picture, ...]
    train_ids: dict[int, int]
    index_ids: dict[int, int]
    extra_ids: tuple[int, ...]
    by_split: dict[str, tuple[Picture, ...]] = field(init=False)

    def __post_init__(self) -> None:
        groups = {s: tuple(p for p in self.pictures if p.split == s) for s in SPLITS}
        object.__setattr__(self, "by_split", groups)


def generator(seed: int, *key: int) -> np.random.Generator:
    """An independent random stream for a key of non-negative integers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, *key))))


def picture_id(seed: int, split: str, number: int) -> str:
    """16 hex characters that say nothing about what is shown."""
    return hashlib.sha256(f"demo/{seed}/{split}/{number}".encode()).hexdigest()[:16]


def class_sizes(count: int, mean: int) -> list[int]:
    """A long tail: `count` sizes, largest first, falling quadratically to 2, mean about `mean`."""
    top = max(3.0 * (mean - 2), 1.0)
    span = max(count - 1, 1)
    return [2 + round(top * (1 - rank / span) ** 2) for rank in range(count)]


def _spread_ids(rng: np.random.Generator, count: int, space: int) -> list[int]:
    """`count` different ids, ascending, with gaps: one from each of `count` equal stretches."""
    edges = [space * i // count for i in range(count + 1)]
    return [int(rng.integers(a, b)) for a, b in pairwise(edges)]


def take_census(settings: Settings) -> Census:
    """Decides every picture of the set. Pure and fast (no drawing)."""
    rng = generator(settings.seed, 1)
    total = settings.landmarks
    order = [int(i) for i in rng.permutation(total)]
    unseen = max(1, round(total * 0.1))  # in index and test, not in train
    unindexed = max(1, round(total * 0.05))  # in train and test, not in the index
    trained = sorted(order[unseen:])
    indexed = sorted(order[: total - unindexed])
    extra = max(1, round(total * 0.1))

    spaced = _spread_ids(rng, len(trained) + extra, TRAIN_ID_SPACE)
    shuffled = [spaced[int(i)] for i in rng.permutation(len(spaced))]
    train_ids = dict(zip(trained, shuffled[: len(trained)], strict=True))
    extra_ids = tuple(sorted(shuffled[len(trained) :]))
    spaced = _spread_ids(rng, len(indexed), INDEX_ID_SPACE)
    shuffled = [spaced[int(i)] for i in rng.permutation(len(spaced))]
    index_ids = dict(zip(indexed, shuffled, strict=True))

    pictures = [
        *_train_pictures(settings, rng, train_ids, extra_ids),
        *_index_pictures(settings, rng, index_ids),
        *_test_pictures(settings, rng),
    ]
    return Census(settings, tuple(pictures), train_ids, index_ids, extra_ids)


def _train_pictures(settings, rng, train_ids, extra_ids) -> list[Picture]:
    sizes = class_sizes(len(train_ids), settings.images_per_landmark)
    ranks = [int(i) for i in rng.permutation(len(sizes))]
    rows: list[dict] = []
    largest: list[int] = []
    for landmark, rank in zip(train_ids, ranks, strict=True):
        label = train_ids[landmark]
        size = sizes[rank]
        if rank == 0:
            largest = list(range(len(rows), len(rows) + size))
        rows += [{"scene": landmark, "landmark_id": label, "clean": True} for _ in range(size)]
        # What the cleaning of GLDv2 removed: pictures of something else, wrong labels, and some
        # perfectly good pictures.
        for _ in range(size // 12 + (rank % 2)):
            draw = rng.random()
            other = [n for n in train_ids if n != landmark]
            scene = GENERIC
            if draw > 0.75:
                scene = landmark
            elif draw > 0.45:
                scene = other[int(rng.integers(len(other)))]
            rows.append({"scene": scene, "landmark_id": label, "clean": False})
    for label in extra_ids:
        rows += [
            {"scene": GENERIC, "landmark_id": label, "clean": False}
            for _ in range(int(rng.integers(1, 4)))
        ]
    # Corrupt files sit in the largest class, so that no small class loses its only pictures.
    for row, kind in zip(largest[:3], CORRUPT_KINDS, strict=False):
        rows[row]["kind"] = kind
    _mark_readable(rows, rng)
    return _numbered(settings.seed, "train", rows, rng)


def _index_pictures(settings, rng, index_ids) -> list[Picture]:
    mean = settings.index_per_landmark
    rows: list[dict] = []
    sizes = {n: int(rng.integers(max(2, mean // 2), mean + (mean + 1) // 2 + 1)) for n in index_ids}
    for landmark, label in index_ids.items():
        rows += [{"scene": landmark, "landmark_id": label} for _ in range(sizes[landmark])]
    biggest = max(sizes, key=lambda n: (sizes[n], n))
    spots = [i for i, row in enumerate(rows) if row["scene"] == biggest]
    for row, kind in zip(spots[1:], ("truncated", "not_an_image"), strict=False):
        rows[row]["kind"] = kind
    _mark_readable(rows, rng)
    return _numbered(settings.seed, "index", rows, rng)


def _test_pictures(settings, rng) -> list[Picture]:
    rows: list[dict] = [
        {"scene": landmark}
        for landmark in range(settings.landmarks)
        for _ in range(settings.queries_per_landmark)
    ]
    rows += [{"scene": GENERIC} for _ in range(round(len(rows) * settings.no_landmark_share))]
    _mark_readable(rows, rng)
    return _numbered(settings.seed, "test", rows, rng)


def _mark_readable(rows: list[dict], rng: np.random.Generator) -> None:
    """Gives about 2.5 % of the rows, and at least one of each kind, an unusual file format."""
    free = [i for i, row in enumerate(rows) if "kind" not in row]
    picks = [free[int(i)] for i in rng.permutation(len(free))]
    for kind in READABLE_KINDS:
        share = 0.012 if kind == "grey" else 0.003
        for _ in range(max(1, round(share * len(rows)))):
            if picks:
                rows[picks.pop()]["kind"] = kind


def _numbered(seed: int, split: str, rows: list[dict], rng: np.random.Generator) -> list[Picture]:
    """Shuffles, so that the numbers (hence ids and seeds) are unrelated to the classes."""
    pictures = [
        Picture(split=split, number=number, id=picture_id(seed, split, number), **rows[int(row)])
        for number, row in enumerate(rng.permutation(len(rows)))
    ]
    if len({p.id for p in pictures}) != len(pictures):
        raise ValueError(f"Two ids of split {split} collide at seed {seed}. Choose another seed.")
    return pictures
