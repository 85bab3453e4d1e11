// The plain C interface of free runs.
#include "orbit.h"

#define NEURODSR_API extern "C" __attribute__((visibility("default")))

NEURODSR_API void neurodsr_run_freely_f32(const neurodsr::FreeRun<float>* p) { neurodsr::run_freely(*p); }
NEURODSR_API void neurodsr_run_freely_f64(const neurodsr::FreeRun<double>* p) { neurodsr::run_freely(*p); }
