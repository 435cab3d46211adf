"""Findings by kind: counted always, a few kept as examples, all of them streamed to a CSV."""

from __future__ import annotations

import csv
from collections import Counter
from typing import Any, TextIO

from tfrecords_tools.integrity.pictures import Verdict
from tfrecords_tools.integrity.traits import from_bits
from tfrecords_tools.raw import relative_path

EXAMPLES = 20
COLUMNS = ("split", "id", "path", "finding", "detail")


class FindingsList:
    """Writes findings as CSV rows while they come in; holds none of them.

    Args:
        stream: a text file; None writes nothing.
    """

    def __init__(self, stream: TextIO | None):
        self._writer = csv.writer(stream, lineterminator="\n") if stream is not None else None
        if self._writer is not None:
            self._writer.writerow(COLUMNS)

    def add(self, split: str, image_id: bytes, finding: str, detail: str = "") -> None:
        """Writes one row."""
        if self._writer is not None:
            name, path = image_id.decode("ascii"), relative_path(split, image_id)
            self._writer.writerow((split, name, path, finding, detail))


class Tally:
    """Counts the verdicts of one split.

    Args:
        split: its name.
        findings: receives what is to be said of an image.
        truth: ids that a search should find.

    Attributes:
        checked: images that a verdict was given on.
        noted: those of them that the journal knew.
        faults, traits: how many images of each kind.
        lost_truth: how many of `truth` are at fault.
    """

    def __init__(self, split: str, findings: FindingsList, truth: frozenset[bytes] = frozenset()):
        self.checked = 0
        self.noted = 0
        self.faults: Counter[str] = Counter()
        self.traits: Counter[str] = Counter()
        self.lost_truth = 0
        self._truth = truth
        self._split = split
        self._findings = findings
        self._examples: dict[str, list[dict[str, str]]] = {}

    def add(self, verdict: Verdict) -> None:
        """Counts one verdict, and lists what is to be said of the image."""
        self.checked += 1
        self.noted += verdict.noted
        if verdict.fault:
            kind, _, detail = verdict.fault.partition(": ")
            self.faults[kind] += 1
            self.lost_truth += verdict.image_id in self._truth
            self._list(verdict.image_id, kind, detail)
        for trait in from_bits(verdict.traits):
            self.traits[trait] += 1
            self._list(verdict.image_id, trait, "")

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values; at most `EXAMPLES` ids a kind."""
        return {
            "checked": self.checked,
            "checked_before": self.noted,
            "good": self.checked - self.faults.total(),
            "faults": dict(self.faults.most_common()),
            "traits": dict(self.traits.most_common()),
            "examples": self._examples,
        }

    def _list(self, image_id: bytes, kind: str, detail: str) -> None:
        self._findings.add(self._split, image_id, kind, detail)
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            entry = {"id": image_id.decode("ascii")}
            examples.append(entry | ({"detail": detail} if detail else {}))
