#include "sim/core/time.hpp"

#include <gtest/gtest.h>

#include "sim/core/random.hpp"

namespace {

using namespace std::chrono_literals;
using sim::SimDuration;

struct ParseCase {
  std::string_view text;
  std::optional<SimDuration> want;
};

// What Go's time.ParseDuration reads (and refuses), plus days and weeks.
const ParseCase kParseCases[] = {
    {"0", 0s},
    {"0s", 0s},
    {"300ms", 300ms},
    {"1h30m", 90min},
    {"1.5h", 90min},
    {"-1.5h", -90min},
    {"+5s", 5s},
    {".5s", 500ms},
    {"1.s", 1s},
    {"1us", 1us},
    {"1\u00b5s", 1us},
    {"1\u03bcs", 1us},  // Go takes the Greek letter too
    {"1ns", 1ns},
    {"1m", 1min},
    {"7d", 168h},
    {"2w", 336h},
    {"1h15m30.918273645s", 1h + 15min + 30s + 918273645ns},
    {"0.3333333333333333333h", 20min - 1ns},
    {"2562047h47m16.854775807s", SimDuration::max()},
    {"-2562047h47m16.854775808s", SimDuration::min()},
    {"2562047h47m16.854775808s", std::nullopt},
    {"9223372036854775808ns", std::nullopt},
    {"99999999999999999999s", std::nullopt},
    {"", std::nullopt},
    {"5", std::nullopt},
    {"s", std::nullopt},
    {".s", std::nullopt},
    {"-", std::nullopt},
    {"1x", std::nullopt},
    {"1 s", std::nullopt},
    {"1s ", std::nullopt},
    {"--1s", std::nullopt},
    {"1h-5m", std::nullopt},
};

TEST(Duration, Parse) {
  for (const ParseCase& c : kParseCases) {
    SCOPED_TRACE(std::string(c.text));
    const std::optional<SimDuration> got = sim::parse_duration(c.text);
    ASSERT_EQ(got.has_value(), c.want.has_value());
    if (got) {
      EXPECT_EQ(got->count(), c.want->count());
    }
  }
}

TEST(Duration, Format) {
  EXPECT_EQ(sim::format_duration(0s), "0s");
  EXPECT_EQ(sim::format_duration(90min), "1h30m");
  EXPECT_EQ(sim::format_duration(1500ms), "1s500ms");
  EXPECT_EQ(sim::format_duration(-90s), "-1m30s");
  EXPECT_EQ(sim::format_duration(49h), "2d1h");
  EXPECT_EQ(sim::format_duration(1ns), "1ns");
}

TEST(Duration, WhatFormatWritesParseReads) {
  sim::RandomStream random(1, "test/duration", "");
  for (int i = 0; i < 20'000; ++i) {
    const auto bits = random.uniform_int(0, 63);
    const SimDuration span(static_cast<std::int64_t>(random.next()) >> bits);
    const std::string text = sim::format_duration(span);
    const std::optional<SimDuration> back = sim::parse_duration(text);
    ASSERT_TRUE(back) << text;
    ASSERT_EQ(*back, span) << text;
  }
  for (const SimDuration span : {SimDuration::min(), SimDuration::max()}) {
    const std::string text = sim::format_duration(span);
    ASSERT_TRUE(sim::parse_duration(text)) << text;
    EXPECT_EQ(*sim::parse_duration(text), span);
  }
}

TEST(Duration, Humanize) {
  EXPECT_EQ(sim::humanize(0s), "0s");
  EXPECT_EQ(sim::humanize(350ms), "350ms");
  EXPECT_EQ(sim::humanize(1200ms), "1.20s");
  EXPECT_EQ(sim::humanize(5min + 12s), "5m 12s");
  EXPECT_EQ(sim::humanize(76h), "3d 4h");
  EXPECT_EQ(sim::humanize(1h), "1h");
  EXPECT_EQ(sim::humanize(-5s), "-5.00s");
  EXPECT_EQ(sim::humanize(5us), "5us");
  EXPECT_EQ(sim::humanize(7ns), "7ns");
  EXPECT_EQ(sim::humanize(9999ms), "10s");
  EXPECT_EQ(sim::humanize(999999us), "1.00s");
}

TEST(Duration, FromSeconds) {
  EXPECT_EQ(sim::from_seconds(1.5), 1500ms);
  EXPECT_EQ(sim::from_seconds(-1.5), -1500ms);
  EXPECT_EQ(sim::from_seconds(1e300), SimDuration::max());
  EXPECT_EQ(sim::from_seconds(-1e300), SimDuration::min());
  EXPECT_EQ(sim::from_seconds(1e-10), 0ns);
}

}  // namespace
