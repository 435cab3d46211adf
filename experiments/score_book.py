"""Numbers that were measured, kept line by line: a study that is killed goes on from there."""

from __future__ import annotations

import json
import os
from pathlib import Path


class ScoreBook:
    """Results by name in a file of JSON lines, the first of which says what they depend on.

    Args:
        path: the file; its folder is made. Results of another fingerprint are thrown away. A last
            line that was cut short is as good as not written.
        fingerprint: names all that the results depend on.
    """

    def __init__(self, path: str | Path, fingerprint: str):
        self._path = Path(path)
        self._results = self._read(fingerprint)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Written anew, so that what is appended never follows half a line.
        lines = [{"fingerprint": fingerprint}]
        lines += [{"name": name, "result": result} for name, result in self._results.items()]
        partial = self._path.with_name(f".{self._path.name}.partial")
        partial.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        partial.replace(self._path)

    def __len__(self) -> int:
        return len(self._results)

    def get(self, name: str):
        """What was put under a name, or None."""
        return self._results.get(name)

    def put(self, name: str, result) -> None:
        """Keeps a JSON-ready result, on disk before this returns."""
        self._results[name] = result
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "result": result}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self, fingerprint: str) -> dict[str, object]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, UnicodeDecodeError):
            return {}
        found: list[dict] = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                break
        if not found or found[0] != {"fingerprint": fingerprint}:
            return {}
        return {line["name"]: line["result"] for line in found[1:]}
