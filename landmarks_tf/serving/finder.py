"""A picture in, landmarks out: the exported model and the saved index, put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmarks_tf.export import load_descriptor
from landmarks_tf.retrieval import ExactIndex, ScannIndex, open_index

_VOTERS = 5


@dataclass(frozen=True)
class Found:
    """One match.

    Attributes:
        image_id: id of the index image, or its row number if the index has no ids.
        score: cosine with the query, -1..1.
        landmark: name of what it shows, or None if that is not known.
    """

    image_id: str
    score: float
    landmark: str | None


@dataclass(frozen=True)
class Answer:
    """Matches, best first, and how long each half took."""

    matches: tuple[Found, ...]
    describe_ms: float
    search_ms: float


class Finder:
    """Searches an index for pictures.

    Args:
        describe: (H, W, 3) uint8 -> (D,) descriptor.
        index: what is searched; rows are of the same model.
        labels: image id -> name of its landmark, or None.

    Raises:
        ValueError: if the model's descriptors do not fit the index.
    """

    def __init__(
        self,
        describe: Callable[[np.ndarray], np.ndarray],
        index: ScannIndex | ExactIndex,
        labels: Mapping[str, str] | None = None,
    ):
        self.describe = describe
        self.index = index
        self.labels = labels
        # One call before the first user's: it finds a wrong pair of folders, and it is the slow
        # one. Grey noise, since a plain picture may have no direction at all.
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
        dim = len(self._descriptor(noise))
        if dim != index.dim:
            raise ValueError(
                f"the model makes descriptors of {dim} numbers, the index holds rows of "
                f"{index.dim}: they are not of the same run"
            )

    @classmethod
    def open(cls, saved_model: Path, index: Path, labels=None) -> Finder:
        """Loads an exported SavedModel and a saved index; raises what they raise."""
        return cls(load_descriptor(saved_model), open_index(index), labels)

    def find(self, image: np.ndarray, k: int) -> Answer:
        """The k index images most like a picture (all of them where there are fewer).

        Args:
            image: (H, W, 3) uint8 RGB, upright.
            k: at least 1.

        Raises:
            ValueError: if the model has no answer to this picture.
        """
        started = time.perf_counter()
        query = self._descriptor(image)
        described = time.perf_counter()
        scores, rows = self.index.search(query[None], min(k, len(self.index)))
        searched = time.perf_counter()
        matches = tuple(
            self._found(int(row), float(score))
            for row, score in zip(rows[0], scores[0], strict=True)
        )
        return Answer(matches, 1000 * (described - started), 1000 * (searched - described))

    def recognize(self, image: np.ndarray) -> tuple[str | None, float]:
        """The landmark that the nearest five index images vote for, and its share in percent.

        Each labelled neighbour votes with its cosine, if that is positive. The share is of all five
        votes, so that unlabelled neighbours lower it; it is no probability.

        Returns:
            (name, 0..100), or (None, 0.0) if no neighbour has a landmark or a positive cosine.
        """
        votes: dict[str, float] = {}
        total = 0.0
        for match in self.find(image, _VOTERS).matches:
            vote = max(match.score, 0.0)
            total += vote
            if match.landmark is not None and vote:
                votes[match.landmark] = votes.get(match.landmark, 0.0) + vote
        if not votes:
            return None, 0.0
        winner = max(votes, key=votes.__getitem__)  # the first of equals is the nearest
        return winner, 100.0 * votes[winner] / total

    def _descriptor(self, image: np.ndarray) -> np.ndarray:
        descriptor = self.describe(image).astype(np.float32)
        length = float(np.linalg.norm(descriptor))
        if not np.isfinite(length) or length == 0:
            raise ValueError("its descriptor is zero, which has no direction")
        # A contract model may leave descriptors of another length; direction is what is compared.
        return descriptor / length

    def _found(self, row: int, score: float) -> Found:
        ids = self.index.ids
        image_id = str(row) if ids is None else str(ids[row])
        return Found(image_id, score, (self.labels or {}).get(image_id))
