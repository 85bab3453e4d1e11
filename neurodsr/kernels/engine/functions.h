// Elementary functions of all lanes at once.
#pragma once

#include <cmath>
#include <type_traits>

#include "lanes.h"

namespace neurodsr {

template <class S>
NEURODSR_INLINE Lanes<S> root_of(Lanes<S> v) {
    S part[kLanes<S>];
    std::memcpy(part, &v, sizeof v);
    for (int i = 0; i < kLanes<S>; i++) part[i] = std::sqrt(part[i]);
    std::memcpy(&v, part, sizeof v);
    return v;
}

// ln(x) of a normal positive number: x = 2^e m with m around 1, and the series
//
//     ln m = 2 (s + s^3 / 3 + s^5 / 5 + ...),   s = (m - 1) / (m + 1),   |s| < 0.172
template <class S>
NEURODSR_INLINE Lanes<S> log_of(Lanes<S> x) {
    constexpr bool single = sizeof(S) == sizeof(float);
    constexpr int mantissa = single ? 23 : 52, terms = single ? 5 : 11;
    using Integer = std::conditional_t<single, int32_t, int64_t>;
    typedef Integer Bits __attribute__((vector_size(NEURODSR_VECTOR_BYTES)));
    constexpr Integer root_half = single ? Integer(0x3F3504F3) : Integer(0x3FE6A09E667F3BCD);
    Bits bits;
    std::memcpy(&bits, &x, sizeof x);
    const Bits e = (bits - root_half) >> mantissa;
    bits -= e << mantissa;
    Lanes<S> m;
    std::memcpy(&m, &bits, sizeof m);
    const Lanes<S> s = (m - S(1)) / (m + S(1)), q = s * s;
    Lanes<S> sum = Lanes<S>{} + S(1) / (2 * terms - 1);
#pragma GCC unroll 11
    for (int i = terms - 1; i > 0; i--) sum = sum * q + S(1) / (2 * i - 1);
    return S(2) * s * sum + __builtin_convertvector(e, Lanes<S>) * S(0.6931471805599453);
}

constexpr double inverse_factorial(int n) { return n < 2 ? 1.0 : inverse_factorial(n - 1) / n; }

// The series of the cosine (first = 0) or of sin(x) / x (first = 1) in q = x^2, for |x| <= pi / 4:
//
//     1 / first! - q / (first + 2)! + q^2 / (first + 4)! - ...
template <class S, int first>
NEURODSR_INLINE Lanes<S> circular(Lanes<S> q) {
    constexpr int terms = sizeof(S) == sizeof(float) ? 5 : 9;
    Lanes<S> sum = {};
#pragma GCC unroll 9
    for (int i = terms - 1; i >= 0; i--)
        sum = sum * q + S((i % 2 ? -1 : 1) * inverse_factorial(2 * i + first));
    return sum;
}

}  // namespace neurodsr
