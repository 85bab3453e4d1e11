"""Write the recording that keypoints.yaml reads: a walking body that a Lorenz-63 state moves.

Usage: python keypoints_data.py [PATH]; the default is keypoints.nwb beside this script.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pynwb import NWBHDF5IO, NWBFile, get_class, load_namespaces
from pynwb.spec import NWBDatasetSpec, NWBGroupSpec, NWBNamespaceBuilder

from neurodsr.testing.lorenz import EXPONENT, lorenz63, standardize
from neurodsr.testing.observe_signals import student_view
from neurodsr.testing.sessions import SimulatedSession
from neurodsr.testing.write_nwb import write_session

RATE = 50.0  # frames per s; one Lorenz time unit lasts 1 s
CENTER = "body"
RESTING = {  # where a part is, seen from the body, in pixels
    "nose": (60, 0),
    "left_ear": (40, 25),
    "right_ear": (40, -25),
    "left_paw": (20, 35),
    "tail_base": (-55, 0),
}
EXCURSION = 10.0  # pixels; how far the state moves a part
NOISE, TAILS = 0.15, 3.0  # scale of Student's t in excursions, and its degrees of freedom
ARENA = 640.0  # pixels
HIDDEN, HIDDEN_FRAMES = 0.05, 15  # fraction of frames in which a part is hidden, and for how long


def simulate(path: Path, *, n_frames: int, seed: int = 0) -> None:
    orbit, second, moving, tracking = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)
    )
    session = SimulatedSession(
        id=f"keypoints-seed-{seed}",
        description="Simulated: a Lorenz-63 latent moves the parts of a body that walks about.",
        seed=seed,
        bin_width=1 / RATE,
        state=standardize(lorenz63(n_frames, dt=1 / RATE, generator=orbit)),
        reference=standardize(lorenz63(n_frames, dt=1 / RATE, generator=second)),
        exponent=EXPONENT,
    )
    write_session(path, session)
    positions = body_parts(session.state, moving)
    tracked = {name: track(xy, tracking) for name, xy in positions.items()}
    types = pose_types()  # before the file is opened, which copies the types that are known
    with NWBHDF5IO(path, mode="a") as io:
        nwbfile = io.read()
        add_pose(nwbfile, tracked, types)
        io.write(nwbfile)


def body_parts(state: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Where each part is in the picture: the body walks on its own, the state moves the rest."""
    view = student_view(
        state, n_dims=2 * len(RESTING), noise=NOISE, tails=TAILS, generator=generator
    )
    body = walk(len(state), generator)
    moved = EXCURSION * view.values.reshape(len(state), len(RESTING), 2)
    parts = {name: body + place + moved[:, i] for i, (name, place) in enumerate(RESTING.items())}
    return {CENTER: body, **parts}


def walk(n_frames: int, generator: np.random.Generator) -> np.ndarray:
    """A random walk that the walls reflect, from the middle of the arena; pixels."""
    steps = np.cumsum(generator.normal(0, 2.0, (n_frames, 2)), axis=0)
    folded = (steps + ARENA / 2) % (2 * ARENA)
    return np.minimum(folded, 2 * ARENA - folded)


def track(xy: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What the tracker says, and how sure it is: hidden parts are anywhere, and it knows."""
    n_hidden = round(HIDDEN * len(xy) / HIDDEN_FRAMES)
    first = generator.integers(0, len(xy), n_hidden)
    rows = np.unique((first[:, None] + np.arange(HIDDEN_FRAMES)).clip(max=len(xy) - 1))
    seen, confidence = xy.copy(), generator.uniform(0.7, 1.0, len(xy))
    seen[rows] = generator.uniform(0, ARENA, (len(rows), 2))
    confidence[rows] = generator.uniform(0.0, 0.5, len(rows))
    return seen, confidence


def add_pose(
    nwbfile: NWBFile, tracked: dict[str, tuple[np.ndarray, np.ndarray]], types: tuple[type, type]
) -> None:
    container, series = types
    pose = container(name="PoseEstimation")
    for name, (seen, confidence) in tracked.items():
        pose.add_pose_estimation_series(
            series(
                name=name,
                description=f"Position of the {name.replace('_', ' ')}.",
                data=seen.astype(np.float32),
                confidence=confidence.astype(np.float32),
                unit="pixels",
                reference_frame="(0, 0) is the upper left corner of the picture.",
                starting_time=0.5 / RATE,
                rate=RATE,
            )
        )
    nwbfile.processing["behavior"].add(pose)


def pose_types() -> tuple[type, type]:
    """The types of the extension ndx-pose that hold a pose, as far as this file needs them."""
    series = NWBGroupSpec(
        neurodata_type_def="PoseEstimationSeries",
        neurodata_type_inc="SpatialSeries",
        doc="Estimated positions of one body part.",
        datasets=[
            NWBDatasetSpec(
                name="confidence",
                dtype="float32",
                shape=(None,),
                dims=("num_frames",),
                doc="Confidence or likelihood of the estimated positions.",
            )
        ],
    )
    container = NWBGroupSpec(
        neurodata_type_def="PoseEstimation",
        neurodata_type_inc="NWBDataInterface",
        default_name="PoseEstimation",
        doc="Estimated positions of all body parts.",
        groups=[
            NWBGroupSpec(
                neurodata_type_inc="PoseEstimationSeries", quantity="*", doc="One body part each."
            )
        ],
    )
    builder = NWBNamespaceBuilder("Poses", "ndx-pose", version="0.1.0", author="", contact="")
    builder.include_namespace("core")
    builder.add_spec("ndx-pose.extensions.yaml", series)
    builder.add_spec("ndx-pose.extensions.yaml", container)
    with TemporaryDirectory() as folder:
        builder.export("ndx-pose.namespace.yaml", outdir=folder)
        load_namespaces(f"{folder}/ndx-pose.namespace.yaml")
    return get_class("PoseEstimation", "ndx-pose"), get_class("PoseEstimationSeries", "ndx-pose")


def main() -> None:
    beside = Path(__file__).with_name("keypoints.nwb")
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    simulate(path, n_frames=40_000)
    print(f"wrote {path}: 800 s at {RATE:g} Hz; now: neurodsr run keypoints.yaml -o out/")


if __name__ == "__main__":
    main()
