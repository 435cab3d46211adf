"""Names of made-up landmarks."""

from __future__ import annotations

from tfrecords_tools.demo.names import KINDS, kind_of, place_of
from tfrecords_tools.demo.world.places import BUILDERS


def test_every_kind_has_a_builder_and_the_other_way_round():
    assert KINDS.keys() == BUILDERS.keys()


def test_every_kind_comes_once_before_any_comes_twice():
    kinds = [kind_of(3, n) for n in range(2 * len(KINDS))]
    assert sorted(kinds[: len(KINDS)]) == sorted(KINDS)
    assert kinds[: len(KINDS)] == kinds[len(KINDS) :]


def test_categories_are_unique_urls_without_blanks():
    categories = [place_of(0, n).category for n in range(5000)]
    assert len(set(categories)) == len(categories)
    start = "http://commons.wikimedia.org/wiki/Category:"
    assert all(c.startswith(start) and len(c) > len(start) + 5 for c in categories)
    assert not any(" " in c or "\n" in c for c in categories)


def test_names_have_the_quirks_of_the_published_tables():
    categories = [place_of(0, n).category for n in range(8)]
    assert any("," in c for c in categories), "no name with a comma"
    assert any("â" in c for c in categories), "no name beyond ASCII"
    latin = [c for c in categories if "\udce9" in c]  # the byte E9, Latin-1 for e acute
    assert len(latin) == 1


def test_hierarchy_fits_the_kind():
    place = place_of(0, 0)
    _, supercategory, label = KINDS[place.kind]
    assert (place.supercategory, place.hierarchical_label) == (supercategory, label)
    assert place.origin == "human-made"
    assert place_of(0, 0, has_scene=False).kind == "none"


def test_other_seed_other_towns():
    assert place_of(0, 0).category != place_of(1, 0).category
