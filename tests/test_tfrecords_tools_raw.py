from __future__ import annotations

import hashlib

import pytest

from tests.reference import gldv2, gldv2_tables
from tfrecords_tools.raw import RawFolder, RawFolderError, is_kaggles, relative_path


def _listing(root, split="train", clean=None):
    raw = RawFolder(root, split)
    return raw.listing(raw.files(), clean)


def test_train_csv_in_its_order(tmp_path):
    train = gldv2.write_folder(tmp_path, {70: 2, 9: 3})
    listing = _listing(tmp_path)
    assert [i.decode() for i in listing.ids] == list(train)
    assert listing.landmark_ids.tolist() == [70, 70, 9, 9, 9]
    sha256 = hashlib.sha256((tmp_path / "train.csv").read_bytes()).hexdigest()
    assert (listing.sources, listing.counts) == ({"train.csv": sha256}, {"train.csv": 5})


def test_clean_images_and_labels_are_taken_when_they_are_there(tmp_path):
    gldv2.write_folder(tmp_path, {70: 2, 9: 3}, unclean={70: 4, 33: 1})
    listing = _listing(tmp_path)
    assert listing.landmark_ids.tolist() == [70, 70, 9, 9, 9]
    assert listing.counts == {"train.csv": 10, "train_clean.csv": 5}
    assert len(listing.known) == 10
    everything = _listing(tmp_path, clean=False)
    assert sorted(everything.landmark_ids) == [9, 9, 9, 33, 70, 70, 70, 70, 70, 70]
    assert list(everything.sources) == ["train.csv"]


def test_kaggles_train_csv_has_no_url(tmp_path):
    gldv2.write_folder(tmp_path, {70: 2})
    (tmp_path / "train.csv").write_text(f"id,landmark_id\n{gldv2.image_id('train 70 0')},70\n")
    assert _listing(tmp_path).landmark_ids.tolist() == [70]


def test_all_of_kaggles_train_csv_is_clean(tmp_path):
    gldv2_tables.write_kaggle(tmp_path)
    assert is_kaggles(tmp_path)
    assert _listing(tmp_path, clean=True).landmark_ids.tolist() == [7, 7, 7, 9, 9, 70, 70]
    assert _listing(tmp_path, clean=False).sources == _listing(tmp_path).sources


def test_what_is_not_kaggles(tmp_path):
    gldv2.write_folder(tmp_path / "a", {7: 1})
    assert not is_kaggles(tmp_path / "a")
    gldv2_tables.write_kaggle(tmp_path / "b")
    (tmp_path / "b" / "train_clean.csv").write_text("landmark_id,images\n")
    assert not is_kaggles(tmp_path / "b")
    assert not is_kaggles(tmp_path / "none")


def test_kaggles_sample_submission_lists_the_test_images(tmp_path):
    """What is listed and has no file is told; without that list nobody would know."""
    gldv2_tables.write_kaggle(tmp_path, index=True, submission="images")
    gldv2.image_path(tmp_path, "test", gldv2.image_id("test 1")).unlink()
    listing = _listing(tmp_path, "test")
    assert [i.decode() for i in listing.ids] == [gldv2.image_id(f"test {i}") for i in range(3)]
    assert list(listing.sources) == ["sample_submission.csv"]
    assert len(_listing(tmp_path, "index").ids) == 4


def test_files_are_found_by_their_place(tmp_path):
    train = gldv2.write_folder(tmp_path, {70: 3})
    gldv2.put(tmp_path, "train", "0123456789abcdef", b"")
    for stray in ("train/images_000.tar", "train/0/1/2/fedcba9876543210.jpg", "train/0/1/2/a.txt"):
        (tmp_path / stray).write_bytes(b"")
    files = RawFolder(tmp_path, "train").files()
    assert files.tolist() == sorted(name.encode() for name in [*train, "0123456789abcdef"])


def test_a_link_to_itself_stops_a_conversion_and_is_passed_over_on_request(tmp_path):
    train = gldv2.write_folder(tmp_path, {70: 3})
    (tmp_path / "train" / "z").symlink_to("z")
    raw = RawFolder(tmp_path, "train")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        raw.files()
    unreadable = []
    assert len(raw.files(unreadable)) == len(train)
    assert unreadable == [(str(tmp_path / "train" / "z"), "Too many levels of symbolic links")]


