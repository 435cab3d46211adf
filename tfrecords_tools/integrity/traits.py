"""What is unusual about an image that decodes, and what is done with each kind.

None of it is a fault: the image becomes a record with all its bytes. But whoever trains on it, or
crashes on it elsewhere, should know that it is there.
"""

from __future__ import annotations

import io

from PIL import Image

TINY_SHORT_SIDE_PX = 32
EXTREME_ASPECT_RATIO = 5.0
_ORIENTATION = 0x0112  # EXIF tag; 1 means as stored

# Trait -> its treatment. The order is that of the bits in a journal: append, never reorder.
TREATMENT = {
    "grey": "kept; decodes to three equal channels",
    "CMYK": "kept; decodes to RGB",
    "PNG in .jpg": "kept; image/format says PNG, decodes as such",
    "palette": "kept; decodes to RGB",
    "alpha": "kept; the alpha channel is dropped when it is decoded",
    "16 bit": "kept; scaled to 8 bits when it is decoded",
    "several pictures": "kept; the first one is decoded (animated PNG, MPO)",
    "rotated by EXIF": "kept; the orientation is not applied, as in all published readers",
    "tiny": f"kept; shorter side below {TINY_SHORT_SIDE_PX} px, enlarged by resizing",
    "extreme aspect": f"kept; longer side over {EXTREME_ASPECT_RATIO:g} times the shorter one",
}
# Kind of a bad image, as `tfrecords_tools.images` tells it -> its treatment.
_LEFT_OUT = "left out of the records, listed in <split>.skipped.csv"
FAULTS = (
    "missing",
    "unreadable",
    "not a file",
    "empty file",
    "too large",
    "truncated",
    "undecodable",
    "not an image",
    "unsupported format",
)
TREATMENT_OF_FAULTS = dict.fromkeys(FAULTS, _LEFT_OUT)

_BIT = {trait: 1 << place for place, trait in enumerate(TREATMENT)}


def traits_of(data: bytes) -> frozenset[str]:
    """Traits (keys of `TREATMENT`) of an image that decodes; only its header is read.

    Args:
        data: bytes of a JPEG or PNG that `tfrecords_tools.images.check_image` accepts.
    """
    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
        width, height = image.size
        mode, short, long = image.mode, min(width, height), max(width, height)
        found = {
            "grey": mode in ("1", "L", "LA") or mode.startswith("I"),
            "CMYK": mode in ("CMYK", "YCCK"),
            "PNG in .jpg": image.format == "PNG",
            "palette": mode == "P",
            "alpha": mode.endswith("A") or "transparency" in image.info,
            "16 bit": mode.startswith("I"),
            "several pictures": getattr(image, "n_frames", 1) > 1,
            "rotated by EXIF": _orientation(image) not in (0, 1),
            "tiny": short < TINY_SHORT_SIDE_PX,
            "extreme aspect": long > EXTREME_ASPECT_RATIO * short,
        }
    return frozenset(trait for trait, has in found.items() if has)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation 1 to 8, or 0 where there is none that can be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 0)
    except Exception:  # a damaged EXIF block fails in any way, and says nothing of the picture
        return 0
    return value if isinstance(value, int) and 1 <= value <= 8 else 0


def to_bits(traits: frozenset[str]) -> int:
    """Traits as one number, for a journal."""
    return sum(_BIT[trait] for trait in traits)


def from_bits(bits: int) -> list[str]:
    """Traits of a number, in the order of `TREATMENT`."""
    return [trait for trait, bit in _BIT.items() if bits & bit]
