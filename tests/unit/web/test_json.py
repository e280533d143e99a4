"""lib.tgauth.web.json: what a body may hold, and what an answer looks like."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.tgauth.errors import MalformedRequest
from lib.tgauth.web.json import dump, parse_object
from tests.site import named

REFUSED = {
    "empty": b"",
    "white space": b" \n",
    "array": b"[]",
    "text": b'"a"',
    "number": b"1",
    "null": b"null",
    "no JSON": b"{a: 1}",
    "two values": b"{}{}",
    "trailing comma": b'{"a":1,}',
    "comment": b"{} // x",
    "single quotes": b"{'a': 1}",
    "control character": b'{"a":"\n"}',
    "duplicate key": b'{"id":1,"id":1}',
    "duplicate key in depth": b'{"a":[{"b":{"c":1,"c":2}}]}',
    "duplicate key, spelled in two ways": rb'{"id":1,"\u0069d":2}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":[-Infinity]}',
    "a number over every float": b'{"a":1e400}',
    "a number under every float": b'{"a":-1e400}',
    "5,000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "15,000 digits": b'{"a":-' + b"9" * 15_000 + b"}",
    "leading zero": b'{"a":01}',
    "plus": b'{"a":+1}',
    "half a surrogate pair": rb'{"a":"\ud800"}',
    "other half": rb'{"a":"\udc00"}',
    "half a pair as key": rb'{"\udfff":1}',
    "half a pair in depth": rb'{"a":[[{"b":"x\ud83dx"}]]}',
    "UTF-8 of a surrogate": b'{"a":"\xed\xa0\x80"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16-LE": '{"a":1}'.encode("utf-16-le"),
    "UTF-16-BE": '{"a":1}'.encode("utf-16-be"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "latin-1": '{"a":"é"}'.encode("latin-1"),
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "cut UTF-8": b'{"a":"\xf0\x9f\x98"}',
    "NUL": b"{}\0",
    "deep array": b"[" * 200_000,
    "deep array in 16 KiB": b"[" * 16_384,
    "deep object in 16 KiB": b'{"a":' * 3276,
    "closed deep arrays, but no object": b"[" * 8000 + b"]" * 8000,
}


def test_refuses() -> None:
    """What is not one JSON object of one meaning in UTF-8 raises MalformedRequest and nothing else."""
    for name, body in REFUSED.items():
        with named(name), pytest.raises(MalformedRequest):
            parse_object(body)


@pytest.mark.parametrize("depth", [10, 500, 900, 1000, 1500, 3000, 8000])
def test_depth_is_refused_or_read(depth: int) -> None:
    """Nesting of any depth within 16 KiB is either read or refused, never a crash."""
    body = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    try:
        value = parse_object(body)["a"]
    except MalformedRequest:
        assert depth > 100
        return
    for _ in range(depth - 1):
        (value,) = value
    assert value == []


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (
            b' \r\n\t{"a" : [1, -2.5e1, true, false, null, "\\u00e9"]} ',
            {"a": [1, -25.0, True, False, None, "é"]},
        ),
        (b'{"a":{"x":1},"b":{"x":1}}', {"a": {"x": 1}, "b": {"x": 1}}),
        (rb'{"a":"\ud83e\udd8a"}', {"a": "🦊"}),
        ('{"🦊":"Жук"}'.encode(), {"🦊": "Жук"}),
        (b'{"__proto__":1,"":2}', {"__proto__": 1, "": 2}),
        (b'{"a":' + b"9" * 100 + b"}", {"a": int("9" * 100)}),
        (b'{"a":1e308}', {"a": 1e308}),
    ],
)
def test_reads(body: bytes, value: dict[str, object]) -> None:
    """A JSON object is read as RFC 8259 says, whole pairs of surrogates included."""
    assert parse_object(body) == value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.text(), json_values))
def test_what_is_dumped_is_read_again(value: dict[str, object]) -> None:
    """An object survives dump and parse_object, but for text that has no UTF-8."""
    assert parse_object(dump(value)) == json.loads(json.dumps(value))


@given(st.binary())
def test_bytes_are_refused_or_read(body: bytes) -> None:
    """Whatever the bytes are, the answer is an object or MalformedRequest."""
    try:
        value = parse_object(body)
    except MalformedRequest:
        return
    assert isinstance(value, dict)


def test_dump_is_compact_utf8_that_always_encodes() -> None:
    """Answers are one line of compact UTF-8; half a surrogate pair becomes a question mark, not an error."""
    assert dump({"a": [1, "Жук"], "b": None}) == '{"a":[1,"Жук"],"b":null}\n'.encode()
    assert dump({"a": "x\ud800y"}) == b'{"a":"x?y"}\n'
    assert dump({"a": "\r\n"}).count(b"\n") == 1
