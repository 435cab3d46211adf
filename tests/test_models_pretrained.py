"""The table of pre-trained weights, held against the packages and files that it speaks of."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from urllib.parse import urlsplit

import keras
import pytest
from keras.src.applications import mobilenet_v2, resnet

from landmarks_tf.models import BACKBONES
from landmarks_tf.models.preprocessing import PREPROCESSINGS
from landmarks_tf.models.pretrained import PRETRAINED, identify, rows_of
from landmarks_tf.models.published_weights import digests_of
from tests.torch_twins import PYTHON

ROWS = pytest.mark.parametrize("row", PRETRAINED.values(), ids=PRETRAINED)


@ROWS
def test_a_row_is_complete_and_of_its_form(row):
    assert PRETRAINED[row.name] is row
    assert row.backbone in BACKBONES
    assert row.preprocessing in PREPROCESSINGS
    assert row.licence in ("Apache-2.0", "BSD-3-Clause", "MIT")
    assert row.image_size >= BACKBONES[row.backbone].min_image_size
    assert 70 < row.top1 < 85
    assert row.publisher and row.dialect in ("torchvision", "timm", "lukemelas", "keras")
    assert row.published_hash is None or re.fullmatch(
        r"sha256:([0-9a-f]{8}|[0-9a-f]{64})|md5:[0-9a-f]{32}", row.published_hash
    )
    assert row.sha256 is None or re.fullmatch("[0-9a-f]{64}", row.sha256)
    if row.url is None:
        assert row.note
    else:
        assert urlsplit(row.url).scheme == "https"
        assert re.fullmatch(r"[\w.-]+\.(pth|h5|safetensors)", row.file_name)


@ROWS
def test_a_whole_sha256_begins_as_the_publisher_says(row):
    algorithm, _, digits = (row.published_hash or "").partition(":")
    if row.sha256 and algorithm == "sha256":
        assert row.sha256.startswith(digits)
    # PyTorch's custom: the file's name ends with the first eight digits.
    in_name = re.search(r"-([0-9a-f]{8})\.pth$", row.file_name) if row.url else None
    if in_name:
        assert digits == in_name[1]


def test_no_two_files_share_a_name_in_the_cache():
    names = [row.file_name for row in PRETRAINED.values() if row.url]
    assert len(set(names)) == len(names)


def test_a_programs_names_are_ours_or_can_be_translated():
    for row in PRETRAINED.values():
        known = BACKBONES[row.backbone].torch_modules
        if row.dialect == "lukemelas" or row.backbone.startswith("inception"):
            assert row.dialect in known


def test_imagenet_stands_for_what_the_sources_started_from():
    first = {row.backbone: rows_of(row.backbone)[0].name for row in PRETRAINED.values()}
    assert first["resnet101"] == "resnet101_torchvision_v1"  # S1, in 2020: before the second
    assert first["efficientnet_b0"] == "efficientnet_b0_lukemelas"  # S2
    assert rows_of("inception_v100") == []


def test_the_rows_of_keras_are_keras_own():
    row = PRETRAINED["resnet50_keras"]
    assert row.published_hash == f"md5:{resnet.WEIGHTS_HASHES['resnet50'][1]}"
    assert row.url.startswith(resnet.BASE_WEIGHTS_PATH)
    assert PRETRAINED["mobilenet_v2_keras"].url.startswith(mobilenet_v2.BASE_WEIGHT_PATH)


@pytest.mark.parametrize("name", ["resnet50_keras", "mobilenet_v2_keras"])
def test_keras_asks_for_the_same_files(name, monkeypatch):
    asked = {}

    def get_file(fname, origin, cache_subdir, file_hash=None):
        asked.update(fname=fname, origin=origin, cache_subdir=cache_subdir, file_hash=file_hash)
        raise InterruptedError

    build = {"resnet50_keras": "ResNet50", "mobilenet_v2_keras": "MobileNetV2"}[name]
    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", get_file)
    with pytest.raises(InterruptedError):
        getattr(keras.applications, build)(include_top=False, input_shape=(224, 224, 3))
    row = PRETRAINED[name]
    assert asked == {
        "fname": row.file_name,
        "origin": row.url,
        "cache_subdir": "models",
        "file_hash": row.published_hash and row.published_hash.removeprefix("md5:"),
    }


# What torchvision and timm say of their files, as JSON: name -> (url, side, mean, std, top-1).
_ASK = """
import json, torch
operators = torch.library.Library("torchvision", "DEF")
try:
    import torchvision
