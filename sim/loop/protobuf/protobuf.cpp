#include "sim/loop/protobuf/protobuf.hpp"

#include <fmt/format.h>

#include <cstring>

#include "sim/loop/store/store.hpp"

namespace sim::loop {

namespace {

enum class Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Entry {
  std::uint32_t number = 0;
  Wire wire = Wire::kVarint;
  std::uint64_t value = 0;  // of a number
  std::string_view bytes;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  bool is_bad() const { return bad_; }

  bool next(Entry& entry) {
    if (bad_ || text_.empty()) return false;
    const std::uint64_t tag = varint();
    entry.number = static_cast<std::uint32_t>(tag >> 3);
    entry.wire = static_cast<Wire>(tag & 7);
    switch (entry.wire) {
      case Wire::kVarint: entry.value = varint(); break;
      case Wire::kFixed64: entry.value = fixed(8); break;
      case Wire::kFixed32: entry.value = fixed(4); break;
      case Wire::kBytes: {
        const std::uint64_t size = varint();
        if (size > text_.size()) bad_ = true;
        if (bad_) break;
        entry.bytes = text_.substr(0, size);
        text_.remove_prefix(size);
        break;
      }
      default: bad_ = true;
    }
    if (entry.number == 0) bad_ = true;
    return !bad_;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (text_.empty()) break;
      const auto byte = static_cast<unsigned char>(text_.front());
      text_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80u) == 0) return value;
    }
    bad_ = true;
    return 0;
  }
  bool is_empty() const { return text_.empty(); }

 private:
  std::uint64_t fixed(std::size_t size) {
    if (text_.size() < size) {
      bad_ = true;
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(text_[i]);
    text_.remove_prefix(size);
    return value;
  }
  std::string_view text_;
  bool bad_ = false;
};

std::string base64_text(std::string_view data) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  for (std::size_t i = 0; i < data.size(); i += 3) {
    const auto byte = [&](std::size_t at) { return at < data.size() ? static_cast<unsigned char>(data[at]) : 0u; };
    const unsigned bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    result += kLetters[bits >> 18 & 63];
    result += kLetters[bits >> 12 & 63];
    result += i + 1 < data.size() ? kLetters[bits >> 6 & 63] : '=';
    result += i + 2 < data.size() ? kLetters[bits & 63] : '=';
  }
  return result;
}

class Decoder {
 public:
  std::string error;

  void message(std::string_view bytes, const TypeInfo& type, Json& to, int depth) {
    if (depth > kJsonDepthLimit) return fail("nested too deep");
    if (type.name.find("JSONSchemaProps") != std::string::npos) return fail("the schemas of CustomResourceDefinitions are not decoded from protobuf: use application/json");
    Reader reader(bytes);
    Entry entry;
    while (error.empty() && reader.next(entry)) {
      for (const FieldInfo& field : type.fields) {
        if (field.number != entry.number) continue;
        if (field.name == ".") {
          if (entry.wire == Wire::kBytes) message(entry.bytes, *field.type.type, to, depth + 1);
        } else if (field.type.kind == '[') {
          items(entry, field, to, depth);
        } else if (field.type.kind == '{') {
          pair(entry, *field.type.element, to[field.name], depth);
        } else {
          Json decoded = value(entry, field.type, depth);
          // What Go leaves out of JSON; a class that is named "" is another thing than none.
          const bool nothing = decoded.is_null() || (decoded.is_string() && decoded.text().empty() && field.name != "storageClassName");
          if (!nothing || (field.always && decoded.is_string())) to.set(field.name, std::move(decoded));
        }
        break;
      }
    }
    if (reader.is_bad()) fail("proto: the message is cut off or broken");
  }

