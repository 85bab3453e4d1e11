// Lanes: as many samples as the processor computes at once, one in each lane of a vector.
//
// Everything is built once for each width of vector, from this one source. Only the C functions are
// visible outside a build, so that two builds in one process never share a function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#define NEURODSR_VECTOR_BYTES 64
#elif defined(__AVX2__)
#include <immintrin.h>
#define NEURODSR_VECTOR_BYTES 32
#else
#define NEURODSR_VECTOR_BYTES 16
#endif

#define NEURODSR_INLINE static inline __attribute__((always_inline))

namespace neurodsr {

template <class S>
struct VectorOf {
    typedef S type __attribute__((vector_size(NEURODSR_VECTOR_BYTES)));
};
template <class S>
using Lanes = typename VectorOf<S>::type;

template <class S>
constexpr int kLanes = NEURODSR_VECTOR_BYTES / sizeof(S);

// max(v, 0) that lets NaN through, as torch does: a broken state must stay visible.
template <class V>
NEURODSR_INLINE V relu(V v) {
#if NEURODSR_VECTOR_BYTES == 64 && !defined(__clang__)
    // The instruction gives its second operand where either is NaN.
    const V zero = {};
    if constexpr (sizeof(v[0]) == sizeof(float)) asm("vmaxps %1, %2, %0" : "=v"(v) : "v"(v), "v"(zero));
    else asm("vmaxpd %1, %2, %0" : "=v"(v) : "v"(v), "v"(zero));
    return v;
#endif
    return V{} > v ? V{} : v;
}

// `value` in the lanes where `condition` is above 0, else 0.
template <class V>
NEURODSR_INLINE V where_positive(V condition, V value) {
    return condition > V{} ? value : V{};
}

// The sum over all lanes, always in the same order.
template <class V>
NEURODSR_INLINE auto sum_lanes(V v) -> decltype(+v[0]) {
    constexpr int n = sizeof(V) / sizeof(v[0]);
    decltype(+v[0]) part[n];
    std::memcpy(part, &v, sizeof(V));
    for (int width = n / 2; width; width /= 2)
        for (int i = 0; i < width; i++) part[i] += part[i + width];
    return part[0];
}

}  // namespace neurodsr
