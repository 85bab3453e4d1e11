// The plain C interface of tangents.
#include "carried.h"
#include "crowd.h"

#define NEURODSR_API extern "C" __attribute__((visibility("default")))

NEURODSR_API void neurodsr_add_growth(const neurodsr::Exponents* p) { neurodsr::add_growth(*p); }
NEURODSR_API void neurodsr_carry(const neurodsr::Products* p) { neurodsr::carry_all(*p); }
