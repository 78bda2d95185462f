"""Damage done to a file: to its bytes, and to its structure where `fuzz.forms` knows it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np

from fuzz.forms import FORMS, Field, Form, chunk
from fuzz.seeds import Seed

LONGEST = 1 << 20
"""Bytes of a mutated file; what grows further is cut."""

ODD = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 257, 1000, 4096, 8944, 8945, 16383, 16384,
       32767, 32768, 65534, 65535, 65536, 100_000, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 62)  # fmt: skip
"""Numbers at which decoders have gone wrong."""


def mutated(seed: Seed, others: Sequence[Seed], rng: np.random.Generator) -> tuple[bytes, str]:
    """The seed's bytes after one to four kinds of damage, and the names of the damage."""
    data, names = seed.data, []
    form = FORMS.get(seed.form)
    for _ in range(int(rng.choice((1, 2, 3, 4), p=(0.75, 0.15, 0.07, 0.03)))):
        structural = form is not None and rng.random() < 0.65
        names_of = [*_STRUCTURAL] if structural else [*_PLAIN, "splice"]
        name = names_of[int(rng.integers(len(names_of)))]
        if structural and form is not None:
            data = _STRUCTURAL[name](data, form, rng)
        elif name == "splice":
            data = splice(data, others[int(rng.integers(len(others)))].data, rng)
        else:
            data = _PLAIN[name](data, rng)
        names.append(name)
        data = data[:LONGEST]
    if form is not None and rng.random() < 0.9:
        data = form.mended(data)
    return data, "+".join(names)


def _range(data: bytes, rng: np.random.Generator, most: int = 64) -> tuple[int, int]:
    start = int(rng.integers(0, len(data) + 1))
    return start, min(len(data), start + int(rng.integers(1, most)))


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    """Only the beginning."""
    return data[: int(rng.integers(0, len(data) + 1))]


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bits turned, in the first 64 bytes as often as anywhere."""
    if not data:
        return data
    changed = bytearray(data)
    reach = min(64, len(data)) if rng.random() < 0.5 else len(data)
    for place in rng.integers(0, reach, int(rng.choice((1, 2, 8, 40)))).tolist():
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def overwrite(data: bytes, rng: np.random.Generator) -> bytes:
    """An odd number of 1 to 8 bytes somewhere."""
    size = int(rng.choice((1, 2, 4, 8)))
    place = int(rng.integers(0, max(1, len(data) - size)))
    return _put(data, Field(place, size, bool(rng.integers(2))), ODD[int(rng.integers(len(ODD)))])


def cut_out(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes missing."""
    start, end = _range(data, rng)
    return data[:start] + data[end:]


