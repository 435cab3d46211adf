"""Published weights into networks: downloaded by name, with the preprocessing of their row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from landmarks_tf.models.pretrained import PRETRAINED
from tests import contracts
from tests.file_server import file_server
from tests.weight_files import create, expected_scaling, mobilenet, read_scaling, refusal, same

pytestmark = contracts.IGNORE_ARRAY_COPY


@pytest.fixture(scope="module")
def twin():
    """A MobileNetV2 of `keras.applications` with random weights."""
    return mobilenet()


@pytest.fixture
def published(twin, tmp_path, monkeypatch):
    """The row of MobileNetV2, its file on a server of this machine."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    twin.save(tmp_path / "twin.h5")
    with file_server((tmp_path / "twin.h5").read_bytes()) as server:
        row = replace(PRETRAINED["mobilenet_v2_keras"], url=f"{server.url}/mobilenet.h5")
        monkeypatch.setitem(PRETRAINED, row.name, row)
        yield server, tmp_path / "keras" / "models" / "mobilenet.h5"


def test_imagenet_and_the_rows_name_download(published, twin):
    server, cached = published
    for weights in ("imagenet", "mobilenet_v2_keras", "imagenet"):
        assert same(create(weights), twin)
    assert cached.is_file() and server.asked == ["/mobilenet.h5"]


def test_a_failed_download_says_what_else_there_is(published):
    published[0].manner = "missing"
    with pytest.raises(OSError, match=r"ImageNet weights of mobilenet_v2 could not.*404.*path of"):
        create("imagenet")


def test_a_wrong_file_without_a_published_hash_does_not_stay(published, twin):
    server, cached = published
    right, server.content = server.content, b"<!DOCTYPE html><p>Please log in"
    message = refusal("imagenet")
    assert message.startswith(f"{cached} is no weights file: it starts with b'<!DOCTYPE html>")
    assert message.endswith("It was removed from Keras' cache.")
    server.content = right
    assert same(create("imagenet"), twin)


def test_a_row_brings_its_preprocessing(published, monkeypatch):
    assert read_scaling(create("imagenet")) == expected_scaling("plus_minus_one")
    row = replace(PRETRAINED["mobilenet_v2_keras"], preprocessing="caffe")
    monkeypatch.setitem(PRETRAINED, row.name, row)
    assert read_scaling(create("imagenet")) == expected_scaling("caffe")
    assert read_scaling(create(None)) == expected_scaling("plus_minus_one")
