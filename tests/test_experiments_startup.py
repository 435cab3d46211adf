import gc
import subprocess
import sys

import keras  # noqa: F401  (as in every worker that has run another test)

from experiments.startup import import_keras
from tests.conftest import ROOT

CHILD = """
import gc, sys
from experiments.startup import import_keras
assert "keras" not in sys.modules
import_keras()
assert "keras" in sys.modules and gc.isenabled() and gc.get_freeze_count() > 100_000
ring = []
ring.append(ring)
del ring
assert gc.collect() >= 1
"""


def test_collections_go_on_after_the_import():
    done = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_program_that_has_keras_is_left_alone():
    before = gc.get_freeze_count()
    import_keras()
    assert gc.get_freeze_count() == before and gc.isenabled()
