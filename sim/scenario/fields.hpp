/// One list of fields per struct gives parsing, defaults, ranges, errors for unknown keys, the JSON Schema and the reference documentation.
///
///   struct RunSpec { SimDuration until = std::chrono::hours(1); std::uint64_t seed = 1; };
///
///   inline void describe(scenario::Fields<RunSpec>& fields) {
///     fields.title("How long the run lasts.")
///         .add("until", &RunSpec::until, "Virtual time at which the run ends.")
///         .add("seed", &RunSpec::seed, "Seed of every random stream.");
///   }
///
/// `describe` stands in the struct's namespace; the defaults are those of a default-constructed struct. Types of members:
///   bool, integers (with a range), double (with a range), std::string, SimDuration, std::optional of each, std::vector of strings,
///   integers, durations or described structs, std::map<std::string, std::string>, another described struct, Node (raw).
///   bytes(), cpu(), bits_per_second(), bytes_per_second(), fraction() and choice() add members whose unit or words are not in their type.
/// A null value is the same as an absent key. Every error is told; none stops the others.
///
/// Checked by: tests/scenario/fields_test.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"

namespace sim::scenario {

struct FieldInfo;
struct VariantInfo;

/// What a value may be: enough for an error message, a JSON Schema and a line of documentation.
struct TypeInfo {
  enum class Kind : std::uint8_t {
    kBool, kInteger, kNumber, kString, kChoice, kDuration, kBytes, kCpu, kBitRate, kByteRate, kFraction,
    kObject,      // `fields`
    kList,        // of `element`
    kStringMap,
    kNamed,       // objects by name, as a map or as a list with `name`; `fields`, or `variants_of` told apart by the key `kind`
    kRaw,         // anything: somebody else reads it
  } kind = Kind::kRaw;
  std::optional<double> minimum{};
  std::optional<double> maximum{};
  std::vector<std::string> words{};                   // of kChoice
  std::shared_ptr<const TypeInfo> element{};          // of kList
  std::vector<FieldInfo> (*fields)() = nullptr;       // of kObject and kNamed
  const std::string& (*title)() = nullptr;            // what the struct is
  std::function<std::vector<VariantInfo>()> variants_of{};  // of kNamed

