"""Which NWB type descends from which: facts of the schema, and what a file caches of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from neurodsr.sources.tree import Dataset, Group, Tree

CORE_CHILDREN = {
    "AlignedDynamicTable": "IntracellularRecordingsTable",
    "BaseImage": "ExternalImage Image",
    "Container": "CSRMatrix DynamicTable HERD NWBContainer SimpleMultiContainer",
    "CurrentClampSeries": "IZeroClampSeries",
    "Data": "ElementIdentifiers NWBData VectorData",
    "DynamicTable": (
        "AlignedDynamicTable ElectrodesTable EventsTable ExperimentalConditionsTable "
        "FrequencyBandsTable IntracellularElectrodesTable IntracellularResponsesTable "
        "IntracellularStimuliTable MeaningsTable PlaneSegmentation RepetitionsTable "
        "SequentialRecordingsTable SimultaneousRecordingsTable SweepTable TimeIntervals Units"
    ),
    "ElectricalSeries": "SpikeEventSeries",
    "Image": "GrayscaleImage RGBAImage RGBImage",
    "ImageSeries": "ImageMaskSeries OnePhotonSeries OpticalSeries TwoPhotonSeries",
    "NWBContainer": (
        "Device DeviceModel ElectrodeGroup ImagingPlane IntracellularElectrode LabMetaData "
        "NWBDataInterface NWBFile OpticalChannel OptogeneticStimulusSite ProcessingModule Subject"
    ),
    "NWBData": "BaseImage ImageReferences ScratchData",
    "NWBDataInterface": (
        "BehavioralEpochs BehavioralEvents BehavioralTimeSeries ClusterWaveforms Clustering "
        "CompassDirection CorrectedImageStack DfOverF EventDetection EventWaveform EyeTracking "
        "FeatureExtraction FilteredEphys Fluorescence ImageSegmentation Images ImagingRetinotopy "
        "LFP MotionCorrection Position PupilTracking TimeSeries"
    ),
    "PatchClampSeries": (
        "CurrentClampSeries CurrentClampStimulusSeries VoltageClampSeries "
        "VoltageClampStimulusSeries"
    ),
    "TimeSeries": (
        "AbstractFeatureSeries AnnotationSeries DecompositionSeries ElectricalSeries ImageSeries "
        "IndexSeries IntervalSeries OptogeneticSeries PatchClampSeries RoiResponseSeries "
        "SpatialSeries"
    ),
    "VectorData": (
        "DurationVectorData DynamicTableRegion EnumData TimeSeriesReferenceVectorData "
        "TimestampVectorData VectorIndex"
    ),
}
"""Types of NWB core 2.11 and hdmf-common 1.10, by their parent."""

EXTENSION_CHILDREN = {
    "NWBDataInterface": "PoseEstimation",
    "SpatialSeries": "PoseEstimationSeries",
}
"""Types of extensions that are read, for files that do not describe them."""

SPECIFICATIONS = "specifications"


def type_parents(tree: Tree) -> dict[str, str]:
    """The parent of every type: those of the schema, and of the extensions that the file caches.

    An extension whose specification is not cached is not known; its objects keep their own type
    alone.
    """
    parents = _by_child(CORE_CHILDREN)
    known = _by_child(EXTENSION_CHILDREN) | parents
    location = tree.root.attributes.get(".specloc", SPECIFICATIONS)
    try:
        cached = tree.get(str(location).strip("/"))
    except KeyError:
        return known
    # The schema's own facts win: an old file caches an old core.
    return known | dict(_cached(cached)) | parents


def _by_child(children: Mapping[str, str]) -> dict[str, str]:
    return {child: parent for parent, some in children.items() for child in some.split()}


def ancestry(name: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """A type and all its ancestors, the own one first."""
    found = [name]
    while (parent := parents.get(found[-1], "")) and parent not in found:
        found.append(parent)
    return tuple(found)


def _cached(item: Group | Dataset) -> Iterator[tuple[str, str]]:
    if isinstance(item, Group):
        for name in item:
            yield from _cached(item[name])
    elif item.kind == "text" and item.shape in ((), (1,)):
        text = str(item[()] if item.ndim == 0 else item[0])
        try:
            yield from _definitions(json.loads(text))
        except json.JSONDecodeError:
            return


def _definitions(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, list):
        for member in part:
            yield from _definitions(member)
    if not isinstance(part, dict):
        return
    name = part.get("neurodata_type_def") or part.get("data_type_def")
    parent = part.get("neurodata_type_inc") or part.get("data_type_inc")
    if isinstance(name, str) and isinstance(parent, str):
        yield name, parent
    for member in part.values():
        yield from _definitions(member)
