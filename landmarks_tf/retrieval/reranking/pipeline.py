"""Re-ranking steps in order, given as text: `whiten:dim=256,alpha_qe:n=3:alpha=3,k_reciprocal`.

Steps of descriptors (whiten, aqe, alpha_qe, dba) change what is searched; steps of rankings
(k_reciprocal, super_global, diffusion, class_aware, geometric) change the order of what exact
search has found, and so stand after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from landmarks_tf.retrieval.reranking.steps import STEPS


class PipelineError(ValueError):
    """A text that is no pipeline; the message says which part, and what there is."""


@dataclass(frozen=True)
class Step:
    """One step of a pipeline.

    Attributes:
        name: a key of STEPS.
        settings: all of its settings, (name, value) pairs in the order of the table.
    """

    name: str
    settings: tuple[tuple[str, object], ...]

    def __str__(self) -> str:
        return ":".join([self.name, *(f"{name}={_text(value)}" for name, value in self.settings)])


def parse_pipeline(text: str) -> tuple[Step, ...]:
    """Text -> steps; an empty text is no step at all, the bare exact search.

    Raises:
        PipelineError: an unknown step or setting (the nearest known ones are named), a value of
            another type, a setting given twice, a step of descriptors after one of rankings.
    """
    steps = tuple(_parse_step(part.strip()) for part in text.split(",") if part.strip())
    if text.strip() and not steps:
        raise PipelineError(f"there is no step in {text!r}")
    late = None
    for step in steps:
        if STEPS[step.name].changes_descriptors and late:
            raise PipelineError(
                f"{step.name} changes the descriptors and is followed by a new search, which "
                f"would forget the order that {late} made; put {step.name} before {late}"
            )
        late = late or (None if STEPS[step.name].changes_descriptors else step.name)
    return steps


def _parse_step(text: str) -> Step:
    name, *settings = (part.strip() for part in text.split(":"))
    if name not in STEPS:
        raise PipelineError(f"there is no step {name!r}. {_nearest(name, STEPS)}")
    values = dict(STEPS[name].defaults)
    seen: set[str] = set()
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals:
            raise PipelineError(f"{name}: expected setting=value, received {setting!r}")
        if key not in values:
            raise PipelineError(f"{name} has no setting {key!r}. {_nearest(key, values)}")
        if key in seen:
            raise PipelineError(f"{name}: {key} is given twice")
        seen.add(key)
        values[key] = _value(f"{name}:{key}", value, type(values[key]))
    return Step(name, tuple(values.items()))


def _value(where: str, text: str, kind: type):
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise PipelineError(f"{where} is true or false, received {text!r}")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise PipelineError(f"{where} expects {what}, received {text!r}") from None


def _nearest(name: str, known) -> str:
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    return f"Nearest: {', '.join(near)}." if near else f"Known: {', '.join(known)}."


def _text(value) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def needs(steps: tuple[Step, ...], what: str) -> bool:
    """Whether a pipeline reads "train" (embeddings and labels) or "pictures" (local features)."""
    return any(what in STEPS[step.name].reads for step in steps)


def run_pipeline(
    steps: tuple[Step, ...],
    data,
    *,
    k: int = 100,
    progress: bool = False,
    told: Callable[[str], None] | None = None,
):
    """Rankings of the queries of `data` (a `RetrievalData`) after all steps.

    Args:
        steps: of `parse_pipeline`.
        data: queries, index and what else the steps read.
        k: length of the rankings; all of the index where that is smaller. The search goes as deep
            as the deepest step reads.
        progress: show progress bars.
        told: is given each step as text before it runs.

    Returns:
        scores (Q, k) float32, falling, of the last step; rows (Q, k) int64.

    Raises:
        ValueError: a setting out of its step's range, data that a step needs and that is missing.
    """
    work = data.working(progress=progress)
    depth = max([k, *(STEPS[step.name].depth(dict(step.settings)) for step in steps)])
    for step in steps:
        if told is not None:
            told(str(step))
        if not STEPS[step.name].changes_descriptors:
            work.search(depth)
        try:
            STEPS[step.name].function(work, **dict(step.settings))
        except ValueError as error:
            raise type(error)(f"{step.name}: {error}") from None
    work.search(depth)
    return work.scores[:, :k], work.rows[:, :k]
