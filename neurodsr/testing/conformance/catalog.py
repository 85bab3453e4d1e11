"""All checks by name, and which others each stands on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from neurodsr.testing.conformance import (
    configuration,
    decoding,
    dependence,
    judging,
    learning,
    likelihood,
    loading,
    packaging,
    reloading,
    viewing,
)
from neurodsr.testing.conformance.case import Case


class Check(NamedTuple):
    """A named check. It is not run where one that it `needs` does not hold.

    What is wrong would otherwise be reported once for its cause and again for each consequence.
    """

    function: Callable[[Case], None]
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The function's name without `check_`."""
        return self.function.__name__.removeprefix("check_")

    @property
    def title(self) -> str:
        """What holds if it passes, in one sentence."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


STREAM = ("load_gives_a_stream",)
VALUES = (*STREAM, "something_is_observed", "values_are_finite")
DECODES = (*VALUES, "forward_gives_one_distribution_an_entry")
SAME = (*STREAM, "load_is_deterministic", "load_remembers_nothing")
FINITE = (*DECODES, "log_probabilities_are_finite")
SMOOTH = (*FINITE, "decoder_keeps_the_number_format", "gradients_reach_every_parameter")
VIEWS = (*VALUES, "features_have_the_promised_size")
DRAWS = (
    *DECODES,
    "samples_follow_the_likelihood",
    "simulate_is_repeatable",
    "own_future_changes_nothing",
)
STARTS = (*DECODES, "zero_is_the_best_constant")

CHECKS = (
    Check(configuration.check_kind_is_a_literal),
    Check(configuration.check_fields_are_described),
    Check(configuration.check_fields_survive_json),
    Check(configuration.check_object_is_frozen),
    Check(configuration.check_unknown_fields_are_refused),
    Check(configuration.check_api_version_is_ours),
    Check(packaging.check_everything_is_documented),
    Check(packaging.check_import_has_no_side_effects),
    Check(loading.check_load_gives_a_stream),
    Check(loading.check_something_is_observed, STREAM),
    Check(loading.check_masked_values_are_zero, STREAM),
    Check(loading.check_values_are_finite, STREAM),
    Check(loading.check_exposure_agrees_with_the_mask, STREAM),
    Check(loading.check_unit_channels_and_notes_are_text, STREAM),
    Check(reloading.check_load_is_deterministic, STREAM),
    Check(reloading.check_load_remembers_nothing, (*STREAM, "load_is_deterministic")),
    Check(reloading.check_load_moves_with_the_clock, SAME),
    Check(reloading.check_load_agrees_on_common_bins, SAME),
    Check(reloading.check_missing_samples_are_masked, (*STREAM, "something_is_observed")),
    Check(reloading.check_nothing_on_the_grid_is_refused, STREAM),
    Check(reloading.check_fields_are_all_that_load_needs, SAME),
    Check(decoding.check_forward_gives_one_distribution_an_entry, VALUES),
    Check(decoding.check_decoder_keeps_the_number_format, DECODES),
    Check(decoding.check_decoder_moves_to_another_device, DECODES),
    Check(decoding.check_log_probabilities_are_finite, DECODES),
    Check(decoding.check_one_channel_and_one_bin_work, DECODES),
    Check(decoding.check_a_channel_never_seen_stays_finite, FINITE),
    Check(learning.check_gradients_reach_every_parameter, FINITE),
    Check(learning.check_gradients_are_right, SMOOTH),
    Check(learning.check_zero_is_the_best_constant, DECODES),
    Check(learning.check_masked_values_do_not_initialize, DECODES),
    Check(learning.check_parameters_can_be_saved, DECODES),
    Check(likelihood.check_likelihood_is_normalized, DECODES),
    Check(likelihood.check_samples_follow_the_likelihood, DECODES),
    Check(likelihood.check_simulate_is_repeatable, DECODES),
    Check(dependence.check_batch_members_do_not_mix, DECODES),
    Check(dependence.check_later_latents_change_nothing, DECODES),
    Check(dependence.check_own_future_changes_nothing, DECODES),
    Check(likelihood.check_simulate_follows_given, DRAWS),
    Check(dependence.check_lag_is_honest, DECODES),
    Check(dependence.check_windows_agree_with_the_whole, (*DECODES, "lag_is_honest")),
    Check(dependence.check_masked_values_change_no_likelihood, DECODES),
    Check(
        dependence.check_less_exposure_predicts_less,
        (*DECODES, "exposure_agrees_with_the_mask"),
    ),
    Check(viewing.check_features_have_the_promised_size, VALUES),
    Check(viewing.check_embedding_can_be_undone, DECODES),
    Check(viewing.check_nothing_known_gives_nothing, VIEWS),
    Check(viewing.check_masked_values_change_no_feature, VIEWS),
    Check(viewing.check_context_is_honest, VIEWS),
    Check(judging.check_predictions_have_the_streams_unit, STARTS),
    Check(judging.check_score_ranks_predictions, STARTS),
)
"""In the order in which they are run; what others need comes first."""
