"""The organisers' loop of Landmark Retrieval 2020: a SavedModel and two image folders -> rankings.

It is the acceptance test of an exporter: the model is loaded with TensorFlow alone, its signature
and output key are checked, each picture costs one call, and the raw outputs are ranked by Euclidean
distance. What the organisers leave to chance is settled here: files are taken in sorted order, and
index images at equal distance are ranked in that order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from landmarks_tf.export.saved_model import OUTPUT_NAME, SIGNATURE

_HEX = re.compile(r"[0-9a-fA-F]{1,16}")
# Distances are taken in blocks of this many queries and index rows: 128 MB in float64.
_QUERY_BLOCK, _INDEX_BLOCK = 256, 1 << 16


class SubmissionRejectedError(ValueError):
    """The competition would have rejected this model; the message says why."""


class Kaggle2020Rankings(NamedTuple):
    """What the loop found.

    Args:
        rankings: query id -> index ids, nearest first.
        num_test, num_index: images that were described.
        descriptor_size: D.
        unreadable: files that no image could be read from, relative to the image folder. A query
            among them has no ranking, an index image cannot be found.
    """

    rankings: dict[str, list[str]]
    num_test: int
    num_index: int
    descriptor_size: int
    unreadable: list[str]


def rank_kaggle_2020(
    model_dir: str | Path,
    images_dir: str | Path,
    query_ids: Collection[str],
    *,
    k: int = 100,
    progress: bool = False,
) -> Kaggle2020Rankings:
    """Describes every `test/**/*.jpg` and `index/**/*.jpg` and ranks the index for `query_ids`.

    Args:
        model_dir: folder with saved_model.pb, at its root or somewhere below.
        images_dir: folder with the sub-folders test and index; file names are hexadecimal ids.
        query_ids: the queries that are scored; the other test images are described, since the
            model must bear them, and not ranked.
        k: neighbours a query.
        progress: shows a bar on standard error.

    Raises:
        SubmissionRejectedError: see `load_descriptor`; and a call that fails, or an output that is
            no finite float vector of one size for all pictures.
        ValueError: k below one, no images, a file name that is no id, one id twice, a scored query
            without a file.
    """
    if k < 1:
        raise ValueError(f"expected k to be at least 1, received {k}.")
    root = Path(images_dir)
    tests, indexed = find_images(root, "test"), find_images(root, "index")
    missing = sorted(set(query_ids) - tests.keys())
    if missing:
        raise ValueError(
            f"{len(missing)} of the {len(set(query_ids))} scored queries have no image under "
            f"{root / 'test'}, such as {missing[0]}; expected <id>.jpg for each. "
            "Is the solution that of another data set, or the download incomplete?"
        )
    describe = load_descriptor(model_dir)
    test_ids, queries, bad_tests = describe_images(describe, tests, "test", progress)
    index_ids, index, bad_index = describe_images(describe, indexed, "index", progress)
    unreadable = [path.relative_to(root).as_posix() for path in (*bad_tests, *bad_index)]
    if not index_ids or not test_ids:
        raise ValueError(f"no image under {root} could be read, such as {unreadable[0]}.")
    if queries.shape[1] != index.shape[1]:
        raise SubmissionRejectedError(
            f"rejected: descriptors have {queries.shape[1]} components for test images and "
            f"{index.shape[1]} for index images; expected one size."
        )
    wanted = set(query_ids)
    rows = [row for row, query_id in enumerate(test_ids) if query_id in wanted]
    _, nearest = nearest_rows(queries[rows], index, k)
    rankings = {
        test_ids[row]: [index_ids[found] for found in ranking]
        for row, ranking in zip(rows, nearest, strict=True)
    }
    return Kaggle2020Rankings(rankings, len(test_ids), len(index_ids), index.shape[1], unreadable)


def load_descriptor(model_dir: str | Path) -> Callable[[np.ndarray], np.ndarray]:
    """Loads a SavedModel and holds it to the contract.

    Returns:
        A function from a picture (H, W, 3) uint8 to its descriptor (D,), which raises
        SubmissionRejectedError when the model fails on it.

    Raises:
        SubmissionRejectedError: no saved_model.pb or more than one, a model that does not load, no
            signature serving_default, no output global_descriptor, more inputs than one, or an
            input that is no uint8 picture.
    """
    import tensorflow as tf

    folder = _saved_model_folder(Path(model_dir))
    try:
        model = tf.saved_model.load(str(folder))
    except Exception as error:
        raise SubmissionRejectedError(
            f"rejected: TensorFlow cannot load the model in {folder}: {_first_line(error)}"
        ) from error
    signatures = dict(getattr(model, "signatures", {}))
    if SIGNATURE not in signatures:
        raise SubmissionRejectedError(
            f"rejected: expected the signature {SIGNATURE!r}, the model has "
            f"{', '.join(map(repr, sorted(signatures))) or 'none'}."
        )
    signature = signatures[SIGNATURE]
    _check_signature(signature)

    def describe(image: np.ndarray) -> np.ndarray:
        try:
            output = signature(tf.constant(image))[OUTPUT_NAME].numpy()
        except Exception as error:
            raise SubmissionRejectedError(
                f"rejected: the model fails on an image of shape {image.shape}: "
                f"{_first_line(error)}"
            ) from error
        if output.ndim != 1 or not np.issubdtype(output.dtype, np.floating):
            raise SubmissionRejectedError(
                f"rejected: expected {OUTPUT_NAME!r} to be a float vector (D,), received "
                f"{output.dtype} of shape {output.shape} for an image of shape {image.shape}."
            )
        if not np.isfinite(output).all():
            raise SubmissionRejectedError(
                f"rejected: {OUTPUT_NAME!r} is not finite for an image of shape {image.shape}."
            )
        return output

    # The signature alone need not keep the model's variables alive.
    describe.model = model
    return describe


def find_images(root: Path, split: str) -> dict[str, Path]:
    """id -> file of every `root/split/**/*.jpg`, sorted by file name; ids have 16 hex digits.

    Raises:
        ValueError: no such folder or no images, a name that is no hexadecimal id, an id twice.
    """
    folder = root / split
    if not folder.is_dir():
        raise ValueError(f"expected a folder {folder} with images, found none.")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.jpg")):
        if not _HEX.fullmatch(path.stem):
            raise ValueError(f"{path}: expected a hexadecimal id as file name, such as 0123ab.jpg.")
        image_id = f"{int(path.stem, 16):016x}"
        if image_id in found:
            raise ValueError(f"{path}: the id {image_id} is also that of {found[image_id]}.")
        found[image_id] = path
    if not found:
        raise ValueError(f"expected *.jpg files under {folder}, found none.")
    return found


def describe_images(
    describe: Callable[[np.ndarray], np.ndarray],
    images: dict[str, Path],
    split: str,
    progress: bool,
) -> tuple[list[str], np.ndarray, list[Path]]:
    """One call an image. Returns ids, their descriptors (N, D), and the files that do not read."""
    from tqdm import tqdm

    ids: list[str] = []
    unreadable: list[Path] = []
    descriptors = np.empty((len(images), 0))
    for image_id, path in tqdm(images.items(), desc=split, unit="image", disable=not progress):
        image = _read_image(path)
        if image is None:
            unreadable.append(path)
            continue
        try:
            descriptor = describe(image)
        except SubmissionRejectedError as error:
            raise SubmissionRejectedError(f"{error} (file {path})") from error
        if not ids:
            descriptors = np.empty((len(images), len(descriptor)), descriptor.dtype)
        if descriptor.shape != descriptors.shape[1:]:
            raise SubmissionRejectedError(
                f"rejected: the descriptor of {path} has {len(descriptor)} components, those "
                f"before it have {descriptors.shape[1]}; expected one size."
            )
        descriptors[len(ids)] = descriptor
        ids.append(image_id)
    return ids, descriptors[: len(ids)], unreadable


def nearest_rows(queries: np.ndarray, index: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest index rows of each query by Euclidean distance in float64; ties by row.

    Returns:
        distances (Q, k) float64 ascending and rows (Q, k) int64; k is at most the index size.
    """
    from scipy.spatial.distance import cdist

    k = min(k, len(index))
    distances = np.full((len(queries), k), np.inf)
    rows = np.full((len(queries), k), len(index), np.int64)
    for start in range(0, len(index), _INDEX_BLOCK):
        block = index[start : start + _INDEX_BLOCK].astype(np.float64)
        for first in range(0, len(queries), _QUERY_BLOCK):
            part = slice(first, first + _QUERY_BLOCK)
            for query, distance in enumerate(cdist(queries[part], block, "euclidean"), first):
                merged = _merge(distances[query], rows[query], distance, start)
                distances[query], rows[query] = merged
    return distances, rows


