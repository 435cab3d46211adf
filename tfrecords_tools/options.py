"""What a conversion can be asked for, checked before any work is done."""

from __future__ import annotations

import argparse
import dataclasses
import re

SPLITS = ("train", "index", "test")
VALIDATION_SPLITS = ("per-class", "random")
DEFAULT_JPEG_QUALITY = 90
DELF_SHARDS = 128
MIN_IMAGES_PER_SHARD = 64


class UsageError(ValueError):
    """A command was given options that it cannot work with (exit code 2)."""


@dataclasses.dataclass(frozen=True)
class ConvertOptions:
    """What `convert` is asked for; every field decides the content of the records.

    Attributes:
        split: "train", "index" or "test".
        shards: shards a split; None means DELF's 128, fewer where that would leave less than 64
            images a shard.
        validation_fraction: part of the train images that becomes split "validation", [0, 1).
        validation_split: "per-class" (DELF) or "random" (by image, over all classes).
        min_images_per_class: classes with fewer listed images are left out.
        clean: only the images of train_clean.csv; None means when that file is there.
        seed: of the validation split and the shuffle.
        reencode_short_side: longest allowed shorter side in pixels; larger images are resized and
            written as JPEG. None keeps every file as it is.
        jpeg_quality: of the images written anew, 1 to 100.

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

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {self.split!r}")
        if self.validation_split not in VALIDATION_SPLITS:
            raise ValueError(
                f"validation_split must be one of {', '.join(VALIDATION_SPLITS)}, "
                f"got {self.validation_split!r}"
            )
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(
                "validation_fraction must be at least 0 and below 1, "
                f"got {self.validation_fraction}"
            )
        for name, low, high in (
            ("shards", 1, 99_999),
            ("min_images_per_class", 1, None),
            ("seed", 0, 2**32 - 1),
            ("reencode_short_side", 16, None),
            ("jpeg_quality", 1, 100),
        ):
            value = getattr(self, name)
            if value is not None and (value < low or (high is not None and value > high)):
                limit = f"at least {low}" if high is None else f"from {low} to {high}"
                raise ValueError(f"{name} must be {limit}, got {value}")
        self._check_combinations()

    def _check_combinations(self) -> None:
        if self.jpeg_quality is not None and self.reencode_short_side is None:
            raise ValueError("jpeg_quality has no effect without reencode_short_side")
        if self.split != "train":
            train_only = (
                ("validation_fraction", 0.0),
                ("min_images_per_class", 1),
                ("clean", None),
            )
            for name, neutral in train_only:
                if getattr(self, name) != neutral:
                    raise ValueError(f"{name} is for split train, not for {self.split}")

    @property
    def quality(self) -> int | None:
        """The JPEG quality that applies; None where no image is written anew."""
        if self.reencode_short_side is None:
            return None
        return DEFAULT_JPEG_QUALITY if self.jpeg_quality is None else self.jpeg_quality


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `convert` on `parser`."""
    parser.description = (
        "Converts one split of a GLDv2 folder to TFRecord shards with DELF's keys and names, a "
        "manifest, and an index for random access. Images that do not decode are left out and "
        "listed with their reasons in <split>.skipped.csv. An interrupted run continues when the "
        "same command is given again."
    )
    text, number = {"metavar": "DIR", "required": True}, {"type": int, "metavar": "N"}
    parser.add_argument(
        "--raw", help="GLDv2 folder: train/a/b/c/<id>.jpg, index/, test/, *.csv", **text
    )
    parser.add_argument("--out", help="records folder; all splits may share one", **text)
    parser.add_argument("--split", required=True, choices=SPLITS, help="split to convert")
    parser.add_argument(
        "--shards",
        help=f"shards of each split (default: {DELF_SHARDS}, fewer where a shard would hold less "
        f"than {MIN_IMAGES_PER_SHARD} images)",
        **number,
    )
    parser.add_argument(
        "--workers", help="shards written at a time (default: one per core)", **number
    )
    parser.add_argument(
        "--reencode-short-side",
        help="shrink images whose shorter side is longer than this many pixels and store them as "
        "JPEG (default: all bytes stay as they are)",
        type=int,
        metavar="PX",
    )
    parser.add_argument(
        "--jpeg-quality",
        help=f"of images that are stored anew, 1 to 100 (default: {DEFAULT_JPEG_QUALITY})",
        type=int,
        metavar="Q",
    )
    _add_train_arguments(parser.add_argument_group("options of --split train"))


def _add_train_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--validation-fraction",
        type=float,
        default=0.0,
        metavar="F",
        help="part of the images that becomes the split 'validation' (default: none; DELF: 0.2)",
    )
    group.add_argument(
        "--validation-split",
        choices=VALIDATION_SPLITS,
        default=VALIDATION_SPLITS[0],
        help="per-class: that part of every class, at least one image, as DELF does; random: that "
        "part of all images (default: %(default)s)",
    )
    group.add_argument(
        "--min-images-per-class",
        type=int,
        default=1,
        metavar="N",
        help="leave out classes with fewer images listed (default: %(default)s)",
    )
    group.add_argument(
        "--clean",
        action=argparse.BooleanOptionalAction,
        help="only the images of train_clean.csv (default: when that file is there)",
    )
    group.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="S",
        help="of the validation split and the order of the images (default: %(default)s)",
    )


def options_from(args: argparse.Namespace) -> ConvertOptions:
    """The options of parsed arguments.

    Raises:
        UsageError: options that do not go together, or out of their range, named as flags.
    """
    names = [field.name for field in dataclasses.fields(ConvertOptions)]
    try:
        if args.workers is not None and args.workers < 1:
            raise ValueError(f"workers must be at least 1, got {args.workers}")
        return ConvertOptions(**{name: getattr(args, name) for name in names})
    except ValueError as error:
        field = re.compile(rf"\b({'|'.join([*names, 'workers'])})\b")
        flags = field.sub(lambda name: "--" + name[0].replace("_", "-"), str(error))
        raise UsageError(flags) from None
