"""Small damages to a file: bytes for every kind, words and encodings for text."""

import random
import re
from collections.abc import Callable, Sequence

Mutation = Callable[[bytes, random.Random], bytes]

EXTREMES = (
    "nan", "inf", "-inf", "1e400", "-1", "0", "10" * 20, "0.0000001", "null", "true", "[]", "{}",
    "''", "../../x", "/dev/zero", "$(touch PWNED)", "a;b", "[/b]", "\x00", "é", "x" * 300, "1e-3",
)  # fmt: skip
"""Words that take the place of a number or a name."""


def flip(data: bytes, chance: random.Random) -> bytes:
    """Other bits in a few bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def head(data: bytes, chance: random.Random) -> bytes:
    """Extreme bytes near the start, where headers say sizes and counts."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        if changed:
            place = chance.randrange(min(64, len(changed)))
            changed[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    """The start only."""
    return data[: chance.randrange(len(data) + 1)]


def remove(data: bytes, chance: random.Random) -> bytes:
    """A piece taken out."""
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.randint(1, 64) :]


def repeat(data: bytes, chance: random.Random) -> bytes:
    """A piece twice or many times."""
    start = chance.randrange(len(data) + 1)
    piece = data[start : start + chance.randint(1, 64)]
    return data[:start] + piece * chance.choice((2, 3, 1000)) + data[start:]


def insert(data: bytes, chance: random.Random) -> bytes:
    """Random bytes put in."""
    start = chance.randrange(len(data) + 1)
    return data[:start] + chance.randbytes(chance.randint(1, 64)) + data[start:]


def extreme_word(data: bytes, chance: random.Random) -> bytes:
    """One word or number of a text replaced by an extreme one."""
    text = data.decode(errors="replace")
    words = list(re.finditer(r"[\w.+-]+", text))
    if not words:
        return data
    word = chance.choice(words)
    return (text[: word.start()] + chance.choice(EXTREMES) + text[word.end() :]).encode()


def lines(data: bytes, chance: random.Random) -> bytes:
    """A line dropped, doubled, or moved."""
    parts = data.splitlines(keepends=True)
    if not parts:
        return data
    line = parts.pop(chance.randrange(len(parts)))
    for _ in range(chance.randint(0, 2)):
        parts.insert(chance.randrange(len(parts) + 1), line)
    return b"".join(parts)


def encode(data: bytes, chance: random.Random) -> bytes:
    """The same text in another encoding, or with a byte order mark."""
    text = data.decode(errors="replace") + "é"
    return text.encode(chance.choice(("utf-16", "latin-1", "utf-8-sig", "utf-32")), "replace")


def nest(data: bytes, chance: random.Random) -> bytes:
    """Brackets within brackets."""
    depth = chance.choice((10, 1000, 100_000))
    return b"[" * depth + data + b"]" * chance.choice((0, depth))


BYTES: Sequence[Mutation] = (flip, head, cut, remove, repeat, insert)
TEXT: Sequence[Mutation] = (*BYTES, extreme_word, extreme_word, lines, encode, nest)


def mutate(data: bytes, chance: random.Random, text: bool) -> bytes:
    """One to three damages in a row."""
    for _ in range(chance.randint(1, 3)):
        data = chance.choice(TEXT if text else BYTES)(data, chance)
    return data
