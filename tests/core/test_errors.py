"""What is said about what is wrong: exact, escaped, and the same for people and programs."""

from datetime import date

import pytest

import billing
from billing.core.errors import Refused, escaped, hint, printable, quoted, sentence
from billing.core.messages import MESSAGES

NAIVE = billing.Rejection("ts_naive", "events.csv", 41, {"field": "occurred_at", "got": "2026-03-01 10:00"})


def test_a_rejection_says_where_what_why_and_what_to_do() -> None:
    """The sentence that people see most, to the letter."""
    assert (
        'events.csv:41: occurred_at is "2026-03-01 10:00", which has no UTC offset. '
        'Write, for example, "2026-03-01T10:00:00Z".'
    ) == str(NAIVE)


def test_a_rejection_for_programs_has_the_same_parts() -> None:
    """Programs go by the code and people by the message; neither has to parse the other."""
    assert {
        "code": "ts_naive",
        "where": "events.csv:41",
        "got": '"2026-03-01 10:00"',
        "expected": 'Write, for example, "2026-03-01T10:00:00Z".',
        "message": str(NAIVE),
    } == NAIVE.as_json()


def test_a_strict_reading_refuses_with_the_message_of_the_rejection() -> None:
    """Strict or not, the same mistake is told in the same words."""
    refused = Refused(NAIVE)

    assert (str(NAIVE), "ts_naive", NAIVE) == (str(refused), refused.code, refused.rejection)


@pytest.mark.parametrize("hidden", ["\u202e", "\x1b[31m", "\ud800", "\u2066", "\x00"])
def test_nothing_hides_in_what_is_shown(hidden: str) -> None:
    """What came from elsewhere must neither steer a terminal nor turn a line around."""
    assert hidden[0] not in quoted(f"a{hidden}b")
    assert f"\\u{ord(hidden[0]):04x}" in escaped(f"a{hidden}b")


def test_what_is_shown_is_cut_to_64_characters() -> None:
    """A message is for reading."""
    assert f'"{"x" * 63}…"' == quoted("x" * 65)
    assert f'"{"x" * 64}"' == quoted("x" * 64)


def test_what_is_no_text_is_shown_as_json_or_as_it_prints() -> None:
    """Letters of every language stay readable."""
    assert ("12", "null", '"2026-01-01"', '"żółw"') == (
        quoted(12),
        quoted(None),
        quoted(date(2026, 1, 1)),
        quoted("żółw"),
    )


def test_a_control_or_format_character_and_a_strange_end_of_line_are_not_shown() -> None:
    """Private and surrogate characters neither; a space that does not break is one all can see."""
    assert [True, True] + [False] * 6 == [printable(c) for c in "a\u00a0\x07\u200d\ud800\ue000\u2028\u2029"]


def test_a_nearest_name_is_worded_as_asked() -> None:
    """A file is looked for in other words than a column."""
    assert "; perhaps type" == hint("tipe", ["type", "mode"], wording="; perhaps {}")


def test_an_error_carries_its_code_place_and_details() -> None:
    """For programs, which do not read the message."""
    error = billing.BadTerms("percent_range", "terms.toml", field="discount", got="\u202e5%")
    assert ("percent_range", "terms.toml", {"field": "discount", "got": "\u202e5%"}) == (
        error.code,
        error.where,
        error.details,
    )
    assert ("", str(billing.BadTerms("percent_range", field="discount", got="5%"))) == (
        billing.BadTerms("percent_range", field="discount", got="5%").where,
        sentence("percent_range", field="discount", got="5%"),
    )


def test_nothing_hides_in_the_place_or_the_details_of_a_message_either() -> None:
    """A file may be named by whoever sent it."""
    told = sentence("file_unreadable", "a\u202e.csv", detail="b\u202e")
    assert told.startswith("a\\u202e.csv: it cannot be read: b\\u202e. ")


def test_the_nearest_known_name_is_offered_and_a_far_one_is_not() -> None:
    """Most unknown names are misspelled ones."""
    assert " (did you mean occurred_at?)" == hint("ocurred_at", ["occurred_at", "type"])
    assert "" == hint("colour", ["occurred_at", "type"])


def test_every_message_says_what_to_do() -> None:
    """A complaint without a remedy is half a message."""
    assert all(what and remedy.endswith((".", "{wanted}")) for what, remedy in MESSAGES.values())
