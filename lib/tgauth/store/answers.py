"""Readers for the answers to commands, each strict about the form; all raise `Malformed`."""


class Malformed(Exception):
    """Not an answer that the command gives; never a miss."""


def integer(answer: object) -> int:
    """A whole number."""
    if type(answer) is not int:
        raise Malformed
    return answer


def natural(answer: object) -> int:
    """A number of things."""
    if integer(answer) < 0:
        raise Malformed
    return integer(answer)


def flag(answer: object) -> bool:
    """0 or 1."""
    if integer(answer) not in (0, 1):
        raise Malformed
    return answer == 1


def done(answer: object) -> None:
    """1, and nothing else."""
    if not flag(answer):
        raise Malformed


def value(answer: object) -> str | None:
    """A field's value, None for a miss."""
    if answer is not None and not isinstance(answer, str):
        raise Malformed
    return answer


def one_value(answer: object) -> str | None:
    """The one value that was asked for in a list, as HGETEX and HGETDEL give it."""
    # Upstash documents both for a key that is gone: a list of null, and null.
    return None if answer is None else value(parts(answer, 1)[0])


def parts(answer: object, count: int) -> list[object]:
    """A list of so many answers."""
    if not isinstance(answer, list) or len(answer) != count:
        raise Malformed
    return answer


def texts(answer: object) -> list[str]:
    """A list of names."""
    if not isinstance(answer, list) or not all(isinstance(item, str) for item in answer):
        raise Malformed
    return answer


def fields(answer: object) -> dict[str, str]:
    """A hash."""
    if not isinstance(answer, dict) or not all(isinstance(i, str) for pair in answer.items() for i in pair):
        raise Malformed
    return answer


def page(answer: object) -> tuple[str, list[str]]:
    """SCAN's cursor and keys."""
    cursor, keys = parts(list(answer) if isinstance(answer, tuple) else answer, 2)
    if type(cursor) not in (str, int):
        raise Malformed
    return str(cursor), texts(keys)


def pong(answer: object) -> None:
    """The answer to PING."""
    if answer not in ("PONG", True):
        raise Malformed
