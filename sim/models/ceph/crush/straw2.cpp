#include "sim/models/ceph/crush/straw2.hpp"

#include <bit>
#include <limits>

#include "sim/models/ceph/crush/hash.hpp"
#include "sim/models/ceph/crush/ln.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
// g++ 12's own headers begin masked operations with a vector of undefined lanes, and then warn of it when they are inlined here.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#define SQUALL_CRUSH_X86 1
#endif

namespace sim::ceph::crush {

namespace {

std::uint32_t straw_of(const Straw2View& bucket, std::uint32_t index, std::uint32_t x, std::uint32_t r) {
  return hash3(x, static_cast<std::uint32_t>(bucket.ids[index]), r) & 0xffff;
}

/// The quotient's size: Ceph's draw is minus this, so the smallest wins. No weight: never, unless nothing has one.
std::int64_t quotient(const LnTables& tables, std::uint32_t u, std::uint32_t weight) {
  return weight == 0 ? std::numeric_limits<std::int64_t>::max() : tables.distance[u] / weight;
}

std::uint32_t choose_scalar(const Straw2View& bucket, std::uint32_t x, std::uint32_t r) {
  const LnTables& tables = ln_tables();
  std::uint32_t best = 0;
  std::int64_t best_quotient = 0;
  for (std::uint32_t i = 0; i < bucket.size; ++i) {
    const std::int64_t here = quotient(tables, straw_of(bucket, i, x, r), bucket.weights[i]);
    if (i == 0 || here < best_quotient) {
      best = i;
      best_quotient = here;
    }
  }
  return best;
}

#ifdef SQUALL_CRUSH_X86

/// A float product is within 2^-22 of the quotient before truncation (three roundings of 2^-24), and two truncated quotients are equal only when
/// they are less than 1 apart: everything up to this bound may win.
constexpr float kSlack = 1.0F + 1.0F / (1 << 20);
float candidate_bound(float smallest) { return (smallest * kSlack + 1.0F) * kSlack; }

#pragma GCC push_options
#pragma GCC target("avx2")

namespace avx2 {


inline __m256i sub(__m256i a, __m256i b) { return _mm256_sub_epi32(a, b); }
inline __m256i exclusive(__m256i a, __m256i b) { return _mm256_xor_si256(a, b); }

inline void mix(__m256i& p, __m256i& q, __m256i& r) {
  p = exclusive(sub(sub(p, q), r), _mm256_srli_epi32(r, 13));
  q = exclusive(sub(sub(q, r), p), _mm256_slli_epi32(p, 8));
  r = exclusive(sub(sub(r, p), q), _mm256_srli_epi32(q, 13));
  p = exclusive(sub(sub(p, q), r), _mm256_srli_epi32(r, 12));
  q = exclusive(sub(sub(q, r), p), _mm256_slli_epi32(p, 16));
  r = exclusive(sub(sub(r, p), q), _mm256_srli_epi32(q, 5));
  p = exclusive(sub(sub(p, q), r), _mm256_srli_epi32(r, 3));
  q = exclusive(sub(sub(q, r), p), _mm256_slli_epi32(p, 10));
  r = exclusive(sub(sub(r, p), q), _mm256_srli_epi32(q, 15));
}

inline __m256i straws(const std::int32_t* ids, std::uint32_t x_in, std::uint32_t r_in) {
  __m256i a = _mm256_set1_epi32(static_cast<int>(x_in));
  __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ids));
  __m256i c = _mm256_set1_epi32(static_cast<int>(r_in));
  __m256i h = exclusive(exclusive(exclusive(_mm256_set1_epi32(static_cast<int>(detail::kHashSeed)), a), b), c);
  __m256i x = _mm256_set1_epi32(detail::kHashX);
  __m256i y = _mm256_set1_epi32(detail::kHashY);
  mix(a, b, h);
  mix(c, x, h);
  mix(y, a, h);
  mix(b, x, h);
  mix(y, c, h);
  return _mm256_and_si256(h, _mm256_set1_epi32(0xffff));
}

inline std::uint32_t max_of(__m256i v) {
  __m128i m = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(m));
}

inline float min_of(__m256 v) {
  __m128 m = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_min_ps(m, _mm_movehl_ps(m, m));
  m = _mm_min_ss(m, _mm_movehdup_ps(m));
  return _mm_cvtss_f32(m);
}

constexpr std::uint32_t kLanes = 8;

