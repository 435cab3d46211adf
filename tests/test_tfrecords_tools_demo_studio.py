"""Single pictures: pure functions of seed and number; nothing but the scene tells the class."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfrecords_tools.demo.plan import GENERIC, Picture, Settings, picture_id
from tfrecords_tools.demo.studio import take_picture

SETTINGS = Settings(seed=21)


def picture(number: int, scene: int, kind: str | None = None, split: str = "train") -> Picture:
    return Picture(split, number, picture_id(21, split, number), scene, kind=kind)


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize("scene", [0, 3, GENERIC])
def test_a_picture_depends_on_nothing_but_its_arguments(scene):
    first = take_picture(SETTINGS, picture(4, scene))
    take_picture(SETTINGS, picture(5, 1))  # another scene in between
    assert take_picture(SETTINGS, picture(4, scene)) == first
    assert take_picture(SETTINGS, picture(5, scene)) != first
    assert take_picture(SETTINGS, picture(4, scene, split="test")) != first
    assert take_picture(Settings(seed=22), picture(4, scene)) != first


def test_frame_and_quality_do_not_depend_on_what_is_shown():
    for number in range(6):
        images = [
            opened(take_picture(SETTINGS, picture(number, scene))) for scene in (0, 1, GENERIC)
        ]
        assert len({image.size for image in images}) == 1
        assert len({str(image.quantization) for image in images}) == 1
        assert 160 <= max(images[0].size) <= 256


def test_pictures_are_neither_black_nor_white_nor_empty():
    dull = 0
    for number in range(30):
        grey = np.asarray(opened(take_picture(SETTINGS, picture(number, number % 3))).convert("L"))
        assert 4 < grey.mean() < 246
        dull += grey.std() < 12
    assert dull <= 2, "too many pictures show nothing"


# The whole set: nothing is solvable from the files, little from the colours.


@pytest.fixture(scope="module")
def judged(demo_raw):
    """(queries, index ids, relevance matrix (Q, M), function id -> path) of the shared set."""
    solution = {}
    with (demo_raw / "retrieval_solution_v2.1.csv").open() as file:
        for row in csv.DictReader(file):
            if row["Usage"] != "Ignored":
                solution[row["id"]] = set(row["images"].split())
    with (demo_raw / "index.csv").open() as file:
        index = [row["id"] for row in csv.DictReader(file)]
    index = [i for i in index if _readable(_path(demo_raw, "index", i))]
    queries = sorted(solution)
    relevance = np.array([[i in solution[q] for i in index] for q in queries])
    return demo_raw, queries, index, relevance


def _path(root: Path, split: str, image: str) -> Path:
    return root / split / image[0] / image[1] / image[2] / f"{image}.jpg"


def _readable(path: Path) -> bool:
    try:
        opened(path.read_bytes())
    except OSError:
        return False
    return True


def mean_average_precision(distance: np.ndarray, relevance: np.ndarray) -> float:
    """mAP@100, one query after the other."""
    scores = []
    for row, relevant in zip(distance, relevance, strict=True):
        hits, total = 0, 0.0
        for rank, column in enumerate(np.argsort(row, kind="stable")[:100], start=1):
            if relevant[column]:
                hits += 1
                total += hits / rank
        scores.append(total / min(int(relevant.sum()), 100))
    return float(np.mean(scores))


def described(judged, describe) -> float:
    """mAP@100 of the Euclidean distance of standardised descriptions."""
    root, queries, index, relevance = judged
    one = np.array([describe(_path(root, "test", i)) for i in queries], float)
    two = np.array([describe(_path(root, "index", i)) for i in index], float)
    mean, spread = two.mean(axis=0), two.std(axis=0) + 1e-9
    one, two = (one - mean) / spread, (two - mean) / spread
    distance = ((one[:, None, :] - two[None, :, :]) ** 2).sum(axis=2)
    return mean_average_precision(distance, relevance)


@pytest.fixture(scope="module")
def chance(judged) -> float:
    """mAP@100 of random rankings."""
    relevance = judged[3]
    rng = np.random.default_rng(0)
    return float(
        np.mean([mean_average_precision(rng.random(relevance.shape), relevance) for _ in range(9)])
    )


def test_size_and_bytes_of_the_files_say_nothing(judged, chance):
    def describe(path: Path) -> list[float]:
        content = path.read_bytes()
        image = Image.open(io.BytesIO(content))
        tables = getattr(image, "quantization", None) or {0: [0] * 64}
        width, height = image.size
        density = len(content) / (width * height)
        return [width, height, width / height, len(content), density, *tables[0][:8]]

    assert described(judged, describe) < 1.35 * chance


def test_the_first_bytes_say_nothing(judged, chance):
    def describe(path: Path) -> np.ndarray:
        return np.frombuffer(path.read_bytes()[:200].ljust(200, b"\0"), np.uint8)

    assert described(judged, describe) < 1.35 * chance


def test_the_id_says_nothing(judged, chance):
    assert described(judged, lambda path: [int(path.stem, 16) / 2**64]) < 1.35 * chance


def test_colours_alone_do_not_solve_it(judged, chance):
    def describe(path: Path) -> np.ndarray:
        small = opened(path.read_bytes()).convert("RGB").resize((48, 48))
        bins = np.asarray(small) // 64
        cells = bins[..., 0] * 16 + bins[..., 1] * 4 + bins[..., 2]
        return np.sqrt(np.bincount(cells.ravel(), minlength=64))

    score = described(judged, describe)
    assert score < 0.45, "a histogram of colours recognises the landmarks"
    assert score > chance, "pictures of a landmark have nothing in common"
