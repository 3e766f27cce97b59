#include "sim/models/network/tcp.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace sim::network {

double netem_share(double share, double correlation) {
  if (share <= 0.0 || share >= 1.0) return std::clamp(share, 0.0, 1.0);
  if (correlation <= 0.0) return share;
  if (correlation >= 1.0) return share < 0.5 ? 0.0 : 1.0;
  // The stationary distribution of x = r * last + (1 - r) * u, by iteration: F(x) = mean over u of F((x - (1 - r) u) / r).
  constexpr std::size_t kSteps = 400;
  constexpr int kRounds = 60;
  std::vector<double> cdf(kSteps + 1);
  for (std::size_t i = 0; i <= kSteps; ++i) cdf[i] = static_cast<double>(i) / static_cast<double>(kSteps);
  // The integral of F, so that the mean over u is a difference of two values.
  std::vector<double> sum(kSteps + 1);
  const auto at = [&](double y) {
    if (y <= 0.0) return 0.0;
    if (y >= 1.0) return sum[kSteps] + (y - 1.0);
    const double place = y * static_cast<double>(kSteps);
    const auto low = static_cast<std::size_t>(place);
    const double part = place - static_cast<double>(low);
    return sum[low] + part * (sum[std::min(low + 1, kSteps)] - sum[low]);
  };
  for (int round = 0; round < kRounds; ++round) {
    sum[0] = 0.0;
    for (std::size_t i = 1; i <= kSteps; ++i) sum[i] = sum[i - 1] + (cdf[i] + cdf[i - 1]) / 2.0 / static_cast<double>(kSteps);
    const double width = (1.0 - correlation) / correlation;
    std::vector<double> next(kSteps + 1);
    for (std::size_t i = 0; i <= kSteps; ++i) {
      const double high = static_cast<double>(i) / static_cast<double>(kSteps) / correlation;
      next[i] = std::clamp((at(high) - at(high - width)) / width, 0.0, 1.0);
    }
    cdf = std::move(next);
  }
  const double place = share * static_cast<double>(kSteps);
  const auto low = static_cast<std::size_t>(place);
  return cdf[low] + (place - static_cast<double>(low)) * (cdf[std::min(low + 1, kSteps)] - cdf[low]);
}

namespace {

/// The chance that latency +- jitter is at most `room`.
double arrives_within(const RoundTrip& path, double room) {
  const double mean = seconds(path.delay);
  const double spread = seconds(path.jitter);
  if (spread <= 0.0) return mean <= room ? 1.0 : 0.0;
  return std::clamp((room - std::max(0.0, mean - spread)) / (mean + spread - std::max(0.0, mean - spread)), 0.0, 1.0);
}

}  // namespace

double fails_within(const RoundTrip& path, SimDuration timeout) {
  constexpr double kConnect = 1.0;   // seconds until the first SYN is sent again
  constexpr double kResend = 0.2;    // ... and anything later
  constexpr int kTries = 12;
  // A round trip works when neither way loses its packet.
  const double lost = 1.0 - (1.0 - path.loss_there) * (1.0 - path.loss_back);
  if (lost >= 1.0) return 1.0;
  const double within = seconds(timeout);
  double succeeds = 0.0;
  double chance_connect = 1.0 - lost;
  for (int i = 0; i < kTries; ++i, chance_connect *= lost) {
    double chance_answer = 1.0 - lost;
    for (int j = 0; j < kTries; ++j, chance_answer *= lost) {
      const double waits = kConnect * (std::exp2(i) - 1.0) + kResend * (std::exp2(j) - 1.0);
      // Two round trips share the room that is left: each may take half of it.
      if (waits > within) break;
      succeeds += chance_connect * chance_answer * arrives_within(path, (within - waits) / 2.0);
    }
  }
  return std::clamp(1.0 - succeeds, 0.0, 1.0);
}

SimDuration stall_after(int losses) {
  constexpr double kFirst = 0.2;
  constexpr double kLongest = 120.0;
  double at = 0.0;
  double wait = kFirst;
  for (int i = 0; i < losses; ++i, wait = std::min(2.0 * wait, kLongest)) at += wait;
  return from_seconds(at);
}

int sendings_within(SimDuration span) {
  int count = 1;
  while (stall_after(count) <= span) ++count;
  return count;
}

double stalls_longer_than(const RoundTrip& path, SimDuration span) {
  if (path.delay > span) return 1.0;
  const double lost = 1.0 - (1.0 - path.loss_there) * (1.0 - path.loss_back);
  if (lost <= 0.0) return 0.0;
  return std::pow(lost, sendings_within(span - path.delay));
}

double tcp_bytes_per_second(SimDuration round_trip, double loss) {
  constexpr double kSegment = 1460.0;
  if (loss <= 0.0 || round_trip <= SimDuration::zero()) return std::numeric_limits<double>::infinity();
  return kSegment / seconds(round_trip) * std::sqrt(1.5 / loss);
}

}  // namespace sim::network