except RuntimeError:
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
import timm
models, said = torchvision.models, {}
for name, weights in {
    "resnet50_torchvision_v1": models.ResNet50_Weights.IMAGENET1K_V1,
    "resnet50_torchvision_v2": models.ResNet50_Weights.IMAGENET1K_V2,
    "resnet101_torchvision_v1": models.ResNet101_Weights.IMAGENET1K_V1,
    "resnet101_torchvision_v2": models.ResNet101_Weights.IMAGENET1K_V2,
    "inception_v3_torchvision": models.Inception_V3_Weights.IMAGENET1K_V1,
    "vgg16_torchvision": models.VGG16_Weights.IMAGENET1K_V1,
    "efficientnet_b0_torchvision": models.EfficientNet_B0_Weights.IMAGENET1K_V1,
}.items():
    t = weights.transforms()
    top1 = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    said[name] = [weights.url, t.crop_size[0], t.mean, t.std, top1]
for name, tag in {
    "se_resnext101_gluon": "seresnext101_32x4d.gluon_in1k",
    "resnest269_timm": "resnest269e.in1k",
    "efficientnet_b0_timm": "tf_efficientnet_b0.aa_in1k",
}.items():
    c = timm.get_pretrained_cfg(tag)
    said[name] = [c.url, c.input_size[1], c.mean, c.std, c.license]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said():
    if not PYTHON.is_file():
        pytest.skip("PyTorch's environment (.venv-torch) is not built: make peers")
    done = subprocess.run([PYTHON, "-c", _ASK], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.peers
@pytest.mark.parametrize("name", [name for name in PRETRAINED if name.endswith("vision_v1")]
    + ["resnet50_torchvision_v2", "resnet101_torchvision_v2", "inception_v3_torchvision",
       "vgg16_torchvision", "efficientnet_b0_torchvision"])  # fmt: skip
def test_torchvision_says_the_same(name, said):
    row, (url, side, mean, std, top1) = PRETRAINED[name], said[name]
    assert (row.url, row.image_size, row.top1) == (url, side, top1)
    # Its transforms standardise by ImageNet's statistics; InceptionV3 turns that back inside.
    imagenet = PREPROCESSINGS["imagenet"]
    assert (tuple(mean), tuple(std)) == (imagenet.mean, imagenet.std)
    expected = "plus_minus_one" if "inception" in name else "imagenet"
    assert row.preprocessing == expected


@pytest.mark.peers
@pytest.mark.parametrize("name", ["se_resnext101_gluon", "resnest269_timm", "efficientnet_b0_timm"])
def test_timm_says_the_same(name, said):
    row, (url, side, mean, std, licence) = PRETRAINED[name], said[name]
    assert (row.image_size, row.licence.lower()) == (side, licence)
    preprocessing = PREPROCESSINGS[row.preprocessing]
    assert (tuple(mean), tuple(std)) == (preprocessing.mean, preprocessing.std)
    if name == "se_resnext101_gluon":
        assert row.url == url


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_file_is_recognised_by_its_hash(tmp_path, monkeypatch, algorithm):
    path = tmp_path / "renamed.bin"
    path.write_bytes(b"weights")
    assert identify(path) is None
    row = replace(
        PRETRAINED["vgg16_torchvision"],
        published_hash=f"{algorithm}:{digests_of(path)[algorithm]}",
        sha256=None,
    )
    monkeypatch.setitem(PRETRAINED, row.name, row)
    assert identify(path) is row
    wrong = replace(row, sha256="0" * 64)  # both must agree
    monkeypatch.setitem(PRETRAINED, row.name, wrong)
    assert identify(path) is None
