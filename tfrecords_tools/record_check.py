"""Checks of one record against DELF's format and against what its split says of it."""

from __future__ import annotations

import numpy as np

from landmarks_tf.records import Manifest, NotAnExampleError, decode_features
from tfrecords_tools.images import BadImageError
from tfrecords_tools.proof import prove_image

# Key -> the kind of list its value is; the label comes on top where the split has labels.
DELF_KEYS = {
    "image/encoded": "bytes_list",
    "image/height": "int64_list",
    "image/width": "int64_list",
    "image/colorspace": "bytes_list",
    "image/channels": "int64_list",
    "image/format": "bytes_list",
    "image/id": "bytes_list",
}
LABEL_KEY = "image/class/label"
_TYPES = {"bytes_list": bytes, "int64_list": int}


def check_record(record: bytes, row: np.void | None, manifest: Manifest) -> list[str]:
    """What is wrong with one serialised record; empty when nothing is.

    Args:
        record: the serialised tf.train.Example.
        row: its row of the side-car, or None when that cannot be trusted.
        manifest: of the split.
    """
    try:
        features = decode_features(record)
    except NotAnExampleError:
        return ["not a tf.train.Example"]
    expected = dict(DELF_KEYS)
    if manifest.num_classes is not None:
        expected[LABEL_KEY] = "int64_list"
    problems = _check_keys(features, expected)
    if problems:
        return problems
    values = {key: features[key][0] for key in expected}
    problems += _check_label(values, row, manifest)
    if row is not None and values["image/id"] != bytes(row["id"]):
        problems.append(f"id {_text(values['image/id'])}, the side-car says {_text(row['id'])}")
    for key, wanted in (("image/colorspace", b"RGB"), ("image/channels", 3)):
        if values[key] != wanted:
            problems.append(f"{key} is {values[key]!r}, expected {wanted!r}")
    return problems + _check_image(values)


def _check_keys(features: dict[str, list], expected: dict[str, str]) -> list[str]:
    problems = []
    for key in sorted(features.keys() | expected.keys()):
        if key not in features:
            problems.append(f"no feature {key}")
        elif key not in expected:
            problems.append(f"unexpected feature {key}")
        else:
            found = features[key]
            if len(found) != 1 or not isinstance(found[0], _TYPES[expected[key]]):
                problems.append(f"feature {key} is not a {expected[key]} of one value")
    return problems


def _check_label(values: dict, row: np.void | None, manifest: Manifest) -> list[str]:
    if manifest.num_classes is None:
        return []
    label = values[LABEL_KEY]
    problems = []
    if not 0 <= label < manifest.num_classes:
        problems.append(f"label {label}, the manifest says {manifest.num_classes} classes")
    if row is not None and label != row["label"]:
        problems.append(f"label {label}, the side-car says {row['label']}")
    return problems


def _check_image(values: dict) -> list[str]:
    data = values["image/encoded"]
    problems = []
    found = "PNG" if data.startswith(b"\x89PNG") else "JPEG"
    if values["image/format"] != found.encode():
        problems.append(f"image/format is {_text(values['image/format'])}, the bytes are {found}")
    try:
        image = prove_image(data)
    except BadImageError as error:
        return [*problems, f"the image does not decode: {error}"]
    stored = values["image/height"], values["image/width"]
    if stored != (image.height, image.width):
        problems.append(
            f"the image is {image.height} x {image.width} pixels, the record says {stored}"
        )
    return problems


def _text(value: bytes) -> str:
    return bytes(value).decode("ascii", "backslashreplace")
