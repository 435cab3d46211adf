from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from landmarks_tf.records import Manifest, ShardInfo, sha256_of_file
from tfrecords_tools import resume
from tfrecords_tools.options import ConvertOptions
from tfrecords_tools.plan import make_plan
from tfrecords_tools.raw import Listing
from tfrecords_tools.resume import PlanMismatchError


def _plan(**options):
    ids = np.array([f"{i:016d}" for i in range(40)], "S16")
    listing = Listing(ids, np.arange(40) % 4, {"train.csv": "a" * 64}, {}, ids)
    defaults = {"validation_fraction": 0.25, "shards": 2}
    return make_plan(listing, ids, ConvertOptions("train", **(defaults | options)))


def _manifest(out, split):
    Manifest(
        split=split.split,
        num_records=1,
        num_classes=4,
        shards=(ShardInfo("x", 1, 1, ""),),
        index_file="",
        index_sha256="",
        label_map_sha256="",
        plan=split.parameters,
    ).save(out)


def _note(out, name, content=b"shard"):
    (out / name).write_bytes(content)
    return {
        "name": name,
        "bytes": len(content),
        "sha256": sha256_of_file(out / name),
        "first": 0,
        "last": 2,
        "skipped": [[1, "missing"]],
        "offsets": np.array([0, 17], np.int64),
    }


def test_shard_names():
    assert resume.shard_names(_plan()) == [
        "validation-00000-of-00002",
        "validation-00001-of-00002",
        "train-00000-of-00002",
        "train-00001-of-00002",
    ]


def test_nothing_there_yet(tmp_path):
    assert not resume.is_complete(tmp_path, "train", _plan())
    assert not resume.is_complete(tmp_path / "none", "train", _plan())


def test_complete_once_all_manifests_are_there(tmp_path):
    plan = _plan()
    validation, train = plan.splits
    _manifest(tmp_path, validation)
    assert not resume.is_complete(tmp_path, "train", plan)
    _manifest(tmp_path, train)
    assert resume.is_complete(tmp_path, "train", plan)


def test_a_finished_conversion_of_another_plan_is_refused_with_the_differences(tmp_path):
    for split in _plan().splits:
        _manifest(tmp_path, split)
    with pytest.raises(PlanMismatchError) as caught:
        resume.is_complete(tmp_path, "train", _plan(seed=4, reencode_short_side=99))
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path} holds records of another plan:"
    assert "  seed is 0 there, 4 is asked for (train, validation)" in lines
    assert "  reencode_short_side is None there, 99 is asked for (train, validation)" in lines
    assert not any("sha256" in line or "records_planned" in line for line in lines)
    assert lines[-1] == "choose another --out, or remove those records first"


def test_a_difference_that_only_the_rows_show(tmp_path):
    plan = _plan()
    for split in plan.splits:
        _manifest(tmp_path, split)
    train = dataclasses.replace(
        plan.splits[1],
        parameters=plan.splits[1].parameters | {"sha256_of_ids_and_labels": "b" * 64},
    )
    other = dataclasses.replace(plan, splits=(plan.splits[0], train))
    with pytest.raises(
        PlanMismatchError,
        match=r"sha256_of_ids_and_labels is \w{12}\.\.\. there, bbbbbbbbbbbb\.\.\. is asked",
    ):
        resume.is_complete(tmp_path, "train", other)


def test_records_from_before_the_ids_were_hashed_are_complete(tmp_path):
    plan = _plan()
    for split in plan.splits:
        older = dict(split.parameters)
        del older["sha256_of_ids"]
        _manifest(tmp_path, dataclasses.replace(split, parameters=older))
    assert resume.is_complete(tmp_path, "train", plan)
    with pytest.raises(PlanMismatchError, match="seed is 0 there, 1 is asked for"):
        resume.is_complete(tmp_path, "train", _plan(seed=1))


def test_validation_there_and_not_asked_for_would_overlap_with_train(tmp_path):
    for split in _plan().splits:
        _manifest(tmp_path, split)
    Manifest.path(tmp_path, "train").unlink()
    with pytest.raises(PlanMismatchError, match="records of validation, none are asked for"):
        resume.is_complete(tmp_path, "train", _plan(validation_fraction=0.0))


def test_validation_asked_for_and_not_there(tmp_path):
    _manifest(tmp_path, _plan(validation_fraction=0.0).splits[0])
    with pytest.raises(PlanMismatchError, match=r"validation_fraction is 0\.0 there, 0\.25 is"):
        resume.is_complete(tmp_path, "train", _plan())


def test_an_unfinished_conversion_of_another_plan_is_refused(tmp_path):
    with resume.locked(tmp_path, "train"):
        resume.begin(tmp_path, "train", _plan())
    assert not resume.is_complete(tmp_path, "train", _plan())
    with pytest.raises(PlanMismatchError, match="seed is 0 there, 1 is asked for"):
        resume.is_complete(tmp_path, "train", _plan(seed=1))


