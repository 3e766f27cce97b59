#include "sim/models/ceph/crush/hash.hpp"

namespace sim::ceph::crush {

std::uint32_t string_hash(std::string_view text) {
  const auto byte = [&text](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at])); };
  const auto word = [&byte](std::size_t at) { return byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24; };
  std::uint32_t a = 0x9e3779b9;
  std::uint32_t b = a;
  std::uint32_t c = 0;
  std::size_t at = 0;
  for (; text.size() - at >= 12; at += 12) {
    a += word(at);
    b += word(at + 4);
    c += word(at + 8);
    detail::mix(a, b, c);
  }
  c += static_cast<std::uint32_t>(text.size());
  // The lowest byte of c already holds the length, so the tail's bytes 8 to 10 begin at the second one.
  const std::size_t rest = text.size() - at;
  for (std::size_t i = 0; i < rest; ++i) {
    if (i < 4) {
      a += byte(at + i) << (8 * i);
    } else if (i < 8) {
      b += byte(at + i) << (8 * (i - 4));
    } else {
      c += byte(at + i) << (8 * (i - 7));
    }
  }
  detail::mix(a, b, c);
  return c;
}

}  // namespace sim::ceph::crush
