"""The projector's files, read back with TensorBoard's own definition of its configuration."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from landmarks_tf.plots import projector
from landmarks_tf.plots.projector import write_projector


def test_tensorboard_reads_what_was_written(tmp_path):
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    vectors = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    pictures = [np.full((30, 60, 3), 40 * n + 20, np.uint8) for n in range(5)]
    names = {"landmark_id": [1, 1, 2, 2, 3], "name": ["a\tb", "c\nd", "Ö", "", "_x"]}
    paths = write_projector(tmp_path, vectors, names, pictures, thumbnail_px=20)
    assert [path.name for path in paths] == [
        *("vectors.tsv", "metadata.tsv", "sprite.png", "projector_config.pbtxt")
    ]
    config = text_format.Parse(paths[-1].read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    assert (embedding.tensor_path, embedding.metadata_path) == ("vectors.tsv", "metadata.tsv")
    assert list(embedding.sprite.single_image_dim) == [20, 20]
    read = np.loadtxt(tmp_path / embedding.tensor_path, delimiter="\t")
    np.testing.assert_allclose(read, vectors, rtol=1e-5)
    lines = (tmp_path / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    assert lines == ["landmark_id\tname", "1\ta b", "1\tc d", "2\tÖ", "2\t-", "3\t_x"]
    with Image.open(tmp_path / embedding.sprite.image_path) as sprite:
        assert sprite.size == (60, 60)  # three by three
        greys = [sprite.getpixel((20 * (n % 3) + 10, 20 * (n // 3) + 10))[0] for n in range(6)]
        assert greys == [20, 60, 100, 140, 180, 0]
        assert sprite.getpixel((10, 2)) == (0, 0, 0)  # 60 x 30 is 20 x 10 in the middle


def test_a_large_sprite_has_small_thumbnails_and_points_need_none(tmp_path, monkeypatch):
    monkeypatch.setattr(projector, "_SPRITE_SIDE_PX", 64)
    paths = write_projector(tmp_path / "a", np.eye(3), {"x": "abc", "y": "def"})
    assert "sprite" not in paths[-1].read_text()
    assert not (tmp_path / "a" / "sprite.png").exists()
    dots = (np.zeros((2, 2, 3), np.uint8) for _ in range(5))
    write_projector(tmp_path / "b", np.eye(5), {"x": range(5), "y": range(5)}, dots)
    with Image.open(tmp_path / "b" / "sprite.png") as sprite:
        assert sprite.size == (63, 63)


def test_refusals(tmp_path):
    two = {"x": "ab", "y": "cd"}
    with pytest.raises(ValueError, match=r"finite numbers, received an array of \(0, 3\)"):
        write_projector(tmp_path, np.zeros((0, 3)), {"x": [], "y": []})
    with pytest.raises(ValueError, match="finite numbers"):
        write_projector(tmp_path, np.full((2, 3), np.nan), two)
    with pytest.raises(ValueError, match=r"columns of 3 values each, received {'x': 2, 'y': 2}"):
        write_projector(tmp_path, np.eye(3), two)
    with pytest.raises(ValueError, match="at least two columns"):
        write_projector(tmp_path, np.eye(2), {"x": "ab"})
    with pytest.raises(ValueError, match="expected 2 pictures, one for each row, received 1"):
        write_projector(tmp_path, np.eye(2), two, [np.zeros((2, 2, 3), np.uint8)])
    assert not (tmp_path / "projector_config.pbtxt").exists()
