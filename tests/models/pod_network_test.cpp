// What an impaired network makes of connections: formulas by hand, and netem's own numbers.
#include <gtest/gtest.h>

#include <cmath>

#include "sim/core/random.hpp"
#include "sim/models/network/pod_network.hpp"
#include "sim/models/network/tcp.hpp"

namespace sim::network {
namespace {

using namespace std::chrono_literals;

struct FailCase {
  std::string_view name;
  RoundTrip trip;
  SimDuration timeout;
  double chance;
};
const FailCase kFailCases[] = {
    {"a perfect network", {}, 1s, 0.0},
    {"nothing gets through", {1.0, 0.0, {}, {}}, 1s, 1.0},
    {"90 ms are nothing in a second", {0.0, 0.0, 90ms, {}}, 1s, 0.0},
    {"two round trips of 600 ms are more than a second", {0.0, 0.0, 600ms, {}}, 1s, 1.0},
    {"... and fit into two", {0.0, 0.0, 600ms, {}}, 2s, 0.0},
    // Latency uniform from 400 to 600 ms: half of it is within 500.
    {"jitter around the bound", {0.0, 0.0, 500ms, 100ms}, 1s, 0.5},
    // One way loses a quarter. Within 1 s: connected at once or after 1 s, and then the answer at once (it may wait 0.2 and 0.6 s otherwise):
    // 0.75 * (0.75 + 0.1875 + 0.046875) + 0.1875 * 0.75 = 0.87890625.
    {"a quarter of the answers is lost", {0.0, 0.25, {}, {}}, 1s, 1.0 - 0.87890625},
};

TEST(Tcp, AProbeFailsWithTheChanceThatThePathHas) {
  for (const FailCase& c : kFailCases) {
    SCOPED_TRACE(c.name);
    EXPECT_NEAR(fails_within(c.trip, c.timeout), c.chance, 1e-9);
  }
}

TEST(Tcp, ThroughputIsMathis) {
  // 1460 bytes, 100 ms, 1 %: 14600 * sqrt(150) bytes a second.
  EXPECT_NEAR(tcp_bytes_per_second(100ms, 0.01), 14600.0 * std::sqrt(150.0), 1.0);
  EXPECT_TRUE(std::isinf(tcp_bytes_per_second(100ms, 0.0)));
}

TEST(Tcp, ACorrelationLosesWhatNetemLoses) {
  EXPECT_DOUBLE_EQ(netem_share(0.25, 0.0), 0.25);
  EXPECT_DOUBLE_EQ(netem_share(0.0, 0.25), 0.0);
  EXPECT_DOUBLE_EQ(netem_share(1.0, 0.25), 1.0);
  EXPECT_NEAR(netem_share(0.5, 0.6), 0.5, 1e-6) << "the middle stays in the middle";
  // netem's own recursion, packet by packet.
  for (const auto& [share, correlation] : {std::pair(0.25, 0.25), std::pair(0.4, 0.25), std::pair(0.1, 0.5)}) {
    RandomStream random(7, "test", "netem");
    double last = random.uniform();
    int lost = 0;
    constexpr int kPackets = 400'000;
    for (int i = 0; i < kPackets; ++i) {
      last = correlation * last + (1.0 - correlation) * random.uniform();
      lost += last < share ? 1 : 0;
    }
    EXPECT_NEAR(netem_share(share, correlation), static_cast<double>(lost) / kPackets, 0.005) << share << " " << correlation;
  }
}

TEST(Names, FitPatterns) {
  EXPECT_TRUE(fits_name("google.com", "google.com"));
  EXPECT_TRUE(fits_name("chaos-mesh.*", "chaos-mesh.org"));
  EXPECT_TRUE(fits_name("github.?om", "github.com"));
  EXPECT_TRUE(fits_name("*", "anything"));
  EXPECT_TRUE(fits_name("WEB.shop*", "web.shop.svc.cluster.local"));
  EXPECT_FALSE(fits_name("google.com", "google.com.evil"));
  EXPECT_FALSE(fits_name("google.com", "google.co"));
  EXPECT_FALSE(fits_name("web.?hop", "web.hop"));
}

}  // namespace
}  // namespace sim::network
