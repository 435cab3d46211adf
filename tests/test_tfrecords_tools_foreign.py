from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.records import DamagedRecordError, Manifest, RecordIndex, RecordsError
from landmarks_tf.records.wire import encode_features
from tests.reference import gldv2, tfrecord
from tfrecords_tools.convert import convert
from tfrecords_tools.dialects import DialectError
from tfrecords_tools.foreign import ForeignRecords, record_files
from tfrecords_tools.images import BadImageError
from tfrecords_tools.options import ConvertOptions
from tfrecords_tools.verify import verify

KEYS = {
    "delf": ("image/encoded", "image/class/label", "image/id"),
    "seungkee": ("_bits", "_class", "_id"),
    "uned": ("image_bytes", "class_id", "key"),
    "tff": ("image/encoded_jpeg", "class", None),
}


def _name(number: int) -> str:
    return gldv2.image_id(f"record {number}")


def _record(dialect, number, label, clean=None) -> bytes:
    """As TensorFlow serialises it."""
    image, label_key, id_key = KEYS[dialect]
    features = {image: gldv2.picture(str(number)), label_key: label}
    if id_key:
        name = _name(number)
        path = f"train/{name[0]}/{name[1]}/{name[2]}/{name}.jpg"
        features[id_key] = (path if dialect == "uned" else name).encode()
    if clean is not None:
        features["_isClean"] = int(clean)
    return tf.train.Example.FromString(encode_features(features)).SerializeToString()


def _write(path, records) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


@pytest.fixture
def theirs(tmp_path):
    """Two files of seungkee's: 12 records, landmarks 40 and 7, every third not clean."""
    records = [_record("seungkee", n, (40, 7)[n % 2], n % 3 != 0) for n in range(12)]
    _write(tmp_path / "theirs" / "v2total-000-7.tfrec", records[:7])
    _write(tmp_path / "theirs" / "v2total-001-5.tfrec", records[7:])
    return tmp_path / "theirs"


def _convert(source, out, **options):
    manifests = convert(
        source, out, ConvertOptions(source.split, **options), workers=1, progress=False,
        say=lambda line: None,
    )  # fmt: skip
    return {manifest.split: manifest for manifest in manifests}


def _records(out, split):
    found = {}
    for path in sorted(out.glob(f"{split}-*-of-*")):
        for _, record in tfrecord.read_frames(path):
            feature = tf.train.Example.FromString(record).features.feature
            name = feature["image/id"].bytes_list.value[0].decode()
            label = feature["image/class/label"].int64_list.value
            found[name] = (
                label[0] if label else None,
                feature["image/encoded"].bytes_list.value[0],
            )
    return found


@pytest.mark.parametrize("dialect", KEYS)
def test_every_dialect_becomes_ours(dialect, tmp_path):
    records = [_record(dialect, n, (40, 7)[n % 2]) for n in range(6)]
    _write(tmp_path / "theirs" / "gldv2.train.tfrecord-00000-of-00002", records[:4])
    _write(tmp_path / "theirs" / "gldv2.train.tfrecord-00001-of-00002", records[4:])
    (tmp_path / "theirs" / "notes.txt").write_text("not a record")
    source = ForeignRecords([tmp_path / "theirs"], "train")
    assert source.dialect == dialect
    manifest = _convert(source, tmp_path / "out", shards=2)["train"]
    assert (manifest.num_records, manifest.num_classes) == (6, 2)
    found = _records(tmp_path / "out", "train")
    pictures = {(int(n % 2 == 0), gldv2.picture(str(n))) for n in range(6)}
    assert set(found.values()) == pictures
    if dialect == "tff":  # ids by the place of the record
        first = "gldv2.train.tfrecord-00000-of-00002:0"
        assert hashlib.sha256(first.encode()).hexdigest()[:16] in found
    else:
        assert set(found) == {_name(n) for n in range(6)}
    assert (tmp_path / "out" / "relabeling.csv").read_text() == "new_label,old_label\n0,7\n1,40\n"
    assert all(not report.problems for report in verify(tmp_path / "out", progress=False))


def test_clean_images_by_their_mark(theirs, tmp_path):
    source = ForeignRecords([theirs], "train")
    _convert(source, tmp_path / "clean", subset="clean")
    clean = {_name(n) for n in range(12) if n % 3 != 0}
    assert set(_records(tmp_path / "clean", "train")) == clean
    manifests = _convert(source, tmp_path / "one", subset="full", validation_split="one-per-class")
    assert (manifests["train"].num_records, manifests["validation"].num_records) == (10, 2)
    assert set(_records(tmp_path / "one", "validation")) < clean


def test_a_validation_part_as_it_is(theirs, tmp_path):
    _write(tmp_path / "valid" / "x.tfrec", [_record("seungkee", n, 7) for n in (20, 21)])
    source = ForeignRecords([theirs], "train", validation=[tmp_path / "valid"])
    _convert(source, tmp_path / "out")
    assert set(_records(tmp_path / "out", "validation")) == {_name(20), _name(21)}
    assert len(_records(tmp_path / "out", "train")) == 12
    labels = RecordIndex.open(tmp_path / "out", "validation").label
    assert labels.tolist() == [0, 0]
    assert RecordIndex.open(tmp_path / "out", "validation").num_classes == 2


