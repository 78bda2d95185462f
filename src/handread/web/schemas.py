"""The forms of requests and answers, with examples: what stands in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_POINTS = 50_000
MOST_STROKES = 2_000
LARGEST_CANVAS = 8192

# a black 28 x 28 picture with an upright stroke
EXAMPLE_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAJklEQVR42mNgGAWjYBSMglEwCkbBKBgFo2AUjIJRMApGwSgYBcMVAAAJUAAB"
    "u2dF8AAAAABJRU5ErkJggg=="
)

Text = Annotated[str, Field(max_length=4096)]
Coordinate = Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]


Side = Annotated[int, Field(ge=1, le=1_000_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Point(BaseModel):
    """A place of the pen."""

    model_config = ConfigDict(extra="ignore")

    x: Coordinate = Field(description="Pixels of the canvas, to the right.")
    y: Coordinate = Field(description="Pixels of the canvas, downwards.")
    pressure: float | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="0 to 1; where it is missing or 0 the pen is plain."
    )
    t: float | None = Field(default=None, description="Milliseconds; not used.")


class PictureData(_Strict):
    """A picture inside JSON."""

    data: str = Field(description="The bytes of the file in base64; a data: URI is taken as well.")
    name: Text = Field(default="", description="What the answer calls it.")


class Options(_Strict):
    """What is asked for."""

    alphabet: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None, description="digits, upper, lower, letters, alphanumeric, hex, or the characters; null: all."
    )
    one: bool = Field(default=False, description="Each picture holds exactly one character.")
    top: int = Field(default=3, ge=1, le=100, description="Candidates a character.")
    strict: bool = Field(default=False, description="U+FFFD stands in the text where a character is refused.")
    look: bool = Field(default=False, description="Also answer with what the network saw.")


class ReadRequest(Options):
    """Pictures or one drawing: exactly one of the two."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "oneOf": [{"required": ["pictures"]}, {"required": ["strokes", "width", "height"]}],
            "examples": [
                {"pictures": [{"data": EXAMPLE_PNG, "name": "one.png"}], "alphabet": "digits", "one": True},
                {
                    "strokes": [[{"x": 60, "y": 40}, {"x": 140, "y": 40}, {"x": 90, "y": 160}]],
                    "width": 200,
                    "height": 200,
                    "pen": 10,
                    "alphabet": "digits",
                },
            ],
        },
    )

    pictures: list[PictureData] | None = Field(default=None, min_length=1)
    strokes: list[list[Point]] | None = Field(default=None, min_length=1, max_length=MOST_STROKES)
    width: float | None = Field(default=None, gt=0, le=LARGEST_CANVAS, description="Of the canvas, in pixels.")
    height: float | None = Field(default=None, gt=0, le=LARGEST_CANVAS, description="Of the canvas, in pixels.")
    pen: float = Field(default=10.0, gt=0, le=500, description="Width of a stroke in pixels of the canvas.")

    @model_validator(mode="after")
    def _one_of_the_two(self) -> ReadRequest:
        if (self.pictures is None) == (self.strokes is None):
            raise ValueError("give either pictures or strokes")
        if self.strokes is not None:
            if self.width is None or self.height is None:
                raise ValueError("strokes need the width and the height of the canvas they were drawn on")
            if sum(map(len, self.strokes)) > MOST_POINTS:
                raise ValueError(f"a drawing has at most {MOST_POINTS:,} points")
        return self


class BatchOptions(_Strict):
    """What is asked for."""

    alphabet: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None, description="digits, upper, lower, letters, alphanumeric, hex, or the characters; null: all."
    )
    one: bool = Field(
        default=True, description="Each picture holds exactly one character; false reads them as /v1/read does."
    )
    top: int = Field(default=3, ge=1, le=100, description="Candidates a character where `one` is false.")
    strict: bool = Field(default=False, description="U+FFFD for refused characters where `one` is false.")