def test_other_splits_do_not_matter(tmp_path):
    (tmp_path / "index-00000-of-00001").touch()
    assert not resume.is_complete(tmp_path, "train", _plan())


def test_shards_of_unknown_origin_are_not_overwritten(tmp_path):
    (tmp_path / "train-00000-of-00128").touch()
    with pytest.raises(
        PlanMismatchError, match=r"holds 1 shard\(s\) that this .* such as train-00000-of-00128"
    ):
        resume.is_complete(tmp_path, "train", _plan())


def test_a_plan_that_cannot_be_read(tmp_path):
    state = resume.state_folder(tmp_path, "train")
    state.mkdir()
    (state / "plan.json").write_text("{")
    with pytest.raises(PlanMismatchError, match=r"plan\.json, .* cannot be read .* remove the"):
        resume.is_complete(tmp_path, "train", _plan())


def test_begin_clears_the_temporary_files_of_a_killed_run(tmp_path):
    names = [
        ".train-00000-of-00002.tmp-17",
        ".validation-00001-of-00002.tmp-17",
        ".train.index.npy.tmp-3",
        ".index-00000-of-00001.tmp-9",
        "train-00001-of-00002",
    ]
    for name in names:
        (tmp_path / name).touch()
    with resume.locked(tmp_path, "train"):
        resume.begin(tmp_path, "train", _plan())
    left = sorted(path.name for path in tmp_path.iterdir())
    # Another split may be converted at this moment: its files stay.
    assert left == [".convert-train", ".index-00000-of-00001.tmp-9", "train-00001-of-00002"]


def test_notes_come_back_as_they_were(tmp_path):
    resume.state_folder(tmp_path, "train").mkdir()
    note = _note(tmp_path, "train-00000-of-00002")
    resume.save_note(tmp_path, "train", note)
    loaded = resume.load_note(tmp_path, "train", "train-00000-of-00002")
    assert loaded["offsets"].tolist() == note["offsets"].tolist()
    assert loaded["offsets"].dtype == np.int64
    assert loaded | {"offsets": 0} == note | {"offsets": 0}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda out, note: (out / note["name"]).unlink(),
        lambda out, note: (out / note["name"]).write_bytes(b"shart"),
        lambda out, note: (out / note["name"]).write_bytes(b"shard and more"),
        lambda out, note: _state(out, note).unlink(),
        lambda out, note: _state(out, note).write_text("{"),
        lambda out, note: _state(out, note).write_text("[]"),
        lambda out, note: _state(out, note).write_text(json.dumps({"name": note["name"]})),
    ],
)
def test_a_shard_that_is_not_exactly_as_noted_counts_as_not_written(tmp_path, spoil):
    resume.state_folder(tmp_path, "train").mkdir()
    note = _note(tmp_path, "train-00000-of-00002")
    resume.save_note(tmp_path, "train", note)
    spoil(tmp_path, note)
    assert resume.load_note(tmp_path, "train", note["name"]) is None


def _state(out, note):
    return resume.state_folder(out, "train") / f"{note['name']}.json"


def test_finish_removes_the_notes(tmp_path):
    with resume.locked(tmp_path, "train"):
        resume.begin(tmp_path, "train", _plan())
        resume.finish(tmp_path, "train")
    assert list(tmp_path.iterdir()) == []
    resume.finish(tmp_path, "train")


LOCK = """
import sys
from pathlib import Path
from tfrecords_tools import resume
try:
    with resume.locked(Path(sys.argv[1]), sys.argv[2]):
        print("got it")
except resume.PlanMismatchError as error:
    print(error)
"""


def test_a_second_conversion_in_this_process_is_kept_out(tmp_path):
    with resume.locked(tmp_path, "train"):
        with resume.locked(tmp_path, "index"):
            pass
        with (
            pytest.raises(PlanMismatchError, match="another process is converting split 'train'"),
            resume.locked(tmp_path, "train"),
        ):
            pass
    with resume.locked(tmp_path, "train"):
        pass


FORKED = """
import os, signal, sys, time
from pathlib import Path
from tfrecords_tools import resume
with resume.locked(Path(sys.argv[1]), "train"):
    child = os.fork()
    if not child:
        signal.pause()
    print(child, flush=True)
    signal.pause()
"""


def test_a_worker_that_outlives_a_killed_conversion_holds_no_lock(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", FORKED, tmp_path], stdout=subprocess.PIPE)
    child = int(process.stdout.readline())
    try:
        with pytest.raises(PlanMismatchError), resume.locked(tmp_path, "train"):
            pass
        process.kill()
        process.wait()
        with resume.locked(tmp_path, "train"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()


def test_a_second_process_is_kept_out(tmp_path):
    def other(group):
        command = [sys.executable, "-c", LOCK, tmp_path, group]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with resume.locked(tmp_path, "train"):
        assert "another process is converting split 'train' into" in other("train")
        assert other("index") == "got it\n"
    assert other("train") == "got it\n"
