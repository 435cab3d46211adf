"""GLDv2, downloaded beforehand, as TFDS stores and reads its data sets.

    import tfrecords_tools.tfds
    tfds.load("google_landmarks_v2/clean", download_and_prepare_kwargs={
        "download_config": tfds.download.DownloadConfig(manual_dir="DATA")})

Which images there are, their labels and what counts as a bad image is decided by the same code as
for our own records (tfrecords_tools.convert); TFDS writes them, in the order of its key hashes.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from tfrecords_tools.convert import plan_conversion
from tfrecords_tools.image_source import FolderImages
from tfrecords_tools.images import BadImageError, strict_decoding
from tfrecords_tools.options import ConvertOptions
from tfrecords_tools.plan import Plan
from tfrecords_tools.proof import prove_image
from tfrecords_tools.raw import RawFolder, is_kaggles, relative_path

# Images read ahead: enough for all cores, some 10 MB.
_WINDOW = 64


@dataclasses.dataclass(eq=False)
class LandmarksConfig(tfds.core.BuilderConfig):
    """One of the four parts of GLDv2.

    Attributes:
        split: the folder with its images, and the name of its only TFDS split.
        clean: of train: the images of train_clean.csv (True), or all of train.csv.
    """

    split: str = "train"
    clean: bool | None = None

    @property
    def has_labels(self) -> bool:
        return self.split == "train"


class GoogleLandmarksV2(tfds.core.GeneratorBasedBuilder):
    """Google Landmarks Dataset v2: photographs of landmarks, as published, byte for byte.

    Each example has `image`, (H, W, 3) uint8 when decoded, and `id`, 16 characters. Those of train
    have `landmark_id`, as published, and `label`, 0 to C - 1 by ascending landmark id, numbered
    anew for each config; `info.features["label"].names` are the landmark ids in that order, which
    is what `convert` writes into relabeling.csv.

    Images that do not decode are left out. `skipped.csv` beside the shards lists them, and those
    without a file, with their reasons.

    Source: Weyand et al., CVPR 2020; https://github.com/cvdfoundation/google-landmark.
    """

    name = "google_landmarks_v2"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "GLDv2 as published since 2019, its ground truth v2.1."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    manual_dir, or its folder google_landmarks_v2, is GLDv2 as published: train/a/b/c/<id>.jpg,
    index/, test/ and the CSVs. `python -m tfrecords_tools download` makes such a folder. A config
    needs its own part of it only: clean train/, train.csv and train_clean.csv; full train/ and
    train.csv; index and test their folders, and index.csv or test.csv where there is one.
    """
    BUILDER_CONFIGS: ClassVar = [
        LandmarksConfig(
            name="clean",
            description="The 1,580,470 train images of 81,313 landmarks in train_clean.csv.",
            clean=True,
        ),
        LandmarksConfig(
            name="full",
            description="All 4,132,914 train images of 203,094 landmarks.",
            clean=False,
        ),
        LandmarksConfig(
            name="index", description="The 761,757 images to be retrieved from.", split="index"
        ),
        LandmarksConfig(name="test", description="The 117,577 query images.", split="test"),
    ]
    DEFAULT_BUILDER_CONFIG_NAME = "clean"
    # TFDS 4.9 would look for it with importlib_resources, which it installs on Python 3.8 only.
    code_path = tfds.core.Path(__file__)

    def _info(self) -> tfds.core.DatasetInfo:
        features: dict[str, Any] = {
            # Bytes given to it are stored as they are.
            "image": tfds.features.Image(shape=(None, None, 3)),
            "id": tfds.features.Text(),
        }
        if self.builder_config.has_labels:
            features["landmark_id"] = tfds.features.Scalar(np.int64)
            features["label"] = tfds.features.ClassLabel()  # its names come with the CSVs
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Photographs of landmarks from Wikimedia Commons, for recognition and retrieval "
                "of single landmarks among very many."
            ),
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label") if self.builder_config.has_labels else None,
            homepage="https://github.com/cvdfoundation/google-landmark",
            license="annotations CC BY 4.0; train images CC BY, index and test images CC0 or "
            "public domain: see train_attribution.csv",
            citation=_CITATION,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        """Reads the CSVs and the names of the files.

        Raises:
            ValueError: the folder is not GLDv2, its CSVs are wrong, or there is nothing in it.
            OSError: a folder cannot be read.
        """
        config = self.builder_config
        folder = _gldv2_folder(Path(dl_manager.manual_dir))
        if config.clean:
            _check_has_clean(RawFolder(folder, config.split))
        raw, plan = plan_conversion(folder, ConvertOptions(config.split, clean=config.clean))
        if plan.classes is not None:
            self.info.features["label"].names = [str(landmark) for landmark in plan.classes]
        return {config.split: self._generate_examples(raw, plan)}

    def _generate_examples(
        self, raw: RawFolder, plan: Plan
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields (id, example) of every image that decodes, and lists the others at the end.

        Raises:
            ValueError: not one image decodes.
            OSError: the folder went away meanwhile.
        """
        (split,) = plan.splits
        skipped = [(image_id, "missing") for image_id in plan.absent.tolist()]
        num_absent = len(skipped)
        for row, data in enumerate(_checked_images(raw, split.ids)):
            image_id = bytes(split.ids[row])
            if isinstance(data, BadImageError):
                skipped.append((image_id, str(data)))
                continue
            example = {"image": data, "id": image_id.decode()}
            if plan.classes is not None:
                label = int(split.labels[row])
                example |= {"label": label, "landmark_id": int(plan.classes[label])}
            yield image_id.decode(), example
        if len(skipped) - num_absent == len(split.ids):
            raise ValueError(
                f"none of the {len(split.ids)} images in {raw.images} could be read (the last "
                f"one: {skipped[-1][1]})"
            )
        # TFDS renames the whole folder when all of it is written.
        (self.data_path / "skipped.csv").write_text(_skipped_text(raw.split, skipped))


def _gldv2_folder(manual: Path) -> Path:
    """TFDS' default manual_dir is shared by all data sets: a folder of our name goes first."""
    own = manual / GoogleLandmarksV2.name
    return own if own.is_dir() else manual


def _check_has_clean(raw: RawFolder) -> None:
    if raw.csv_path("train_clean.csv") is None and not is_kaggles(raw.root):
        raise ValueError(
            f"{raw.root} has no train_clean.csv, which says what is clean; "
            f"{GoogleLandmarksV2.name}/full takes every image of train.csv"
        )


def _checked_images(raw: RawFolder, ids: np.ndarray) -> Iterator[bytes | BadImageError]:
    """The bytes of each image, or why there are none, in the order of `ids`."""
    images = FolderImages(raw)

    def read(image_id: bytes) -> bytes | BadImageError:
        try:
            return prove_image(images.image_bytes(image_id)).data
        except BadImageError as error:
            images.check_still_there()
            return error

    with ThreadPoolExecutor() as pool:
        for first in range(0, len(ids), _WINDOW):
            # A setting of the whole process: never left on while the caller has its turn.
            with strict_decoding():
                window = list(pool.map(read, ids[first : first + _WINDOW]))
            yield from window


def _skipped_text(split: str, skipped: list[tuple[bytes, str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "path", "reason"])
    for image_id, reason in skipped:
        writer.writerow([image_id.decode(), relative_path(split, image_id), reason])
    return text.getvalue()


_CITATION = """\
@inproceedings{weyand2020google,
  author = {Weyand, Tobias and Araujo, Andr{\\'e} and Cao, Bingyi and Sim, Jack},
  title = {{Google Landmarks Dataset v2}: A Large-Scale Benchmark for Instance-Level Recognition
           and Retrieval},
  booktitle = {CVPR},
  year = {2020},
}
"""
