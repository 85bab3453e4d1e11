"""Builds the compiled kernels, once for each width of vector; pyproject.toml says everything else.

They are plain C functions for ctypes, so one build serves every Python and every torch. Where there
is no compiler the installation goes on without them.
"""

import platform
from pathlib import Path

from setuptools import Extension, setup

ENGINE = Path("neurodsr/kernels/engine")
COMMON = ["-std=c++17", "-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"]
QUIET = [
    "-fvisibility=hidden",
    "-Wno-ignored-attributes",
    "-Wno-psabi",
    "-Wno-unknown-warning-option",
]
X86 = {
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
    "avx2": ["-mavx2", "-mfma"],
}


def builds() -> dict[str, list[str]]:
    """Compiler flags of each build; every processor runs the portable one."""
    of_processor = X86 if platform.machine() in ("x86_64", "AMD64") else {}
    return {"portable": [], **of_processor}


# One after the other: builds share the folder of object files, so that side by side they would mix.
setup(
    ext_modules=[
        Extension(
            f"neurodsr.kernels._engine_{name}",
            sources=sorted(str(path) for path in ENGINE.glob("*.cpp")),
            depends=sorted(str(path) for path in ENGINE.glob("*.h")),
            extra_compile_args=[*COMMON, *QUIET, *flags],
            language="c++",
            optional=True,
        )
        for name, flags in builds().items()
    ],
)