std::uint32_t choose(const Straw2View& bucket, std::uint32_t x, std::uint32_t r) {
  const LnTables& tables = ln_tables();
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  constexpr std::uint32_t kBuffer = 512;
  alignas(32) std::uint32_t hashed[kBuffer];
  if (bucket.equal_weight != 0) {
    if (bucket.size > kBuffer) return choose_scalar(bucket, x, r);
    __m256i greatest = _mm256_set1_epi32(-1);
    for (std::uint32_t begin = 0; begin < bucket.size; begin += kLanes) {
      const __m256i inside = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(bucket.size - begin)), lane);
      // Lanes beyond the end become -1, below every straw.
      const __m256i u = _mm256_or_si256(straws(bucket.ids + begin, x, r), _mm256_xor_si256(inside, _mm256_set1_epi32(-1)));
      greatest = _mm256_max_epi32(greatest, u);
      _mm256_store_si256(reinterpret_cast<__m256i*>(hashed + begin), u);
    }
    const std::uint32_t best = max_of(greatest);
    if (tables.lead[best] < bucket.equal_weight) return choose_scalar(bucket, x, r);
    const __m256i below = _mm256_set1_epi32(tables.run_begin[best] - 1);
    for (std::uint32_t begin = 0;; begin += kLanes) {
      const __m256i ties = _mm256_cmpgt_epi32(_mm256_load_si256(reinterpret_cast<const __m256i*>(hashed + begin)), below);
      const unsigned found = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(ties)));
      if (found != 0) return begin + static_cast<std::uint32_t>(std::countr_zero(found));
    }
  }
  if (bucket.size > kBuffer) return choose_scalar(bucket, x, r);
  alignas(32) float draws[kBuffer];
  __m256 smallest = _mm256_set1_ps(std::numeric_limits<float>::infinity());
  for (std::uint32_t begin = 0; begin < bucket.size; begin += kLanes) {
    const __m256i u = straws(bucket.ids + begin, x, r);
    const __m256 distance = _mm256_i32gather_ps(tables.distance_rounded.data(), u, 4);
    const __m256 draw = _mm256_mul_ps(distance, _mm256_loadu_ps(bucket.inverse + begin));
    smallest = _mm256_min_ps(smallest, draw);
    _mm256_store_ps(draws + begin, draw);
    _mm256_store_si256(reinterpret_cast<__m256i*>(hashed + begin), u);
  }
  const __m256 bound = _mm256_set1_ps(candidate_bound(min_of(smallest)));
  std::uint32_t best = bucket.size;
  std::int64_t best_quotient = -1;  // unknown: only one candidate so far
  for (std::uint32_t begin = 0; begin < bucket.size; begin += kLanes) {
    unsigned candidates = static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(_mm256_load_ps(draws + begin), bound, _CMP_LE_OQ)));
    for (; candidates != 0; candidates &= candidates - 1) {
      const std::uint32_t i = begin + static_cast<std::uint32_t>(std::countr_zero(candidates));
      if (i >= bucket.size) break;
      if (best == bucket.size) {
        best = i;
        continue;
      }
      if (best_quotient < 0) best_quotient = quotient(tables, hashed[best], bucket.weights[best]);
      const std::int64_t here = quotient(tables, hashed[i], bucket.weights[i]);
      if (here < best_quotient) {
        best = i;
        best_quotient = here;
      }
    }
  }
  return best;
}

}  // namespace avx2

#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")

