"""A target for the fuzzer's own tests: it raises, dies and hangs where it is told to."""

from __future__ import annotations

import os

from fuzz.case import Case, Verdict, refusal
from handread.errors import ImageError

RAISES, DIES, HANGS = 2, 5, 8


class Toy:
    """Does nothing but in three cases."""

    name = "toy"
    outcomes = ("read", "refused")

    def prepare(self) -> None:
        """Nothing."""

    def make(self, seed: int, index: int) -> Case:
        """The numbers as bytes."""
        return Case("toy", "nowhere", bytes([seed, index]))

    def run(self, case: Case) -> Verdict:
        """What the number says; with a seed of 2 nothing goes wrong."""
        seed, index = case.payload
        if seed != 1:
            return Verdict("read", seconds=index / 10)
        if index == DIES:
            os.abort()
        while index == HANGS:
            pass
        try:
            if index == RAISES:
                raise ValueError("not foreseen")
            raise ImageError("it is no picture; take another")
        except Exception as error:
            return refusal(error, (ImageError,))

    def versions(self) -> str:
        """Of nothing."""
        return "toy 1"
