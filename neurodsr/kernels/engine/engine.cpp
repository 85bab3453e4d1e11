// The plain C interface: one function per task and precision, found by name through ctypes.
#include "scan.h"

namespace neurodsr {

// Calls a function template with the number of latents as a constant where that pays. In double
// precision, which is for checks and exponents, it does not.
template <class S, class Call>
void with_latents(int64_t latent, Call call) {
    if constexpr (sizeof(S) == sizeof(double)) return call(std::integral_constant<int, 0>{});
    switch (latent) {
        case 1: return call(std::integral_constant<int, 1>{});
        case 2: return call(std::integral_constant<int, 2>{});
        case 3: return call(std::integral_constant<int, 3>{});
        case 4: return call(std::integral_constant<int, 4>{});
        case 5: return call(std::integral_constant<int, 5>{});
        case 6: return call(std::integral_constant<int, 6>{});
        case 8: return call(std::integral_constant<int, 8>{});
        default: return call(std::integral_constant<int, 0>{});
    }
}

template <class S>
void forward_any(const Problem<S>* p, S* mixed, const View<S>* states) {
    with_latents<S>(p->latent, [&](auto fixed) { scan_forward<S, fixed.value>(*p, mixed, *states); });
}

template <class S>
void backward_any(const Problem<S>* p, const Gradients<S>* to) {
    with_latents<S>(p->latent, [&](auto fixed) { scan_backward<S, fixed.value>(*p, *to); });
}

}  // namespace neurodsr

#define NEURODSR_API extern "C" __attribute__((visibility("default")))

NEURODSR_API int64_t neurodsr_version() { return 2; }
NEURODSR_API int64_t neurodsr_vector_bytes() { return NEURODSR_VECTOR_BYTES; }

NEURODSR_API void neurodsr_forward_f32(const neurodsr::Problem<float>* p, float* mixed,
                                       const neurodsr::View<float>* states) {
    neurodsr::forward_any(p, mixed, states);
}
NEURODSR_API void neurodsr_forward_f64(const neurodsr::Problem<double>* p, double* mixed,
                                       const neurodsr::View<double>* states) {
    neurodsr::forward_any(p, mixed, states);
}
NEURODSR_API void neurodsr_backward_f32(const neurodsr::Problem<float>* p,
                                        const neurodsr::Gradients<float>* to) {
    neurodsr::backward_any(p, to);
}
NEURODSR_API void neurodsr_backward_f64(const neurodsr::Problem<double>* p,
                                        const neurodsr::Gradients<double>* to) {
    neurodsr::backward_any(p, to);
}
