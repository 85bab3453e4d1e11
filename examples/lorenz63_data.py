"""Write the recording that lorenz63.yaml reads: Lorenz-63 observed directly with 5 % noise.

Usage: python lorenz63_data.py [PATH]; the default is lorenz63.nwb beside this script.
"""

import sys
from pathlib import Path

from neurodsr.testing.sessions import lorenz_session
from neurodsr.testing.write_nwb import write_session


def main() -> None:
    beside = Path(__file__).with_name("lorenz63.nwb")
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    write_session(path, lorenz_session(seed=0, n_bins=100_000, dt=0.01, noise=0.05))
    print(f"wrote {path}: 100,000 bins of 0.01 s; now: neurodsr run lorenz63.yaml -o out/")


if __name__ == "__main__":
    main()
