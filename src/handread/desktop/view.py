"""Where a picture lies on the screen: fitted, zoomed, moved. Pure numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from handread.types import Box

LARGEST = 32.0
"""Most screen pixels that one pixel of the picture may cover."""
_COMFORTABLE = 900.0
"""Pictures are enlarged at most until their longer side has this many screen pixels, or to twice their size."""


@dataclass(frozen=True, slots=True)
class View:
    """Screen = picture * `scale` + (`left`, `top`), in pixels."""

    scale: float
    left: float
    top: float

    @classmethod
    def fitting(cls, size: tuple[int, int], room: tuple[int, int], *, margin: int = 0) -> View:
        """The whole picture of `size` (width, height) in the middle of `room`, `margin` pixels kept free."""
        width, height = max(1, size[0]), max(1, size[1])
        wide, high = max(1, room[0] - 2 * margin), max(1, room[1] - 2 * margin)
        scale = min(wide / width, high / height, max(2.0, _COMFORTABLE / max(width, height)))
        return cls(scale, (room[0] - width * scale) / 2, (room[1] - height * scale) / 2)

    def zoomed(self, factor: float, x: float, y: float, *, smallest: float) -> View:
        """Zoomed so that what is at screen (`x`, `y`) stays there; never below `smallest` or above `LARGEST`."""
        scale = min(max(self.scale * factor, smallest), max(LARGEST, smallest))
        grown = scale / self.scale
        return View(scale, x - (x - self.left) * grown, y - (y - self.top) * grown)

    def moved(self, dx: float, dy: float) -> View:
        """Shifted by screen pixels."""
        return replace(self, left=self.left + dx, top=self.top + dy)

    def to_screen(self, box: Box) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of a picture's `box` on the screen."""
        return (
            box.x * self.scale + self.left,
            box.y * self.scale + self.top,
            box.right * self.scale + self.left,
            box.bottom * self.scale + self.top,
        )

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """The picture's coordinates of a point on the screen."""
        return (x - self.left) / self.scale, (y - self.top) / self.scale

    def dragged(self, start: tuple[float, float], end: tuple[float, float], size: tuple[int, int]) -> Box | None:
        """The part of a picture of `size` between two screen points, in whole pixels; None where there is none."""
        (x0, y0), (x1, y1) = self.to_picture(*start), self.to_picture(*end)
        return clamped(round(min(x0, x1)), round(min(y0, y1)), round(max(x0, x1)), round(max(y0, y1)), size)

    def visible(self, size: tuple[int, int], room: tuple[int, int]) -> Box | None:
        """The part of a picture of `size` that is seen in `room`, rounded outwards to whole pixels."""
        x0, y0 = self.to_picture(0, 0)
        x1, y1 = self.to_picture(*room)
        return clamped(int(x0 // 1), int(y0 // 1), int(-(-x1 // 1)), int(-(-y1 // 1)), size)


def clamped(left: int, top: int, right: int, bottom: int, size: tuple[int, int]) -> Box | None:
    """The box between these edges inside a picture of `size` (width, height); None when nothing is left."""
    left, top = max(0, left), max(0, top)
    right, bottom = min(size[0], right), min(size[1], bottom)
    return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None


def nudged(
    box: Box | None, size: tuple[int, int], *, move: tuple[int, int] = (0, 0), grow: tuple[int, int] = (0, 0)
) -> Box:
    """A crop moved and resized by steps of a twentieth of the picture, as the arrow keys do it.

    None begins with the middle half. The crop stays inside the picture and at least one step wide and high.
    """
    step = (max(1, size[0] // 20), max(1, size[1] // 20))
    if box is None:
        return Box(size[0] // 4, size[1] // 4, max(1, size[0] // 2), max(1, size[1] // 2))
    width = min(max(box.width + grow[0] * step[0], step[0]), size[0] - box.x)
    height = min(max(box.height + grow[1] * step[1], step[1]), size[1] - box.y)
    x = min(max(0, box.x + move[0] * step[0]), size[0] - width)
    y = min(max(0, box.y + move[1] * step[1]), size[1] - height)
    return Box(x, y, width, height)


def overlap(one: Box, other: Box) -> float:
    """Area of the intersection over that of the union, 0..1."""
    wide = min(one.right, other.right) - max(one.x, other.x)
    high = min(one.bottom, other.bottom) - max(one.y, other.y)
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    return both / (one.width * one.height + other.width * other.height - both)
