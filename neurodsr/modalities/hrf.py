"""The hemodynamic response in a configuration: its parameters in s, and what physiology allows."""

from __future__ import annotations

from pydantic import Field, model_validator

from neurodsr.config import Config

PEAK_DELAYS = (4.0, 9.0)
UNDERSHOOT_DELAYS = (10.0, 25.0)
RATIOS = (2.0, 20.0)
"""Bounds of what is learned (our own choice): a peak from 3 to 8 s after the activity, an
undershoot after it that is neither as large as the response nor absent. Delays in s."""


class HrfConfig(Config):
    """A double gamma, its fields named as the parameters of SPM's response; times in s."""

    peak_delay: float = Field(
        6.0,
        gt=0,
        allow_inf_nan=False,
        description="Mean delay of the response, s; it peaks one dispersion earlier.",
    )
    undershoot_delay: float = Field(
        16.0, gt=0, allow_inf_nan=False, description="Mean delay of the undershoot, s."
    )
    peak_dispersion: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Dispersion of the response, s."
    )
    undershoot_dispersion: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Dispersion of the undershoot, s."
    )
    ratio: float = Field(
        6.0,
        gt=1,
        allow_inf_nan=False,
        description="Area of the response over that of the undershoot.",
    )
    onset: float = Field(0.0, ge=0, allow_inf_nan=False, description="When the response begins, s.")
    length: float = Field(
        32.0, gt=0, allow_inf_nan=False, description="How long the response is followed, s."
    )

    @model_validator(mode="after")
    def _shaped_like_a_response(self) -> HrfConfig:
        if self.peak_dispersion >= self.peak_delay:
            raise ValueError("peak_dispersion must be below peak_delay: there is no peak else")
        if self.peak_delay >= self.undershoot_delay:
            raise ValueError("undershoot_delay must be above peak_delay")
        if self.length <= self.peak:
            raise ValueError(f"length must be above {self.peak:g} s, where the response peaks")
        return self

    @property
    def peak(self) -> float:
        """When the response is largest, but for the undershoot, s."""
        return self.onset + self.peak_delay - self.peak_dispersion

    def refuse_unlearnable(self) -> None:
        """Refuse a start of learning that lies outside its bounds, or a kernel that they outgrow.

        Raises
        ------
        ValueError
            One does; the text names the bounds.
        """
        for name, (low, high) in (
            ("peak_delay", PEAK_DELAYS),
            ("undershoot_delay", UNDERSHOOT_DELAYS),
            ("ratio", RATIOS),
        ):
            value = getattr(self, name)
            if not low < value < high:
                raise ValueError(
                    f"a learned {name} starts between {low:g} and {high:g}, not at {value:g}"
                )
        latest = self.onset + PEAK_DELAYS[1]
        if self.length <= latest:
            raise ValueError(f"length must be above {latest:g} s, up to where the peak may move")
