"""The plan of the house, checked over every file: who imports whom, names, sizes, a test for each.

Imports are found by reading the code (also those inside functions), never by running it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("landmarks_tf", "tfrecords_tools", "experiments")
ROOMS = (
    "records", "data", "layers", "losses", "models", "training", "retrieval", "metrics", "plots",
    "export", "serving",
)  # fmt: skip

# What of ours a room may import, besides itself.
MAY_IMPORT = {
    "landmarks_tf.records": (),
    "landmarks_tf.layers": (),
    "landmarks_tf.losses": (),
    "landmarks_tf.metrics": (),
    "landmarks_tf.plots": (),
    "landmarks_tf.training": (),
    "landmarks_tf.retrieval": (),
    "landmarks_tf.data": ("landmarks_tf.records",),
    "landmarks_tf.models": ("landmarks_tf.layers",),
    "landmarks_tf.export": ("landmarks_tf.data.image_ops",),
    "landmarks_tf.serving": ("landmarks_tf.export", "landmarks_tf.retrieval"),
    "tfrecords_tools": ("landmarks_tf.records",),
    "experiments": tuple(f"landmarks_tf.{room}" for room in ROOMS),
}

# These run on Keras' other backends, or need nothing but NumPy.
WITHOUT_TENSORFLOW = ("layers", "losses", "models", "metrics", "plots")

NO_ROOM = {"utils", "util", "common", "misc", "helpers", "helper"}
LONGEST_FILE = 350


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """(dotted name, path) of every Python file of the three packages."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports_of(name: str, path: Path) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of everything a file imports, wherever in it.

    `from a import b` gives a.b: b may be a module. What is no module is a name inside one, and
    stands in the same room.
    """
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*above, source]).rstrip(".")
            yield from ((f"{source}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import_function(node.func):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value, node.lineno


def _is_import_function(function: ast.expr) -> bool:
    name = getattr(function, "id", getattr(function, "attr", None))
    return name in ("import_module", "__import__")


def room_of(name: str) -> str:
    """landmarks_tf.layers.gem -> landmarks_tf.layers; experiments.run -> experiments."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "landmarks_tf" else parts[0]


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def forbidden_imports(root: Path) -> list[str]:
    """Every import of ours, or of TensorFlow, that the plan does not allow."""
    found = []
    for name, path in modules(root):
        room = room_of(name)
        for imported, line in imports_of(name, path):
            where = f"{path.relative_to(root)}:{line} imports {imported}"
            if imported.split(".")[0] in (*PACKAGES, "tests"):
                allowed = (room, *MAY_IMPORT.get(room, ()))
                if not any(is_within(imported, one) for one in allowed):
                    found.append(where)
            elif imported.split(".")[0] == "tensorflow" and any(
                is_within(name, f"landmarks_tf.{one}") for one in WITHOUT_TENSORFLOW
            ):
                found.append(where)
    return found


def modules_without_tests(root: Path) -> list[str]:
    """Modules with neither a test file of their own nor one of their package."""
    missing = []
    for name, path in modules(root):
        if path.name in ("__init__.py", "__main__.py"):
            continue
        flat = name.removeprefix("landmarks_tf.").replace(".", "_")
        package = name.rpartition(".")[0].removeprefix("landmarks_tf.").replace(".", "_")
        candidates = [root / "tests" / f"test_{one}.py" for one in (flat, package)]
        if not any(candidate.is_file() for candidate in candidates):
            missing.append(f"{path.relative_to(root)} (expected tests/{candidates[0].name})")
    return missing


def test_every_import_is_allowed():
    assert forbidden_imports(ROOT) == []


def test_every_module_has_its_test_file():
    assert modules_without_tests(ROOT) == []


def test_every_room_stands_in_the_table():
    rooms = {room_of(name) for name, _ in modules(ROOT)} - {"landmarks_tf"}
    assert rooms <= MAY_IMPORT.keys()


def test_no_room_for_odds_and_ends():
    parts = {part for name, _ in modules(ROOT) for part in name.split(".")}
    assert not parts & NO_ROOM


