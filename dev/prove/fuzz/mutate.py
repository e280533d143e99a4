"""Changes to valid inputs: most bugs in parsers are found with these.

Everything is drawn from one `random.Random`, so a seed gives the same inputs again.
"""

import random
from typing import Any

_PRINTED = r"""
    = == & && ; , . .. / // \ ? # % %% + - _ ~ " ' ` < > { } [ ] ( ) {} [] [[ @ :443 :0
    %00 %0a %0d%0a %2f %5c %2e%2e %252e %c0%af %ff %u0041 &amp; %26 %3D
    null true NaN -0 1e400 1_000 0x10 -1 0 1.0 Infinity \u0000 \ud800 \/
    hash= &hash= signature= user= id= auth_date=0 return_to= state= alg none HS256 RS256 ES256 kid jwk
    eyJhbGciOiJub25lIn0 Bearer bearer Basic tg0_ tg1_ __Host-tgauth __Host-tgauth= tgauth= __host-tgauth=
    ;__Host-tgauth=x $Version=1 https:// http://e.com //e.com javascript: data: localhost [::1]
    same-origin cross-site application/json
"""
WORDS = (
    *_PRINTED.split(),
    *(
        "",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\x00",
        "\x7f",
        "\x85",
        "\xa0",
        "\ufeff",
        "\u2028",
        "\ud800",
        "\U0001f98a",
    ),
    *("\U0001f98a", "é", "İ", "ｅ", "１", "٣", "\nid=1", "Bearer ", "; __Host-tgauth=x"),
    *("9" * 20, "9" * 400, "A" * 300, "%2e" * 50, "[" * 1200, '{"a":' * 300),
)
_ALPHABET = "AZaz09+/-_=.~%&;:, \t\r\n\x00\x1f\x7f\x80\xa0\xff"


class Mutator:
    """Draws changed inputs; `random` may be used for other choices, too."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 (the same for a seed)

    def text(self, text: str, *, latin: bool = False) -> str:
        """`text` with one to four changes; with `latin` as a header or a query can hold it."""
        pick = self.random.random
        for _ in range(1 + int(pick() ** 2 * 4)):
            text = self._changed(text)
        if not latin or text.isascii():
            return text
        # Single bytes stay what they are, which mostly is no UTF-8; what is no byte is sent as UTF-8.
        return "".join(
            one if one <= "\xff" else one.encode("utf-8", "surrogatepass").decode("latin-1") for one in text
        )

    def data(self, data: bytes) -> bytes:
        """`data` with one to four changes, of bytes or as text."""
        pick = self.random
        changed = bytearray(self.text(data.decode("latin-1")).encode("utf-8", "surrogatepass"))
        if changed and pick.random() < 0.4:
            changed[pick.randrange(len(changed))] = pick.randrange(256)
        return bytes(changed)

    def value(self, value: Any) -> Any:
        """JSON with a part of it changed, removed, doubled or replaced by another kind of value."""
        pick = self.random
        if isinstance(value, dict) and value and pick.random() < 0.9:
            changed, name = dict(value), pick.choice(list(value))
            match pick.randrange(6):
                case 0:
                    del changed[name]
                case 1:
                    changed[self.text(name)] = changed.pop(name)
                case 2:
                    changed[pick.choice(WORDS)] = self.other()
                case 3:
                    changed[name] = self.other()
                case _:
                    changed[name] = self.value(value[name])
            return changed
        if isinstance(value, list) and value and pick.random() < 0.8:
            at = pick.randrange(len(value))
            return [*value[:at], self.value(value[at]), *value[at + pick.randrange(2) :]]
        if isinstance(value, str) and pick.random() < 0.8:
            return self.text(value)
        if type(value) is int and pick.random() < 0.6:
            return value + pick.choice([-1, 1, 1 << 31, 1 << 52, 1 << 53, 1 << 64, -value, -2 * value])
        return self.other()

    def other(self) -> Any:
        """Some JSON that was not asked for."""
        pick = self.random
        return pick.choice(
            [
                None,
                True,
                False,
                0,
                -1,
                1.5,
                1 << 63,
                10**400,
                "",
                [],
                {},
                pick.choice(WORDS),
                [pick.choice(WORDS)],
            ]
        )

    def _changed(self, text: str) -> str:
        pick = self.random
        at = pick.randrange(len(text) + 1)
        # What stands before or after all the rest is dropped by more parsers than what is in it.
        if pick.random() < 0.2:
            at = pick.choice((0, len(text)))
        before, after = text[:at], text[at:]
        match pick.randrange(12):
            case 0:
                return before + after[1:]
            case 1 | 2:
                return before + pick.choice(_ALPHABET) + after[1:]
            case 3 | 4:
                return before + pick.choice(WORDS) + after
            case 5:
                return before + pick.choice(WORDS) + after[pick.randrange(8) :]
            case 6:
                return before + after[pick.randrange(20) :]
            case 7:
                size = pick.randrange(1, 40)
                return before + after[:size] * pick.choice((2, 2, 3, 50)) + after[size:]
            case 8:
                return before if pick.random() < 0.5 else after
            case 9:
                return before + after[:1].swapcase() + after[1:]
            case 10:
                code = ord(after[0]) ^ (1 << pick.randrange(8)) if after else 0
                return before + chr(code) + after[1:]
        size = pick.randrange(1, 12)
        return before + after[size : 2 * size] + after[:size] + after[2 * size :]
