import keyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.errors import UsageError
from htvm.scaffold.names import names


def test_a_name_in_all_its_forms():
    made = names("my-chip2")
    assert made.distribution == "htvm-my-chip2"
    assert made.package == "htvm_my_chip2"
    assert made.prefix == "my_chip2"
    assert made.class_name == "MyChip2"
    assert made.title == "My-chip2"


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("", "empty"),
        ("Acme", "no lower-case word"),
        ("a_b", "no lower-case word"),
        ("a--b", "no lower-case word"),
        ("-a", "no lower-case word"),
        ("a-", "no lower-case word"),
        ("2fast", "no lower-case word"),
        ("a b", "no lower-case word"),
        ("acme\n", "no lower-case word"),
        ("../acme", "no lower-case word"),
        ("é", "no lower-case word"),
        ("a" * 41, "41 characters"),
        ("lambda", "word of Python"),
        ("none", "word of Python"),
        ("string", "string.h is a header of C's"),
        ("cpu", "htvm uses it"),
        ("htvm-acme", "put before it"),
        ("diana2", "is installed"),
    ],
)
def test_names_that_cannot_be_used_are_refused_with_the_reason(target, seen):
    with pytest.raises(UsageError) as caught:
        names(target, known=("diana2",))
    assert caught.value.code == "E150"
    assert seen in caught.value.seen


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True))
def test_every_name_taken_can_be_written_in_python_and_c(target):
    try:
        made = names(target)
    except UsageError:
        return
    for word in (made.package, made.prefix, made.class_name):
        assert word.isidentifier()
        assert not keyword.iskeyword(word)


@pytest.mark.parametrize(
    ("target", "offered"),
    [("My_Chip", "my-chip"), ("8x8 array", "x8-array"), ("Acme", "acme"), ("cpu", "my-chip")],
)
def test_a_name_nearby_is_offered(target, offered):
    with pytest.raises(UsageError) as caught:
        names(target)
    assert caught.value.hint == f"htvm new-target {offered}"
