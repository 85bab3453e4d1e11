// The plain C interface of the trainer.
#include <new>

#include "train.h"

namespace neurodsr {

// Few latents are compiled as constants; double precision is for checks and has none.
template <class S>
int64_t train_any(const Training<S>* t) try {
    if constexpr (sizeof(S) == sizeof(float)) switch (t->latent) {
        case 2: return train<S, 2>(*t);
        case 3: return train<S, 3>(*t);
        case 4: return train<S, 4>(*t);
        case 5: return train<S, 5>(*t);
        case 6: return train<S, 6>(*t);
        case 8: return train<S, 8>(*t);
    }
    return train<S, 0>(*t);
} catch (const std::bad_alloc&) {
    return -1;
}

}  // namespace neurodsr

#define NEURODSR_API extern "C" __attribute__((visibility("default")))

// The number of steps taken; -1 where memory ran out.
NEURODSR_API int64_t neurodsr_train_f32(const neurodsr::Training<float>* t) {
    return neurodsr::train_any(t);
}
NEURODSR_API int64_t neurodsr_train_f64(const neurodsr::Training<double>* t) {
    return neurodsr::train_any(t);
}
