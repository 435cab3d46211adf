"""What re-ranking gains on this run: every method, settings chosen on public, private reported."""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from pathlib import Path

import numpy as np

from experiments.stages.context import Context
from experiments.workdir import write_json

PARTS = ("public", "private")
_COLUMNS = ("state", "method", "pipeline", "public", "private", "private_gain", "p_value")


def run(context: Context) -> list[Path]:
    """Write rerank/rerank.json, .csv and .md for the trained and the untrained network.

    Raises:
        ValueError, OSError: embeddings or records of another model or data set, a solution
            without public and private queries, files that cannot be read.
    """
    from experiments.reranking_study import markdown

    context = context.after_training()
    folder = context.workdir.root / "rerank"
    states = ["trained"]
    if context.experiment.evaluation.untrained_baseline:
        states.append("untrained")
    result = {
        "experiment": context.experiment.name,
        "size": context.size,
        "data": "demo" if context.source.kind == "demo" else str(context.source.folder),
        "seeds": {"train": context.experiment.train.seed},
    }
    for state in states:
        result[state] = _measured(context, folder, trained=state == "trained")
    tables = [markdown(result[s], f"{context.experiment.name}, {s}") for s in states]
    contents = {
        "rerank.csv": _csv(result, states),
        "rerank.md": "\n\n".join(tables) + "\n",
    }
    for name, text in contents.items():
        partial = folder / f".{name}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
    # Last: who finds it finds the others.
    write_json(folder / "rerank.json", result)
    print(contents["rerank.md"], end="")
    return [folder / "rerank.json", *(folder / name for name in contents)]


def _measured(context: Context, folder: Path, *, trained: bool) -> dict:
    from tqdm import tqdm

    from experiments.reranking_study import FORMAT_VERSION, METHODS, study
    from experiments.score_book import ScoreBook
    from landmarks_tf import metrics
    from landmarks_tf.retrieval.reranking import RetrievalData, neighbour_graph

    solution = metrics.read_retrieval_solution(context.metadata / "retrieval_solution_v2.1.csv")
    _check_parts(solution, context.metadata)
    tests, index, train = (
        _embeddings(context, split, trained=trained) for split in ("test", "index", "train")
    )
    scored = np.flatnonzero(np.isin(tests.ids, [*solution.public, *solution.private]))
    if not scored.size:
        raise ValueError(
            "no query of the solution has an embedding: is the solution of another data set?"
        )
    data = RetrievalData(
        queries=np.asarray(tests.vectors[scored]),
        index=index.vectors,
        train=train.vectors,
        train_labels=np.asarray(context.index_of("train").label),
        count_inliers=_inlier_counter(context, scored, folder),
        graph=neighbour_graph(index.vectors, min(50, len(index.ids) - 1), progress=True),
    )
    # The bare search, each on its own, and one more try for each method that is joined.
    depends_on = [tests.fingerprint, index.fingerprint, train.fingerprint]
    depends_on += [_digest(context.metadata / "retrieval_solution_v2.1.csv"), str(FORMAT_VERSION)]
    state = "trained" if trained else "untrained"
    book = ScoreBook(folder / f"{state}.scores.jsonl", "/".join(depends_on))
    total = 1 + sum(map(len, METHODS.values())) + len(METHODS)
    with tqdm(total=total, desc="pipelines") as bar:

        def told(text: str) -> None:
            bar.set_postfix_str(text[:60], refresh=False)
            bar.update()

        return study(
            data,
            tests.ids[scored],
            index.ids,
            solution,
            methods=METHODS,
            told=told,
            book=book,
        )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_parts(solution, metadata: Path) -> None:
    empty = [part for part in PARTS if not getattr(solution, part)]
    if empty:
        raise ValueError(
            f"the retrieval solution in {metadata} has no {' and no '.join(empty)} queries: "
            "settings are chosen on public queries and judged on private ones"
        )


def _embeddings(context: Context, split: str, *, trained: bool):
    """From disk; the network is loaded only where a split was never embedded."""
    from landmarks_tf.retrieval.embed import load_embeddings

    fingerprint = context.fingerprint_of(split, trained=trained)
    try:
        return load_embeddings(
            context.embeddings_path(split, trained=trained), fingerprint=fingerprint
        )
    except (FileNotFoundError, ValueError):
        from experiments.stages.evaluate import embed

        return embed(context, _embedder(context, trained=trained), split, trained=trained)


def _embedder(context: Context, *, trained: bool):
    import keras

    import landmarks_tf.layers
    import landmarks_tf.losses
    import landmarks_tf.training.gather  # noqa: F401  (registers the classes that the models hold)
    from experiments.stages.networks import build_network

    if trained:
        return keras.saving.load_model(context.workdir.embedder, compile=False)
    return build_network(context.experiment, context.num_classes).embedder


def _inlier_counter(context: Context, query_rows: np.ndarray, folder: Path):
    """Counts inliers of (query, index row) pairs; None, with a line, where OpenCV is missing."""
    from landmarks_tf.retrieval.reranking.local_features import import_opencv

    try:
        import_opencv()
    except ImportError as error:
        print(f"note: {error}. Geometric verification is left out.", file=sys.stderr)
        return None
    from experiments.stages.local_features import PictureFeatures
    from landmarks_tf.records import Manifest
    from landmarks_tf.retrieval.reranking import InlierCounts

    queries, index = (PictureFeatures(context, split, folder) for split in ("test", "index"))
    digests = [Manifest.load(context.records, split).index_sha256 for split in ("test", "index")]
    counts = InlierCounts(
        lambda query: queries.of_row(int(query_rows[query])),
        index.of_row,
        path=folder / "inliers.npz",
        fingerprint="/".join([*digests, queries.settings_text, f"{len(query_rows)} queries"]),
        progress=True,
    )

    def count(rows: np.ndarray) -> np.ndarray:
        queries.prepare(query_rows)
        index.prepare(np.unique(rows))
        return counts(rows)

    return count


def _csv(result: dict, states: list[str]) -> str:
    target = io.StringIO()
    table = csv.DictWriter(target, _COLUMNS, lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    for state in states:
        bare = {"state": state, "method": "exact search alone", **result[state]["bare"]}
        table.writerows([bare, *({"state": state, **row} for row in result[state]["methods"])])
    return target.getvalue()