  /// "a duration such as 30s", "an integer from 1 to 64".
  std::string describe() const;
};

struct FieldInfo {
  std::string name;
  std::string doc;
  TypeInfo type;
  bool required = false;
  std::string default_text;  // as one would write it; empty: none
};

/// One alternative of a `kind`.
struct VariantInfo {
  std::string kind;
  std::string doc;
  std::vector<FieldInfo> fields;
};

/// What a reader of fields needs to know and to tell.
struct Reader {
  Diagnostics& diagnostics;
};

namespace detail {

/// Each reads one value; on an error it is told and the target is left alone.
bool read_bool(Node node, bool& to, Reader& reader);
bool read_integer(Node node, std::int64_t low, std::int64_t high, std::int64_t& to, Reader& reader);
bool read_unsigned(Node node, std::uint64_t low, std::uint64_t high, std::uint64_t& to, Reader& reader);
bool read_number(Node node, double low, double high, double& to, Reader& reader);
bool read_string(Node node, std::string& to, Reader& reader);
bool read_duration(Node node, SimDuration& to, Reader& reader);  // not negative
bool read_bytes(Node node, std::int64_t& to, Reader& reader);    // "512Mi"; 0 needs no unit
bool read_cpu(Node node, std::int64_t& milli, Reader& reader);   // "250m", 2, "1.5"
bool read_bit_rate(Node node, double& bits_per_second, Reader& reader);    // "10Gbit/s"
bool read_byte_rate(Node node, double& bytes_per_second, Reader& reader);  // "100MB/s", "50Mi/s"
bool read_fraction(Node node, double& to, Reader& reader);       // "55%" or 0.55
bool read_choice(Node node, const std::vector<std::string>& words, std::size_t& to, Reader& reader);
bool read_string_map(Node node, std::map<std::string, std::string>& to, Reader& reader);
void wrong_type(Node node, const TypeInfo& type, Reader& reader);
bool expect_map(Node node, std::string_view what, Reader& reader);
bool expect_list(Node node, const TypeInfo& element, Reader& reader);
/// Tells the known keys, and the one that was most likely meant, which is also returned (empty: none is near).
std::string unknown_key(Node key, std::string_view what, const std::vector<std::string>& known, Reader& reader);
void missing_key(Node map, std::string_view key, std::string_view what, Reader& reader);

std::string show(bool value);
std::string show(std::int64_t value);
std::string show(std::uint64_t value);
std::string show(double value);
std::string show(const std::string& value);
std::string show(SimDuration value);
std::string show_bytes(std::int64_t value);
std::string show_cpu(std::int64_t milli);
std::string show_bit_rate(double value);
std::string show_byte_rate(double value);
std::string show_fraction(double value);

/// The entries of a section that is a map by name or a list whose items have `name`, in file order. Duplicate or missing names of a list are errors.
struct NamedEntry {
  std::string name;
  Node name_node;
  Node value;
};
std::vector<NamedEntry> named_entries(Node section, std::string_view noun, Reader& reader);

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

}  // namespace detail

template <class T>
class Fields;
template <class T>
const Fields<T>& fields_of();
/// Reads a described struct. `what` names it in messages: "fault 'disk-slow'". False when anything in it was wrong.
template <class T>
bool read_struct(Node node, T& to, std::string_view what, Reader& reader);
template <class E>
bool read_named(Node node, std::vector<E>& to, std::string_view noun, Reader& reader);

/// How a C++ type is read, described and shown. Described structs take the general case.
template <class T>
struct Codec {
  static TypeInfo type();
  static bool read(Node node, T& to, Reader& reader, std::string_view what) { return read_struct(node, to, what, reader); }
  static std::string show(const T&) { return {}; }
};
template <>
struct Codec<bool> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kBool}; }
  static bool read(Node node, bool& to, Reader& reader, std::string_view) { return detail::read_bool(node, to, reader); }
  static std::string show(bool value) { return detail::show(value); }
};
template <std::integral T>
struct Codec<T> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kInteger}; }
  static bool read(Node node, T& to, Reader& reader, std::string_view) {
    return read_in(node, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), to, reader);
  }
  static bool read_in(Node node, T low, T high, T& to, Reader& reader) {
    if constexpr (std::is_unsigned_v<T>) {
      std::uint64_t value = 0;
      if (!detail::read_unsigned(node, low, high, value, reader)) return false;
      to = static_cast<T>(value);
    } else {
      std::int64_t value = 0;
      if (!detail::read_integer(node, low, high, value, reader)) return false;
      to = static_cast<T>(value);
    }
    return true;
  }
  static std::string show(T value) {
    if constexpr (std::is_unsigned_v<T>) return detail::show(std::uint64_t{value});
    else return detail::show(std::int64_t{value});
  }
};
template <>
struct Codec<double> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kNumber}; }
  static bool read(Node node, double& to, Reader& reader, std::string_view) {
    return read_in(node, std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max(), to, reader);
  }
  static bool read_in(Node node, double low, double high, double& to, Reader& reader) {
    return detail::read_number(node, low, high, to, reader);
  }
  static std::string show(double value) { return detail::show(value); }
};
template <>
struct Codec<std::string> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kString}; }
  static bool read(Node node, std::string& to, Reader& reader, std::string_view) { return detail::read_string(node, to, reader); }
  static std::string show(const std::string& value) { return detail::show(value); }
};
template <>
struct Codec<SimDuration> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kDuration}; }
  static bool read(Node node, SimDuration& to, Reader& reader, std::string_view) { return detail::read_duration(node, to, reader); }
  static std::string show(SimDuration value) { return detail::show(value); }
};
template <>
struct Codec<std::map<std::string, std::string>> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kStringMap}; }
  static bool read(Node node, std::map<std::string, std::string>& to, Reader& reader, std::string_view) {
    return detail::read_string_map(node, to, reader);
  }
  static std::string show(const std::map<std::string, std::string>&) { return {}; }
};
template <>
struct Codec<Node> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kRaw}; }
  static bool read(Node node, Node& to, Reader&, std::string_view) {
    to = node;
    return true;
  }
  static std::string show(const Node&) { return {}; }
};
template <class T>
struct Codec<std::optional<T>> {
  static TypeInfo type() { return Codec<T>::type(); }
  static bool read(Node node, std::optional<T>& to, Reader& reader, std::string_view what) {
    T value{};
    if (!Codec<T>::read(node, value, reader, what)) return false;
    to = std::move(value);
    return true;
  }
  static bool read_in(Node node, T low, T high, std::optional<T>& to, Reader& reader) {
    T value{};
    if (!Codec<T>::read_in(node, low, high, value, reader)) return false;
    to = value;
    return true;
  }
  static std::string show(const std::optional<T>& value) { return value ? Codec<T>::show(*value) : std::string{}; }
};
template <class T>
struct Codec<std::vector<T>> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kList, .element = std::make_shared<TypeInfo>(Codec<T>::type())}; }
  static bool read(Node node, std::vector<T>& to, Reader& reader, std::string_view what) {
    if (!detail::expect_list(node, Codec<T>::type(), reader)) return false;
    std::vector<T> values;
    bool good = true;
    for (std::size_t i = 0; i < node.size(); ++i) {
      T value{};
      if (Codec<T>::read(node.item(i), value, reader, what)) {
        values.push_back(std::move(value));
      } else {
        good = false;
      }
    }
    to = std::move(values);
    return good;
  }
  static std::string show(const std::vector<T>& values) {
    if constexpr (std::is_class_v<T> && !std::is_same_v<T, std::string>) return {};
    std::string text;
    for (const T& value : values) text += (text.empty() ? "[" : ", ") + Codec<T>::show(value);
    return text.empty() ? text : text + "]";
  }
};

