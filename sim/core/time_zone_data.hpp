/// The compiled-in tz database, as tools/time_zones/generate.py writes it. For sim/core/time_zone.cpp only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sim::time_zone_data {

struct Change {
  std::int64_t unix_seconds;
  std::int32_t offset;  // seconds east of UTC from then on
};
struct Zone {
  std::uint32_t first;  // of kChanges
  std::uint32_t count;
  std::int32_t offset;  // before the first change
  const char* rule;     // after the last change, as in POSIX's TZ: "CET-1CEST,M3.5.0,M10.5.0/3"
};
struct Name {
  const char* name;  // sorted
  std::uint32_t zone;
};

extern const char* const kVersion;  // "2025b"
extern const Change kChanges[];
extern const Zone kZones[];
extern const Name kNames[];
extern const std::size_t kNameCount;

}  // namespace sim::time_zone_data
