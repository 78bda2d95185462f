"""Registry: a name leads to a builder; duplicates are refused and typos get a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from handread.errors import UnknownNameError, shown

T = TypeVar("T")


class Registry(Generic[T]):
    """Builders by name.

    >>> shapes = Registry[Callable[[], str]]("shape")
    >>> @shapes.register("square")
    ... def square() -> str:
    ...     return "four sides"
    >>> shapes["square"]()
    'four sides'
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that files its function under `name`; raises ValueError if the name is taken."""

        def keep(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered already; choose another name")
            self._entries[name] = entry
            return entry

        return keep

    def __getitem__(self, name: str) -> T:
        """The entry of that name; raises `UnknownNameError` with the nearest names."""
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(unknown(self.kind, name, self._entries)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries


def unknown(kind: str, name: str, known: object) -> str:
    """One sentence for a name that is not among `known` (an iterable of names), with the nearest ones."""
    names = sorted(known)  # type: ignore[call-overload]
    near = difflib.get_close_matches(name, names, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"
    return f"there is no {kind} called {shown(name)}; {hint}"
