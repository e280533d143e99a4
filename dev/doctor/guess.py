"""Secrets that somebody could guess: placeholders from guides, words, sequences, repetitions.

What a generator makes must never be called guessable, whichever one it was: so there are no scores, and what
is left of a secret without its patterns may be half as long as the shortest that tgauth takes.
"""

import re

LEAST_LEFT = 16
"""Characters that no pattern accounts for. The shortest secret has 32."""

LEAST_DIFFERENT = 6
"""Different characters; 32 random digits have 9 or 10."""

_PLACEHOLDER = re.compile(
    r"openssl|placeholder|(change|replace)[-_ ]?(me|this|it|with)(?![a-z0-9])|(?<![a-z0-9])your[-_ ]"
)
# Left to a shell or a template that was not there, or to the reader.
_UNFILLED = re.compile(r"\$[({][a-z].*[)}]|\{\{.*\}\}|<[\w .-]+>")
# What people write where a secret should be.
_WORDS = """
secret password passwd passphrase token telegram tgauth session sessions auth authentication admin
owner login user users default production development preview staging testing test change please
your this that random string long longer very super enough least characters character example
replace generate generated value here must with some something key bot the for and not set use dev
prod app site my me in is it to at of be qwerty letmein welcome hello world master private public
vercel redis upstash safe secure strong base64 rand hex relay abc
"""
_WORD = re.compile("|".join(sorted(_WORDS.split(), key=len, reverse=True)))
_SEPARATORS = re.compile(r"[\s_.-]+")
_KEYBOARD = "qwertyuiop asdfghjkl zxcvbnm"
_LONGEST = 512
_PATTERN = 4
"""Characters from which on a sequence or a repetition is no chance; shorter ones are in many random texts."""


def weakness(secret: str) -> str:
    """What is wrong with a secret, without a word about how wrong; empty for one that looks random."""
    # The rest of a longer one changes nothing.
    text = secret[:_LONGEST].lower()
    if _PLACEHOLDER.search(text) or _UNFILLED.fullmatch(text):
        return "looks like a placeholder"
    text = _SEPARATORS.sub("", _WORD.sub(" ", text))
    if len(set(text)) < LEAST_DIFFERENT or _left(text) < LEAST_LEFT:
        return "is easy to guess"
    return ""


def _left(text: str) -> int:
    """The characters that are left where each sequence and each repetition counts as one."""
    left = at = 0
    while at < len(text):
        length = max(_sequence(text, at), _repetition(text, at))
        left, at = left + 1, at + (length if length >= _PATTERN else 1)
    return left


def _sequence(text: str, at: int) -> int:
    """How many characters from here on are one again and again, neighbours in Unicode, or on a keyboard."""
    longest = 1
    for step in (-1, 0, 1):
        end = at + 1
        while end < len(text) and ord(text[end]) - ord(text[end - 1]) == step:
            end += 1
        longest = max(longest, end - at)
    while at + longest < len(text) and text[at : at + longest + 1] in _KEYBOARD:
        longest += 1
    return longest


def _repetition(text: str, at: int) -> int:
    """How many characters from here on stand together further in front, too."""
    length = 0
    while at + length < len(text) and text[at : at + length + 1] in text[:at]:
        length += 1
    return length