def test_index_and_test_have_ids_only(tmp_path):
    gldv2.write_folder(tmp_path, {1: 1}, num_index=3, num_test=2)
    for split, number in (("index", 3), ("test", 2)):
        listing = _listing(tmp_path, split)
        assert [i.decode() for i in listing.ids] == [
            gldv2.image_id(f"{split} {i}") for i in range(number)
        ]
        assert listing.landmark_ids is None


def test_without_index_csv_the_folder_is_the_list(tmp_path):
    """Kaggle's retrieval editions list these images nowhere."""
    gldv2.write_folder(tmp_path, {1: 1}, num_index=3)
    (tmp_path / "index.csv").unlink()
    listing = _listing(tmp_path, "index")
    assert listing.ids.tolist() == sorted(gldv2.image_id(f"index {i}").encode() for i in range(3))
    assert listing.sources == {}


def test_csvs_inside_the_split_folders(tmp_path):
    """DELF's downloader leaves them beside the images."""
    gldv2.write_folder(tmp_path, {70: 2}, unclean={70: 1})
    for name in ("train.csv", "train_clean.csv"):
        (tmp_path / name).rename(tmp_path / "train" / name)
    assert len(_listing(tmp_path).ids) == 2


def test_relative_path():
    assert relative_path("index", b"0123456789abcdef") == "index/0/1/2/0123456789abcdef.jpg"


# What is wrong with a folder


def test_a_split_that_does_not_exist(tmp_path):
    with pytest.raises(ValueError, match="split must be one of train, index, test, got 'val'"):
        RawFolder(tmp_path, "val")


def test_no_folder(tmp_path):
    with pytest.raises(RawFolderError, match=r"there is no folder .*/none: --raw is the GLDv2"):
        RawFolder(tmp_path / "none", "train")


def test_a_folder_of_something_else_says_what_was_looked_for(tmp_path):
    (tmp_path / "holiday.png").touch()
    message = (
        r"is no GLDv2 folder with split 'train': looked for the file train\.csv there or in train/ "
        r"\(not found\) and for images train/a/b/c/<id>\.jpg \(folder train/ not found\); "
        r"it holds: holiday\.png\. Own pictures, .* by `python -m tfrecords_tools arrange`"
    )
    with pytest.raises(RawFolderError, match=message):
        RawFolder(tmp_path, "train")


def test_half_a_folder(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(RawFolderError, match=r"\(not found\).*folder train/ found"):
        RawFolder(tmp_path, "train")
    (tmp_path / "index").mkdir()
    with pytest.raises(RawFolderError, match=r"index\.csv .*\(not found\).*folder index/ found"):
        _listing(tmp_path, "index")


def test_clean_without_the_file(tmp_path):
    gldv2.write_folder(tmp_path, {70: 1})
    with pytest.raises(RawFolderError, match=r"has no train_clean\.csv; .* use --no-clean"):
        _listing(tmp_path, clean=True)


ID = "0123456789abcdef"
OTHER = "1123456789abcdef"


def test_an_index_csv_with_the_wrong_column(tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index.csv").write_text("image\na\n")
    with pytest.raises(
        RawFolderError, match="no column id: expected the columns id, found 'image'"
    ):
        _listing(tmp_path, "index")


@pytest.mark.parametrize(
    ("clean", "message"),
    [
        (
            f"landmark_id,images\n7,{ID} feedfeedfeedfeed\n",
            r"1 image\(s\) that train\.csv does not",
        ),
        (f"landmark_id,images\n8,{ID}\n", rf"disagree on the landmark_id of 1 .* {ID}: 8 and 7"),
    ],
)
def test_a_train_clean_csv_that_does_not_fit(tmp_path, clean, message):
    (tmp_path / "train").mkdir()
    (tmp_path / "train.csv").write_text(f"id,landmark_id\n{ID},7\n{OTHER},7\n")
    (tmp_path / "train_clean.csv").write_text(clean)
    with pytest.raises(RawFolderError, match=message):
        _listing(tmp_path)


def test_the_demo_folder_is_read(demo_raw):
    for split in ("train", "index", "test"):
        raw = RawFolder(demo_raw, split)
        listing = raw.listing(raw.files())
        assert len(listing.ids) > 10
        assert listing.ids.dtype == "S16"
