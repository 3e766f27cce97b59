/// FNV-1a, 64 bits: names and texts to numbers that are the same on every machine.
///
/// Source: the FNV hash as its authors publish it (offset basis and prime of 64 bits).
#pragma once

#include <cstdint>
#include <string_view>

namespace sim {

inline constexpr std::uint64_t kFnvBasis = 0xcbf29ce484222325ull;

/// `hash`: what came before the text.
constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = kFnvBasis) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

}  // namespace sim
