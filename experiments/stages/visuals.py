"""Pictures of what a trained network finds and mixes up: `--stage visuals`.

Everything goes into the run's folder `visuals`, with visuals.json, which says what each file shows
and why one that is not there was left out. The same run makes the same pictures.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments.stages import picked
from experiments.stages.context import Context
from experiments.stages.rankings import Rankings, read_rankings
from experiments.workdir import write_json

FORMAT_VERSION = 1
_SEED = 0
_GALLERY_QUERIES = 8
_HARDEST = 8
_CONFUSED_PAIRS = 6
_EXPLAINED = 3
_DPI = 150
_UMAP_DPI = 300  # as S1


class CannotShowError(ValueError):
    """This run has nothing that the picture could show, and why."""


def run(context: Context) -> list[Path]:
    """Write every picture that the run has something for; visuals.json last.

    Raises:
        ValueError, OSError: the run's own files are not whole.
    """
    from tqdm import tqdm

    folder = context.workdir.root / "visuals"
    folder.mkdir(parents=True, exist_ok=True)
    rankings = read_rankings(context)
    shown, left_out = [], {}
    for name, draw in tqdm(_PARTS.items(), desc="draw", unit=" pictures"):
        try:
            files, caption = draw(context, rankings, folder)
        except CannotShowError as error:
            left_out[name] = str(error)
            continue
        paths = [path.relative_to(folder).as_posix() for path in files]
        shown.append({"title": name, "files": paths, "caption": caption})
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    made = [folder / file for entry in shown for file in entry["files"]]
    value = {"format_version": FORMAT_VERSION, "shown": shown, "left_out": left_out}
    write_json(folder / "visuals.json", value)
    return [folder / "visuals.json", *made]


def _umap(context: Context, rankings: Rankings, folder: Path):
    from landmarks_tf.plots import umap_figure
    from landmarks_tf.plots.umap_plot import PUBLISHED_SIZES, choose_images, published_sizes

    sizes = published_sizes(rankings.landmark)
    if len(choose_images(rankings.landmark, sizes=sizes)) < 16:
        raise CannotShowError("there are too few index pictures whose landmark is known")
    figure = umap_figure(rankings.index, rankings.landmark, rankings.names, seed=_SEED, sizes=sizes)
    choice = (
        "the ten largest landmarks of 350 to 900 index pictures, 51 of each, as S1"
        if sizes == PUBLISHED_SIZES
        else "the ten largest landmarks of the index (too few have S1's 350 to 900 pictures), at "
        "most 51 pictures of each"
    )
    path = _save(folder / "umap.png", figure, _UMAP_DPI)
    return [path], f"UMAP of the index under cosine distance: {choice}. Axes have no meaning."


def _projector(context: Context, rankings: Rankings, folder: Path):
    from landmarks_tf.data.pictures import read_pictures
    from landmarks_tf.plots.projector import NUM_LANDMARKS, write_projector
    from landmarks_tf.plots.umap_plot import choose_images, published_sizes

    sizes = published_sizes(rankings.landmark, NUM_LANDMARKS)
    rows = choose_images(rankings.landmark, num_landmarks=NUM_LANDMARKS, sizes=sizes)
    if not len(rows):
        raise CannotShowError("no landmark of an index picture is known")
    index = context.index_of("index")
    landmarks = rankings.landmark[rows].tolist()
    columns = {
        "landmark_id": landmarks,
        "id": [index.id[row].decode("ascii") for row in rows],
        "landmark": [rankings.name(landmark) for landmark in landmarks],
    }
    vectors = np.asarray(rankings.index[rows])
    files = write_projector(folder / "projector", vectors, columns, read_pictures(index, rows))
    return [files[-1]], (
        f"{len(rows):,} index pictures of {len(set(landmarks))} landmarks for the Embedding "
        f"Projector: tensorboard --logdir on this folder, tab Projector."
    )


def _gallery(context: Context, rankings: Rankings, folder: Path):
    from landmarks_tf.plots import gallery_figure

    rows = picked.gallery(context, rankings, _GALLERY_QUERIES)
    path = _save(folder / "gallery.png", gallery_figure(rows))
    return [path], "Queries from the best average precision to the worst, with their first matches."


def _hardest(context: Context, rankings: Rankings, folder: Path):
    from landmarks_tf.plots import gallery_figure

    rows = picked.hardest(context, rankings, _HARDEST)
    path = _save(folder / "hardest.png", gallery_figure(rows))
    return [path], (
        "The queries with the lowest average precision; where their first matches are all wrong, "
        "the last picture is the first right one, with its rank."
    )


def counted(rankings: Rankings):
    """`Confusions` of the queries whose landmark is known.

    Raises:
        CannotShowError: there are none, or none is mixed up.
    """
    from landmarks_tf.plots.confusion import count_confusions

    known = np.flatnonzero(rankings.asked >= 0)
    if not len(known):
        raise CannotShowError("no landmark of a query is known (index_image_to_landmark.csv)")
    found = rankings.found[known]
    landmarks = np.where(found >= 0, rankings.landmark[found], -1)
    relevant = [len(rankings.truth[query]) for query in known]
    confusions = count_confusions(rankings.asked[known], landmarks, relevant)
    if not confusions.pairs():
        raise CannotShowError("no landmark is mixed up with another")
    return confusions


def _confusion(context: Context, rankings: Rankings, folder: Path):
    from landmarks_tf.plots import gallery_figure
    from landmarks_tf.plots.confusion import confusion_figure

    confusions = counted(rankings)
    queries = dict(zip(confusions.landmarks.tolist(), confusions.queries.tolist(), strict=True))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["asked", "asked_name", "queries", "found", "found_name", "share"])
    for asked, found, share in confusions.pairs():
        names = rankings.name(asked), rankings.name(found)
        table.writerow([asked, names[0], queries[asked], found, names[1], f"{share:.6f}"])
    _write(folder / "confusion.csv", text.getvalue().encode())
    matrix = _save(folder / "confusion.png", confusion_figure(confusions, rankings.names))
    rows = picked.confused(context, rankings, confusions.pairs()[:_CONFUSED_PAIRS])
    pairs = _save(folder / "confusion_pairs.png", gallery_figure(rows))
    return [matrix, pairs, folder / "confusion.csv"], (
        "Of the first places that a landmark's own pictures could fill (at most ten): what share "
        "each landmark's pictures take, a row for each landmark asked for."
    )


def _similarity(context: Context, rankings: Rankings, folder: Path):
    from landmarks_tf.plots.similarity_map import similarity_figure

    try:
        pairs = picked.explained(context, rankings, _EXPLAINED)
    except picked.NotExplainedError as error:
        raise CannotShowError(str(error)) from None
    path = _save(folder / "similarity_maps.png", similarity_figure(pairs))
    return [path], (
        "What in a query matched a picture, and what in that picture matched the query: what each "
        "position of the last feature map adds to their cosine. Pictures as the network sees them, "
        "at one size."
    )


def _class_sizes(context: Context, rankings: Rankings, folder: Path):
    from landmarks_tf.plots import class_distribution

    figure = class_distribution(np.asarray(context.index_of("train").label))
    path = _save(folder / "class_sizes.png", figure)
    return [path], "Training pictures of each class, from the largest to the smallest."


def _schedules(context: Context, rankings: Rankings, folder: Path):
    from experiments.stages.schedule_curves import stage_schedules
    from landmarks_tf.plots.schedules import schedule_figure

    try:
        stages = stage_schedules(context)
    except ValueError as error:  # devices that this machine has not, say
        raise CannotShowError(str(error)) from None
    path = _save(folder / "schedules.png", schedule_figure(stages))
    return [path], "Learning rate, margin and resolution over the training, from the recipe."


_PARTS: dict[str, Callable] = {
    "UMAP of the index": _umap,
    "embedding projector": _projector,
    "queries and matches": _gallery,
    "hardest queries": _hardest,
    "confused landmarks": _confusion,
    "similarity maps": _similarity,
    "class sizes": _class_sizes,
    "schedules": _schedules,
}


def _save(path: Path, figure, dpi: int = _DPI) -> Path:
    from landmarks_tf.plots import figure_png

    return _write(path, figure_png(figure, dpi=dpi))


def _write(path: Path, content: bytes) -> Path:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)
    return path
