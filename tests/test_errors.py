"""What is said about what is wrong: exact, escaped, and the same for people and programs."""

import pytest

import billing
from billing.core.errors import MESSAGES, Refused, escaped, hint, quoted

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
    assert 66 == len(quoted("x" * 1_000))


def test_the_nearest_known_name_is_offered_and_a_far_one_is_not() -> None:
    """Most unknown names are misspelled ones."""
    assert " (did you mean occurred_at?)" == hint("ocurred_at", ["occurred_at", "type"])
    assert "" == hint("colour", ["occurred_at", "type"])


def test_every_message_says_what_to_do() -> None:
    """A complaint without a remedy is half a message."""
    assert all(what and remedy.endswith((".", "{wanted}")) for what, remedy in MESSAGES.values())
