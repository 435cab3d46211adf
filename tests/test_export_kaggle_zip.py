"""submission.zip, read back as strictly as the competition did."""

from __future__ import annotations

import zipfile

import pytest

from landmarks_tf.export.kaggle import zip_saved_model
from landmarks_tf.export.kaggle_zip import unpack_submission

MODEL = {"saved_model.pb": b"graph", "variables/variables.index": b"i", "assets/words": b"w"}


def archive(path, entries):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def test_what_is_packed_is_unpacked(tmp_path):
    for name, content in MODEL.items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    names = zip_saved_model(tmp_path / "model", tmp_path / "submission.zip")
    assert unpack_submission(tmp_path / "submission.zip", tmp_path / "out") == names
    for name, content in MODEL.items():
        assert (tmp_path / "out" / name).read_bytes() == content
    with pytest.raises(FileExistsError, match="is not empty"):
        unpack_submission(tmp_path / "submission.zip", tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            [(f"my_model/{name}", content) for name, content in MODEL.items()],
            r"saved_model\.pb at the root .* found 'my_model/saved_model\.pb': pack the folder's",
        ),
        ([("saved_model.pb", b"")], r"expected variables/variables\.index at the root"),
        ([*MODEL.items(), ("../evil", b"")], r"'\.\./evil' leads out"),
        ([*MODEL.items(), ("/evil", b"")], "'/evil' leads out"),
        ([*MODEL.items(), *MODEL.items()], "each entry once"),
        ([], r"expected saved_model\.pb at the root of the archive\."),
    ],
)
def test_refused(tmp_path, entries, message):
    path = archive(tmp_path / "submission.zip", entries)
    with pytest.raises(ValueError, match=message):
        unpack_submission(path, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_damage_is_named(tmp_path):
    path = archive(tmp_path / "submission.zip", MODEL.items())
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"graph", b"grapf", 1))
    with pytest.raises(ValueError, match=r"the entry 'saved_model\.pb' is damaged"):
        unpack_submission(path, tmp_path / "out")
    path.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="is no whole zip file"):
        unpack_submission(path, tmp_path / "out")
