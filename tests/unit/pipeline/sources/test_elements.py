"""Elements of lists in JSON texts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.elements import EMPTY, MALFORMED, MISSING, NO_LIST, NULL, Element, elements, path_parts


def test_numbers_and_texts_stay_what_they_are() -> None:
    text = '[{"sku": "TEE-S", "price": 12.10, "id": 12345678901234567890123}, {"sku": "é", "tax": [1, 2]}]'
    assert elements(text, []) == [
        Element(None, ({"sku": "TEE-S", "price": "12.10", "id": "12345678901234567890123"},)),
        Element(None, ({"sku": "é", "tax": "[1, 2]"},)),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, MISSING),
        ("null", MISSING),
        ("[]", EMPTY),
        (" [ ] ", EMPTY),
        ('{"sku": "A"}', NO_LIST),
        ('"A,B"', NO_LIST),
        ("12", NO_LIST),
        ("[1, 2", MALFORMED),
        ("A;B", NO_LIST),
        ("", NO_LIST),
        ("[NaN]", MALFORMED),
        ("[null]", NULL),
        ('["\\ud800"]', MALFORMED),
        ('[{"sku": "\\ud800"}]', MALFORMED),
        ("[" * 100_000, MALFORMED),
    ],
)
def test_what_is_no_list_is_one_row_with_a_reason(text: str | None, problem: str) -> None:
    assert elements(text, []) == [Element(problem, ())]


def test_plain_values_are_elements_too() -> None:
    assert elements('["A", 7, [1, 2], null]', []) == [
        Element(None, ({"value": "A"},)),
        Element(None, ({"value": "7"},)),
        Element(None, ({"value": "[1, 2]"},)),
        Element(NULL, ()),
    ]


def test_a_path_leads_through_objects_and_lists() -> None:
    orders = '[{"id": 1, "lines": [{"sku": "A"}, {"sku": "B"}]}, {"id": 2, "lines": []}, {"id": 3}, 4, null]'
    assert [(it.problem, [sorted(level.items())[0] for level in it.levels]) for it in elements(orders, ["lines"])] == [
        (None, [("id", "1"), ("sku", "A")]),
        (None, [("id", "1"), ("sku", "B")]),
        (EMPTY, [("id", "2")]),
        (MISSING, [("id", "3")]),
        (NO_LIST, []),
        (NULL, []),
    ]
    assert elements('{"order_id": "7", "products": [{"sku": "A"}]}', ["products"])[0].levels == (
        {"order_id": "7", "products": '[{"sku": "A"}]'},
        {"sku": "A"},
    )


def test_a_text_is_cut_at_its_separator() -> None:
    assert elements("A;1,B;2,", [], ",") == [
        Element(None, ({"value": "A;1"},)),
        Element(None, ({"value": "B;2"},)),
        Element(NULL, ()),
    ]
    assert elements(" ", [], ",") == elements(None, [], ",") == [Element(MISSING, ())]


def test_names_with_dots_are_quoted() -> None:
    assert path_parts("properties.products") == ["properties", "products"]
    assert path_parts("`shop.orders`.lines") == ["shop.orders", "lines"]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_rows_are_counted_by_the_list(value: object) -> None:
    found = elements(json.dumps(value), [])
    assert len(found) == (max(1, len(value)) if isinstance(value, list) else 1)
    if isinstance(value, list):
        texts = [it.levels[0].get("value") for it in found if not it.problem]
        plain = [element for element in value if element is not None]
        assert [text for text, element in zip(texts, plain, strict=True) if isinstance(element, str)] == [
            element for element in plain if isinstance(element, str)
        ]
