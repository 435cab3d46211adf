"""The divisions of GLDv2's train images that others trained and validated on, by name.

Each is a rule and a seed. Where the source states how many images come out, so do we, and a
conversion tells whether it found as many.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class PublishedSplit:
    """One of them.

    Attributes:
        source: who, and what is known of it.
        options: fields of ConvertOptions that make it.
        train, validation: images, as the source states; None where it does not.
        classes: as the source states; None where it does not.
    """

    source: str
    options: dict[str, object]
    train: int | None = None
    validation: int | None = None
    classes: int | None = None


PUBLISHED_SPLITS = {
    "delf": PublishedSplit(
        "DELF's build_image_dataset.py on the clean set: a fifth of each class, seed 0; to the id",
        {
            "subset": "clean",
            "validation_split": "per-class",
            "validation_fraction": 0.2,
            "seed": 0,
        },
        classes=81_313,
    ),
    "hav4ik": PublishedSplit(
        "hav4ik 2020: one image of each clean class with at least four; which one was not "
        "published, here it is drawn with seed 0",
        {"subset": "clean", "validation_split": "one-per-class", "seed": 0},
        train=1_508_148,
        validation=72_322,
        classes=81_313,
    ),
    "seungkee": PublishedSplit(
        "seungkee, winner of Retrieval 2020, full set: the same validation images, all others "
        "train",
        {"subset": "full", "validation_split": "one-per-class", "seed": 0},
        train=4_060_592,
        validation=72_322,
        classes=203_094,
    ),
    "s2": PublishedSplit(
        "Samala and Jiang: clean classes of at least 150 images, the first tenth after a shuffle "
        "by NumPy's seed 300 validates; to the id",
        {
            "subset": "clean",
            "min_images_per_class": 150,
            "validation_split": "random",
            "validation_fraction": 0.1,
            "seed": 300,
        },
        classes=890,
    ),
    "s4": PublishedSplit(
        "Patel, Taneja and Aradhey: 1,000 clean classes, about 18,000 images, sizes distributed "
        "as in the whole; which classes was not published (drawn with seed 0), nor the "
        "validation part (here a fifth of each class)",
        {
            "subset": "clean",
            "sample_classes": 1_000,
            "validation_split": "per-class",
            "validation_fraction": 0.2,
            "seed": 0,
        },
        classes=1_000,
    ),
}


def as_published(name: str, counts: dict[str, int]) -> str:
    """One line: what the source states beside what was found.

    Args:
        name: a key of `PUBLISHED_SPLITS`.
        counts: "classes" and images by split.
    """
    published = PUBLISHED_SPLITS[name]
    stated = {
        part: getattr(published, part)
        for part in ("train", "validation", "classes")
        if getattr(published, part) is not None
    }
    differ = [part for part, number in stated.items() if counts.get(part) != number]
    told = ", ".join(f"{part} {number:,}" for part, number in stated.items())
    if not differ:
        return f"{name}, as published: {told}"
    found = ", ".join(f"{part} {counts.get(part, 0):,}" for part in differ)
    return f"{name} was published with {told}; here: {found} (other images than the source's)"
