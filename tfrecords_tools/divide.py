"""Who trains and who validates: the division of the train images, as others made it.

Every function is pure: the same rows, options and seed give the same division on any machine.
"""

from __future__ import annotations

import numpy as np
from numpy.random import MT19937, RandomState, SeedSequence

from tfrecords_tools.options import ConvertOptions

MIN_IMAGES_TO_SPARE_ONE = 4  # hav4ik's and seungkee's


def train_rows(
    labels: np.ndarray,
    options: ConvertOptions,
    ids: np.ndarray | None = None,
    clean: np.ndarray | None = None,
    validation: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Rows of split "validation" (where there is one) and of split "train", shuffled.

    Args:
        labels: (N,).
        options: what is asked for.
        ids: (N,) S16; for the split one-per-class.
        clean, validation: (N,) bool, as of `make_plan`.
    """
    generator = RandomState(MT19937(SeedSequence(options.seed)))
    if validation is not None:
        held_out, train = np.flatnonzero(validation), np.flatnonzero(~validation)
    elif not options.has_validation:
        return {"train": shuffled(np.arange(len(labels)), generator)}
    elif options.validation_split == "one-per-class":
        held_out, train = split_one_per_class(labels, ids, clean, generator)
    elif options.validation_split == "random":
        # Seeded as np.random.seed does it, which is what the recipe with this split used.
        generator = RandomState(options.seed)
        held_out, train = split_at_random(len(labels), options.validation_fraction, generator)
    else:
        held_out, train = split_per_class(labels, options.validation_fraction, generator)
    if not len(held_out) or not len(train):
        what = (
            f"validation_split {options.validation_split}"
            if options.validation_split == "one-per-class"
            else f"validation_fraction {options.validation_fraction}"
        )
        raise ValueError(
            f"{what} of {len(labels)} image(s) leaves "
            f"{len(train)} for training and {len(held_out)} for validation: both need some"
        )
    return {"validation": shuffled(held_out, generator), "train": shuffled(train, generator)}


def sampled_classes(landmarks: np.ndarray, num_classes: int, seed: int) -> np.ndarray:
    """A sample of classes whose sizes are distributed as those of all classes.

    The classes, by size and then by landmark id, are cut into `num_classes` runs as equal as can
    be, and one of each is drawn at random: any quantile of the sizes is that of all classes, within
    one run. The order of the rows does not matter.

    Args:
        landmarks: (N,) landmark id of each image.
        num_classes: how many classes; all where there are no more.
        seed: of the draw.

    Returns:
        (N,) bool: whether each row's landmark was drawn.
    """
    classes, which, sizes = np.unique(landmarks, return_inverse=True, return_counts=True)
    if num_classes >= len(classes):
        return np.ones(len(landmarks), bool)
    by_size = np.lexsort((classes, sizes))
    bounds = np.arange(num_classes + 1) * len(classes) // num_classes
    # Another stream than that of the split, so that the two draws are independent.
    generator = RandomState(MT19937(SeedSequence([seed, 1])))
    drawn = bounds[:-1] + (generator.random_sample(num_classes) * np.diff(bounds)).astype(np.int64)
    chosen = np.zeros(len(classes), bool)
    chosen[by_size[drawn]] = True
    return chosen[which]


def split_one_per_class(
    labels: np.ndarray, ids: np.ndarray, clean: np.ndarray | None, generator: RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """One image of each class that has at least `MIN_IMAGES_TO_SPARE_ONE` of them validates.

    Args:
        labels: (N,).
        ids: (N,) S16; the draw depends on them and not on the order of the rows.
        clean: (N,) bool, the images that count and may be drawn; None for all.
        generator: of the draw.

    Returns:
        rows of validation and rows of train, both ascending.
    """
    usable = np.arange(len(labels)) if clean is None else np.flatnonzero(clean)
    ordered = usable[np.lexsort((ids[usable], labels[usable]))]
    starts = np.flatnonzero(np.diff(labels[ordered], prepend=-1))
    sizes = np.diff(np.append(starts, len(ordered)))
    drawn = starts + (generator.random_sample(len(starts)) * sizes).astype(np.int64)
    validation = np.sort(ordered[drawn[sizes >= MIN_IMAGES_TO_SPARE_ONE]])
    train = np.delete(np.arange(len(labels)), validation)
    return validation, train


def split_per_class(
    labels: np.ndarray, fraction: float, generator: RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """DELF's split: of each class max(1, int(fraction * n)) images, drawn at random, validate.

    Classes come in the order of their first image. Unlike DELF, a class of one image stays in
    train, where it can be learned, instead of being in validation alone.

    Returns:
        rows of validation and rows of train, class after class.
    """
    by_class = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[by_class], prepend=-1))
    groups = np.split(by_class, starts[1:])
    validation, train = [], []
    for group in sorted(groups, key=lambda rows: rows[0]):
        size = len(group)
        held_out = min(size - 1, max(1, int(fraction * size)))
        group = shuffled(group, generator)
        validation.append(group[:held_out])
        train.append(group[held_out:])
    return np.concatenate(validation), np.concatenate(train)


def split_at_random(
    num_images: int, fraction: float, generator: RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """The first int(fraction * n) of the shuffled images validate, whatever their classes."""
    rows = shuffled(np.arange(num_images), generator)
    held_out = int(fraction * num_images)
    return rows[:held_out], rows[held_out:]


def shuffled(rows: np.ndarray, generator: RandomState) -> np.ndarray:
    """A shuffled copy of `rows`."""
    rows = rows.copy()
    generator.shuffle(rows)
    return rows


def large_classes(landmarks: np.ndarray, min_images: int) -> np.ndarray:
    """(N,) bool: whether each row's landmark has at least `min_images` rows."""
    _, which, sizes = np.unique(landmarks, return_inverse=True, return_counts=True)
    return sizes[which] >= min_images
