"""The CSV files of GLDv2 for a demo set, column by column as published (formats.md section 1.2)."""

from __future__ import annotations

import csv
import io

from tfrecords_tools.demo.names import Place, place_of
from tfrecords_tools.demo.plan import CORRUPT_KINDS, GENERIC, Census, Picture, generator

_LICENSES = (
    "https://creativecommons.org/licenses/by/2.0/",
    "https://creativecommons.org/licenses/by/3.0/",
    "https://creativecommons.org/licenses/by/4.0/",
)
_AUTHORS = ("A. Demo", "Renderer, the", 'Z. "Zed" Buffer', "Señora Ejemplo", "B. S. Partition")


def all_tables(census: Census) -> dict[str, bytes]:
    """Every CSV of the set: file name -> content."""
    tables = {
        "train.csv": _train(census),
        "train_clean.csv": _train_clean(census),
        "train_attribution.csv": _attribution(census),
        "index.csv": _ids(census, "index"),
        "index_image_to_landmark.csv": _index_to_landmark(census),
        "test.csv": _ids(census, "test"),
        "recognition_solution_v2.1.csv": _recognition(census),
        "retrieval_solution_v2.1.csv": _retrieval(census),
    }
    tables.update(_label_tables(census, "train"))
    tables.update(_label_tables(census, "index"))
    return tables


def encode_rows(header: list[str], rows: list[list]) -> bytes:
    """CSV with Unix line ends. A str is written as UTF-8, surrogate escapes as raw bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", errors="surrogateescape")


def usage_of_queries(census: Census) -> dict[str, str]:
    """'Public' (one in three, as in GLDv2) or 'Private' for each test id."""
    rng = generator(census.settings.seed, 2)
    usage: dict[str, str] = {}
    # Thirds of the pictures of each kind, so that small sets have both.
    for shows_landmark in (True, False):
        ids = [p.id for p in census.by_split["test"] if (p.scene != GENERIC) == shows_landmark]
        for place, row in enumerate(rng.permutation(len(ids))):
            usage[ids[int(row)]] = "Public" if place % 3 == 0 else "Private"
    return usage


def _by_id(pictures) -> list[Picture]:
    return sorted(pictures, key=lambda p: p.id)


def _url(picture: Picture) -> str:
    return f"http://images.example.org/demo/{picture.id[:1]}/{picture.id[:2]}/{picture.id}.jpg"


def _train(census: Census) -> bytes:
    rows = [[p.id, _url(p), p.landmark_id] for p in _by_id(census.by_split["train"])]
    return encode_rows(["id", "url", "landmark_id"], rows)


def _train_clean(census: Census) -> bytes:
    classes: dict[int, list[str]] = {}
    for picture in _by_id(census.by_split["train"]):
        if picture.clean:
            classes.setdefault(picture.landmark_id, []).append(picture.id)
    rows = [[label, " ".join(ids)] for label, ids in sorted(classes.items())]
    return encode_rows(["landmark_id", "images"], rows)


def _attribution(census: Census) -> bytes:
    rows = []
    for picture in _by_id(census.by_split["train"]):
        draw = int(picture.id[:8], 16)
        author = _AUTHORS[draw % len(_AUTHORS)]
        license_url = _LICENSES[draw // 8 % len(_LICENSES)]
        title = f"Rendering, No. {draw % 10_000}.jpg"
        rows.append([picture.id, _url(picture), author, license_url, title])
    return encode_rows(["id", "url", "author", "license", "title"], rows)


def _ids(census: Census, split: str) -> bytes:
    return encode_rows(["id"], [[p.id] for p in _by_id(census.by_split[split])])


def _index_to_landmark(census: Census) -> bytes:
    rows = [[p.id, p.landmark_id] for p in _by_id(census.by_split["index"])]
    return encode_rows(["id", "landmark_id"], rows)


def _recognition(census: Census) -> bytes:
    usage = usage_of_queries(census)
    rows = [
        [p.id, census.train_ids.get(p.scene, ""), usage[p.id]]
        for p in _by_id(census.by_split["test"])
    ]
    return encode_rows(["id", "landmarks", "Usage"], rows)


def _retrieval(census: Census) -> bytes:
    usage = usage_of_queries(census)
    relevant: dict[int, list[str]] = {}
    for picture in _by_id(census.by_split["index"]):
        # An unreadable index image can never be returned, so it is not asked for.
        if picture.kind not in CORRUPT_KINDS:
            relevant.setdefault(picture.scene, []).append(picture.id)
    rows = []
    for picture in _by_id(census.by_split["test"]):
        ids = relevant.get(picture.scene)
        rows.append(
            [picture.id, " ".join(ids), usage[picture.id]]
            if ids
            else [picture.id, "None", "Ignored"]
        )
    return encode_rows(["id", "images", "Usage"], rows)


def _label_tables(census: Census, split: str) -> dict[str, bytes]:
    seed = census.settings.seed
    if split == "train":
        places = {label: place_of(seed, n) for n, label in census.train_ids.items()}
        first = census.settings.landmarks  # numbers past the scenes name the unclean-only ids
        places |= {
            label: place_of(seed, first + i, has_scene=False)
            for i, label in enumerate(census.extra_ids)
        }
    else:
        places = {label: place_of(seed, n) for n, label in census.index_ids.items()}
    ordered: list[tuple[int, Place]] = sorted(places.items())
    short = [[label, place.category] for label, place in ordered]
    long = [
        [label, place.category, place.supercategory, place.hierarchical_label, place.origin]
        for label, place in ordered
    ]
    header = ["landmark_id", "category"]
    more = [*header, "supercategory", "hierarchical_label", "natural_or_human_made"]
    return {
        f"{split}_label_to_category.csv": encode_rows(header, short),
        f"{split}_label_to_hierarchical.csv": encode_rows(more, long),
    }
