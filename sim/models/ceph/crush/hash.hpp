/// rjenkins1, the hash of CRUSH, and the string hash of object names.
///
/// Source:     Robert Jenkins' 32-bit mix (1996) as Ceph's src/crush/hash.c and src/common/ceph_hash.cc use it.
/// Leaves out: the Linux dcache hash of object names (object_hash 1), which no release chooses by default.
/// Checked by: tests/models/ceph/crush/hash_test.cpp (values of the real tools).
#pragma once

#include <cstdint>
#include <string_view>

namespace sim::ceph::crush {

namespace detail {

constexpr std::uint32_t kHashSeed = 1315423911;
constexpr std::uint32_t kHashX = 231232;
constexpr std::uint32_t kHashY = 1232;

constexpr void mix(std::uint32_t& p, std::uint32_t& q, std::uint32_t& r) {
  p = (p - q - r) ^ (r >> 13);
  q = (q - r - p) ^ (p << 8);
  r = (r - p - q) ^ (q >> 13);
  p = (p - q - r) ^ (r >> 12);
  q = (q - r - p) ^ (p << 16);
  r = (r - p - q) ^ (q >> 5);
  p = (p - q - r) ^ (r >> 3);
  q = (q - r - p) ^ (p << 10);
  r = (r - p - q) ^ (q >> 15);
}

}  // namespace detail

constexpr std::uint32_t hash1(std::uint32_t a) {
  std::uint32_t h = detail::kHashSeed ^ a;
  std::uint32_t b = a;
  std::uint32_t x = detail::kHashX;
  std::uint32_t y = detail::kHashY;
  detail::mix(b, x, h);
  detail::mix(y, a, h);
  return h;
}

constexpr std::uint32_t hash2(std::uint32_t a, std::uint32_t b) {
  std::uint32_t h = detail::kHashSeed ^ a ^ b;
  std::uint32_t x = detail::kHashX;
  std::uint32_t y = detail::kHashY;
  detail::mix(a, b, h);
  detail::mix(x, a, h);
  detail::mix(b, y, h);
  return h;
}

constexpr std::uint32_t hash3(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint32_t h = detail::kHashSeed ^ a ^ b ^ c;
  std::uint32_t x = detail::kHashX;
  std::uint32_t y = detail::kHashY;
  detail::mix(a, b, h);
  detail::mix(c, x, h);
  detail::mix(y, a, h);
  detail::mix(b, x, h);
  detail::mix(y, c, h);
  return h;
}

constexpr std::uint32_t hash4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  std::uint32_t h = detail::kHashSeed ^ a ^ b ^ c ^ d;
  std::uint32_t x = detail::kHashX;
  std::uint32_t y = detail::kHashY;
  detail::mix(a, b, h);
  detail::mix(c, d, h);
  detail::mix(a, x, h);
  detail::mix(y, b, h);
  detail::mix(c, x, h);
  detail::mix(y, d, h);
  return h;
}

constexpr std::uint32_t hash5(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d, std::uint32_t e) {
  std::uint32_t h = detail::kHashSeed ^ a ^ b ^ c ^ d ^ e;
  std::uint32_t x = detail::kHashX;
  std::uint32_t y = detail::kHashY;
  detail::mix(a, b, h);
  detail::mix(c, d, h);
  detail::mix(e, x, h);
  detail::mix(y, a, h);
  detail::mix(b, x, h);
  detail::mix(y, c, h);
  detail::mix(d, x, h);
  detail::mix(y, e, h);
  return h;
}

/// The hash of an object's name (object_hash 2, rjenkins). Bytes count as unsigned.
std::uint32_t string_hash(std::string_view text);

}  // namespace sim::ceph::crush