 private:
  void fail(std::string what) {
    if (error.empty()) error = std::move(what);
  }
  void items(const Entry& entry, const FieldInfo& field, Json& to, int depth) {
    const TypeRef& element = *field.type.element;
    Json& list = to[field.name];
    const bool number = element.kind == 'i' || element.kind == 'l' || element.kind == 'b';
    if (number && entry.wire == Wire::kBytes) {
      Reader packed(entry.bytes);
      while (!packed.is_empty() && !packed.is_bad()) list.push_back(static_cast<std::int64_t>(packed.varint()));
      if (packed.is_bad()) fail("proto: a packed list is broken");
      return;
    }
    list.push_back(value(entry, element, depth));
  }
  void pair(const Entry& entry, const TypeRef& element, Json& map, int depth) {
    Reader reader(entry.bytes);
    Entry part;
    std::string key;
    Json decoded = element.kind == 's' ? Json("") : Json();
    while (reader.next(part)) {
      if (part.number == 1) key = part.bytes;
      if (part.number != 2) continue;
      if (element.kind == '[') {
        // A list as the value of a map is a message of its own.
        Reader inner(part.bytes);
        Entry item;
        decoded = Json::array();
        while (inner.next(item)) decoded.push_back(value(item, *element.element, depth));
      } else {
        decoded = value(part, element, depth);
      }
    }
    if (reader.is_bad()) fail("proto: a map is broken");
    map.set(key, std::move(decoded));
  }
  /// A message of which two numbers and a text count: times, quantities, int-or-string.
  struct Small {
    std::int64_t one = 0;
    std::int64_t two = 0;
    std::string_view text_one;
    std::string_view text_three;
    bool any = false;
  };
  Small small(std::string_view bytes) {
    Small result;
    Reader reader(bytes);
    Entry entry;
    while (reader.next(entry)) {
      result.any = true;
      if (entry.number == 1) (entry.wire == Wire::kBytes ? void(result.text_one = entry.bytes) : void(result.one = static_cast<std::int64_t>(entry.value)));
      if (entry.number == 2) result.two = static_cast<std::int64_t>(entry.value);
      if (entry.number == 3) result.text_three = entry.bytes;
    }
    if (reader.is_bad()) fail("proto: a value is broken");
    return result;
  }
  Json value(const Entry& entry, const TypeRef& type, int depth) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    switch (type.kind) {
      case 's': return Json(entry.bytes);
      case 'i': return static_cast<std::int64_t>(static_cast<std::int32_t>(entry.value));
      case 'l': return static_cast<std::int64_t>(entry.value);
      case 'b': return entry.value != 0;
      case 'd': {
        double number = 0;
        std::memcpy(&number, &entry.value, sizeof number);
        return number;
      }
      case 'y': return base64_text(entry.bytes);
      case 't':
      case 'u': {
        const Small time = small(entry.bytes);
        if (!time.any) return Json();
        const std::int64_t unix_time = time.one * kSecond + time.two;
        return type.kind == 't' ? rfc3339(unix_time) : rfc3339_micro(unix_time);
      }
      case 'D': return fmt::format("{}ns", small(entry.bytes).one);
      case 'q': return Json(small(entry.bytes).text_one);
      case 'x': {
        const Small both = small(entry.bytes);
        return both.one == 0 ? Json(static_cast<std::int64_t>(static_cast<std::int32_t>(both.two))) : Json(both.text_three);
      }
      case 'j': {
        const Small raw = small(entry.bytes);
        std::string wrong;
        return raw.text_one.empty() ? Json() : parse_json(raw.text_one, wrong).value_or(Json());
      }
      case '*': {
        Json result = Json::object();
        message(entry.bytes, *type.type, result, depth + 1);
        return result;
      }
      default: return Json();
    }
  }
};

}  // namespace

std::optional<Json> parse_message(std::string_view message, const TypeInfo& type, std::string& error) {
  Decoder decoder;
  Json result = Json::object();
  decoder.message(message, type, result, 0);
  if (decoder.error.empty()) return result;
  error = decoder.error;
  return std::nullopt;
}

std::optional<Json> parse_protobuf(std::string_view body, std::string& error) {
  constexpr std::string_view kMagic("k8s\0", 4);
  if (!body.starts_with(kMagic)) {
    error = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";
    return std::nullopt;
  }
  Reader envelope(body.substr(kMagic.size()));
  Entry entry;
  std::string version;
  std::string kind;
  std::string_view raw;
  while (envelope.next(entry)) {
    if (entry.number == 2) raw = entry.bytes;
    if (entry.number != 1) continue;
    Reader meta(entry.bytes);
    Entry part;
    while (meta.next(part)) (part.number == 1 ? version : kind) = part.bytes;
  }
  if (envelope.is_bad()) {
    error = "proto: the envelope is cut off or broken";
    return std::nullopt;
  }
  const std::size_t slash = version.find('/');
  const TypeInfo* type = Schema::kubernetes().type_of(slash == std::string::npos ? std::string() : version.substr(0, slash), slash == std::string::npos ? version : version.substr(slash + 1), kind);
  if (type == nullptr && (kind == "DeleteOptions" || kind == "Status")) type = Schema::kubernetes().type("meta.v1." + kind);
  if (type == nullptr) {
    error = fmt::format("no kind \"{}\" is registered for version \"{}\"", kind, version);
    return std::nullopt;
  }
  std::optional<Json> object = parse_message(raw, *type, error);
  if (!object) return std::nullopt;
  Json result = Json::object({{"kind", kind}, {"apiVersion", version}});
  for (const Member& member : object->members()) result.set(member.key, member.value);
  return result;
}

}  // namespace sim::loop
