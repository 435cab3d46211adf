from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfrecords_tools.membership import is_in

NAMES = st.lists(st.sampled_from([b"", b"a", b"ab", b"b", b"\xff" * 16, b"0" * 16, b"c-_"]))


@given(NAMES, NAMES)
def test_as_a_set_tells_it(ids, among):
    found = is_in(np.array(ids, "S16"), np.array(among, "S16"))
    assert found.dtype == bool
    assert found.tolist() == [name in set(among) for name in ids]
