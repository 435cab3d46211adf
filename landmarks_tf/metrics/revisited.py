"""Revisited Oxford and Paris: easy, medium and hard, junk left out, queries cropped.

Unlike GLDv2's, the average precision is the trapezoidal one over the full ranking, and pictures
that are neither right nor wrong (junk, and what another protocol counts) are taken out of the
ranking before anything is counted.

Source: Radenovic et al., Revisiting Oxford and Paris, CVPR 2018 (arXiv 1803.11285), section 3, and
its evaluation code; mR@k and the layout of metrics.txt are those of DELF (tensorflow/models).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

REPORTED_RANKS = (1, 5, 10)
# Protocol -> (what counts as right, what is left out).
PROTOCOLS = {
    "easy": (("easy",), ("junk", "hard")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("junk", "easy")),
}


@dataclass(frozen=True)
class RevisitedTruth:
    """Ground truth of one of the two data sets; N index pictures, Q queries.

    Attributes:
        index_names: N picture names without ending; a ranking names their places, from 0.
        query_names: Q picture names, none of them in the index.
        boxes: (Q, 4) float64, x1, y1, x2, y2 in pixels of the whole query picture.
        easy, hard, junk: Q integer arrays each, places in `index_names`; disjoint for a query.

    Raises:
        ValueError: counts that do not match, names twice, places outside 0..N-1, a place in two
            groups of one query, a box without area.
    """

    index_names: tuple[str, ...]
    query_names: tuple[str, ...]
    boxes: np.ndarray
    easy: tuple[np.ndarray, ...]
    hard: tuple[np.ndarray, ...]
    junk: tuple[np.ndarray, ...]

    def __post_init__(self):
        queries = len(self.query_names)
        counts = [len(part) for part in (self.boxes, self.easy, self.hard, self.junk)]
        if not queries or counts != [queries] * 4 or self.boxes.shape != (queries, 4):
            raise ValueError(
                f"expected a box, easy, hard and junk for each of {queries} queries, received "
                f"{counts[0]}, {counts[1]}, {counts[2]} and {counts[3]}."
            )
        for what, names in (("index", self.index_names), ("query", self.query_names)):
            if len(set(names)) != len(names):
                raise ValueError(f"expected each {what} name once, received one twice.")
        x1, y1, x2, y2 = self.boxes.T
        if not (np.isfinite(self.boxes).all() and (x1 < x2).all() and (y1 < y2).all()):
            raise ValueError("expected boxes x1, y1, x2, y2 with x1 < x2 and y1 < y2.")
        for name, *groups in zip(self.query_names, self.easy, self.hard, self.junk, strict=True):
            places = np.concatenate(groups)
            if places.size and not 0 <= places.min() <= places.max() < len(self.index_names):
                raise ValueError(
                    f"query {name}: expected places in 0..{len(self.index_names) - 1}, received "
                    f"{places.min()}..{places.max()}."
                )
            if len(np.unique(places)) != len(places):
                raise ValueError(
                    f"query {name}: a picture is named twice; expected easy, hard and junk to "
                    "have none in common."
                )

    def crop_boxes(self, sizes: np.ndarray | None = None) -> np.ndarray:
        """(Q, 4) int64, left, top, right, bottom: whole pixels, halves to the even one.

        Args:
            sizes: (Q, 2) width and height of the query pictures, which the boxes are cut to.

        Raises:
            ValueError: a box without a whole pixel, or one that reaches more than two pixels out of
                its picture.
        """
        whole = np.rint(self.boxes).astype(np.int64)
        boxes = whole
        if sizes is not None:
            limits = np.tile(np.asarray(sizes, np.int64).reshape(-1, 2), 2)
            boxes = np.clip(whole, 0, limits)
        wrong = (boxes[:, 0] >= boxes[:, 2]) | (boxes[:, 1] >= boxes[:, 3])
        # Cutting more than a rounding off would describe another part of a resized picture.
        wrong |= np.abs(whole - boxes).max(axis=1) > 2
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"query {self.query_names[row]}: the box {self.boxes[row].tolist()} does not lie "
                "within the picture; is it a resized copy? Boxes are in pixels of the original."
            )
        return boxes


class ProtocolScores(NamedTuple):
    """One protocol, query by query; NaN for queries that have nothing to find in it.

    Args:
        average_precisions: (Q,) trapezoidal AP, 0..1.
        precisions: (Q, R) at each of R ranks k, with k cut to the rank of the last right picture.
        recalls: (Q, R) part of the right pictures that is found up to rank k.
    """

    average_precisions: np.ndarray
    precisions: np.ndarray
    recalls: np.ndarray


def crop_query(picture: np.ndarray, box: Sequence[int]) -> np.ndarray:
    """The part of a picture (H, W, 3) inside of a row of `RevisitedTruth.crop_boxes`.

    Raises:
        ValueError: a box that does not lie within the picture.
    """
    left, top, right, bottom = map(int, box)
    height, width = picture.shape[:2]
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError(
            f"expected a box within a picture of {width} x {height} pixels, received "
            f"{[left, top, right, bottom]}; give crop_boxes the sizes of the pictures."
        )
    return picture[top:bottom, left:right]


def protocol_scores(
    rankings: np.ndarray,
    truth: RevisitedTruth,
    protocol: str,
    ranks: Sequence[int] = REPORTED_RANKS,
) -> ProtocolScores:
    """AP, P@k and R@k of each query.

    By hand: right pictures at places 1 and 3, junk at place 2. Without the junk they stand at 1
    and 2: AP = ((1 + 1) / 2 + (1 + 1) / 2) / 2 = 1. With a wrong picture at place 2 instead:
    ((1 + 1) / 2 + (1/2 + 2/3) / 2) / 2 = 0.79; P@5 is P@3 = 2/3 there, R@1 is 1/2.

    Args:
        rankings: (Q, M) integers, M >= N: every index picture exactly once, best first. What is
            N or above is a distractor (the +1M pictures), which is right for no query.
        protocol: a key of `PROTOCOLS`.
        ranks: the k of P@k and R@k.

    Raises:
        ValueError: another shape or type, a ranking that lacks a picture or has one twice, an
            unknown protocol, a k below one.
    """
    rankings = _checked_rankings(rankings, truth)
    if protocol not in PROTOCOLS:
        raise ValueError(f"expected one of {', '.join(PROTOCOLS)}, received {protocol!r}.")
    if not len(ranks) or min(ranks) < 1:
        raise ValueError(f"expected ranks from 1 up, received {list(ranks)}.")
    right, left_out = PROTOCOLS[protocol]
    wanted = np.asarray(ranks)
    aps = np.full(len(rankings), np.nan)
    precisions, recalls = (np.full((len(rankings), len(wanted)), np.nan) for _ in range(2))
    places = np.empty(rankings.shape[1], np.int64)
    for query, ranking in enumerate(rankings):
        ok = np.concatenate([getattr(truth, group)[query] for group in right])
        if not ok.size:
            continue
        places[ranking] = np.arange(len(places))
        junk = np.sort(places[np.concatenate([getattr(truth, g)[query] for g in left_out])])
        found = np.sort(places[ok])
        found -= np.searchsorted(junk, found)
        aps[query] = _trapezoidal_ap(found)
        counted = np.minimum(wanted, found[-1] + 1)
        precisions[query] = np.searchsorted(found, counted) / counted
        recalls[query] = np.searchsorted(found, wanted) / len(found)
    return ProtocolScores(aps, precisions, recalls)


def revisited_summary(
    rankings: np.ndarray,
    truth: RevisitedTruth,
    *,
    queries_cropped: bool,
    ranks: Sequence[int] = REPORTED_RANKS,
) -> dict[str, dict[str, float | int | None]]:
    """The reported numbers of each protocol: {"easy": {"map", "mp@1", ..., "mr@1", ...}, ...}.

    Means over the queries that have something to find, whose number is `queries`; null where there
    is none.

    Args:
        queries_cropped: whether the queries were described from their boxes alone, as the protocol
            has it. There is no default: numbers of whole queries are higher and compare with none.

    Raises:
        ValueError: queries that were not cropped; else as `protocol_scores`.
    """
    if queries_cropped is not True:
        raise ValueError(
            "the protocol wants each query cropped to its box before it is described, and these "
            "were not; crop them (RevisitedTruth.crop_boxes, crop_query) and rank again. Whole "
            "queries give higher numbers that compare with nobody's."
        )
    summary = {}
    for protocol in PROTOCOLS:
        scores = protocol_scores(rankings, truth, protocol, ranks)
        asked = ~np.isnan(scores.average_precisions)
        names = ["map", *(f"mp@{k}" for k in ranks), *(f"mr@{k}" for k in ranks)]
        columns = np.column_stack(scores)[asked]
        means = map(float, columns.mean(axis=0)) if asked.any() else [None] * len(names)
        summary[protocol] = dict(zip(names, means, strict=True)) | {"queries": int(asked.sum())}
    return summary


def delf_metrics_text(summary: Mapping[str, Mapping[str, float | int | None]]) -> str:
    """A `revisited_summary` as DELF's metrics.txt has it: percent, two decimals."""
    lines = []
    for protocol in sorted(summary):
        row = {k: np.nan if v is None else v for k, v in summary[protocol].items()}
        ranks = np.array([int(name[3:]) for name in row if name.startswith("mp@")])
        with np.printoptions(linewidth=1 << 20, threshold=1 << 20):
            means = {
                f"m{kind}@k": np.around([100 * row[f"m{kind.lower()}@{k}"] for k in ranks], 2)
                for kind in "PR"
            }
            lines += [protocol, f"  mAP={np.around(100 * row['map'], 2)}"]
            lines += [f"  {name}{ranks} {values}" for name, values in means.items()]
    return "\n".join(lines) + "\n"


