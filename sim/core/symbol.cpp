#include "sim/core/symbol.hpp"

#include "sim/core/check.hpp"

namespace sim {

Interner::Interner() { intern(""); }

Interner::Interner(const Interner* first) {
  intern("");
  if (first == nullptr) return;
  index_.reserve(first->texts_.size() * 2);
  for (const std::string& text : first->texts_) intern(text);
}

Symbol Interner::intern(std::string_view text) {
  if (const auto found = index_.find(text); found != index_.end()) return Symbol{found->second};
  SIM_CHECK(texts_.size() < UINT32_MAX, "symbols are 32 bits");
  const auto value = static_cast<std::uint32_t>(texts_.size());
  texts_.emplace_back(text);
  index_.emplace(texts_.back(), value);
  return Symbol{value};
}

Symbol Interner::find(std::string_view text) const {
  const auto found = index_.find(text);
  return found == index_.end() ? Symbol{} : Symbol{found->second};
}

}  // namespace sim
