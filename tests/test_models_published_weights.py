"""A published file of weights: its name in the cache, and how it is recognised."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from landmarks_tf.models.published_weights import PretrainedWeights, digests_of

ROW = PretrainedWeights(
    name="lenet_ours",
    backbone="lenet",
    publisher="us",
    url="https://host/a/lenet-0123abcd.pth?download=1",
    published_hash="sha256:0123abcd",
    sha256=None,
    licence="MIT",
    image_size=32,
    preprocessing="unit",
    top1=75.0,
    dialect="timm",
)
SHA256 = "0123abcd" + "0" * 56
MD5 = "f" * 32


def test_digests(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 1_000_000)
    assert digests_of(path) == {
        "sha256": hashlib.sha256(b"abc" * 1_000_000).hexdigest(),
        "md5": hashlib.md5(b"abc" * 1_000_000).hexdigest(),
    }


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/lenet-0123abcd.pth?download=1", "lenet-0123abcd.pth"),
        # Every repository of Hugging Face calls its file so.
        ("https://host/lenet/resolve/main/model.safetensors", "lenet_ours.safetensors"),
        ("https://host/a/model_2.h5", "model_2.h5"),
    ],
)
def test_its_name_in_the_cache(url, name):
    assert replace(ROW, url=url).file_name == name


@pytest.mark.parametrize(
    ("published_hash", "sha256", "expected"),
    [
        ("sha256:0123abcd", None, (("sha256", "0123abcd"),)),
        (f"md5:{MD5}", None, (("md5", MD5),)),
        ("sha256:0123abcd", SHA256, (("sha256", "0123abcd"), ("sha256", SHA256))),
        (None, SHA256, (("sha256", SHA256),)),
        (None, None, ()),
    ],
)
def test_what_is_known_of_its_digests(published_hash, sha256, expected):
    row = replace(ROW, published_hash=published_hash, sha256=sha256)
    assert row.expected_digests == expected
    assert row.is_file({"sha256": SHA256, "md5": MD5}) == bool(expected)


@pytest.mark.parametrize(
    ("published_hash", "sha256"),
    [
        ("sha256:0123abce", None),
        (f"md5:{'e' * 32}", None),
        ("sha256:0123abcd", "0123abcd" + "1" * 56),  # it begins as published, and ends otherwise
        (f"md5:{'e' * 32}", SHA256),
    ],
)
def test_another_file_is_not_taken_for_it(published_hash, sha256):
    row = replace(ROW, published_hash=published_hash, sha256=sha256)
    assert not row.is_file({"sha256": SHA256, "md5": MD5})