def _trapezoidal_ap(found: np.ndarray) -> float:
    """AP from the places (from 0, rising) of the right pictures, junk taken out."""
    before = np.arange(len(found))
    left = np.where(found > 0, before / np.maximum(found, 1), 1.0)
    return float(((left + (before + 1) / (found + 1)) / 2).mean())


def _checked_rankings(rankings: np.ndarray, truth: RevisitedTruth) -> np.ndarray:
    rankings = np.asarray(rankings)
    queries, index = len(truth.query_names), len(truth.index_names)
    if rankings.ndim != 2 or not np.issubdtype(rankings.dtype, np.integer):
        raise ValueError(
            "expected rankings (Q, N) of integers, received an array of shape "
            f"{rankings.shape} and type {rankings.dtype}."
        )
    if len(rankings) != queries or rankings.shape[1] < index:
        raise ValueError(
            f"expected a ranking of all {index} index pictures for each of {queries} queries, "
            f"received the shape {rankings.shape}. The average precision is over the full ranking."
        )
    for query, ranking in enumerate(np.sort(rankings, axis=1)):
        if not np.array_equal(ranking, np.arange(len(ranking))):
            raise ValueError(
                f"query {truth.query_names[query]}: expected each of 0..{len(ranking) - 1} once, "
                f"received {len(np.unique(ranking))} different numbers in "
                f"{ranking[0]}..{ranking[-1]}. Numbers count from 0."
            )
    return rankings
