"""What is known of one trained member without any knowledge of the truth."""

from __future__ import annotations

from pydantic import Field

from neurodsr.config import Config


class MemberSummary(Config):
    """Health of one ensemble member, found without any knowledge of the truth."""

    member: int = Field(description="Rank, 0 is the chosen one.")
    encoder: int = Field(description="Which kept encoder it belongs to.")
    seed: int = Field(description="Seed of its initialization.")
    alpha: float = Field(description="Final forcing strength.")
    dead: float = Field(description="Fraction of starts whose long free run died.")
    self_divergence: float = Field(description="Re-encoded free run against encoded data.")
    self_spectrum: float = Field(description="Hellinger distance of their power spectra.")
    consistency: float = Field(description="One-step residual under forcing, of total variance.")
    exponent: float | None = Field(
        description="Largest Lyapunov exponent, 1/s; null where every start diverged."
    )
