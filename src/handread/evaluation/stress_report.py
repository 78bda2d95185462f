"""What a stress test came to: counts of every corruption at every strength, both ways between values and JSON.

Apart from the corruptions themselves, which training must not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from handread.evaluation.metrics import wilson_interval

if TYPE_CHECKING:
    from handread.types import UInt8Array

Kind = Literal["mnist-c", "paper"]
KINDS: tuple[Kind, ...] = ("mnist-c", "paper")
"""The fifteen of MNIST-C, and what pens, paper and cameras do."""
QUOTED = 3
"""The strength that a result is quoted at, of 1 to 5."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of all items under one corruption at one strength."""

    name: str
    kind: Kind
    strength: int
    """1..5; 0 without a corruption."""
    n: int
    errors: int
    """Read as another character, or not at all."""
    empty: int
    """Of the errors, those in which no ink was found."""

    @property
    def error_rate(self) -> float:
        """0..1"""
        return self.errors / self.n

    @property
    def interval95(self) -> tuple[float, float]:
        """Wilson interval of `error_rate`."""
        return wilson_interval(self.errors, self.n)


@dataclass(frozen=True, slots=True)
class StressReport:
    """Every row of a stress test, the two without a corruption first; `ValueError` for counts that cannot be."""

    n: int
    """Items, the same in every row."""
    seed: int
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        odd = [row.name for row in self.rows if row.n != self.n or not 0 <= row.empty <= row.errors <= row.n]
        if self.n < 1 or odd:
            raise ValueError(f"the stress counts of {odd[0] if odd else 'no items'} cannot be")

    @property
    def strengths(self) -> tuple[int, ...]:
        """Those measured, from little to much."""
        return tuple(sorted({row.strength for row in self.rows} - {0}))

    @property
    def plain(self) -> tuple[Row, ...]:
        """The rows without a corruption: the items as they are, and on plain paper."""
        return tuple(row for row in self.rows if not row.strength)

    def of_kind(self, kind: Kind) -> dict[str, dict[int, Row]]:
        """Corruption -> strength -> row, in the order of the rows."""
        found: dict[str, dict[int, Row]] = {}
        for row in self.rows:
            if row.kind == kind and row.strength:
                found.setdefault(row.name, {})[row.strength] = row
        return found

    def mean(self, kind: Kind, strength: int) -> float | None:
        """Mean error rate (0..1) over the corruptions of a kind; None where none was measured at that strength."""
        rates = [rows[strength].error_rate for rows in self.of_kind(kind).values() if strength in rows]
        return sum(rates) / len(rates) if rates else None

    def to_plain(self) -> dict[str, Any]:
        """What JSON can hold; `from_plain` gives an equal report back. Rates, intervals and means are for readers."""
        return {
            "n": self.n,
            "seed": self.seed,
            "means": {kind: {str(level): self.mean(kind, level) for level in self.strengths} for kind in KINDS},
            "rows": [
                {
                    "name": row.name, "kind": row.kind, "strength": row.strength, "n": row.n, "errors": row.errors,
                    "empty": row.empty, "error_rate": row.error_rate, "interval95": list(row.interval95),
                }
                for row in self.rows
            ],
        }  # fmt: skip

    @classmethod
    def from_plain(cls, raw: Mapping[str, Any]) -> StressReport:
        """Read what `to_plain` gave; raises ValueError, TypeError or KeyError for anything else."""
        rows = []
        for row in raw["rows"]:
            counts = [row[name] for name in ("strength", "n", "errors", "empty")]
            if not isinstance(row["name"], str) or row["kind"] not in KINDS or any(type(c) is not int for c in counts):
                raise ValueError(f"the stress row {row['name']!r} cannot be")
            rows.append(Row(row["name"], row["kind"], *counts))
        return cls(int(raw["n"]), int(raw["seed"]), tuple(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Pictures of a few items for a page: as many of them for every row of the report."""

    labels: tuple[str, ...]
    pictures: tuple[tuple[UInt8Array, ...], ...]
    """Of each row, uint8 (H, W), 0 black .. 255 white."""
    read: tuple[tuple[str, ...], ...]
    """What each was read as; "" where no ink was found."""
