"""What a conversion can be asked for, checked before any work is done."""

from __future__ import annotations

import argparse
import dataclasses
import re

from tfrecords_tools.published_splits import PUBLISHED_SPLITS

SPLITS = ("train", "index", "test")
SUBSETS = ("full", "clean", "c2x")
VALIDATION_SPLITS = ("per-class", "random", "one-per-class")
DEFAULT_JPEG_QUALITY = 90
DELF_SHARDS = 128
MIN_IMAGES_PER_SHARD = 64


class UsageError(ValueError):
    """A command was given options that it cannot work with (exit code 2)."""


@dataclasses.dataclass(frozen=True)
class ConvertOptions:
    """What `convert` is asked for; all but the last field decide the content of the records.

    Attributes:
        split: "train", "index" or "test".
        shards: shards a split; None means DELF's 128, fewer where that would leave less than 64
            images a shard.
        validation_fraction: part of the train images that becomes split "validation", [0, 1).
        validation_split: "per-class" (DELF) or "random" (by image, over all classes), or
            "one-per-class": one image, a clean one where clean images are known, of each class
            with at least four of them, whatever the fraction, which must be 0.
        min_images_per_class: classes with fewer listed images are left out.
        clean: only the images of train_clean.csv; None means when that file is there.
        seed: of the validation split, the shuffle and the sample of classes.
        reencode_short_side: longest allowed shorter side in pixels; larger images are resized and
            written as JPEG. None keeps every file as it is.
        jpeg_quality: of the images written anew, 1 to 100.
        subset: "clean" and "full" are `clean` True and False; "c2x" is all images of train.csv
            whose class is in train_clean.csv.
        sample_classes: only so many of the classes, drawn so that their sizes are distributed as
            those of all; None for all classes.
        verify_pixels: prove that every image decodes.
        published_split: name of the published split that these options make, for the report.

    Raises:
        ValueError: a value out of its range, or an option of train with another split.
    """

    split: str
    shards: int | None = None
    validation_fraction: float = 0.0
    validation_split: str = "per-class"
    min_images_per_class: int = 1
    clean: bool | None = None
    seed: int = 0
    reencode_short_side: int | None = None
    jpeg_quality: int | None = None
    subset: str | None = None
    sample_classes: int | None = None
    verify_pixels: bool = True
    published_split: str | None = None

    def __post_init__(self) -> None:
        self._check_choices()
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(
                "validation_fraction must be at least 0 and below 1, "
                f"got {self.validation_fraction}"
            )
        for name, low, high in (
            ("shards", 1, 99_999),
            ("min_images_per_class", 1, None),
            ("sample_classes", 1, None),
            ("seed", 0, 2**32 - 1),
            ("reencode_short_side", 16, None),
            ("jpeg_quality", 1, 100),
        ):
            value = getattr(self, name)
            if value is not None and (value < low or (high is not None and value > high)):
                limit = f"at least {low}" if high is None else f"from {low} to {high}"
                raise ValueError(f"{name} must be {limit}, got {value}")
        self._check_combinations()

    def _check_choices(self) -> None:
        for name, choices in (
            ("split", SPLITS),
            ("validation_split", VALIDATION_SPLITS),
            ("subset", (None, *SUBSETS)),
            ("published_split", (None, *PUBLISHED_SPLITS)),
        ):
            value = getattr(self, name)
            if value not in choices:
                words = ", ".join(choice for choice in choices if choice is not None)
                raise ValueError(f"{name} must be one of {words}, got {value!r}")

    def _check_combinations(self) -> None:
        if self.jpeg_quality is not None and self.reencode_short_side is None:
            raise ValueError("jpeg_quality has no effect without reencode_short_side")
        if not self.verify_pixels and self.reencode_short_side is not None:
            raise ValueError("reencode_short_side decodes every image: leave verify_pixels on")
        if self.clean is not None and self.subset is not None:
            raise ValueError("subset says which images: leave clean out")
        if self.validation_split == "one-per-class" and self.validation_fraction:
            raise ValueError(
                "validation_split one-per-class takes one image of each class: leave "
                "validation_fraction out"
            )
        if self.split != "train":
            for name in TRAIN_ONLY:
                if getattr(self, name) != _default(name):
                    raise ValueError(f"{name} is for split train, not for {self.split}")

    @property
    def images(self) -> str | None:
        """One of `SUBSETS`, or None for clean where train_clean.csv is there."""
        if self.clean is None:
            return self.subset
        return "clean" if self.clean else "full"

    @property
    def has_validation(self) -> bool:
        """Whether part of the train images becomes the split "validation"."""
        return self.validation_fraction > 0 or self.validation_split == "one-per-class"

    @property
    def quality(self) -> int | None:
        """The JPEG quality that applies; None where no image is written anew."""
        if self.reencode_short_side is None:
            return None
        return DEFAULT_JPEG_QUALITY if self.jpeg_quality is None else self.jpeg_quality


TRAIN_ONLY = (
    "validation_fraction",
    "min_images_per_class",
    "clean",
    "subset",
    "sample_classes",
    "published_split",
)


def _default(name: str) -> object:
    return next(field.default for field in dataclasses.fields(ConvertOptions) if field.name == name)


def options_from(args: argparse.Namespace) -> ConvertOptions:
    """The options of parsed arguments, with those of the published split that they name.

    Raises:
        UsageError: options that do not go together, or out of their range, named as flags.
    """
    names = [field.name for field in dataclasses.fields(ConvertOptions)]
    try:
        if args.workers is not None and args.workers < 1:
            raise ValueError(f"workers must be at least 1, got {args.workers}")
        given = {name: getattr(args, name, None) for name in names}
        given = {name: value for name, value in given.items() if value is not None}
        return ConvertOptions(**_with_published(given))
    except ValueError as error:
        field = re.compile(rf"\b({'|'.join([*names, 'workers'])})\b(?! images)")
        flags = field.sub(lambda name: "--" + name[0].replace("_", "-"), str(error))
        raise UsageError(flags) from None


def _with_published(given: dict[str, object]) -> dict[str, object]:
    published = PUBLISHED_SPLITS.get(given.get("published_split"))
    if published is None:
        return given
    for name, value in published.options.items():
        if given.get(name, value) != value:
            raise ValueError(
                f"published_split {given['published_split']} has {name} {value}, "
                f"got {given[name]}: leave {name} out, or published_split"
            )
    if "clean" in given:
        raise ValueError(f"published_split {given['published_split']} says which images: no clean")
    return given | published.options
