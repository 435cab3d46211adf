"""The command line of `convert`."""

from __future__ import annotations

import argparse

from tfrecords_tools.beam import cli as beam_cli
from tfrecords_tools.integrity.journal import JOURNALS
from tfrecords_tools.options import (
    DEFAULT_JPEG_QUALITY,
    DELF_SHARDS,
    MIN_IMAGES_PER_SHARD,
    SPLITS,
    SUBSETS,
    VALIDATION_SPLITS,
)
from tfrecords_tools.published_splits import PUBLISHED_SPLITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `convert` on `parser`. An option left out is None: its default is
    that of ConvertOptions, or of the published split that is named."""
    parser.description = (
        "Converts one split of a GLDv2 folder to TFRecord shards with DELF's keys and names, a "
        "manifest, and an index for random access. Images that do not decode are left out and "
        "listed with their reasons in <split>.skipped.csv. An interrupted run continues when the "
        "same command is given again."
    )
    text, number = {"metavar": "DIR"}, {"type": int, "metavar": "N"}
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--raw", help="GLDv2 folder: train/a/b/c/<id>.jpg, index/, test/, *.csv", **text
    )
    source.add_argument(
        "--records",
        nargs="+",
        metavar="PATH",
        help="TFRecord files of others, or folders of them, in place of --raw: DELF's, hav4ik's, "
        "seungkee's, UnED's or TensorFlow Federated's keys",
    )
    parser.add_argument(
        "--out", help="records folder; all splits may share one", required=True, **text
    )
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
        "--dry-run",
        action="store_true",
        help="say what would be written, with the SHA-256 of each split's ids; write nothing",
    )
    _add_image_arguments(parser)
    _add_train_arguments(parser.add_argument_group("options of --split train"))
    _add_records_arguments(parser.add_argument_group("options of --records"))
    beam_cli.add_arguments(parser.add_argument_group("where it outgrows one machine"))


def _add_image_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-verify-pixels",
        dest="verify_pixels",
        action="store_false",
        default=None,
        help="trust JPEG files by their headers: several times faster; for images that "
        "`check` has decoded",
    )
    parser.add_argument(
        "--checked",
        nargs="?",
        const=True,
        default=False,
        metavar="DIR",
        help="do not decode again what `check` has proven and what did not change since (by inode, "
        f"size and times); DIR is check's --journal (default: {JOURNALS} in the GLDv2 folder)",
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


def _add_train_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--published-split",
        choices=tuple(PUBLISHED_SPLITS),
        help="a split that others trained on; sets the options below. "
        + "; ".join(f"{name}: {split.source}" for name, split in PUBLISHED_SPLITS.items()),
    )
    group.add_argument(
        "--subset",
        choices=SUBSETS,
        help="full: all of train.csv; clean: the images of train_clean.csv; c2x: all images of "
        "train.csv whose class is in train_clean.csv (default: clean when that file is there)",
    )
    group.add_argument(
        "--clean",
        action=argparse.BooleanOptionalAction,
        help="short for --subset clean, and --no-clean for --subset full",
    )
    group.add_argument(
        "--validation-fraction",
        type=float,
        metavar="F",
        help="part of the images that becomes the split 'validation' (default: none; DELF: 0.2)",
    )
    group.add_argument(
        "--validation-split",
        choices=VALIDATION_SPLITS,
        help="per-class: that part of every class, at least one image, as DELF does; random: that "
        "part of all images; one-per-class: one clean image of each class with at least four "
        "(default: per-class)",
    )
    group.add_argument(
        "--min-images-per-class",
        type=int,
        metavar="N",
        help="leave out classes with fewer images listed (default: 1)",
    )
    group.add_argument(
        "--sample-classes",
        type=int,
        metavar="N",
        help="draw so many classes, their sizes distributed as those of all (default: all)",
    )
    group.add_argument(
        "--seed",
        type=int,
        metavar="S",
        help="of the validation split, the order of the images and the sample (default: 0)",
    )


def _add_records_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--validation-records",
        nargs="+",
        metavar="PATH",
        help="files or folders whose records become the split 'validation' as they are; labels "
        "are numbered over both (--split train)",
    )
    group.add_argument(
        "--dialect",
        choices=("auto", "delf", "seungkee", "uned", "tff"),
        default="auto",
        help="whose keys the records have (default: found out from the first record)",
    )
