/// Interned names: a Symbol is a small integer that stands for a string of one world.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sim {

/// A name of one Interner. Equality is equality of the strings; the order is the order of first use
/// (deterministic, but not alphabetical: sort by text where a person or Kubernetes expects it).
/// Symbol{} is the empty string in every Interner.
struct Symbol {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(Symbol, Symbol) = default;
  constexpr explicit operator bool() const { return value != 0; }
};

/// The names of one world. Not shared between worlds, not thread safe.
class Interner {
 public:
  Interner();
  /// Begins with the names of another one, in their order, so that its symbols mean the same here. Null: begins empty.
  explicit Interner(const Interner* first);
  Interner(const Interner&) = delete;
  Interner& operator=(const Interner&) = delete;

  Symbol intern(std::string_view text);
  /// The symbol of a text that was interned before; Symbol{} when it was not (or is empty).
  Symbol find(std::string_view text) const;
  /// Stays valid as long as the Interner.
  const std::string& text(Symbol symbol) const { return texts_[symbol.value]; }
  std::size_t size() const { return texts_.size(); }

 private:
  std::deque<std::string> texts_;  // a deque: the keys of index_ point into it
  std::unordered_map<std::string_view, std::uint32_t> index_;  // look-up only, never iterated
};

}  // namespace sim

template <>
struct std::hash<sim::Symbol> {
  std::size_t operator()(sim::Symbol s) const noexcept { return s.value * 0x9e3779b97f4a7c15ull; }
};