class BatchRequest(BatchOptions):
    """Many single characters as one array, or many pictures: exactly one of the two."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "oneOf": [{"required": ["pictures"]}, {"required": ["characters", "shape"]}],
            "examples": [{"characters": "AAD/AAAA/wAAAP8AAAD/AA==", "shape": [1, 4, 4], "alphabet": "digits"}],
        },
    )

    characters: str | None = Field(default=None, description="uint8 in base64, row by row: 0 paper to 255 ink.")
    shape: tuple[Side, Side, Side] | None = Field(default=None, description="Characters, rows, columns of the array.")
    pictures: list[PictureData] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_of_the_two(self) -> BatchRequest:
        if (self.pictures is None) == (self.characters is None):
            raise ValueError("give either characters or pictures")
        if self.characters is not None and self.shape is None:
            raise ValueError("characters need a shape: how many, rows, columns")
        return self


class CharacterRow(BaseModel):
    """One character."""

    text: str
    confidence: float = Field(description="Calibrated probability, 0 to 1.")
    accepted: bool
    reason: str = Field(description="Why it was refused; empty when it was accepted.")
    box: tuple[int, int, int, int] = Field(description="x, y, width, height in pixels of the picture or the canvas.")
    candidates: list[tuple[str, float]] = Field(description="Best first, each with its probability.")


class LookCharacter(BaseModel):
    """What the network saw of one character."""

    input: str = Field(description="data: URI of a PNG, the network's input.")
    saliency: str = Field(description="data: URI of a PNG of the same shape, what spoke for the answer and against it.")


class Look(BaseModel):
    """What the network saw."""

    ink: str = Field(description="data: URI of a PNG, the cleaned ink.")
    characters: list[LookCharacter]


class Row(BaseModel):
    """One picture; what `handread read --json` prints."""

    image: str
    text: str
    confidence: float
    characters: list[CharacterRow]
    error: str | None
    look: Look | None = Field(default=None, description="Only where it was asked for.")


class ReadAnswer(BaseModel):
    """The reading of every picture, in the order of the request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "handread",
                    "version": "1",
                    "readings": [
                        {
                            "image": "one.png",
                            "text": "7",
                            "confidence": 0.9998,
                            "characters": [
                                {
                                    "text": "7",
                                    "confidence": 0.9998,
                                    "accepted": True,
                                    "reason": "",
                                    "box": [69, 77, 67, 129],
                                    "candidates": [["7", 0.9998], ["1", 0.0001]],
                                }
                            ],
                            "error": None,
                        }
                    ],
                }
            ]
        }
    )

    model: str
    version: str
    readings: list[Row]


class BatchError(BaseModel):
    """A picture of a batch that could not be read."""

    index: int
    name: str
    error: str


class BatchAnswer(BaseModel):
    """Single characters, in the order of the request; `readings` instead where `one` was false."""

    model: str
    version: str
    labels: str | None = Field(default=None, description="One character each; U+FFFD where there was none to read.")
    confidence: list[float] | None = None
    accepted: list[bool] | None = None
    errors: list[BatchError] | None = None
    readings: list[Row] | None = None


class Limits(BaseModel):
    """What a request may hold."""

    upload_bytes: int
    pictures: int
    characters: int
    pixels: int


class ModelRow(BaseModel):
    """One model."""

    name: str
    loaded: bool
    card: dict[str, Any] = Field(description="What the weights file says of itself.")


class ModelsAnswer(BaseModel):
    """What this server reads with."""

    handread: str = Field(description="Version of Handread.")
    loaded: str
    models: list[ModelRow]
    alphabets: dict[str, str] = Field(description="Name -> characters, of those the loaded model knows.")
    collect: bool = Field(description="Whether corrections may be posted.")
    limits: Limits


class Correction(_Strict):
    """A character as it should have been read."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"picture": EXAMPLE_PNG, "label": "1", "read": "7"}]}
    )

    picture: str = Field(description="A picture of one character in base64.")
    label: Annotated[str, Field(min_length=1, max_length=1)] = Field(description="What it is.")
    read: Annotated[str, Field(max_length=8)] = Field(default="", description="What it was read as.")


class CorrectionAnswer(BaseModel):
    """Where a correction was put."""

    image: str = Field(description="Its file, below the operator's folder.")
    count: int = Field(description="Corrections in the folder.")


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "page.png is damaged and cannot be decoded; save the picture again",
                    "code": "unreadable",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str = Field(description="A sentence for people: the value, the reason, the way out.")
    code: str = Field(description="A short word for programs that does not change.")