namespace avx512 {

inline __m512i sub(__m512i a, __m512i b) { return _mm512_sub_epi32(a, b); }
inline __m512i exclusive(__m512i a, __m512i b) { return _mm512_xor_si512(a, b); }

inline void mix(__m512i& p, __m512i& q, __m512i& r) {
  p = exclusive(sub(sub(p, q), r), _mm512_srli_epi32(r, 13));
  q = exclusive(sub(sub(q, r), p), _mm512_slli_epi32(p, 8));
  r = exclusive(sub(sub(r, p), q), _mm512_srli_epi32(q, 13));
  p = exclusive(sub(sub(p, q), r), _mm512_srli_epi32(r, 12));
  q = exclusive(sub(sub(q, r), p), _mm512_slli_epi32(p, 16));
  r = exclusive(sub(sub(r, p), q), _mm512_srli_epi32(q, 5));
  p = exclusive(sub(sub(p, q), r), _mm512_srli_epi32(r, 3));
  q = exclusive(sub(sub(q, r), p), _mm512_slli_epi32(p, 10));
  r = exclusive(sub(sub(r, p), q), _mm512_srli_epi32(q, 15));
}

inline __m512i straws(__m512i a, __m512i b, __m512i c) {
  __m512i h = exclusive(exclusive(exclusive(_mm512_set1_epi32(static_cast<int>(detail::kHashSeed)), a), b), c);
  __m512i x = _mm512_set1_epi32(detail::kHashX);
  __m512i y = _mm512_set1_epi32(detail::kHashY);
  mix(a, b, h);
  mix(c, x, h);
  mix(y, a, h);
  mix(b, x, h);
  mix(y, c, h);
  return _mm512_and_si512(h, _mm512_set1_epi32(0xffff));
}

inline __m512i straws(const std::int32_t* ids, std::uint32_t x, std::uint32_t r) {
  return straws(_mm512_set1_epi32(static_cast<int>(x)), _mm512_loadu_si512(ids), _mm512_set1_epi32(static_cast<int>(r)));
}

constexpr std::uint32_t kLanes = 16;

inline __mmask16 lanes_inside(std::uint32_t left) { return static_cast<__mmask16>(left >= kLanes ? 0xffffu : (1u << left) - 1u); }

std::uint32_t choose(const Straw2View& bucket, std::uint32_t x, std::uint32_t r) {
  const LnTables& tables = ln_tables();
  constexpr std::uint32_t kBuffer = 512;
  alignas(64) std::uint32_t hashed[kBuffer];
  if (bucket.equal_weight != 0) {
    if (bucket.size > kBuffer) return choose_scalar(bucket, x, r);
    __m512i greatest = _mm512_set1_epi32(-1);
    for (std::uint32_t begin = 0; begin < bucket.size; begin += kLanes) {
      // Lanes beyond the end become -1, below every straw.
      const __m512i u = _mm512_mask_mov_epi32(_mm512_set1_epi32(-1), lanes_inside(bucket.size - begin), straws(bucket.ids + begin, x, r));
      greatest = _mm512_max_epi32(greatest, u);
      _mm512_store_si512(hashed + begin, u);
    }
    const std::uint32_t best = static_cast<std::uint32_t>(_mm512_reduce_max_epi32(greatest));
    if (tables.lead[best] < bucket.equal_weight) return choose_scalar(bucket, x, r);
    const __m512i run = _mm512_set1_epi32(tables.run_begin[best]);
    for (std::uint32_t begin = 0;; begin += kLanes) {
      const unsigned ties = _mm512_cmpge_epi32_mask(_mm512_load_si512(hashed + begin), run);
      if (ties != 0) return begin + static_cast<std::uint32_t>(std::countr_zero(ties));
    }
  }
  if (bucket.size > kBuffer) return choose_scalar(bucket, x, r);
  alignas(64) float draws[kBuffer];
  __m512 smallest = _mm512_set1_ps(std::numeric_limits<float>::infinity());
  for (std::uint32_t begin = 0; begin < bucket.size; begin += kLanes) {
    const __mmask16 inside = lanes_inside(bucket.size - begin);
    const __m512i u = straws(bucket.ids + begin, x, r);
    const __m512 distance = _mm512_mask_i32gather_ps(_mm512_set1_ps(1.0F), inside, u, tables.distance_rounded.data(), 4);
    const __m512 draw = _mm512_mul_ps(distance, _mm512_loadu_ps(bucket.inverse + begin));
    smallest = _mm512_min_ps(smallest, draw);
    _mm512_store_ps(draws + begin, draw);
    _mm512_store_si512(hashed + begin, u);
  }
  const __m512 bound = _mm512_set1_ps(candidate_bound(_mm512_reduce_min_ps(smallest)));
  std::uint32_t best = bucket.size;
  std::int64_t best_quotient = -1;  // unknown: only one candidate so far
  for (std::uint32_t begin = 0; begin < bucket.size; begin += kLanes) {
    const __mmask16 inside = lanes_inside(bucket.size - begin);
    unsigned candidates = _mm512_mask_cmp_ps_mask(inside, _mm512_load_ps(draws + begin), bound, _CMP_LE_OQ);
    for (; candidates != 0; candidates &= candidates - 1) {
      const std::uint32_t i = begin + static_cast<std::uint32_t>(std::countr_zero(candidates));
      if (best == bucket.size) {
        best = i;
        continue;
      }
      if (best_quotient < 0) best_quotient = quotient(tables, hashed[best], bucket.weights[best]);
      const std::int64_t here = quotient(tables, hashed[i], bucket.weights[i]);
      if (here < best_quotient) {
        best = i;
        best_quotient = here;
      }
    }
  }
  return best;
}

/// The greatest straw of each lane; a smaller one may win only where `lead` is too short.
std::uint32_t choose_lanes_equal(const Straw2Lanes& lanes, __m512i begin, __m512i size, std::int32_t longest, std::int32_t* index) {
  const LnTables& tables = ln_tables();
  const __m512i x = _mm512_load_si512(lanes.x);
  const __m512i r = _mm512_set1_epi32(static_cast<int>(lanes.r));
  constexpr std::int32_t kItems = 64;
  if (longest > kItems) return 0;
  alignas(64) std::int32_t hashed[kItems][kLanes];
  __m512i best = _mm512_set1_epi32(-1);
  for (std::int32_t i = 0; i < longest; ++i) {
    const __m512i item = _mm512_set1_epi32(i);
    const __mmask16 inside = _mm512_cmplt_epi32_mask(item, size);
    const __m512i id = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), inside, _mm512_add_epi32(begin, item), lanes.ids, 4);
    const __m512i u = _mm512_mask_mov_epi32(_mm512_set1_epi32(-1), inside, straws(x, id, r));
    best = _mm512_max_epi32(best, u);
    _mm512_store_si512(hashed[i], u);
  }
  // The first item whose straw is in the run of the greatest.
  const __m512i run = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), _mm512_cmpge_epi32_mask(best, _mm512_setzero_si512()), best, tables.run_begin.data(), 4);
  __m512i best_index = _mm512_setzero_si512();
  for (std::int32_t i = longest; i-- > 0;) {
    best_index = _mm512_mask_mov_epi32(best_index, _mm512_cmpge_epi32_mask(_mm512_load_si512(hashed[i]), run), _mm512_set1_epi32(i));
  }
  alignas(64) std::int32_t straw[kLanes];
  _mm512_store_si512(straw, best);
  _mm512_storeu_si512(index, best_index);
  std::uint32_t sure = 0;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    const bool is_sure = lanes.size[lane] > 0 && tables.lead[static_cast<std::size_t>(straw[lane])] >= lanes.equal_weight[lane];
    sure |= static_cast<std::uint32_t>(is_sure) << lane;
  }
  return sure;
}

