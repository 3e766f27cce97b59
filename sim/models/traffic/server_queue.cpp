#include "sim/models/traffic/server_queue.hpp"

#include <algorithm>

#include "sim/core/math.hpp"

namespace sim::traffic {

namespace {

/// (1 - exp(-a t)) / a, the integral of exp(-a x) from 0 to t.
double integral(double a, double t) {
  const double x = a * t;
  if (x > -1e-6 && x < 1e-6) return t * (1.0 - x / 2.0 + x * x / 6.0);
  return (1.0 - math::exp(-x)) / a;
}

}  // namespace

ServerQueue::ServerQueue(double arrivals, double service_rate, std::int64_t workers, double patience) : service_rate_(service_rate), patience_(patience) {
  const auto c = static_cast<double>(workers);
  slack_ = c * service_rate - arrivals;
  // States with j requests, j < c, relative to that with c - 1. There may be very many workers and hardly a request: then nobody ever waits.
  double free = 0.0;
  double weight = 1.0;
  bool nobody_waits = arrivals <= 0.0;
  for (std::int64_t j = workers - 1; j >= 0 && !nobody_waits; --j) {
    free += weight;
    weight *= static_cast<double>(j) * service_rate / arrivals;
    nobody_waits = weight > 1e280;
  }
  if (nobody_waits) {
    no_wait_ = 1.0;
    density_ = gives_up_ = 0.0;
    utilisation_ = std::max(0.0, arrivals) / (c * service_rate);
    return;
  }
  // The wait has the density arrivals * exp(-slack x) below the patience. More work than the workers can do makes that grow: everything is measured against its value there.
  double waits = 0.0;
  double beyond = 0.0;
  if (slack_ >= 0.0) {
    waits = arrivals * integral(slack_, patience);
    beyond = arrivals * math::exp(-slack_ * patience) / (c * service_rate);
  } else {
    free *= math::exp(slack_ * patience);
    waits = arrivals * integral(-slack_, patience);
    beyond = arrivals / (c * service_rate);
  }
  const double all = free + waits + beyond;
  no_wait_ = free / all;
  density_ = arrivals / all;
  gives_up_ = beyond / all;
  utilisation_ = std::min(1.0, arrivals * (1.0 - gives_up_) / (c * service_rate));
}

double ServerQueue::answered_within(double t) const {
  if (t <= 0.0) return 0.0;
  t = std::min(t, patience_);
  const double served = 1.0 - math::exp(-service_rate_ * t);
  if (density_ == 0.0) return no_wait_ * served;
  // Of those who wait x <= t: the wait's density, and that the service then takes at most t - x.
  double waited = 0.0;      // integral of the density
  double not_served = 0.0;  // integral of the density times exp(-mu (t - x))
  if (slack_ >= 0.0) {
    waited = integral(slack_, t);
    // exp(-slack x - mu (t - x)) from 0 to t, from the slower of the two.
    const double slower = std::min(slack_, service_rate_);
    not_served = math::exp(-slower * t) * integral(std::max(slack_, service_rate_) - slower, t);
  } else {
    const double excess = -slack_;
    waited = math::exp(-excess * (patience_ - t)) * integral(excess, t);
    not_served = math::exp(-excess * (patience_ - t)) * integral(excess + service_rate_, t);
  }
  return no_wait_ * served + density_ * (waited - not_served);
}

}  // namespace sim::traffic
