"""Tell from a weights file's names which well-known network it belongs to."""

from __future__ import annotations

from collections.abc import Container

# (network, a name that it has and the networks below it have not), the telling ones first: an
# entry of a PyTorch state dict, or a layer of a Keras file.
_TELLING_NAMES = (
    ("SE-ResNeXt101 as timm has it", "layer3.22.se.fc1.weight"),
    ("ResNeSt-269 as timm has it", "layer3.47.conv2.fc1.weight"),
    ("a smaller ResNeSt as timm has it", "layer1.0.conv2.fc1.weight"),
    ("Res2Net-200", "layer3.47.convs.0.weight"),
    ("a smaller Res2Net as timm has it", "layer1.0.convs.0.weight"),
    ("ResNet-152 as torchvision has it", "layer3.35.conv3.weight"),
    ("ResNet-101 as torchvision has it", "layer3.22.conv3.weight"),
    ("ResNet-50 as torchvision has it", "layer3.5.conv3.weight"),
    ("ResNet-34 as torchvision has it", "layer3.5.conv2.weight"),
    ("ResNet-18 as torchvision has it", "layer4.1.conv2.weight"),
    ("InceptionV3 as torchvision has it", "Mixed_6d.branch1x1.conv.weight"),
    ("EfficientNet as timm has it", "blocks.0.0.se.conv_reduce.weight"),
    ("EfficientNet as torchvision has it", "features.1.0.block.1.fc1.weight"),
    ("EfficientNet as efficientnet_pytorch has it", "_blocks.0._se_reduce.weight"),
    ("MobileNetV2 as torchvision has it", "features.17.conv.2.weight"),
    ("VGG19 as torchvision has it", "features.34.weight"),
    ("VGG16 as torchvision has it", "features.28.weight"),
    ("MobileNetV2 of keras.applications", "block_16_project"),
    ("ResNet152 of keras.applications", "conv4_block36_3_conv"),
    ("ResNet101 of keras.applications", "conv4_block23_3_conv"),
    ("ResNet50 of keras.applications", "conv5_block3_3_conv"),
    ("VGG19 of keras.applications", "block5_conv4"),
    ("VGG16 of keras.applications", "block5_conv3"),
    ("EfficientNet of keras.applications", "block7a_project_conv"),
)


def guess_network(names: Container[str]) -> str | None:
    """The well-known network whose entries or layers have these names; None for any other."""
    return next((network for network, name in _TELLING_NAMES if name in names), None)
