"""Pictures of no landmark."""

from __future__ import annotations

import numpy as np
import pytest

from tfrecords_tools.demo import generic
from tfrecords_tools.demo.plan import generator


def test_pictures_have_the_asked_size_are_repeatable_and_all_different():
    pictures = set()
    for n in range(24):
        image = generic.take_generic(generator(3, n), (96, 72))
        assert image.size == (96, 72)
        assert image.mode == "RGB"
        assert np.asarray(image).std() > 3
        pictures.add(image.tobytes())
    assert len(pictures) == 24
    again = generic.take_generic(generator(3, 5), (96, 72))
    assert again.tobytes() in pictures


def test_every_kind_can_be_drawn(monkeypatch):
    kinds = dict(generic._KINDS)
    assert sum(kinds.values()) == pytest.approx(1)
    for kind in kinds:
        monkeypatch.setattr(generic, "_KINDS", {kind: 1.0})
        assert generic.take_generic(generator(4, 4), (80, 60)).size == (80, 60)
