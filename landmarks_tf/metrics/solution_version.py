"""Whether a solution file belongs to the pictures at hand.

GLDv2's ground truth has been published more than once, for the same pictures and with the same
columns (the current one is v2.1, of September 2019), and Kaggle's editions of 2020 and 2021 have
other test sets: a solution of another data set would score every query zero, and say nothing.
"""

from __future__ import annotations

from collections.abc import Collection

from landmarks_tf.metrics.solutions import Solution, SolutionFormatError


def check_solution_fits(
    solution: Solution, *, queries: Collection[str], answers: Collection, what: str
) -> list[str]:
    """Compares a solution with the pictures that are there.

    Args:
        queries: ids of the test pictures.
        answers: what ground truth can name: index image ids, or train landmark ids.
        what: what those are called in messages.

    Returns:
        A sentence for each kind of thing that the solution names and that is partly missing; none
        where all of it is there.

    Raises:
        SolutionFormatError: no query of the solution, or nothing of its ground truth, is there.
    """
    asked = {*solution.public, *solution.private, *solution.ignored}
    truths = [*solution.public.values(), *solution.private.values()]
    named = {answer for truth in truths for answer in truth}
    notes = []
    for kind, ids, known in (("queries", asked, queries), (what, named, answers)):
        missing = ids - set(known)
        if ids and len(missing) == len(ids):
            raise SolutionFormatError(
                f"none of the {len(ids)} {kind} of the solution is among the {len(known)} of the "
                f"data, such as {min(missing)!r}: it is the solution of another data set or of "
                "another version. GLDv2's current ground truth is v2.1."
            )
        if missing:
            notes.append(
                f"{len(missing)} of the {len(ids)} {kind} of the solution are not in the data, "
                f"such as {min(missing)!r}; they score as not found"
            )
    return notes
