"""Text files as bytes: whatever the line ends and the blocks, the same text and the same lines."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.inputs import text_stream

PIECES = st.lists(st.sampled_from([b"a", b'b"', b"\n", b"\n\n", b"\r\n", b"\r", b"\r\n\r\n"]), max_size=14).map(
    b"".join
)


@given(data=PIECES, block=st.integers(1, 6), size=st.integers(1, 5), header_first=st.booleans())
def test_lines_blank_lines_and_quotes_are_those_of_the_whole_text(
    data: bytes, block: int, size: int, header_first: bool
) -> None:
    """A message that names the wrong line sends people to the wrong row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_stream, "_BLOCK", block)
        text = text_stream.TextStream(io.BytesIO(data), name="x", compression=None, progress=None)
        if header_first:
            text.first_line()
        read = b""
        while piece := text.read(size):
            read += piece

    whole = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = whole.removesuffix(b"\n").split(b"\n") if whole else []
    assert (whole.lstrip(b"\n") if header_first else whole) == read
    assert {k for k, line in enumerate(lines, start=1) if not line} == text.blank_lines
    assert whole.count(b"\n") == text.lines
    assert whole.count(b'"') == text.quotes
    if text.quotes:
        assert whole.rpartition(b'"')[0].count(b"\n") + 1 == text.last_quote_line
