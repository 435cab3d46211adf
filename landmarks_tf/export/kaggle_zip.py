"""Reads a submission.zip of Retrieval 2020 as strictly as the competition did."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

# Names that the organisers' loader needs at the root of the archive.
_NEEDED = ("saved_model.pb", "variables/variables.index")


def unpack_submission(zip_path: str | Path, folder: str | Path) -> list[str]:
    """Unpacks a submission into a folder, after a look at every entry.

    Args:
        zip_path: an archive as `landmarks_tf.export.kaggle.zip_saved_model` writes it.
        folder: an empty or a new folder.

    Returns:
        The names of the entries, sorted.

    Raises:
        ValueError: no zip file or a damaged one, an entry twice, a name that leads out of the
            folder, saved_model.pb not at the root (a top folder was packed along), or no variables.
        OSError: a file cannot be read or written; the folder holds something.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise FileExistsError(f"{target} is not empty; give a new folder.")
    try:
        with zipfile.ZipFile(zip_path) as archive:
            names = archive.namelist()
            _check_names(zip_path, names)
            damaged = archive.testzip()
            if damaged is not None:
                raise ValueError(f"{zip_path}: the entry {damaged!r} is damaged.")
            archive.extractall(target)
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{zip_path} is no whole zip file: {error}.") from None
    return sorted(names)


def _check_names(zip_path: str | Path, names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise ValueError(f"{zip_path}: expected each entry once, received one twice.")
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise ValueError(f"{zip_path}: the entry {name!r} leads out of the archive's folder.")
    for needed in _NEEDED:
        if needed in names:
            continue
        deeper = next((name for name in names if name.endswith(f"/{needed}")), None)
        hint = f", found {deeper!r}: pack the folder's content, not the folder" if deeper else ""
        raise ValueError(f"{zip_path}: expected {needed} at the root of the archive{hint}.")
