"""The kind `keypoints`: body parts that a tracker followed, with its confidence and its jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from neurodsr.data.streams import Series, Stream
from neurodsr.modalities.signal_modality import SignalModality
from neurodsr.modalities.signals import choose_channels, refuse_missing
from pydantic import Field, model_validator

from neurodsr_keypoints.certainty import mask_unsure
from neurodsr_keypoints.pose import coordinates, parts_of, require_parts, seen_from, take_parts

if TYPE_CHECKING:  # torch takes seconds to import; the command line must not wait for it
    from neurodsr.data.channels import Channels
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.decoders import Decoder
    from neurodsr.sources.base import Source

NO_CENTER = "none"


class Keypoints(SignalModality):
    """Positions of body parts as a tracker saw them: sure ones count, and jumps are expected."""

    # The version of the contract that this class is written for; another one is refused.
    api_version: ClassVar[str] = "1"
    shares_channels: ClassVar[bool] = True

    kind: Literal["keypoints"] = Field("keypoints", description="Tracked body parts.")
    min_confidence: float = Field(
        0.6,
        gt=0,
        description="Confidence from which on a position counts, as the tracker gives it (mostly "
        "0 to 1); less sure ones are masked.",
    )
    body_parts: tuple[str, ...] | None = Field(
        None, min_length=1, description="Body parts that are used; default: all."
    )
    center: str = Field(
        NO_CENTER,
        description="Body part from which all others are seen, and which is left out itself; none: "
        "positions stay as the camera saw them.",
    )

    @model_validator(mode="after")
    def _is_not_seen_from_itself(self) -> Keypoints:
        if self.body_parts is not None and self.center in self.body_parts:
            raise ValueError(
                f"the center {self.center!r} stands at 0, seen from itself: take it out of "
                "body_parts"
            )
        return self

    def load(self, source: Source, grid: TimeGrid) -> Stream:
        """Put the positions on the grid, relative to the center where there is one.

        Raises
        ------
        DataError
            A body part is not there, no position is sure enough, too many are missing, or nothing
            is observed on the grid.
        """
        where = f"{source.path}:/{self.path}"
        series = self._positions(source.series(self.path), where)
        series = choose_channels(series, self.where, self.channels, where=where)
        refuse_missing(series, limit=self.max_missing, where=where)
        return self.put_on_grid(series, grid, where=where)

    def build_decoder(self, channels: Channels, latent_dim: int, *, bin_width: float) -> Decoder:
        """A linear location with Student's t noise, which a tracker's jumps do not pull along."""
        from neurodsr.modalities.student import StudentDecoder

        return StudentDecoder(len(channels), latent_dim)

    def _positions(self, series: Series, where: str) -> Series:
        """The sure positions of the body parts asked for, seen from the center."""
        found = coordinates(series, self.path)
        known, centered = parts_of(found), self.center != NO_CENTER
        center = (self.center,) if centered else ()
        require_parts(self.body_parts or (), known, field="body_parts", where=where)
        require_parts(center, known, field="center", where=where)
        if self.body_parts is not None:
            series = take_parts(series, (*self.body_parts, *center), found)
            found = coordinates(series, self.path)
        series = mask_unsure(series, found, min_confidence=self.min_confidence, where=where)
        return seen_from(series, self.center, found, where=where) if centered else series
