"""The sections of a recipe: frozen values that say what each of their fields is for."""

from __future__ import annotations

import dataclasses
import re

import pytest

from experiments import sections

SECTIONS = (
    sections.Data,
    sections.Model,
    sections.Loss,
    sections.Train,
    sections.Evaluation,
    sections.Export,
)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_frozen(section):
    name = dataclasses.fields(section)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(section(), name, None)


def test_what_an_optional_field_means_is_written_down():
    # A None says nothing by itself: what is done then stands in the docstring.
    silent = [
        f"{section.__name__}.{field.name}"
        for section in SECTIONS
        for field in dataclasses.fields(section)
        if field.default is None and not re.search(rf"\b{field.name}\b", section.__doc__)
    ]
    assert not silent
