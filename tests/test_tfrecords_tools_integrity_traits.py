from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.reference.gldv2 import picture
from tfrecords_tools.integrity.traits import TREATMENT, from_bits, to_bits, traits_of

NORMAL = (64, 48)


def saved(image: Image.Image, fmt: str, **options) -> bytes:
    target = io.BytesIO()
    image.save(target, fmt, **options)
    return target.getvalue()


def rotated(orientation: int) -> bytes:
    image = Image.new("RGB", NORMAL)
    exif = image.getexif()
    exif[0x0112] = orientation
    return saved(image, "JPEG", exif=exif)


BLACK, WHITE = Image.new("RGB", NORMAL), Image.new("RGB", NORMAL, "white")


@pytest.mark.parametrize(
    ("data", "traits"),
    [
        (picture("a", NORMAL), set()),
        (picture("a", NORMAL, mode="L"), {"grey"}),
        (picture("a", NORMAL, mode="CMYK"), {"CMYK"}),
        (picture("a", NORMAL, fmt="PNG"), {"PNG in .jpg"}),
        (picture("a", NORMAL, mode="1", fmt="PNG"), {"PNG in .jpg", "grey"}),
        (picture("a", NORMAL, mode="P", fmt="PNG"), {"PNG in .jpg", "palette"}),
        (picture("a", NORMAL, mode="RGBA", fmt="PNG"), {"PNG in .jpg", "alpha"}),
        (picture("a", NORMAL, mode="LA", fmt="PNG"), {"PNG in .jpg", "alpha", "grey"}),
        (saved(BLACK, "PNG", transparency=(0, 0, 0)), {"PNG in .jpg", "alpha"}),
        (saved(Image.new("I;16", NORMAL), "PNG"), {"PNG in .jpg", "grey", "16 bit"}),
        (
            saved(BLACK, "PNG", save_all=True, append_images=[WHITE]),
            {"PNG in .jpg", "several pictures"},
        ),
        (saved(BLACK, "MPO", save_all=True, append_images=[WHITE]), {"several pictures"}),
        (rotated(6), {"rotated by EXIF"}),
        (rotated(1), set()),
        (picture("a", (64, 31)), {"tiny"}),
        (picture("a", (64, 32)), set()),
        (picture("a", (160, 32)), set()),
        (picture("a", (161, 32)), {"extreme aspect"}),
        (picture("a", (32, 161)), {"extreme aspect"}),
    ],
)
def test_each_trait_is_seen_and_no_other(data, traits):
    assert traits_of(data) == traits


def test_a_damaged_exif_block_is_no_orientation():
    data = rotated(6)
    place = data.index(b"Exif\0\0") + 6
    assert traits_of(data[:place] + b"XX" + data[place + 2 :]) == set()


def test_the_treatment_is_what_readers_of_the_records_do():
    """TensorFlow's decoder, as training and evaluation call it."""
    import tensorflow as tf

    def decoded(data):
        return tf.io.decode_jpeg(data, channels=3).numpy()

    generator = np.random.default_rng(0)
    rgba = generator.integers(0, 256, (*NORMAL, 4), np.uint8)
    png = saved(Image.fromarray(rgba, "RGBA"), "PNG")
    assert np.array_equal(decoded(png), rgba[..., :3])  # alpha dropped, not blended
    turned = rotated(6)
    assert decoded(turned).shape == (NORMAL[1], NORMAL[0], 3)  # orientation not applied
    grey = decoded(picture("a", NORMAL, mode="L"))
    assert np.ptp(grey.astype(int), axis=-1).max() == 0
    for fmt in ("PNG", "MPO"):  # the first picture of several
        several = saved(WHITE, fmt, save_all=True, append_images=[BLACK])
        assert decoded(several).min() == 255
    palette = picture("a", NORMAL, mode="P", fmt="PNG")
    with Image.open(io.BytesIO(palette)) as image:
        assert np.array_equal(decoded(palette), np.asarray(image.convert("RGB")))


@given(st.frozensets(st.sampled_from(list(TREATMENT))))
def test_traits_survive_as_bits(traits):
    assert frozenset(from_bits(to_bits(traits))) == traits


def test_bits_never_move():
    """Journals on disks hold them."""
    assert from_bits(1) == ["grey"]
    assert from_bits(1 << 9) == ["extreme aspect"]
    assert len(TREATMENT) == 10