template <class Base>
class Alternatives;

/// The fields of T, in the order of the documentation.
template <class T>
class Fields {
 public:
  using Read = std::function<bool(Node, T&, Reader&)>;

  /// What the struct is, in one or two sentences.
  Fields& title(std::string_view text) {
    title_ = text;
    return *this;
  }
  const std::string& title() const { return title_; }

  template <class M, class C>
  Fields& add(std::string_view name, M C::*member, std::string_view doc) {
    return push(name, doc, Codec<M>::type(), Codec<M>::show(T{}.*member), [member, what = std::string(name)](Node node, T& to, Reader& reader) {
      return Codec<M>::read(node, to.*member, reader, what);
    });
  }
  /// A number in [low, high].
  template <class M, class C, class Low, class High>
    requires std::is_arithmetic_v<Low> && std::is_arithmetic_v<High>
  Fields& add(std::string_view name, M C::*member, Low low, High high, std::string_view doc) {
    TypeInfo type = Codec<M>::type();
    type.minimum = static_cast<double>(low);
    type.maximum = static_cast<double>(high);
    return push(name, doc, std::move(type), Codec<M>::show(T{}.*member), [member, low, high](Node node, T& to, Reader& reader) {
      using Number = std::remove_cvref_t<decltype(number(to.*member))>;
      return Codec<M>::read_in(node, static_cast<Number>(low), static_cast<Number>(high), to.*member, reader);
    });
  }
  /// One of several words.
  template <class M, class C, class V = M>
  Fields& choice(std::string_view name, M C::*member, std::vector<std::pair<std::string, V>> words, std::string_view doc) {
    TypeInfo type{.kind = TypeInfo::Kind::kChoice};
    std::string shown;
    for (const auto& [word, value] : words) {
      type.words.push_back(word);
      if (T{}.*member == value) shown = word;
    }
    std::vector<std::string> names = type.words;
    return push(name, doc, std::move(type), std::move(shown), [member, words = std::move(words), names](Node node, T& to, Reader& reader) {
      std::size_t index = 0;
      if (!detail::read_choice(node, names, index, reader)) return false;
      to.*member = words[index].second;
      return true;
    });
  }
  /// An amount of memory or disk, in bytes: "16Gi".
  template <class M, class C>
  Fields& bytes(std::string_view name, M C::*member, std::string_view doc) {
    return unit<std::int64_t>(name, member, TypeInfo::Kind::kBytes, detail::read_bytes, detail::show_bytes, doc);
  }
  /// Cores, kept in 1/1000: "500m", 4.
  template <class M, class C>
  Fields& cpu(std::string_view name, M C::*member, std::string_view doc) {
    return unit<std::int64_t>(name, member, TypeInfo::Kind::kCpu, detail::read_cpu, detail::show_cpu, doc);
  }
  template <class M, class C>
  Fields& bits_per_second(std::string_view name, M C::*member, std::string_view doc) {
    return unit<double>(name, member, TypeInfo::Kind::kBitRate, detail::read_bit_rate, detail::show_bit_rate, doc);
  }
  template <class M, class C>
  Fields& bytes_per_second(std::string_view name, M C::*member, std::string_view doc) {
    return unit<double>(name, member, TypeInfo::Kind::kByteRate, detail::read_byte_rate, detail::show_byte_rate, doc);
  }
  /// A share from 0 to 1: "99.9%" or 0.999.
  template <class M, class C>
  Fields& fraction(std::string_view name, M C::*member, std::string_view doc) {
    return unit<double>(name, member, TypeInfo::Kind::kFraction, detail::read_fraction, detail::show_fraction, doc);
  }
  /// Structs by name: a map "name: {...}", or a list of maps with `name`. E has `std::string name` and may have `Place where`.
  template <class E, class C>
  Fields& named(std::string_view name, std::vector<E> C::*member, std::string_view noun, std::string_view doc) {
    TypeInfo type = Codec<E>::type();
    type.kind = TypeInfo::Kind::kNamed;
    return push(name, doc, std::move(type), {}, [member, noun = std::string(noun)](Node node, T& to, Reader& reader) {
      return read_named(node, to.*member, noun, reader);
    });
  }
  /// Objects of several kinds by name: the entries of `faults:` or `expect:`.
  template <class Base, class C>
  Fields& named(std::string_view name, std::vector<std::shared_ptr<Base>> C::*member, const Alternatives<Base>& alternatives,
                std::string_view doc);

