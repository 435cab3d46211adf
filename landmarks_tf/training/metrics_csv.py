"""metrics.csv: the lines of metrics.jsonl as a table that any spreadsheet opens."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path


class MetricsCsv:
    """Keeps metrics.csv equal to the metrics.jsonl beside it.

    A column comes with the first line that has its value (validations come more rarely than lines);
    then the table is written anew with empty cells above it. Otherwise a line is added at the end.
    Making it anew from the lines, at the start too, is what makes it right after a run that went
    on from an earlier step.

    Args:
        lines: the path of metrics.jsonl; it may not exist yet.
    """

    def __init__(self, lines: Path):
        self.lines = Path(lines)
        self.path = self.lines.with_suffix(".csv")
        self.columns: list[str] = []
        self._make()

    def add(self, line: dict) -> None:
        """Take over the line that was just added to metrics.jsonl."""
        if any(name not in self.columns for name in line):
            self._make()
            return
        with self.path.open("a", encoding="utf-8", newline="") as stream:
            stream.write(self._row(line))

    def _make(self) -> None:
        rows = []
        if self.lines.is_file():
            rows = list(map(json.loads, self.lines.read_text(encoding="utf-8").splitlines()))
        self.columns = list(dict.fromkeys(name for row in rows for name in row))
        if not rows:
            self.path.unlink(missing_ok=True)
            return
        partial = self.path.with_suffix(".csv.partial")
        text = self._row(dict(zip(self.columns, self.columns, strict=True)))
        partial.write_text(text + "".join(map(self._row, rows)), encoding="utf-8")
        partial.replace(self.path)

    def _row(self, values: dict) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(
            values.get(name, "") for name in self.columns
        )
        return text.getvalue()