def test_no_file_is_too_long():
    long = {
        str(path.relative_to(ROOT)): lines
        for _, path in modules(ROOT)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_every_module_says_what_it_is():
    silent = [
        str(path.relative_to(ROOT))
        for _, path in modules(ROOT)
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_packages_only_gather_names():
    def is_plain(node):
        return isinstance(node, ast.ImportFrom | ast.Import | ast.Expr) or (
            isinstance(node, ast.Assign) and node.targets[0].id.startswith("__")
        )

    busy = [
        str(path.relative_to(ROOT))
        for _, path in modules(ROOT)
        if path.name == "__init__.py" and not all(map(is_plain, ast.parse(path.read_text()).body))
    ]
    assert busy == []


# --- the walker itself --------------------------------------------------------------------------


def plant(root: Path, path: str, code: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("landmarks_tf/layers/a.py", "import landmarks_tf.data"),
        ("landmarks_tf/layers/a.py", "def f():\n    from landmarks_tf.models import Backbone"),
        ("landmarks_tf/layers/a.py", "from landmarks_tf import models"),
        ("landmarks_tf/layers/a.py", "from ..models import inception"),
        ("landmarks_tf/layers/a.py", "from .. import models"),
        ("landmarks_tf/layers/__init__.py", "from ..models import inception"),
        ("landmarks_tf/layers/a.py", "import tensorflow as tf"),
        ("landmarks_tf/losses/a.py", "def f():\n    from tensorflow.math import log"),
        ("landmarks_tf/models/b/a.py", "import importlib\nimportlib.import_module('tensorflow')"),
        ("landmarks_tf/models/a.py", "from landmarks_tf.losses import ArcFaceLoss"),
        ("landmarks_tf/training/a.py", "if True:\n    import landmarks_tf.losses.arcface"),
        ("landmarks_tf/data/a.py", "import landmarks_tf.recordsmith"),
        ("landmarks_tf/export/a.py", "from landmarks_tf.data import dataset"),
        ("landmarks_tf/export/a.py", "from landmarks_tf.data.dataset import make_dataset"),
        ("landmarks_tf/retrieval/a.py", "import experiments.run"),
        ("tfrecords_tools/a.py", "from landmarks_tf.data import image_ops"),
        ("tfrecords_tools/a.py", "class A:\n    def f(self):\n        import experiments"),
        ("experiments/a.py", "from tfrecords_tools import convert"),
        ("landmarks_tf/metrics/a.py", "from tests.reference import metrics"),
    ],
)
def test_a_planted_import_is_caught(tmp_path, path, code):
    plant(tmp_path, path, code)
    (found,) = forbidden_imports(tmp_path)
    assert found.startswith(f"{path}:")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("landmarks_tf/layers/a.py", "from landmarks_tf.layers.gem import GeMPooling2D"),
        ("landmarks_tf/layers/a.py", "from . import gem\nfrom .gem import GeMPooling2D"),
        ("landmarks_tf/layers/a.py", "import tensorflow_datasets\nimport keras"),
        ("landmarks_tf/models/a.py", "from landmarks_tf.layers import GeMPooling2D"),
        ("landmarks_tf/export/a.py", "from landmarks_tf.data import image_ops"),
        ("landmarks_tf/export/a.py", "from landmarks_tf.data.image_ops import letterbox"),
        ("landmarks_tf/data/a.py", "import tensorflow\nfrom landmarks_tf.records import Manifest"),
        ("experiments/a.py", "from landmarks_tf.models import BACKBONES"),
        ("tfrecords_tools/demo/a.py", "from tfrecords_tools.raw import read"),
    ],
)
def test_an_allowed_import_is_not(tmp_path, path, code):
    plant(tmp_path, path, code)
    assert forbidden_imports(tmp_path) == []


def test_a_module_without_a_test_is_caught(tmp_path):
    for path in ("landmarks_tf/layers/a.py", "experiments/stages/b.py", "tfrecords_tools/c.py"):
        plant(tmp_path, path, "")
    assert modules_without_tests(tmp_path) == [
        "landmarks_tf/layers/a.py (expected tests/test_layers_a.py)",
        "tfrecords_tools/c.py (expected tests/test_tfrecords_tools_c.py)",
        "experiments/stages/b.py (expected tests/test_experiments_stages_b.py)",
    ]
    for name in ("layers_a", "tfrecords_tools_c", "experiments_stages"):  # the last: its package's
        plant(tmp_path, f"tests/test_{name}.py", "")
    plant(tmp_path, "experiments/__init__.py", "")
    plant(tmp_path, "experiments/__main__.py", "")
    assert modules_without_tests(tmp_path) == []
