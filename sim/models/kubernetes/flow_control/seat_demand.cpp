#include "sim/models/kubernetes/flow_control/seat_demand.hpp"

#include <algorithm>
#include <cmath>

namespace sim::k8s::flow_control {

namespace {
constexpr double kSmoothing = 0.977;
}

void SeatDemandIntegrator::update(SimTime now) {
  const double passed = static_cast<double>((now - last_).count()) / 1e9;
  last_ = now;
  elapsed_ += passed;
  sum_ += value_ * passed;
  square_sum_ += value_ * value_ * passed;
}

void SeatDemandIntegrator::set(SimTime now, double value) {
  update(now);
  value_ = value;
  max_ = std::max(max_, value);
}

SeatDemandIntegrator::Results SeatDemandIntegrator::reset(SimTime now) {
  update(now);
  Results results;
  results.duration_seconds = elapsed_;
  results.max = max_;
  if (elapsed_ > 0) {
    results.average = sum_ / elapsed_;
    const double variance = square_sum_ / elapsed_ - results.average * results.average;
    results.deviation = variance > 0 ? std::sqrt(variance) : 0;  // rounding can make it negative
  }
  elapsed_ = sum_ = square_sum_ = 0;
  max_ = value_;
  return results;
}

void SeatDemand::update(const SeatDemandIntegrator::Results& period) {
  high_watermark = static_cast<int>(std::round(period.max));
  if (period.duration_seconds <= 0) return;
  average = period.average;
  deviation = period.deviation;
  const double envelope = average + deviation;
  smoothed = std::max(envelope, kSmoothing * smoothed + (1 - kSmoothing) * envelope);
}

}  // namespace sim::k8s::flow_control
