"""How many images and classes each published edition of GLDv2 has, and which one a folder is.

The counts of GLDv2 are those of its own pages (images, classes) and of arXiv 2003.11211 (clean);
those of Kaggle's editions are what their data pages and kernels show. A figure that only papers
tell, or that follows from others, is compared and told but never demanded.
"""

from __future__ import annotations

import dataclasses

from tfrecords_tools.download.published import IMAGES

# Kernels of the code competitions know from this count that they see the public data: in the
# re-run on hidden images, train.csv has another number of rows.
PUBLIC_STAGE_ROWS = 1_580_470


@dataclasses.dataclass(frozen=True)
class Figure:
    """A published count; `demanded` tells whether another one is a fault of the folder."""

    value: int
    source: str
    demanded: bool = True


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A count of the folder beside the published one; `found` is None where it is not there."""

    name: str
    published: int
    found: int | None
    demanded: bool
    source: str

    @property
    def agrees(self) -> bool:
        return self.found == self.published


_GLDV2 = "cvdfoundation/google-landmark, README"
_CLEAN = "arXiv 2003.11211"
_PAPER = "2nd place of Landmark Retrieval 2021, Table 1"
_KAGGLE_TRAIN = {
    "train images": Figure(PUBLIC_STAGE_ROWS, "data pages of the competition"),
    "train classes": Figure(81_313, "data pages of the competition"),
}

EDITIONS: dict[str, dict[str, Figure]] = {
    "gldv2": {
        "train images": Figure(IMAGES["train"], _GLDV2),
        "train classes": Figure(203_094, _GLDV2),
        "largest train landmark_id": Figure(203_093, "as DELF takes landmark ids for labels"),
        "clean images": Figure(1_580_470, _CLEAN),
        "clean classes": Figure(81_313, _CLEAN),
        "index images": Figure(IMAGES["index"], _GLDV2),
        "test images": Figure(IMAGES["test"], _GLDV2),
        "scored retrieval queries": Figure(1_129, "data set card of UnED, 2021 kernels"),
        # All train images whose class is in clean, and all of train with the index images of
        # classes that train has too: as a team counted them.
        "c2x images": Figure(3_223_078, _PAPER, demanded=False),
        "train and shared index images": Figure(4_825_830, _PAPER, demanded=False),
    },
    "kaggle-retrieval-2020": dict(_KAGGLE_TRAIN),
    "kaggle-recognition": {
        **_KAGGLE_TRAIN,
        # 1,590,817 files, less the train images and two CSVs; the edition of 2021 has its own.
        "test images": Figure(10_345, "file count of the 2020 edition", demanded=False),
    },
    "kaggle-retrieval-2021": {
        **_KAGGLE_TRAIN,
        "index images": Figure(76_176, "data pages of the competition"),
        "test images": Figure(1_129, "data pages of the competition"),
    },
}


def edition_of(*, is_kaggles: bool, has_index: bool, submission_columns: list[str] | None) -> str:
    """Which edition a folder has the shape of.

    Args:
        is_kaggles: train.csv has no URLs and there is no train_clean.csv.
        has_index: there is a folder `index/`.
        submission_columns: header of sample_submission.csv; None where that file is not there.
    """
    if not is_kaggles:
        return "gldv2"
    if submission_columns is not None and "images" in submission_columns:
        return "kaggle-retrieval-2021"
    if submission_columns is not None:
        return "kaggle-recognition"
    return "kaggle-retrieval-2020" if has_index else "kaggle-recognition"


def stage_of(train_rows: int) -> str:
    """ "public" or "re-run": which images a kernel of a code competition sees."""
    return "public" if train_rows == PUBLIC_STAGE_ROWS else "re-run"


def compare(edition: str, found: dict[str, int]) -> list[Comparison]:
    """Each published figure of an edition beside what was counted under the same name."""
    return [
        Comparison(name, figure.value, found.get(name), figure.demanded, figure.source)
        for name, figure in EDITIONS[edition].items()
    ]