def test_index_records_have_no_labels(theirs, tmp_path):
    _convert(ForeignRecords([theirs], "index"), tmp_path / "out")
    assert Manifest.load(tmp_path / "out", "index").num_classes is None
    assert {label for label, _ in _records(tmp_path / "out", "index").values()} == {None}


def test_landmark_ids_come_back_through_delfs_label_map(tmp_path):
    folder = tmp_path / "theirs"
    _write(folder / "train-00000-of-00001", [_record("delf", n, n % 2) for n in range(4)])
    (folder / "relabeling.csv").write_text("new_label,old_label\n0,900\n1,31\n")
    _convert(ForeignRecords([folder], "train"), tmp_path / "out")
    assert (tmp_path / "out" / "relabeling.csv").read_text() == "new_label,old_label\n0,31\n1,900\n"
    (folder / "relabeling.csv").write_text("new_label,old_label\n0,900\n")
    with pytest.raises(RecordsError, match=r"has label 1, which the relabeling\.csv beside it"):
        ForeignRecords([folder], "train")
    (folder / "relabeling.csv").write_text("a,b\n0,900\n")
    with pytest.raises(RecordsError, match=r"is no label map with the columns"):
        ForeignRecords([folder], "train")


def test_what_was_scanned_is_not_scanned_again(theirs, tmp_path, monkeypatch):
    state = tmp_path / "state"
    first = ForeignRecords([theirs], "train", state=state)
    assert len(list(state.iterdir())) == 2

    def fail(*_):
        raise AssertionError("scanned again")

    monkeypatch.setattr("tfrecords_tools.foreign._scan_file", fail)
    again = ForeignRecords([theirs], "train", state=state)
    assert np.array_equal(first.rows, again.rows)
    (theirs / "v2total-001-5.tfrec").touch()
    with pytest.raises(AssertionError, match="scanned again"):
        ForeignRecords([theirs], "train", state=state)


def test_a_part_holds_its_images_only(theirs):
    source = ForeignRecords([theirs], "train")
    ids = np.array([_name(9), _name(2)], "S16")
    part = pickle.loads(pickle.dumps(source.part(ids)))
    assert part.image_bytes(ids[1]) == gldv2.picture("2")
    assert part.image_bytes(ids[0]) == gldv2.picture("9")
    assert len(part.rows) == 2
    assert source.place(ids[0]).startswith(f"{theirs}/v2total-001-5.tfrec, byte ")


def test_a_record_damaged_between_plan_and_write(theirs, tmp_path):
    source = ForeignRecords([theirs], "train")
    path = theirs / "v2total-000-7.tfrec"
    data = bytearray(path.read_bytes())
    data[tfrecord.read_frames(path)[3][0] + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadImageError, match=r"damaged record: .*its checksum does not match"):
        source.part(np.array([_name(3)], "S16")).image_bytes(_name(3).encode())
    manifest = _convert(source, tmp_path / "out")["train"]
    assert manifest.skipped_reasons == {"damaged record": 1}
    assert "v2total-000-7.tfrec, byte" in (tmp_path / "out" / "train.skipped.csv").read_text()
    path.unlink()
    with pytest.raises(OSError, match=r"No such file|went away"):
        _convert(source, tmp_path / "other")


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:-9]), DamagedRecordError, "was cut short"),
        (lambda f: _write(f, [_record("tff", 1, 2)]), DialectError, r"no key '_bits'"),
        (lambda f: _write(f, [_record("seungkee", 1, 40)]), RecordsError, "more than once: "),
        (
            lambda f: _write(f, [encode_features({"_bits": b"x", "_id": b"abc"})]),
            DialectError,
            r"001-5\.tfrec, record 0 at byte 0: no label",
        ),
    ],
)
def test_records_that_cannot_be_used(theirs, spoil, error, message):
    spoil(theirs / "v2total-001-5.tfrec")
    with pytest.raises(error, match=message):
        ForeignRecords([theirs], "train")


def test_clean_where_nobody_says_which(tmp_path):
    _write(tmp_path / "x", [_record("tff", 1, 2)])
    with pytest.raises(RecordsError, match="dialect tff do not say which images are clean"):
        ForeignRecords([tmp_path / "x"], "train").listing(None, True)


def test_files(tmp_path):
    with pytest.raises(RecordsError, match="there is no file or folder"):
        record_files([tmp_path / "none"])
    with pytest.raises(RecordsError, match="holds no files of records"):
        record_files([tmp_path])
    _write(tmp_path / "empty", [])
    with pytest.raises(RecordsError, match=r"the 1 file\(s\) hold no records"):
        ForeignRecords([tmp_path], "train")
