"""Which of the train images: full, clean, or all of the clean classes (c2x)."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfrecords_tools.membership import is_in
from tfrecords_tools.options import ConvertOptions
from tfrecords_tools.raw import Listing, RawFolder


def list_images(
    source: RawFolder, files: np.ndarray, options: ConvertOptions
) -> tuple[Listing, np.ndarray | None]:
    """What the CSVs list of the subset that is asked for, in the order of the CSV.

    Args:
        source: the raw folder.
        files: (K,) S16, ids on disk.
        options: what is asked for.

    Returns:
        the images, and (N,) bool: which of them are clean, where a split one-per-class is asked for
        and not all of them are; else None.

    Raises:
        RawFolderError: as `RawFolder.listing`; c2x without train_clean.csv.
    """
    wanted = options.images
    one_per_class = options.validation_split == "one-per-class"
    if wanted == "full" and one_per_class and source.csv_path("train_clean.csv") is None:
        one_per_class = False  # nothing is known to be clean
    if wanted != "c2x" and not (wanted == "full" and one_per_class):
        return source.listing(files, None if wanted is None else wanted == "clean"), None
    whole, clean = source.listing(files, False), source.listing(files, True)
    both = {"sources": whole.sources | clean.sources, "counts": whole.counts | clean.counts}
    is_clean = is_in(whole.ids, clean.ids)
    if wanted == "full":
        return dataclasses.replace(whole, **both), is_clean
    keep = np.isin(whole.landmark_ids, np.unique(clean.landmark_ids))
    listing = dataclasses.replace(
        whole, ids=whole.ids[keep], landmark_ids=whole.landmark_ids[keep], **both
    )
    return listing, is_clean[keep] if one_per_class else None
