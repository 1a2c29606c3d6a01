"""Hypothesis strategies for SIP messages: whole ones by the grammar, and torn, folded and spliced ones."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from rayswitch.sip.grammar import TOKEN

DATA = Path(__file__).parents[2] / "data"
TORTURE = [path.read_bytes() for folder in ("rfc4475", "rfc5118") for path in sorted((DATA / folder).iterdir())]

tokens = st.text(TOKEN, min_size=1, max_size=12)
# Anything that may stand in a header value, without line breaks.
values = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=40)
folds = st.sampled_from([" ", "\t", "\r\n ", "\r\n\t", "  \r\n   "])


@st.composite
def rows(draw: st.DrawFn) -> str:
    """A header row of any name and value, folded or not."""
    name = draw(st.sampled_from(["Via", "v", "FROM", "To", "i", "CSeq", "m", "X-Thing", "Route"]) | tokens)
    pieces = draw(st.lists(values, min_size=1, max_size=3))
    return f"{name}{draw(st.sampled_from([':', ' :', ': ']))}{draw(folds).join(pieces)}"


@st.composite
def framed(draw: st.DrawFn) -> bytes:
    """A message that `parse` must take, whatever its values say."""
    start = draw(st.sampled_from(["INVITE sip:b@example.com SIP/2.0", "SIP/2.0 180 Ringing", "X * SIP/2.0"]))
    head = [start, *draw(st.lists(rows().filter(_plain), max_size=8))]
    body = draw(st.binary(max_size=60))
    head.insert(draw(st.integers(1, len(head))), f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def _plain(row: str) -> bool:
    name = row.partition(":")[0].strip(" ").lower()
    # An empty line inside a fold would end the headers; a second Content-Length is an error.
    return name not in ("l", "content-length") and "\r\n\r\n" not in row and not row.endswith("\n")


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """A torture message with a piece cut out, doubled or replaced by noise."""
    data = draw(st.sampled_from(TORTURE))
    begin = draw(st.integers(0, len(data)))
    end = draw(st.integers(begin, min(len(data), begin + 80)))
    piece = draw(st.sampled_from([b"", data[begin:end] * 2, b"\r\n", b"\r", b"\n", b"\0", b'"', b"<", b",", b";"]))
    return data[:begin] + (piece or draw(st.binary(max_size=20))) + data[end:]


anything = st.binary(max_size=300) | torn() | framed()
