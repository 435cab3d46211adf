"""What `--data` is taken for."""

from __future__ import annotations

import json
import shutil

import pytest

from experiments.config import Experiment, Stage
from experiments.data_source import (
    DataSource,
    check_can_be_evaluated,
    find_data,
    find_stage_data,
)
from experiments.settings import UnknownSettingError
from landmarks_tf.records import RecordsError
from tests.kaggle_edition import write_edition

STAGED = Experiment(
    name="staged", summary="s", source="t", stages=(Stage("low"), Stage("high"), Stage("fix"))
)


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


@pytest.mark.parametrize("split", ["train", "test"])
def test_records_without_a_split_are_refused(demo_records, tmp_path, split):
    for path in demo_records.iterdir():
        if not path.name.startswith(split):
            (tmp_path / path.name).symlink_to(path)
    message = rf"without a complete {split} split.*convert --split {split}"
    with pytest.raises(ValueError, match=message):
        check_can_be_evaluated(find_data(tmp_path))


def test_training_pictures_alone_can_be_trained_on_and_not_evaluated(train_alone):
    source = find_data(train_alone)
    with pytest.raises(ValueError, match=r"complete test split, so .* not eval.* --stage train\."):
        check_can_be_evaluated(source)


def test_kaggles_recognition_editions_are_whole_without_an_index(tmp_path):
    edition = write_edition(tmp_path / "raw", sample=False)
    source = find_data(edition)
    check_can_be_evaluated(source)
    # A folder, a table or ground truth of an index says that one belongs to it.
    message = r"a raw folder without pictures in index/, so .* --stage train\."
    for place in ("index.csv", "retrieval_solution_v2.1.csv", "index/index_image_to_landmark.csv"):
        (edition / place).parent.mkdir(exist_ok=True)
        (edition / place).touch()
        with pytest.raises(ValueError, match=message):
            check_can_be_evaluated(source)
        (edition / place).unlink()
    with pytest.raises(ValueError, match=message):
        check_can_be_evaluated(source)
    (edition / "index").rmdir()
    (edition / "test").rename(edition / "tests")
    (edition / "test").mkdir()
    with pytest.raises(ValueError, match=r"a raw folder without pictures in test/"):
        check_can_be_evaluated(source)


def test_records_know_whether_they_should_have_an_index(demo_records, train_alone):
    assert find_data(demo_records).should_have_index()
    source = find_data(train_alone)
    assert not source.should_have_index()
    (train_alone / ".convert-index").mkdir()
    assert source.should_have_index()
    (train_alone / ".convert-index").rmdir()
    (train_alone / "metadata").mkdir()
    (train_alone / "metadata" / "retrieval_solution_v2.1.csv").touch()
    assert source.should_have_index()


def test_the_demo_and_whole_records_can_be_evaluated(demo_records):
    check_can_be_evaluated(find_data(None))
    check_can_be_evaluated(find_data(demo_records))


def test_no_data_set_says_what_was_looked_for(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ValueError, match=r"train\.csv.*train\.manifest\.json.*holiday.*arrange"):
        find_data(tmp_path)
    with pytest.raises(ValueError, match="is no folder"):
        find_data(tmp_path / "holiday.jpg")
    with pytest.raises(ValueError, match="is no folder"):
        find_data(tmp_path / "nowhere")


@pytest.fixture
def train_alone(demo_records, tmp_path):
    """Records with a train split and nothing else."""
    folder = tmp_path / "train_alone"
    folder.mkdir()
    for path in demo_records.iterdir():
        if path.name.startswith("train") or path.name == "relabeling.csv":
            shutil.copy(path, folder)
    return folder


def test_stages_are_named_by_number_or_name(train_alone, demo_raw):
    found = find_stage_data([f"2={train_alone}", f"low={demo_raw}"], STAGED)
    assert found["high"] == find_stage_data([f"high={train_alone}"], STAGED)["high"]
    assert {name: (one.kind, one.folder) for name, one in found.items()} == {
        "high": ("records", train_alone),
        "low": ("raw", demo_raw),
    }
    rows = len((demo_raw / "train.csv").read_text().split()) - 1
    assert found["low"].train_images == rows


def test_identity_follows_folder_and_content(train_alone, tmp_path):
    (source,) = find_stage_data([f"low={train_alone}"], STAGED).values()
    assert source.identity().startswith(f"{train_alone} ({source.train_images:,} pictures, index ")
    shutil.copytree(train_alone, tmp_path / "copy")
    (copied,) = find_stage_data([f"low={tmp_path / 'copy'}"], STAGED).values()
    assert copied.identity() == source.identity().replace(str(train_alone), str(copied.folder))
    raw = DataSource("raw", tmp_path, 1234)
    assert raw.identity() == f"{tmp_path} (1,234 pictures)"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("lowest={}", r"no stage 'lowest' in staged\. Its stages: 1 \(low\), 2 \(high\), 3"),
        ("0={}", "no stage '0'"),
        ("²={}", "no stage '²'"),
        ("4={}", "no stage '4'"),
    ],
)
def test_stages_that_there_are_not(train_alone, assignment, message):
    with pytest.raises(UnknownSettingError, match=message):
        find_stage_data([assignment.format(train_alone)], STAGED)
    one_piece = Experiment(name="whole", summary="s", source="t")
    with pytest.raises(UnknownSettingError, match=r"whole trains in one piece.* data is --data"):
        find_stage_data([assignment.format(train_alone)], one_piece)


def test_data_that_a_stage_cannot_train_on(train_alone, demo_records, tmp_path):
    def refused(message, *assignments, error=ValueError):
        with pytest.raises(error, match=message):
            find_stage_data(assignments, STAGED)

    refused("takes STAGE=FOLDER, for instance 2=records. Received: 'low'", "low")
    refused("takes STAGE=FOLDER", "low=")
    refused("stage 'low' twice", f"low={train_alone}", f"1={train_alone}")
    refused(r"--stage-data low=\S+ is no folder", f"low={tmp_path / 'nowhere'}")
    for path in demo_records.glob("train-0*"):
        (tmp_path / path.name).symlink_to(path)
    refused(r"--stage-data 3=.* no data set.*train-0.*convert --records", f"3={tmp_path}")
    for path in demo_records.glob("test*"):
        (tmp_path / path.name).symlink_to(path)
    refused("without a complete train split.*convert --split train", f"3={tmp_path}")
    manifest = train_alone / "train.manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"format_version": 7}))
    refused("has format_version 7, this code reads", f"low={train_alone}", error=RecordsError)
    manifest.write_text(json.dumps(content))
    next(train_alone.glob("train-0*")).unlink()
    refused("the shard .* is missing", f"low={train_alone}", error=RecordsError)