def repeat(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes there many times."""
    start, end = _range(data, rng)
    return data[:end] + data[start:end] * int(rng.choice((1, 3, 50, 1000), p=(0.5, 0.3, 0.15, 0.05))) + data[end:]


def insert(data: bytes, rng: np.random.Generator) -> bytes:
    """Rubbish or zeros in between, or before everything."""
    place = int(rng.integers(0, len(data) + 1)) if rng.random() < 0.8 else 0
    filler = rng.bytes(int(rng.integers(1, 64)))
    return data[:place] + (filler if rng.random() < 0.5 else b"\0" * len(filler)) + data[place:]


def append(data: bytes, rng: np.random.Generator) -> bytes:
    """Something after the end."""
    return data + rng.bytes(int(rng.choice((1, 30, 5000))))


def shuffle(data: bytes, rng: np.random.Generator) -> bytes:
    """Blocks in another order."""
    size = max(1, len(data) // int(rng.integers(2, 9)))
    blocks = [data[k : k + size] for k in range(0, len(data), size)]
    return b"".join(blocks[k] for k in rng.permutation(len(blocks)).tolist())


def splice(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: int(rng.integers(0, len(data) + 1))] + other[int(rng.integers(0, len(other) + 1)) :]


def poke(data: bytes, form: Form, rng: np.random.Generator) -> bytes:
    """A number that steers the decoder made odd, or off by a little."""
    fields = form.fields(data)
    if not fields:
        return swap_word(data, form, rng)
    field = fields[int(rng.integers(len(fields)))]
    old = int.from_bytes(data[field.place : field.place + field.size], "big" if field.big else "little")
    if rng.random() < 0.3:
        return _put(data, field, old + int(rng.integers(-3, 4)))
    return _put(data, field, ODD[int(rng.integers(len(ODD)))])


def swap_word(data: bytes, form: Form, rng: np.random.Generator) -> bytes:
    """A part replaced by a misleading one."""
    parts = form.parts(data)
    if not parts:
        return data
    start, end = parts[int(rng.integers(len(parts)))]
    return data[:start] + form.crafted(rng) + data[end:]


def add_part(data: bytes, form: Form, rng: np.random.Generator) -> bytes:
    """A misleading part before one of the parts, sometimes many times."""
    parts = form.parts(data)
    place = parts[int(rng.integers(len(parts)))][0] if parts else len(data)
    times = int(rng.choice((1, 3, 300), p=(0.9, 0.08, 0.02)))
    return data[:place] + form.crafted(rng) * times + data[place:]


def drop_part(data: bytes, form: Form, rng: np.random.Generator) -> bytes:
    """A part missing."""
    parts = form.parts(data)
    if not parts:
        return data
    start, end = parts[int(rng.integers(len(parts)))]
    return data[:start] + data[end:]


def double_part(data: bytes, form: Form, rng: np.random.Generator) -> bytes:
    """A part there twice, or hundreds of times."""
    parts = form.parts(data)
    if not parts:
        return data
    start, end = parts[int(rng.integers(len(parts)))]
    return data[:end] + data[start:end] * int(rng.choice((1, 400), p=(0.9, 0.1))) + data[end:]


def move_part(data: bytes, form: Form, rng: np.random.Generator) -> bytes:
    """Two parts in each other's place."""
    parts = form.parts(data)
    if len(parts) < 2:
        return data
    first, second = sorted(rng.choice(len(parts), 2, replace=False).tolist())
    (a, b), (c, d) = parts[first], parts[second]
    if b > c:
        return data
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def damage_part(data: bytes, form: Form, rng: np.random.Generator) -> bytes:
    """Bits turned inside one part; in a PNG's pixels below the compression too."""
    parts = form.parts(data)
    if not parts:
        return data
    start, end = parts[int(rng.integers(len(parts)))]
    body = data[start:end]
    if body[4:8] == b"IDAT" and rng.random() < 0.7:
        try:
            rows = zlib.decompress(body[8:-4])
        except zlib.error:
            return data
        damage = (flip, truncate, insert, cut_out, append)[int(rng.integers(5))]
        return data[:start] + chunk(b"IDAT", zlib.compress(damage(rows, rng), 1)) + data[end:]
    return data[:start] + flip(body, rng) + data[end:]


def _put(data: bytes, field: Field, value: int) -> bytes:
    value &= (1 << 8 * field.size) - 1
    number = value.to_bytes(field.size, "big" if field.big else "little")
    return data[: field.place] + number + data[field.place + field.size :]


_PLAIN: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "truncate": truncate,
    "flip": flip,
    "overwrite": overwrite,
    "cut-out": cut_out,
    "repeat": repeat,
    "insert": insert,
    "append": append,
    "shuffle": shuffle,
}
_STRUCTURAL: dict[str, Callable[[bytes, Form, np.random.Generator], bytes]] = {
    "poke": poke,
    "poke twice": lambda data, form, rng: poke(poke(data, form, rng), form, rng),
    "add part": add_part,
    "swap part": swap_word,
    "drop part": drop_part,
    "double part": double_part,
    "move part": move_part,
    "damage part": damage_part,
}
