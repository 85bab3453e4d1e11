"""What a configuration says of a stream's own clock, and how its times become the run's."""

from __future__ import annotations

from pydantic import Field, model_validator

from neurodsr.config import Config


class ClockConfig(Config):
    """The clock of a stream: t = offset + (1 + drift / 10^6) t_stream, all in s."""

    rate: float | None = Field(
        None,
        gt=0,
        description="Samples per second, Hz, for samples whose file gives no times, or counts "
        "frames instead.",
    )
    interval: float | None = Field(
        None,
        gt=0,
        description="Time from one sample to the next, s (the TR of a scanner); instead of `rate`.",
    )
    times: str | None = Field(
        None, description="Column or variable of a table that holds the samples' times, s."
    )
    offset: float = Field(0.0, allow_inf_nan=False, description="Added to the stream's times, s.")
    drift: float = Field(
        0.0,
        gt=-1e5,
        lt=1e5,
        description="How much a second of the stream's clock lasts beyond a second of the run's, "
        "parts per million.",
    )
    sync: tuple[str, str] | None = Field(
        None,
        description="Paths of the same events as the stream's clock and as the run's clock timed "
        "them: offset and drift are estimated from them and noted, and used where neither is "
        "given.",
    )

    @model_validator(mode="after")
    def _one_interval(self) -> ClockConfig:
        given = [n for n in ("rate", "interval", "times") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} say the same: give one of them")
        return self

    @property
    def sample_interval(self) -> float | None:
        """Time from one sample to the next as declared, s; None if it was not."""
        return 1 / self.rate if self.rate is not None else self.interval

    @property
    def is_default(self) -> bool:
        """Whether nothing was declared."""
        return self == ClockConfig()
