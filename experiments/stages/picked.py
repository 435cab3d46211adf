"""Which queries and matches a run's pictures show, read and ready to be drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.stages.context import Context
from experiments.stages.rankings import PARTS, Rankings

_MATCHES = 6
_CANDIDATES = 64


class NotExplainedError(ValueError):
    """Similarity maps do not know this kind of network."""


def gallery(context: Context, rankings: Rankings, count: int) -> list:
    """`GalleryRow`s from the best to the worst query, half of them of each part."""
    from landmarks_tf.plots import pick_queries

    rows = []
    for part in PARTS:
        mine = np.flatnonzero([one == part for one in rankings.parts])
        for at in pick_queries(rankings.precision[mine], count // 2):
            query = int(mine[at])
            rows.append(_row(context, rankings, query, _first(rankings, query, _MATCHES)))
    return rows


def hardest(context: Context, rankings: Rankings, count: int) -> list:
    """`GalleryRow`s of the lowest AP; among equals the deepest first right match comes first."""
    lowest = np.argsort(rankings.precision, kind="stable")[: max(count, _CANDIDATES)].tolist()
    ranks = {query: rankings.first_right(query) for query in lowest}

    def hardness(query: int):
        return rankings.precision[query], -(ranks[query] or (np.inf,))[0], query

    rows = []
    for query in sorted(lowest, key=hardness)[:count]:
        places = _first(rankings, query, _MATCHES)
        if ranks[query] is not None and ranks[query][0] > len(places):
            places[-1] = ranks[query]
        rows.append(_row(context, rankings, query, places))
    return rows


def confused(context: Context, rankings: Rankings, pairs: Sequence[tuple]) -> list:
    """A `GalleryRow` for each (asked, found, share): a query and the other landmark's pictures.

    Of the queries it is the one that the other landmark's pictures come first for.
    """
    rows = []
    for asked, other, share in pairs:
        mine = np.flatnonzero(rankings.asked == asked)
        of_other = (rankings.landmark[rankings.found[mine]] == other) & (rankings.found[mine] >= 0)
        depth = of_other.shape[1]
        first = np.where(of_other.any(axis=1), of_other.argmax(axis=1), depth)
        taken = of_other[:, :10].sum(axis=1)
        query = int(mine[np.lexsort((first, -taken))[0]])
        columns = np.flatnonzero(of_other[np.flatnonzero(mine == query)[0]])[:_MATCHES]
        places = [(int(at) + 1, int(rankings.found[query, at])) for at in columns]
        note = f"{share:.0%} of its places"
        rows.append(_row(context, rankings, query, places, note, ranked=True))
    return rows


def explained(context: Context, rankings: Rankings, count: int) -> list:
    """`MatchedPair`s: first matches that are right, of middling cosine, and wrong, of the highest.

    Raises:
        NotExplainedError: the embedder is of another kind than similarity maps know.
    """
    first = rankings.found[:, 0]
    asked = np.flatnonzero(first >= 0)
    cosine = np.array([rankings.cosine(query, first[query]) for query in asked])
    is_right = rankings.right[asked, 0]
    right = asked[is_right][np.argsort(-cosine[is_right], kind="stable")]
    wrong = asked[~is_right][np.argsort(-cosine[~is_right], kind="stable")]
    # Near duplicates match everywhere: from the middle down there is something to see.
    middle = right[len(right) // 3 :: max(1, len(right) // (2 * count))][:count]
    chosen = [(int(query), int(first[query])) for query in [*middle, *wrong[:count]]]
    return _pairs(context, rankings, chosen)


def _pairs(context: Context, rankings: Rankings, chosen: Sequence[tuple[int, int]]) -> list:
    import keras

    import landmarks_tf.layers  # noqa: F401  (registers the classes that the embedder holds)
    from landmarks_tf.models.similarity_maps import SimilarityMaps
    from landmarks_tf.plots.similarity_map import MatchedPair

    embedder = keras.saving.load_model(context.workdir.embedder, compile=False)
    queries = _seen(context, "test", [rankings.query_rows[query] for query, _ in chosen])
    matches = _seen(context, "index", [row for _, row in chosen])
    try:
        maps = SimilarityMaps(embedder)
        asked, found = maps.describe(np.stack(queries)), maps.describe(np.stack(matches))
        maps.check(asked)
        maps.check(found)
    except ValueError as error:
        raise NotExplainedError(str(error)) from None
    pairs = []
    for at, (query, row) in enumerate(chosen):
        query_map, rest = maps.contributions(asked.features[at], found.descriptors[at])
        match_map, _ = maps.contributions(found.features[at], asked.descriptors[at])
        pairs.append(
            MatchedPair(
                query=queries[at],
                match=matches[at],
                query_map=query_map,
                match_map=match_map,
                cosine=float(query_map.sum() + rest),
                right=bool(np.isin(row, rankings.truth[query])),
                query_name=rankings.name(rankings.asked[query]) or rankings.queries[query],
                match_name=rankings.name(rankings.landmark[row]),
                centres=maps.centres,
            )
        )
    return pairs


def _seen(context: Context, split: str, rows: Sequence[int]) -> list[np.ndarray]:
    """Pictures as the network sees them: (S, S, 3) uint8."""
    from landmarks_tf.data.image_ops import prepare
    from landmarks_tf.data.pictures import read_pictures

    data = context.after_training().experiment.data
    return [
        prepare(picture, mode=data.resize, image_size=data.image_size).numpy()
        for picture in read_pictures(context.index_of(split), rows)
    ]


def _first(rankings: Rankings, query: int, count: int) -> list[tuple[int, int]]:
    """(rank, row) of the first matches."""
    rows = rankings.found[query, :count].tolist()
    return [(rank, row) for rank, row in enumerate(rows, start=1) if row >= 0]


def _row(
    context: Context,
    rankings: Rankings,
    query: int,
    places: Sequence[tuple[int, int]],
    note: str = "",
    *,
    ranked: bool = False,
):
    """A `GalleryRow` of a query and (rank, index row) matches.

    Ranks are said where they do not follow from the place, or always if `ranked`.
    """
    from landmarks_tf.data.pictures import read_pictures
    from landmarks_tf.plots import GalleryRow, Match, thumbnail

    tests, index = context.index_of("test"), context.index_of("index")
    pictures = read_pictures(index, [row for _, row in places])
    matches = []
    for at, ((rank, row), picture) in enumerate(zip(places, pictures, strict=True), start=1):
        matches.append(
            Match(
                image_id=index.id[row].decode("ascii"),
                score=rankings.cosine(query, row),
                right=bool(np.isin(row, rankings.truth[query])),
                image=thumbnail(picture, size_px=256),
                landmark=rankings.name(rankings.landmark[row]),
                rank=rank if ranked or rank != at else None,
            )
        )
    picture = next(read_pictures(tests, [rankings.query_rows[query]]))
    return GalleryRow(
        query_id=rankings.queries[query],
        image=thumbnail(picture, size_px=256),
        matches=tuple(matches),
        landmark=rankings.name(rankings.asked[query]),
        note=note or f"{rankings.parts[query]}, AP {rankings.precision[query]:.2f}",
    )