std::uint32_t choose_lanes(const Straw2Lanes& lanes, std::int32_t* index) {
  const LnTables& tables = ln_tables();
  const __m512i begin = _mm512_load_si512(lanes.begin);
  const __m512i size = _mm512_load_si512(lanes.size);
  const std::int32_t longest = _mm512_reduce_max_epi32(size);
  const __mmask16 busy = _mm512_cmpgt_epi32_mask(size, _mm512_setzero_si512());
  if (_mm512_mask_cmpeq_epi32_mask(busy, _mm512_load_si512(lanes.equal_weight), _mm512_setzero_si512()) == 0) {
    return choose_lanes_equal(lanes, begin, size, longest, index);
  }
  const __m512i x = _mm512_load_si512(lanes.x);
  const __m512i r = _mm512_set1_epi32(static_cast<int>(lanes.r));
  const __m512 infinite = _mm512_set1_ps(std::numeric_limits<float>::infinity());
  __m512 best = infinite;
  __m512 second = infinite;
  __m512i best_index = _mm512_setzero_si512();
  for (std::int32_t i = 0; i < longest; ++i) {
    const __m512i item = _mm512_set1_epi32(i);
    const __mmask16 inside = _mm512_cmplt_epi32_mask(item, size);
    const __m512i place = _mm512_add_epi32(begin, item);
    const __m512i id = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), inside, place, lanes.ids, 4);
    const __m512 inverse = _mm512_mask_i32gather_ps(infinite, inside, place, lanes.inverse, 4);
    const __m512 distance = _mm512_mask_i32gather_ps(_mm512_set1_ps(1.0F), inside, straws(x, id, r), tables.distance_rounded.data(), 4);
    const __m512 draw = _mm512_mul_ps(distance, inverse);
    const __mmask16 better = _mm512_cmp_ps_mask(draw, best, _CMP_LT_OQ);
    second = _mm512_min_ps(second, _mm512_max_ps(draw, best));
    best = _mm512_min_ps(best, draw);
    best_index = _mm512_mask_mov_epi32(best_index, better, item);
  }
  _mm512_storeu_si512(index, best_index);
  const __m512 slack = _mm512_set1_ps(kSlack);
  const __m512 bound = _mm512_mul_ps(_mm512_add_ps(_mm512_mul_ps(best, slack), _mm512_set1_ps(1.0F)), slack);
  // A bucket of one item is sure even without weight.
  const __mmask16 alone = _mm512_cmpeq_epi32_mask(size, _mm512_set1_epi32(1));
  return busy & (_mm512_cmp_ps_mask(second, bound, _CMP_GT_OQ) | alone);
}

}  // namespace avx512

#pragma GCC pop_options
#endif

}  // namespace

SimdLevel best_simd_level() {
#ifdef SQUALL_CRUSH_X86
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return SimdLevel::kAvx512;
  }
  if (__builtin_cpu_supports("avx2")) return SimdLevel::kAvx2;
#endif
  return SimdLevel::kScalar;
}

Straw2ChooseLanes straw2_choose_lanes([[maybe_unused]] SimdLevel level) {
#ifdef SQUALL_CRUSH_X86
  if (level == SimdLevel::kAvx512) return avx512::choose_lanes;
#endif
  return nullptr;
}

Straw2Choose straw2_choose([[maybe_unused]] SimdLevel level) {
#ifdef SQUALL_CRUSH_X86
  if (level == SimdLevel::kAvx512) return avx512::choose;
  if (level == SimdLevel::kAvx2) return avx2::choose;
#endif
  return choose_scalar;
}

}  // namespace sim::ceph::crush
