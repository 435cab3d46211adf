from __future__ import annotations

import pytest

from tfrecords_tools.integrity.published import EDITIONS, compare, edition_of, stage_of


def test_the_numbers_of_kaggles_editions_follow_from_their_file_counts():
    """Recognition 2020 has 1,590,817 files: train, test, train.csv and sample_submission.csv."""
    figures = EDITIONS["kaggle-recognition"]
    assert figures["train images"].value + figures["test images"].value + 2 == 1_590_817


def test_clean_is_a_part_of_train_and_kaggle_trains_on_clean():
    gldv2 = {name: figure.value for name, figure in EDITIONS["gldv2"].items()}
    assert gldv2["clean images"] < gldv2["c2x images"] < gldv2["train images"]
    # Labels are ids 0 to 203,093, all in use.
    assert gldv2["largest train landmark_id"] + 1 == gldv2["train classes"]
    for name in ("kaggle-retrieval-2020", "kaggle-recognition", "kaggle-retrieval-2021"):
        assert EDITIONS[name]["train images"].value == gldv2["clean images"]
        assert EDITIONS[name]["train classes"].value == gldv2["clean classes"]


@pytest.mark.parametrize(
    ("is_kaggles", "has_index", "columns", "edition"),
    [
        (False, True, None, "gldv2"),
        (False, False, ["id", "landmarks"], "gldv2"),
        (True, True, None, "kaggle-retrieval-2020"),
        (True, True, ["id", "images"], "kaggle-retrieval-2021"),
        (True, False, ["id", "landmarks"], "kaggle-recognition"),
        (True, False, None, "kaggle-recognition"),
    ],
)
def test_editions_by_their_shape(is_kaggles, has_index, columns, edition):
    found = edition_of(is_kaggles=is_kaggles, has_index=has_index, submission_columns=columns)
    assert found == edition


def test_the_public_stage_is_told_by_the_rows_of_train_csv():
    assert stage_of(1_580_470) == "public"
    assert stage_of(100_000) == "re-run"


def test_counts_beside_the_published_ones():
    rows = {
        c.name: c
        for c in compare("kaggle-retrieval-2021", {"train images": 1_580_470, "index images": 5})
    }
    assert rows["train images"].agrees
    assert (rows["index images"].found, rows["index images"].agrees) == (5, False)
    assert (rows["test images"].found, rows["test images"].agrees) == (None, False)


def test_what_only_a_paper_tells_is_not_demanded():
    rows = {c.name: c.demanded for c in compare("gldv2", {})}
    assert not rows["c2x images"]
    assert rows["train images"]
