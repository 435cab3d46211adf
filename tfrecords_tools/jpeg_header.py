"""What the header of a JPEG file says of it, read without a decoder.

Source: ITU-T T.81 (JPEG), annex B.
"""

from __future__ import annotations

import dataclasses
import functools
import struct

import numpy as np

_START, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_STANDALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length: TEM, RST0 to RST7
_TABLES = {0xC4, 0xC8, 0xCC}  # among the start-of-frame codes, and none of them
_FRAMES = set(range(0xC0, 0xD0)) - _TABLES
_BASELINE, _PROGRESSIVE = 0xC0, 0xC2
# Which code after 0xFF ends entropy-coded data: there it is followed by a zero, which makes it
# data, or by a restart marker.
_ENDS = np.ones(256, bool)
_ENDS[[0x00, *range(0xD0, 0xD8), 0xFF]] = False
_BETWEEN_SCANS = {0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}  # DHT, DQT, DRI, COM, APPn
_SEGMENT = struct.Struct(">BBH").unpack_from  # 0xFF, the marker, the length
_LONGEST_FRAME = 8 + 3 * 255  # bytes, its length among them
_ORDINARY_LUMA = {(1, 1), (1, 2), (2, 1), (2, 2)}


@dataclasses.dataclass(frozen=True)
class JpegHeader:
    """The frame header.

    Attributes:
        height, width: in pixels, as stored.
        frame: code of the start-of-frame marker: 0xC0 baseline, 0xC2 progressive, others rare.
        bits: of a sample.
        sampling: (horizontal, vertical) sampling factor of each component.
    """

    height: int
    width: int
    frame: int
    bits: int
    sampling: tuple[tuple[int, int], ...]

    @functools.cached_property
    def is_ordinary(self) -> bool:
        """Whether every decoder reads this kind: baseline or progressive, 8 bits, grey or three
        components with the usual sampling. CMYK, 12 bits, arithmetic coding and the like are not.
        """
        if self.frame not in (_BASELINE, _PROGRESSIVE) or self.bits != 8:
            return False
        if len(self.sampling) == 1:
            return self.sampling[0] in _ORDINARY_LUMA
        return (
            len(self.sampling) == 3
            and self.sampling[0] in _ORDINARY_LUMA
            and self.sampling[1:] == ((1, 1), (1, 1))
        )


def read_jpeg_header(data: bytes) -> JpegHeader | None:
    """The header of JPEG bytes, or None when they are no JPEG or have no whole frame header.

    Args:
        data: the whole file, or its beginning.
    """
    if data[:3] != b"\xff\xd8\xff":
        return None
    place, end = 2, len(data)
    while place + 4 <= end:
        fill, marker, size = _SEGMENT(data, place)
        if fill != 0xFF:
            return None
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker in _STANDALONE:
            place += 2
            continue
        if marker in (_START, _END_OF_IMAGE, _START_OF_SCAN, 0x00):
            return None
        if marker in _FRAMES:
            return _frame(marker, data[place + 4 : place + 2 + min(size, _LONGEST_FRAME)], size)
        if size < 2:
            return None
        place += 2 + size
    return None


@functools.lru_cache(1024)  # most pictures of a data set share a few headers
def _frame(marker: int, body: bytes, size: int) -> JpegHeader | None:
    if len(body) != size - 2 or len(body) < 6 or len(body) != 6 + 3 * body[5]:
        return None
    factors = [body[6 + 3 * component + 1] for component in range(body[5])]
    header = JpegHeader(
        height=int.from_bytes(body[1:3]),
        width=int.from_bytes(body[3:5]),
        frame=marker,
        bits=body[0],
        sampling=tuple((factor >> 4, factor & 15) for factor in factors),
    )
    return header if header.height and header.width else None


def has_whole_scans(data: bytes) -> bool:
    """Whether a JPEG's markers, from its first scan on, are those that belong there, up to the end
    of the image: no marker in the midst of the entropy-coded data, none missing at the end.

    Decoders differ in what they make of such files.

    Args:
        data: the whole file, of which `read_jpeg_header` gives a header.
    """
    place, scans, ends = 2, 0, _ends_of_scans(data)
    while place + 4 <= len(data):
        marker, size = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if data[place] != 0xFF or size < 2:
            return False
        if marker not in (_START_OF_SCAN, *_BETWEEN_SCANS, *(() if scans else _FRAMES)):
            return False
        place += 2 + size
        if marker != _START_OF_SCAN:
            continue
        scans += 1
        following = np.searchsorted(ends, place)
        if following == len(ends):
            return False
        place = int(ends[following])
        if data[place + 1] == _END_OF_IMAGE:
            return True
    return False


def _ends_of_scans(data: bytes) -> np.ndarray:
    """Places of the markers that would end entropy-coded data, ascending; a regular expression
    takes twice as long."""
    values = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(values[:-1] == 0xFF)
    return places[_ENDS[values[places + 1]]]
