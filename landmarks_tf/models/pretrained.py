"""The table of pre-trained weights: where they come from, and what they expect.

Everything that a caller could get wrong belongs to a row: `preprocessing` is done inside the model
(`landmarks_tf.models.preprocessing` holds range, mean, standard deviation and channel order), and
the hashes are checked after each download.

Hashes. A publisher states what `published_hash` says and no more: torchvision and timm put the
first eight digits of the file's SHA-256 into its name, Hugging Face shows it whole, Keras gives an
MD5 for some files and for MobileNetV2 none. Where a whole SHA-256 stands beside eight digits, it
was read in the public records of at least two projects that hold the file; they agree with each
other and with the publisher's digits.

Accuracies are those on ImageNet's 50,000 validation pictures, one centre crop, as their
publishers state them (torchvision 0.28, keras.io, efficientnet_pytorch, PaddleClas) or as timm's
table of results (results-imagenet.csv) measured them.
"""

from __future__ import annotations

from pathlib import Path

from landmarks_tf.models.published_weights import PretrainedWeights, digests_of

_TORCHVISION = "https://download.pytorch.org/models/"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"

_ROWS = (
    # S1's and S4's kind of ResNet: what torchvision trained in 2016, and its longer recipe of 2021.
    PretrainedWeights(
        name="resnet50_torchvision_v1",
        backbone="resnet50",
        publisher="torchvision",
        url=f"{_TORCHVISION}resnet50-0676ba61.pth",
        published_hash="sha256:0676ba61",
        sha256="0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        licence="BSD-3-Clause",
        image_size=224,
        preprocessing="imagenet",
        top1=76.130,
        dialect="torchvision",
    ),
    PretrainedWeights(
        name="resnet50_torchvision_v2",
        backbone="resnet50",
        publisher="torchvision",
        url=f"{_TORCHVISION}resnet50-11ad3fa6.pth",
        published_hash="sha256:11ad3fa6",
        sha256="11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
        licence="BSD-3-Clause",
        image_size=224,
        preprocessing="imagenet",
        top1=80.858,
        dialect="torchvision",
    ),
    PretrainedWeights(
        name="resnet101_torchvision_v1",
        backbone="resnet101",
        publisher="torchvision",
        url=f"{_TORCHVISION}resnet101-63fe2227.pth",
        published_hash="sha256:63fe2227",
        sha256="63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a",
        licence="BSD-3-Clause",
        image_size=224,
        preprocessing="imagenet",
        top1=77.374,
        dialect="torchvision",
    ),
    PretrainedWeights(
        name="resnet101_torchvision_v2",
        backbone="resnet101",
        publisher="torchvision",
        url=f"{_TORCHVISION}resnet101-cd907fc2.pth",
        published_hash="sha256:cd907fc2",
        sha256="cd907fc2a0de2292b2ba2b27d2216bc672d84632d1cf20058d01c0c03b5e020e",
        licence="BSD-3-Clause",
        image_size=224,
        preprocessing="imagenet",
        top1=81.886,
        dialect="torchvision",
    ),
    PretrainedWeights(
        name="se_resnext101_gluon",
        backbone="se_resnext101",
        publisher="timm (seresnext101_32x4d.gluon_in1k)",
        url=(
            "https://github.com/rwightman/pytorch-pretrained-gluonresnet/releases/download/v0.1/"
            "gluon_seresnext101_32x4d-cf52900d.pth"
        ),
        published_hash="sha256:cf52900d",
        sha256=None,
        licence="Apache-2.0",
        image_size=224,
        preprocessing="imagenet",
        top1=80.892,
        dialect="timm",
    ),
    PretrainedWeights(
        name="resnest269_timm",
        backbone="resnest269",
        publisher="timm (resnest269e.in1k), from ResNeSt's authors",
        url=(
            "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-resnest/"
            "resnest269-0cc87c48.pth"
        ),
        published_hash="sha256:0cc87c48",
        sha256=None,
        licence="Apache-2.0",
        image_size=416,
        preprocessing="imagenet",
        top1=84.510,
        dialect="timm",
    ),
    PretrainedWeights(
        name="res2net200_vd_paddle",
        backbone="res2net200_vd",
        publisher="PaddleClas (Res2Net200_vd_26w_4s)",
        url=None,
        published_hash=None,
        sha256=None,
        licence="Apache-2.0",
        image_size=224,
        preprocessing="imagenet",
        top1=81.21,
        dialect="timm",
        note=(
            "PaddleClas publishes a .pdparams file alone, which is not read here. Convert it to a "
            "PyTorch state dict with timm's names, and give weights the path of that file"
        ),
    ),
    PretrainedWeights(
        name="inception_v3_torchvision",
        backbone="inception_v3",
        publisher="torchvision, from TensorFlow's",
        url=f"{_TORCHVISION}inception_v3_google-0cc3c7bd.pth",
        published_hash="sha256:0cc3c7bd",
        sha256="0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef",
        licence="BSD-3-Clause",
        image_size=299,
        # torchvision standardises by ImageNet's statistics and then, with `transform_input`, turns
        # that back into TensorFlow's -1..1.
        preprocessing="plus_minus_one",
        top1=77.294,
        dialect="torchvision",
    ),
    PretrainedWeights(
        name="vgg16_torchvision",
        backbone="vgg16",
        publisher="torchvision",
        url=f"{_TORCHVISION}vgg16-397923af.pth",
        published_hash="sha256:397923af",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        licence="BSD-3-Clause",
        image_size=224,
        preprocessing="imagenet",
        top1=71.592,
        dialect="torchvision",
    ),
    # What S2 started from (reproduction.md section 1.8).
    PretrainedWeights(
        name="efficientnet_b0_lukemelas",
        backbone="efficientnet_b0",
        publisher="efficientnet_pytorch, from TensorFlow's",
        url=(
            "https://github.com/lukemelas/EfficientNet-PyTorch/releases/download/1.0/"
            "efficientnet-b0-355c32eb.pth"
        ),
        published_hash="sha256:355c32eb",
        sha256=None,
        licence="Apache-2.0",
        image_size=224,
        preprocessing="imagenet",
        top1=76.3,
        dialect="lukemelas",
    ),
    PretrainedWeights(
        name="efficientnet_b0_timm",
        backbone="efficientnet_b0",
        publisher="timm (tf_efficientnet_b0.aa_in1k), from TensorFlow's with AutoAugment",
        url="https://huggingface.co/timm/tf_efficientnet_b0.aa_in1k/resolve/main/model.safetensors",
        published_hash=("sha256:bc97e48e1360ee9d9c9d8a39ad2fb9b85ad150eb89d6fc69cd0f08301b5e0b3e"),
        sha256="bc97e48e1360ee9d9c9d8a39ad2fb9b85ad150eb89d6fc69cd0f08301b5e0b3e",
        licence="Apache-2.0",
        image_size=224,
        preprocessing="imagenet",
        top1=76.834,
        dialect="timm",
    ),
    PretrainedWeights(
        name="efficientnet_b0_torchvision",
        backbone="efficientnet_b0_torchvision",
        publisher="torchvision, from timm's",
        url=f"{_TORCHVISION}efficientnet_b0_rwightman-7f5810bc.pth",
        published_hash="sha256:7f5810bc",
        sha256="7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934",
        licence="BSD-3-Clause",
        image_size=224,
        preprocessing="imagenet",
        top1=77.692,
        dialect="torchvision",
    ),
    PretrainedWeights(
        name="resnet50_keras",
        backbone="resnet50_keras",
        publisher="keras.applications, from the authors' Caffe",
        url=f"{_KERAS}resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        published_hash="md5:4d473c1dd8becc155b73f8504c6f6626",
        sha256=None,
        licence="MIT",
        image_size=224,
        preprocessing="caffe",
        top1=74.9,
        dialect="keras",
    ),
    PretrainedWeights(
        name="mobilenet_v2_keras",
        backbone="mobilenet_v2",
        publisher="keras.applications, from TensorFlow's",
        url=(
            f"{_KERAS}mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
        ),
        published_hash=None,
        sha256=None,
        licence="Apache-2.0",
        image_size=224,
        preprocessing="plus_minus_one",
        top1=71.3,
        dialect="keras",
    ),
)

PRETRAINED: dict[str, PretrainedWeights] = {row.name: row for row in _ROWS}


def rows_of(backbone: str) -> list[PretrainedWeights]:
    """The rows that fit a backbone; the first is what "imagenet" stands for."""
    return [row for row in PRETRAINED.values() if row.backbone == backbone]


def identify(path: str | Path) -> PretrainedWeights | None:
    """The row whose very file this is, or None."""
    digests = digests_of(path)
    return next((row for row in PRETRAINED.values() if row.is_file(digests)), None)
