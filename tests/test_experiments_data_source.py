"""What `--data` is taken for."""

from __future__ import annotations

import pytest

from experiments.data_source import DataSource, find_data


def test_none_is_the_demo():
    assert find_data(None) == DataSource("demo", None, 0)
    assert find_data(None).default_size()[0] == "demo"


def test_raw_folder_is_told_by_its_table(tmp_path):
    (tmp_path / "train.csv").write_text("id,url,landmark_id\na,,1\nb,,2\n\n")
    assert find_data(tmp_path) == DataSource("raw", tmp_path, 2)


@pytest.mark.parametrize(("rows", "size"), [(99_999, "demo"), (100_000, "full")])
def test_size_follows_the_number_of_training_pictures(rows, size):
    chosen, reason = DataSource("raw", None, rows).default_size()
    assert chosen == size
    assert f"{rows:,}" in reason


def test_records_are_recognised(demo_records):
    source = find_data(demo_records)
    assert source.kind == "records"
    assert source.train_images > 0


def test_records_without_a_split_are_refused(demo_records, tmp_path):
    for path in demo_records.iterdir():
        if not path.name.startswith("test"):
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(ValueError, match=r"without a complete test split.*convert --split test"):
        find_data(tmp_path)


def test_no_data_set_says_what_was_looked_for(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ValueError, match=r"train\.csv.*train\.manifest\.json.*holiday.*arrange"):
        find_data(tmp_path)
    with pytest.raises(ValueError, match="is no folder"):
        find_data(tmp_path / "holiday.jpg")
    with pytest.raises(ValueError, match="is no folder"):
        find_data(tmp_path / "nowhere")
