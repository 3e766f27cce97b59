#include "sim/core/hash.hpp"
#include "sim/scenario/manifests.hpp"

namespace sim::scenario {

namespace {

std::uint64_t mix(std::uint64_t h, std::uint64_t v) {
  h = (h ^ v) * 0x9e3779b97f4a7c15ull;
  return h ^ (h >> 29);
}

std::uint64_t hash_text(std::string_view text) { return mix(fnv1a(text), text.size()); }

}  // namespace

std::uint64_t content_hash(Node node) {
  switch (node.kind()) {
    case NodeKind::kNull: return 0x51ed270b7a4c2f01ull;
    case NodeKind::kScalar: return mix(hash_text(node.text()), node.is_string() ? 1 : 2);
    case NodeKind::kSequence: {
      std::uint64_t h = 3;
      for (std::size_t i = 0; i < node.size(); ++i) h = mix(h, content_hash(node.item(i)));
      return h;
    }
    case NodeKind::kMap: {
      std::uint64_t sum = 0;  // commutative: the order of keys does not count
      for (std::size_t i = 0; i < node.size(); ++i) {
        if (node.value(i).is_null()) continue;  // the same as absent
        sum += mix(mix(4, hash_text(node.key(i).text())), content_hash(node.value(i)));
      }
      return mix(5, sum);
    }
  }
  return 0;
}

}  // namespace sim::scenario
