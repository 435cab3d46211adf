"""The table of re-ranking steps: names, settings with their defaults, and what each reads."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.reranking import (
    class_aware,
    diffusion,
    geometric,
    k_reciprocal,
    query_expansion,
    super_global,
    whitening,
)
from landmarks_tf.retrieval.reranking.neighbours import NeighbourGraph, neighbour_graph
from landmarks_tf.retrieval.reranking.ranking import with_tail


@dataclass(frozen=True)
class RetrievalData:
    """What a pipeline works on.

    Attributes:
        queries: (Q, D) unit rows.
        index: (M, D) unit rows.
        train: (T, D) unit rows of training images, for steps that learn from them; or None.
        train_labels: (T,) whole numbers >= 0; or None.
        count_inliers: (Q, k) rows of the index -> (Q, k) int32, for `geometric`; or None.
        graph: nearest others of `index` where they are known already; or None.
    """

    queries: np.ndarray
    index: np.ndarray
    train: np.ndarray | None = None
    train_labels: np.ndarray | None = None
    count_inliers: Callable | None = None
    graph: NeighbourGraph | None = None

    def working(self, *, progress: bool = False) -> Working:
        return Working(self, progress)


class Working:
    """The state between two steps: descriptors as they are by now, and a ranking or none."""

    def __init__(self, data: RetrievalData, progress: bool):
        self.queries, self.index = data.queries, data.index
        self.train, self.train_labels = data.train, data.train_labels
        self.count_inliers, self._graph = data.count_inliers, data.graph
        self.progress = progress
        self.scores = self.rows = None

    def search(self, depth: int) -> None:
        """Ranks the index by cosine, unless there is a ranking already."""
        if self.rows is None:
            exact = ExactIndex(self.index)
            self.scores, self.rows = exact.search(self.queries, min(depth, len(exact)))

    def change_index(self, index: np.ndarray) -> None:
        self.index, self._graph = index, None

    def graph(self, k: int) -> NeighbourGraph:
        """The k nearest others of each index row; searched once for all steps that ask."""
        if self._graph is None or self._graph.rows.shape[1] < k:
            self._graph = neighbour_graph(self.index, k, progress=self.progress)
        return NeighbourGraph(self._graph.scores[:, :k], self._graph.rows[:, :k])

    def need_train(self) -> None:
        if self.train is None or self.train_labels is None:
            raise ValueError("this step needs training embeddings and their labels")

    def rerank_top(self, top: int, function: Callable) -> None:
        """Replaces the first `top` columns by function(scores, rows); what is below keeps order."""
        if top < 1:
            raise ValueError(f"top must be at least 1, received {top}")
        head = function(self.scores[:, :top], self.rows[:, :top])
        self.scores, self.rows = with_tail(head, (self.scores[:, top:], self.rows[:, top:]))


def _whiten(work, *, method: str = "pca", dim: int = 0, power: float = 0.5, ridge: float = 0.01):
    work.need_train()
    if method == "pca":
        fitted = whitening.fit_pca_whitening(work.train, dim=dim or None, power=power)
    elif method == "learned":
        fitted = whitening.fit_learned_whitening(
            work.train, work.train_labels, dim=dim or None, ridge=ridge
        )
    else:
        raise ValueError(f"method must be pca or learned, received {method!r}")
    work.queries = fitted.apply(work.queries, name="queries")
    work.train = fitted.apply(work.train, name="the training embeddings")
    work.change_index(fitted.apply(work.index, name="the index"))


def _aqe(work, *, n: int = 3, rounds: int = 1):
    _alpha_qe(work, n=n, alpha=0.0, rounds=rounds)


def _alpha_qe(work, *, n: int = 3, alpha: float = 3.0, rounds: int = 1):
    work.queries = query_expansion.expand_queries(
        work.queries, work.index, neighbours=n, alpha=alpha, rounds=rounds
    )


def _dba(work, *, n: int = 3, alpha: float = 3.0, rounds: int = 1):
    work.change_index(
        query_expansion.augment_database(
            work.index,
            neighbours=n,
            alpha=alpha,
            rounds=rounds,
            graph=work.graph(n),
            progress=work.progress,
        )
    )


def _k_reciprocal(work, *, k1: int = 20, k2: int = 6, weight: float = 0.3, top: int = 400):
    def rerank(scores, rows):
        return k_reciprocal.k_reciprocal_rerank(
            work.queries,
            work.index,
            scores,
            rows,
            k1=k1,
            k2=k2,
            weight=weight,
            graph=work.graph(k1),
            progress=work.progress,
        )

    work.rerank_top(top, rerank)


def _super_global(work, *, n: int = 9, beta: float = 0.15, pooling: str = "max", top: int = 400):
    def rerank(scores, rows):
        return super_global.super_global_rerank(
            work.queries, work.index, scores, rows, neighbours=n, beta=beta, pooling=pooling
        )

    work.rerank_top(top, rerank)


def _diffusion(
    work, *, k: int = 20, n: int = 10, alpha: float = 0.99, gamma: float = 3.0, top: int = 400
):
    def rerank(scores, rows):
        return diffusion.diffusion_rerank(
            work.index,
            scores,
            rows,
            neighbours=k,
            query_neighbours=n,
            alpha=alpha,
            gamma=gamma,
            graph=work.graph(k),
            progress=work.progress,
        )

    work.rerank_top(top, rerank)


def _class_aware(work, *, k: int = 3, min_confidence: float = 0.0, insert: bool = True):
    work.need_train()
    train = ExactIndex(work.train)
    queries, index = (
        class_aware.predict_classes(
            vectors, train, work.train_labels, k=k, min_confidence=min_confidence
        ).labels
        for vectors in (work.queries, work.index)
    )
    work.scores, work.rows = class_aware.class_aware_rerank(
        work.queries, work.index, work.scores, work.rows, queries, index, insert=insert
    )


def _geometric(work, *, top: int = 100, weight: float = 1.0, cap: int = 30, least: int = 8):
    if work.count_inliers is None:
        raise ValueError("this step needs pictures: it runs as a study of a run with records")

    def rerank(scores, rows):
        inliers = work.count_inliers(rows)
        return geometric.geometric_rerank(
            scores, rows, inliers, weight=weight, cap=cap, least=least
        )

    work.rerank_top(top, rerank)


@dataclass(frozen=True)
class StepKind:
    """One entry of the table.

    Attributes:
        function: takes the `Working` state and the settings by name.
        changes_descriptors: rather than a ranking.
        reads: "train" and "pictures", where the step needs them.
    """

    function: Callable
    changes_descriptors: bool = False
    reads: tuple[str, ...] = ()

    @cached_property
    def defaults(self) -> dict[str, object]:
        """Settings and their defaults, whose types are the settings' types."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

    @staticmethod
    def depth(settings: dict) -> int:
        """How many columns of the ranking the step reads."""
        return int(settings.get("top", 0))


STEPS: dict[str, StepKind] = {
    "whiten": StepKind(_whiten, changes_descriptors=True, reads=("train",)),
    "aqe": StepKind(_aqe, changes_descriptors=True),
    "alpha_qe": StepKind(_alpha_qe, changes_descriptors=True),
    "dba": StepKind(_dba, changes_descriptors=True),
    "k_reciprocal": StepKind(_k_reciprocal),
    "super_global": StepKind(_super_global),
    "diffusion": StepKind(_diffusion),
    "class_aware": StepKind(_class_aware, reads=("train",)),
    "geometric": StepKind(_geometric, reads=("pictures",)),
}