  /// The last field must be given.
  Fields& required() {
    entries_.back().info.required = true;
    return *this;
  }
  /// How the documentation names the default of the last field, where the value itself says too little.
  Fields& default_text(std::string_view text) {
    entries_.back().info.default_text = text;
    return *this;
  }
  /// A rule over several fields, called after all of them were read without error.
  Fields& rule(std::function<void(const T&, Node, Reader&)> check) {
    rules_.push_back(std::move(check));
    return *this;
  }
  /// Rare shapes: reads and describes a field by hand.
  Fields& custom(std::string_view name, TypeInfo type, std::string_view doc, Read reads) {
    return push(name, doc, std::move(type), {}, std::move(reads));
  }

  /// `also` are keys that the caller has read already.
  bool read(Node node, T& to, std::string_view what, Reader& reader, std::initializer_list<std::string_view> also = {}) const {
    if (!detail::expect_map(node, what, reader)) return false;
    bool good = true;
    std::vector<std::string> meant;
    for (std::size_t i = 0; i < node.size(); ++i) {
      const std::string_view key = node.key(i).text();
      const Entry* entry = find(key);
      if (entry == nullptr) {
        if (std::find(also.begin(), also.end(), key) != also.end()) continue;
        std::vector<std::string> known = names();
        known.insert(known.end(), also.begin(), also.end());
        meant.push_back(detail::unknown_key(node.key(i), what, known, reader));
        good = false;
        continue;
      }
      if (node.value(i).is_null()) continue;
      good = entry->read(node.value(i), to, reader) && good;
    }
    for (const Entry& entry : entries_) {
      if (!entry.info.required || !node.find(entry.info.name).is_null()) continue;
      good = false;
      if (std::find(meant.begin(), meant.end(), entry.info.name) != meant.end()) continue;  // misspelt, and told already
      detail::missing_key(node, entry.info.name, what, reader);
    }
    if (good) {
      const std::size_t before = reader.diagnostics.error_count();
      for (const auto& rule : rules_) rule(to, node, reader);
      good = reader.diagnostics.error_count() == before;
    }
    return good;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const Entry& entry : entries_) result.push_back(entry.info.name);
    return result;
  }
  std::vector<FieldInfo> infos() const {
    std::vector<FieldInfo> result;
    for (const Entry& entry : entries_) result.push_back(entry.info);
    return result;
  }

 private:
  struct Entry {
    FieldInfo info;
    Read read;
  };
  template <class M>
  static M number(M value) { return value; }
  template <class M>
  static M number(std::optional<M>) { return M{}; }

  const Entry* find(std::string_view name) const {
    for (const Entry& entry : entries_) {
      if (entry.info.name == name) return &entry;
    }
    return nullptr;
  }
  Fields& push(std::string_view name, std::string_view doc, TypeInfo type, std::string shown, Read reads) {
    entries_.push_back(Entry{FieldInfo{std::string(name), std::string(doc), std::move(type), false, std::move(shown)}, std::move(reads)});
    return *this;
  }
  template <class Raw, class M, class C>
  Fields& unit(std::string_view name, M C::*member, TypeInfo::Kind kind, bool (*parse)(Node, Raw&, Reader&), std::string (*show)(Raw),
               std::string_view doc) {
    std::string shown;
    const T defaults{};
    if constexpr (detail::is_optional<M>::value) {
      if (defaults.*member) shown = show(static_cast<Raw>(*(defaults.*member)));
    } else {
      shown = show(static_cast<Raw>(defaults.*member));
    }
    return push(name, doc, TypeInfo{.kind = kind}, std::move(shown), [member, parse](Node node, T& to, Reader& reader) {
      Raw value{};
      if (!parse(node, value, reader)) return false;
      if constexpr (detail::is_optional<M>::value) to.*member = static_cast<typename M::value_type>(value);
      else to.*member = static_cast<M>(value);
      return true;
    });
  }
  std::string title_;
  std::vector<Entry> entries_;
  std::vector<std::function<void(const T&, Node, Reader&)>> rules_;
};

