"""A tiny GLDv2 folder with every table, made by hand, whose counts can be told by looking."""

from __future__ import annotations

from pathlib import Path

from tests.reference import gldv2

# Landmark -> images: 7 has 3 clean and 1 other, 9 and 70 have 2 clean, 33 has 1 that is not clean.
CLEAN, UNCLEAN = {7: 3, 9: 2, 70: 2}, {7: 1, 33: 1}
INDEX_LANDMARKS = (100, 100, 101, 102)
TEST_IDS = [gldv2.image_id(f"test {i}") for i in range(3)]
INDEX_IDS = [gldv2.image_id(f"index {i}") for i in range(4)]
TABLES = {
    "train_label_to_category.csv": "landmark_id,category\n7,http://a/A\n9,http://a/B\n"
    '33,"http://a/Châ, D"\n70,http://a/C\n',
    "index_label_to_category.csv": "landmark_id,category\n100,http://a/A\n101,http://a/B\n"
    "102,http://a/E\n",
    "index_image_to_landmark.csv": "id,landmark_id\n"
    + "".join(f"{i},{n}\n" for i, n in zip(INDEX_IDS, INDEX_LANDMARKS, strict=True)),
    "retrieval_solution_v2.1.csv": "id,images,Usage\n"
    f"{TEST_IDS[0]},{INDEX_IDS[0]} {INDEX_IDS[1]},Public\n"
    f"{TEST_IDS[1]},{INDEX_IDS[2]},Private\n{TEST_IDS[2]},None,Ignored\n",
    "recognition_solution_v2.1.csv": "id,landmarks,Usage\n"
    f"{TEST_IDS[0]},7,Public\n{TEST_IDS[1]},9,Private\n{TEST_IDS[2]},,Private\n",
}


def write_whole(root: Path) -> dict[str, int]:
    """9 train images (7 clean), 4 index and 3 test images, and all tables; train id -> landmark."""
    train = gldv2.write_folder(root, CLEAN, unclean=UNCLEAN, num_index=4, num_test=3)
    for name, text in TABLES.items():
        (root / name).write_text(text, encoding="latin-1")
    rows = "".join(f'{name},http://a/{name},"A, B",by,"x, ""y"""\n' for name in train)
    (root / "train_attribution.csv").write_text("id,url,author,license,title\n" + rows)
    return train


def write_kaggle(
    root: Path, *, index: bool = False, submission: str | None = None, num_test: int = 3
) -> dict[str, int]:
    """A folder as Kaggle lays them out: train.csv without URLs, no other lists.

    Args:
        root: folder to make.
        index: whether there is an index folder (the retrieval editions).
        submission: the answer column of sample_submission.csv; None makes no such file.
        num_test: test images.
    """
    train = gldv2.write_folder(root, CLEAN, num_index=4 if index else 0, num_test=num_test)
    rows = "".join(f"{name},{landmark}\n" for name, landmark in train.items())
    (root / "train.csv").write_text("id,landmark_id\n" + rows)
    for name in ("index.csv", "test.csv"):
        (root / name).unlink(missing_ok=True)
    if submission is not None:
        tests = "".join(f"{gldv2.image_id(f'test {i}')},\n" for i in range(num_test))
        (root / "sample_submission.csv").write_text(f"id,{submission}\n{tests}")
    return train
