/// The types of values that Chaos Mesh's resources have and a scenario has not: durations as Go writes them, numbers in quotes, sizes and rates with units of
/// their own. And fields that are known and not modelled.
///
/// Source:     Go time.ParseDuration; docker/go-units FromHumanSize; chaos-mesh api/v1alpha1 *_webhook.go (what is refused on creation).
/// Leaves out: nothing; what a field cannot be is an error with its place.
/// Checked by: tests/chaos/mesh_reader_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sim/core/time.hpp"
#include "sim/scenario/fields.hpp"

namespace chaos::mesh {

using sim::SimDuration;
using sim::scenario::Fields;
using sim::scenario::Node;
using sim::scenario::Reader;
using sim::scenario::TypeInfo;

/// "-1h30m", "1.5s", "10m100ns". Nothing when it is none, or longer than 292 years.
std::optional<SimDuration> parse_go_duration(std::string_view text);

struct GoDuration {
  SimDuration value{};
};
/// A number in quotes: "25", "12.5".
struct NumberText {
  double value = 0.0;
};
/// "256MB" or "50%".
struct SizeText {
  double bytes = 0.0;
  std::optional<double> percent;
};
/// "100kbps": bytes a second of bps, bits of bit.
struct RateText {
  double bytes_per_second = 0.0;
};

/// "not modelled: " begins the doc of every field that is refused; the table of docs/chaos-mesh.md tells them apart by it.
inline constexpr std::string_view kNotModelled = "not modelled: ";

bool read_go_duration(Node node, GoDuration& to, Reader& reader);
bool read_number_text(Node node, NumberText& to, Reader& reader);
bool read_size_text(Node node, SizeText& to, Reader& reader);
bool read_rate_text(Node node, RateText& to, Reader& reader);
/// Tells that this is known and not modelled. An empty value says nothing, and is none.
bool refuse(Node node, std::string_view name, std::string_view why, Reader& reader);

/// The doc of something that is refused.
std::string not_modelled(std::string_view why);

/// A field that Chaos Mesh has and Squall has not: an error when it says something.
template <class T>
Fields<T>& refused(Fields<T>& fields, std::string_view name, TypeInfo::Kind type, std::string_view why) {
  return fields.custom(name, TypeInfo{.kind = type}, not_modelled(why),
                       [name = std::string(name), why = std::string(why)](Node node, T&, Reader& reader) { return refuse(node, name, why, reader); });
}
/// A field whose value changes nothing, here as there.
template <class T>
Fields<T>& without_effect(Fields<T>& fields, std::string_view name, TypeInfo::Kind type, std::string_view why) {
  return fields.custom(name, TypeInfo{.kind = type}, why, [](Node, T&, Reader&) { return true; });
}

}  // namespace chaos::mesh

namespace sim::scenario {

template <>
struct Codec<chaos::mesh::GoDuration> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kDuration}; }
  static bool read(Node node, chaos::mesh::GoDuration& to, Reader& reader, std::string_view) { return chaos::mesh::read_go_duration(node, to, reader); }
  static std::string show(const chaos::mesh::GoDuration&) { return {}; }
};
template <>
struct Codec<chaos::mesh::NumberText> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kString}; }
  static bool read(Node node, chaos::mesh::NumberText& to, Reader& reader, std::string_view) { return chaos::mesh::read_number_text(node, to, reader); }
  static std::string show(const chaos::mesh::NumberText&) { return {}; }
};
template <>
struct Codec<chaos::mesh::SizeText> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kString}; }
  static bool read(Node node, chaos::mesh::SizeText& to, Reader& reader, std::string_view) { return chaos::mesh::read_size_text(node, to, reader); }
  static std::string show(const chaos::mesh::SizeText&) { return {}; }
};
template <>
struct Codec<chaos::mesh::RateText> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kString}; }
  static bool read(Node node, chaos::mesh::RateText& to, Reader& reader, std::string_view) { return chaos::mesh::read_rate_text(node, to, reader); }
  static std::string show(const chaos::mesh::RateText&) { return {}; }
};

}  // namespace sim::scenario