template <class T>
const Fields<T>& fields_of() {
  static const Fields<T> fields = [] {
    Fields<T> list;
    describe(list);
    return list;
  }();
  return fields;
}

template <class T>
bool read_struct(Node node, T& to, std::string_view what, Reader& reader) {
  return fields_of<T>().read(node, to, what, reader);
}

template <class T>
TypeInfo Codec<T>::type() {
  return {.kind = TypeInfo::Kind::kObject,
          .fields = [] { return fields_of<T>().infos(); },
          .title = []() -> const std::string& { return fields_of<T>().title(); }};
}

/// A section of structs by name: a map "name: {...}", or a list of maps with `name`.
template <class E>
bool read_named(Node node, std::vector<E>& to, std::string_view noun, Reader& reader) {
  const std::size_t before = reader.diagnostics.error_count();
  for (const detail::NamedEntry& entry : detail::named_entries(node, noun, reader)) {
    E element{};
    element.name = entry.name;
    if constexpr (requires { element.where = Place{}; }) element.where = entry.name_node.place();
    const std::string what = std::string(noun) + " '" + entry.name + "'";
    if (entry.value.is_null()) {
      to.push_back(std::move(element));
    } else if (fields_of<E>().read(entry.value, element, what, reader, {"name"})) {
      to.push_back(std::move(element));
    }
  }
  return reader.diagnostics.error_count() == before;
}