def _merge(distances, rows, new_distances, start) -> tuple[np.ndarray, np.ndarray]:
    """The best of a running list and a block of distances; equal distances keep the row order."""
    k = len(distances)
    candidates = np.arange(len(new_distances))
    if k < len(new_distances):
        # All rows that tie at the end of the list, not any of them: the row number decides below.
        bound = np.partition(new_distances, k - 1)[k - 1]
        candidates = np.flatnonzero(new_distances <= bound)
    distances = np.concatenate([distances, new_distances[candidates]])
    rows = np.concatenate([rows, start + candidates])
    order = np.lexsort((rows, distances))[:k]
    return distances[order], rows[order]


def _saved_model_folder(model_dir: Path) -> Path:
    if (model_dir / "saved_model.pb").is_file():
        return model_dir
    found = sorted(model_dir.rglob("saved_model.pb"))
    if len(found) == 1:
        return found[0].parent
    raise SubmissionRejectedError(
        f"rejected: expected one saved_model.pb in {model_dir}, found {len(found) or 'none'}."
    )


def _check_signature(signature) -> None:
    outputs = signature.structured_outputs
    names = sorted(outputs) if isinstance(outputs, dict) else []
    if OUTPUT_NAME not in names:
        raise SubmissionRejectedError(
            f"rejected: expected the output {OUTPUT_NAME!r}, {SIGNATURE} gives "
            f"{', '.join(map(repr, names)) or 'none'}."
        )
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise SubmissionRejectedError(
            f"rejected: expected one input, because the model is called with one positional "
            f"argument; {SIGNATURE} has {len(inputs)}: {', '.join(sorted(inputs))}."
        )
    (spec,) = inputs.values()
    if spec.dtype.name != "uint8" or spec.shape.rank not in (None, 3):
        raise SubmissionRejectedError(
            f"rejected: expected an input [H, W, 3] of type uint8, without a batch dimension; "
            f"received {spec.shape} of type {spec.dtype.name}."
        )


def _read_image(path: Path) -> np.ndarray | None:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _first_line(error: Exception) -> str:
    lines: Iterable[str] = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)[:300]
