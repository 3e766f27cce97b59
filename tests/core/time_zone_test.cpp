#include "sim/core/time_zone.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace sim {
namespace {

std::uint64_t mix(std::uint64_t hash, std::int64_t value) {
  for (int i = 0; i < 8; ++i) hash = (hash ^ (static_cast<std::uint64_t>(value >> (8 * i)) & 0xff)) * 0x100000001b3ull;
  return hash;
}

// tests/data/time_zones/zones.txt was written by Go 1.26 with the same database (tools/time_zones/golden): per zone a hash of 5,488 offsets and of the
// instants of some 16,000 local times from 1970 to 2060, those that a clock change leaves out or gives twice among them.
TEST(TimeZone, EveryZoneAgreesWithGo) {
  std::ifstream file(SQUALL_SOURCE_DIR "/tests/data/time_zones/zones.txt");
  std::string name;
  std::string want;
  int count = 0;
  while (file >> name >> want) {
    ++count;
    const TimeZone* zone = TimeZone::find(name);
    ASSERT_NE(zone, nullptr) << name;
    std::uint64_t hash = 0xcbf29ce484222325ull;
    constexpr std::int64_t kDay = 86'400;
    for (std::int64_t t = 0; t < 90 * 365 * kDay; t += 5 * kDay + 3 * 3600 + 1234) hash = mix(hash, zone->offset_at(t));
    for (int year = 1970; year < 2060; ++year) {
      for (int month = 1; month <= 12; ++month) {
        for (int day = 1; day <= 31; day += 1 + (year + month) % 3) hash = mix(hash, zone->instant(year, month, day, (year + day) % 5, 30, 0));
      }
    }
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
    EXPECT_EQ(text, want) << name;
  }
  EXPECT_EQ(count, 598);
}

TEST(TimeZone, KnowsNamesExactly) {
  EXPECT_NE(TimeZone::find("Europe/Berlin"), nullptr);
  EXPECT_EQ(TimeZone::find("europe/berlin"), nullptr);
  EXPECT_EQ(TimeZone::find(""), nullptr);
  EXPECT_EQ(TimeZone::find("Zulu2"), nullptr);
  EXPECT_EQ(TimeZone::find("Local"), nullptr);
  EXPECT_FALSE(TimeZone::database_version().empty());
}

TEST(TimeZone, LocalTimes) {
  const TimeZone& berlin = *TimeZone::find("Europe/Berlin");
  const TimeZone::Local summer = berlin.local(1782864000);  // 2026-07-01T00:00:00Z
  EXPECT_EQ(summer.year, 2026);
  EXPECT_EQ(summer.month, 7u);
  EXPECT_EQ(summer.hour, 2u);
  EXPECT_EQ(summer.weekday, 3u);
  // 02:30 on 2026-03-29 is left out: Go moves it by the hour. 02:30 on 2026-10-25 is there twice: here the second, in New York on 2026-11-01 the first.
  EXPECT_EQ(berlin.instant(2026, 3, 29, 2, 30, 0), 1774747800);   // 01:30 UTC
  EXPECT_EQ(berlin.instant(2026, 10, 25, 2, 30, 0), 1792891800);  // 01:30 UTC
  EXPECT_EQ(TimeZone::find("America/New_York")->instant(2026, 11, 1, 1, 30, 0), 1793511000);  // 05:30 UTC
  EXPECT_EQ(berlin.instant(2026, 13, 1, 0, 0, 0), berlin.instant(2027, 1, 1, 0, 0, 0));
}

}  // namespace
}  // namespace sim