/// The kinds of something, told apart by the key `kind`: a fault, an expectation. Base has a virtual destructor, `std::string name`,
/// and may have `std::string kind` and `Place where`; they are filled here. Each kind T derives from Base and has `describe(Fields<T>&)`
/// (fields that all have in common: a function template that each `describe` calls).
template <class Base>
class Alternatives {
 public:
  /// `noun` in messages: "fault".
  explicit Alternatives(std::string noun) : noun_(std::move(noun)) {}

  template <std::derived_from<Base> T>
  Alternatives& add(std::string_view kind, std::string_view doc) {
    Alternative alternative;
    alternative.info = [kind = std::string(kind), doc = std::string(doc)] { return VariantInfo{kind, doc, fields_of<T>().infos()}; };
    alternative.kind = kind;
    alternative.read = [](Node node, std::string_view what, Reader& reader, const std::function<void(Base&)>& prepare) -> std::shared_ptr<Base> {
      auto object = std::make_shared<T>();
      prepare(*object);
      if (!fields_of<T>().read(node, *object, what, reader, {"kind", "name"})) return nullptr;
      return object;
    };
    alternatives_.push_back(std::move(alternative));
    return *this;
  }

  /// A section of named entries (a map by name, or a list with `name`). What is wrong is told and left out.
  std::vector<std::shared_ptr<Base>> read_section(Node section, Reader& reader) const {
    std::vector<std::shared_ptr<Base>> result;
    if (section.is_null()) return result;
    for (const detail::NamedEntry& entry : detail::named_entries(section, noun_, reader)) {
      if (std::shared_ptr<Base> object = read(entry, reader)) result.push_back(std::move(object));
    }
    return result;
  }

  std::vector<std::string> kinds() const {
    std::vector<std::string> result;
    for (const Alternative& alternative : alternatives_) result.push_back(alternative.kind);
    return result;
  }
  std::vector<VariantInfo> infos() const {
    std::vector<VariantInfo> result;
    for (const Alternative& alternative : alternatives_) result.push_back(alternative.info());
    return result;
  }
  const std::string& noun() const { return noun_; }

 private:
  struct Alternative {
    std::string kind;
    std::function<VariantInfo()> info;
    std::function<std::shared_ptr<Base>(Node, std::string_view, Reader&, const std::function<void(Base&)>&)> read;
  };

  std::shared_ptr<Base> read(const detail::NamedEntry& entry, Reader& reader) const {
    const std::string what = noun_ + " '" + entry.name + "'";
    if (entry.value.is_null()) {
      detail::missing_key(entry.name_node, "kind", what, reader);
      return nullptr;
    }
    if (!detail::expect_map(entry.value, what, reader)) return nullptr;
    const Node kind = entry.value.find("kind");
    if (kind.is_null()) {
      detail::missing_key(entry.value, "kind", what, reader);
      return nullptr;
    }
    std::size_t index = 0;
    if (!detail::read_choice(kind, kinds(), index, reader)) return nullptr;
    return alternatives_[index].read(entry.value, what, reader, [&](Base& object) {
      object.name = entry.name;
      if constexpr (requires { object.kind = std::string(); }) object.kind = alternatives_[index].kind;
      if constexpr (requires { object.where = Place{}; }) object.where = entry.name_node.place();
    });
  }

  std::string noun_;
  std::vector<Alternative> alternatives_;
};

template <class T>
template <class Base, class C>
Fields<T>& Fields<T>::named(std::string_view name, std::vector<std::shared_ptr<Base>> C::*member, const Alternatives<Base>& alternatives,
                            std::string_view doc) {
  TypeInfo type{.kind = TypeInfo::Kind::kNamed};
  type.variants_of = [&alternatives] { return alternatives.infos(); };
  return push(name, doc, std::move(type), {}, [member, &alternatives](Node node, T& to, Reader& reader) {
    const std::size_t before = reader.diagnostics.error_count();
    to.*member = alternatives.read_section(node, reader);
    return reader.diagnostics.error_count() == before;
  });
}

}  // namespace sim::scenario
