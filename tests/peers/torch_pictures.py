"""What OpenCV and torchvision make of given pictures.

    python torch_pictures.py GIVEN.npz OUT.npz

Runs in the environment of torch_requirements.txt. GIVEN.npz holds `picture` (H, W, 3) uint8 RGB and
the parameters below; OUT.npz gets one array for each function of RESULTS, and where it reads a list
of parameters one stacked result for each. torchvision works on Pillow images, as S2's program did.
"""

from __future__ import annotations

import sys

import cv2
import numpy as np
import torch
from PIL import Image

# torchvision describes two compiled operators at import; beside a CPU build of torch its compiled
# part does not load, and neither is used here.
try:
    import torchvision
except RuntimeError:
    operators = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        operators.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision  # noqa: F401
from torchvision.transforms import InterpolationMode, functional


def opencv_resized(given):
    """To each (h, w) of `sizes`, flattened one after another."""
    made = [
        cv2.resize(given["picture"], (int(w), int(h)), interpolation=cv2.INTER_LINEAR).ravel()
        for h, w in given["sizes"]
    ]
    return np.concatenate(made)


def opencv_shifted(given):
    """The value of HSV shifted by each of `shifts`, as S1's program does."""
    made = []
    for shift in given["shifts"]:
        hsv = cv2.cvtColor(given["picture"], cv2.COLOR_RGB2HSV)
        hsv[..., 2] = np.clip(hsv[..., 2].astype(int) + int(shift), 0, 255)
        made.append(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))
    return np.stack(made)


def each(parameters, change):
    def made(given):
        image = Image.fromarray(given["picture"])
        return np.stack([np.asarray(change(image, row)) for row in given[parameters]])

    return made


def resized_crop(image, box):
    top, left, height, width = map(int, box)
    return functional.resized_crop(image, top, left, height, width, image.size[::-1])


def affine(image, row):
    angle, right, down, scale, shear = map(float, row)
    return functional.affine(
        image,
        angle,
        [int(right), int(down)],
        scale,
        [shear, 0.0],  # one number would shear along both axes
        interpolation=InterpolationMode.BILINEAR,
    )


RESULTS = {
    "opencv_resized": opencv_resized,
    "opencv_shifted": opencv_shifted,
    "resized_crop": each("boxes", resized_crop),
    "affine": each("affines", affine),
    "hue": each("turns", lambda image, turn: functional.adjust_hue(image, float(turn))),
    "sharpness": each(
        "factors", lambda image, factor: functional.adjust_sharpness(image, float(factor))
    ),
    "posterize": each("bits", lambda image, bits: functional.posterize(image, int(bits))),
    "solarize": each("thresholds", lambda image, level: functional.solarize(image, int(level))),
    "auto_contrast": each("once", lambda image, _: functional.autocontrast(image)),
    "equalize": each("once", lambda image, _: functional.equalize(image)),
}


def main() -> None:
    # Threads that wait for each other cost more than these small pictures do.
    torch.set_num_threads(1)
    given_path, out_path = sys.argv[1:]
    with np.load(given_path) as arrays:
        given = dict(arrays)
    np.savez(out_path, **{name: compute(given) for name, compute in RESULTS.items()})


if __name__ == "__main__":
    main()
