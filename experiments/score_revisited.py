"""Revisited Oxford and Paris: scores of rankings, or of a SavedModel on the pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmarks_tf import metrics


def score_ranks(truth_path: str | Path, ranks_path: str | Path, *, queries_cropped: bool) -> dict:
    """{"easy": {"map", "mp@1", ..., "mr@1", ...}, "medium", "hard"} of a file of rankings.

    Args:
        truth_path: gnd_roxford5k or gnd_rparis6k as .json, .mat or .pkl.
        ranks_path: .npy of integers, (queries, index pictures) or turned, best first, from 0.
        queries_cropped: whether the queries were cropped to their boxes.

    Raises:
        ValueError, OSError: as the readers of `landmarks_tf.metrics.revisited_files`; queries that
            were not cropped.
    """
    truth = metrics.read_revisited_truth(truth_path)
    rankings = metrics.read_rankings(ranks_path, truth)
    return metrics.revisited_summary(rankings, truth, queries_cropped=queries_cropped)


def score_model(
    truth_path: str | Path, model_dir: str | Path, images_dir: str | Path, *, progress: bool = False
) -> dict:
    """`score_ranks` for a SavedModel of the Retrieval-2020 contract; queries are cropped here.

    Args:
        model_dir: folder of saved_model.pb.
        images_dir: has NAME.jpg for every name of the ground truth, at any depth.

    Raises:
        ValueError, OSError: as `score_ranks` and `landmarks_tf.export.scoring.load_descriptor`; a
            picture that is missing or unreadable, or smaller than its query's box: the index must
            be whole.
    """
    from landmarks_tf.export.scoring import load_descriptor, nearest_rows

    truth = metrics.read_revisited_truth(truth_path)
    files = {path.stem: path for path in Path(images_dir).rglob("*.jpg")}
    missing = [n for n in (*truth.index_names, *truth.query_names) if n not in files]
    if missing:
        raise ValueError(
            f"{len(missing)} pictures of the ground truth are not under {images_dir}, such as "
            f"{missing[0]}.jpg; the ranking must hold the whole index."
        )
    describe = load_descriptor(model_dir)
    pictures = [_read(files[name]) for name in truth.query_names]
    boxes = truth.crop_boxes([(picture.shape[1], picture.shape[0]) for picture in pictures])
    queries = _described(
        describe, map(metrics.crop_query, pictures, boxes), len(boxes), "queries", progress
    )
    index = (_read(files[name]) for name in truth.index_names)
    index = _described(describe, index, len(truth.index_names), "index", progress)
    _, rankings = nearest_rows(queries, index, len(index))
    return metrics.revisited_summary(rankings, truth, queries_cropped=True)


def _described(describe, pictures, count: int, what: str, progress: bool) -> np.ndarray:
    from tqdm import tqdm

    bar = tqdm(pictures, total=count, desc=what, unit="image", disable=not progress)
    return np.stack([describe(np.ascontiguousarray(picture)) for picture in bar])


def _read(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture: {error}.") from None
