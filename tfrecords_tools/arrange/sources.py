"""Own pictures as people have them: one folder a class, or a CSV `path,label`."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from tfrecords_tools.options import SPLITS
from tfrecords_tools.tables import RawFolderError, column_names, read_rows

SUFFIXES = (".jpg", ".jpeg", ".png")
# Folders of these names are parts of a data set, and would make three meaningless classes.
_PARTS = {"train", "training", "val", "valid", "validation", "test", "index", "query", "gallery"}


@dataclasses.dataclass(frozen=True)
class OwnPicture:
    """One picture: where it lies, what it is called, what it shows.

    Attributes:
        path: the file.
        name: path relative to the source with `/`, which alone decides the id.
        label: name of the class.
        split: the split that the CSV asks for; None leaves it to the fractions.
    """

    path: str
    name: str
    label: str
    split: str | None = None

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of `name`: the same on any machine."""
        return hashlib.sha256(os.fsencode(self.name)).hexdigest()[:16]


@dataclasses.dataclass
class Collection:
    """What a source holds.

    Attributes:
        root: the folder, or that of the CSV.
        pictures: in the order of their names.
        unreadable: (name, label, reason) of folders that could not be read.
        ignored: what was passed over -> how often.
    """

    root: Path
    pictures: list[OwnPicture] = dataclasses.field(default_factory=list)
    unreadable: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    ignored: dict[str, int] = dataclasses.field(default_factory=dict)

    def ignore(self, what: str) -> None:
        self.ignored[what] = self.ignored.get(what, 0) + 1


def read_source(path: Path) -> Collection:
    """The pictures of a folder with one folder a class, or of a CSV.

    Raises:
        RawFolderError: there is nothing there, or it is neither; the message says what it is.
    """
    if path.is_dir():
        return read_folders(path)
    if path.is_file():
        return read_table(path)
    raise RawFolderError(
        f"there is no {path}: --pictures is a folder with one folder a class, or a CSV path,label"
    )


def read_folders(root: Path) -> Collection:
    """The pictures `root/<class>/**/*.jpg|jpeg|png`; the class is the first folder's name.

    Symbolic links are followed; a folder that was read already, under whatever name, is not read
    again, so that a link to a parent comes to an end. Hidden files and folders are passed over.

    Raises:
        RawFolderError: `root` has no folder with pictures, is GLDv2 already, or its folders are
            called train, test and the like.
        OSError: `root` itself cannot be read.
    """
    found = Collection(root)
    status = root.stat()
    seen = {(status.st_dev, status.st_ino)}
    classes = []
    for entry in _scan(root):
        if entry.name.startswith("."):
            continue
        if _is_dir(entry):
            classes.append(entry)
        else:
            _ignore_file(found, entry.name, "picture(s) in no class folder")
    _require_classes(root, [entry.name for entry in classes])
    for entry in classes:
        _walk(found, entry, label=entry.name, name=entry.name, seen=seen)
    if not found.pictures:
        raise RawFolderError(
            f"{root} holds no pictures in class folders: expected {root}/<class>/<name>.jpg "
            f"(or {', '.join(SUFFIXES[1:])}), found {len(classes)} folder(s) without"
        )
    found.pictures.sort(key=lambda picture: os.fsencode(picture.name))
    return found


def read_table(path: Path) -> Collection:
    """The pictures of a CSV with the columns `path,label`, and `split` where it has that too.

    Relative paths start at the CSV's own folder. Whether the files exist is not looked at here.

    Raises:
        RawFolderError: a column is missing, a value is empty, a split is unknown, a picture is
            listed twice, a row has too many fields (a comma in a name needs quotes around it).
    """
    found, lines = Collection(path.parent), {}
    columns = ["path", "label"]
    if "split" in column_names(path):
        columns.append("split")
    for line, row in read_rows(path, columns):
        # Rows are read as latin-1: the bytes of the file are the bytes of the names.
        place, label, *split = (os.fsdecode(value.encode("latin-1")) for value in row)
        where = f"{path}, line {line}"
        if not place or not label or "\0" in place + label:
            raise RawFolderError(
                f"{where}: path and label are both needed, found {place!r} and {label!r}"
            )
        if split and split[0] not in SPLITS:
            raise RawFolderError(
                f"{where}: split is one of {', '.join(SPLITS)}, found {split[0][:40]!r}"
            )
        name = posixpath.normpath(place)
        if name in lines:
            raise RawFolderError(f"{where}: {name!r} is listed in line {lines[name]} already")
        lines[name] = line
        target = str(path.parent / place)
        found.pictures.append(OwnPicture(target, name, label, split[0] if split else None))
    if not found.pictures:
        raise RawFolderError(f"{path} lists no picture")
    found.pictures.sort(key=lambda picture: os.fsencode(picture.name))
    return found


def _walk(
    found: Collection, folder: os.DirEntry, *, label: str, name: str, seen: set[tuple[int, int]]
) -> None:
    """Adds the pictures below a folder; without recursion, as folders may be nested deeply."""
    left = [(folder.path, name)]
    while left:
        path, name = left.pop()
        try:
            status = Path(path).stat()
            if (status.st_dev, status.st_ino) in seen:
                found.ignore("folder(s) that are links to folders read already")
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = list(_scan(path))
        except OSError as error:
            found.unreadable.append((name, label, f"unreadable: {error.strerror}"))
            continue
        for entry in entries:
            inner = f"{name}/{entry.name}"
            if entry.name.startswith("."):
                continue
            if _is_dir(entry):
                left.append((entry.path, inner))
            elif entry.name.lower().endswith(SUFFIXES):
                found.pictures.append(OwnPicture(entry.path, inner, label))
            else:
                _ignore_file(found, entry.name, "picture(s)")


def _scan(path: str | Path) -> Iterator[os.DirEntry]:
    with os.scandir(path) as entries:
        yield from sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _is_dir(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: as a file it is told with its reason
        return False


def _ignore_file(found: Collection, name: str, pictures: str) -> None:
    found.ignore(
        pictures if name.lower().endswith(SUFFIXES) else f"file(s) not {'/'.join(SUFFIXES)}"
    )


def _require_classes(root: Path, names: list[str]) -> None:
    if (root / "train.csv").is_file():
        raise RawFolderError(
            f"{root} holds a train.csv: it is laid out as GLDv2 already, give it to convert or "
            "experiments.run as it is"
        )
    if names and {name.lower() for name in names} <= _PARTS:
        raise RawFolderError(
            f"the folders of {root} are called {', '.join(names)}: these are parts of a data set, "
            "not classes. Name one of them, or a CSV path,label,split (split: "
            f"{', '.join(SPLITS)})"
        )
    if not names:
        raise RawFolderError(
            f"{root} has no folders: expected one folder a class, {root}/<class>/<name>.jpg"
        )
