"""The methods text to paste into a paper, written from the configuration that was run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from neurodsr.report.model import RecordingSummary
from neurodsr.report.text import count_of, format_duration, format_percent, plain_text


def methods_text(config: Mapping[str, Any], recording: RecordingSummary) -> tuple[str, ...]:
    """Paragraphs that say what was done, with this run's numbers; unknown parts are left out."""
    parts: tuple[tuple[str, Callable[[Any], str]], ...] = (
        ("encoder", _observation),
        ("dynamics", _dynamics),
        ("ensemble", _ensemble),
        ("split", _evaluation),
    )
    written = [write(config[key]) for key, write in parts if key in config]
    return (_data(recording), *written)


def references() -> tuple[str, ...]:
    """The papers that the methods text cites, in its order."""
    return (
        "Brenner M, Hess F, Koppe G, Durstewitz D (2024). Integrating multimodal data for joint "
        "generative modeling of complex dynamics. International Conference on Machine Learning "
        "(ICML).",
        "Hess F, Monfared Z, Brenner M, Durstewitz D (2023). Generalized teacher forcing for "
        "learning chaotic dynamics. International Conference on Machine Learning (ICML).",
        "Koppe G, Toutounji H, Kirsch P, Lis S, Durstewitz D (2019). Identifying nonlinear "
        "dynamical systems via generative recurrent neural networks with applications to fMRI. "
        "PLoS Computational Biology 15(8).",
        "Benettin G, Galgani L, Giorgilli A, Strelcyn J-M (1980). Lyapunov characteristic "
        "exponents for smooth dynamical systems and for Hamiltonian systems; a method for "
        "computing all of them. Part 1: theory. Meccanica 15:9-20.",
    )


def _data(recording: RecordingSummary) -> str:
    kinds = ", ".join(
        f"{plain_text(s.name)} ({s.kind or 'unknown kind'}, {count_of(s.n_channels, 'channel')})"
        for s in recording.streams
    )
    return (
        f"{count_of(len(recording.streams), 'stream')} of session {plain_text(recording.id)} "
        f"({kinds or 'none'}) shared one clock of {recording.n_bins} bins of "
        f"{format_duration(recording.bin_width)} "
        f"({format_duration(recording.duration)} in {count_of(len(recording.segments), 'segment')})"
        ". Bins in which a channel was not watched were masked, so that silence and absence "
        "differ; masked values entered neither the likelihood nor the encoder."
    )


def _observation(encoder: Mapping[str, Any]) -> str:
    return (
        "Observation stage. What each stream says of the latent state was added as evidence "
        "(a product of experts in information form, zero where a stream was not observed), and "
        f"two temporal convolutions of {encoder['kernel']} bins (width {encoder['width']}) turned "
        "the sum into the latent path, which one observation model per stream reads out, "
        "following the idea of multimodal teacher forcing (Brenner et al. 2024). Encoder and "
        f"decoders were trained for {encoder['n_steps']} steps on "
        f"windows of {encoder['window']} bins to predict hidden data: "
        f"{format_percent(encoder['drop_bins'])} of the bins and "
        f"{format_percent(encoder['drop_streams'])} of whole streams were hidden from the encoder "
        "and scored by their mean log-likelihood per observed scalar."
    )


def _dynamics(dynamics: Mapping[str, Any]) -> str:
    alphas = ", ".join(f"{a:g}" for a in dynamics["alphas"])
    equations = {
        "clipped-shallow": " (z' = A z + W1 [relu(W2 z + h2) - relu(W2 z)] + h1, with |A| < 1 so "
        "that every free run stays bounded)"
    }
    return (
        f"Dynamics stage. A {dynamics['family']} piecewise-linear recurrent network with "
        f"{dynamics['latent_dim']} latent dimensions and {dynamics['hidden_dim']} hidden ReLUs"
        f"{equations.get(dynamics['family'], '')} was trained by generalized teacher forcing "
        "(Hess et al. 2023) on the encoded trajectory, with final forcing strength "
        f"{alphas}, for {dynamics['n_steps']} steps on windows of {dynamics['window']} bins."
    )


def _ensemble(ensemble: Mapping[str, Any]) -> str:
    return (
        f"Ensemble. Of {count_of(ensemble['n_encoders'], 'encoder')}, each trained from a seed of "
        f"its own, {ensemble['n_kept']} with the best held-out masked likelihood entered the "
        f"ensemble, with {count_of(ensemble['n_members'], 'map')} on each. Every map ran "
        f"freely for {ensemble['n_bins']} bins from {count_of(ensemble['n_starts'], 'start')}; "
        "a run counts as dead if it left the finite numbers, lost half of the data's spread, or "
        "visited less than a quarter of the cells that the data visit in the same time. "
        "Living members were ranked by how well a re-encoded free run resembles the encoded data, "
        "without any knowledge of a true system and never by prediction error."
    )


def _evaluation(split: Mapping[str, Any]) -> str:
    return (
        f"Evaluation. The last {format_percent(split['test'])} of the bins were only read to "
        f"judge, the {format_percent(split['validation'])} before them to rank. The geometry of "
        "free runs was compared with the data by the state-space divergence (Koppe et al. 2019), "
        "their temporal structure by the Hellinger distance of power spectra, and their "
        "sensitivity by the Lyapunov spectrum (QR method, Benettin et al. 1980). Each measure is "
        "printed beside its floor, which is what two stretches of the data themselves reach, and "
        "beside trivial baselines on the same split."
    )
