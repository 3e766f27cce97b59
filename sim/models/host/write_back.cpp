#include "sim/models/host/write_back.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sim::host {

namespace {

constexpr double kForEver = std::numeric_limits<double>::infinity();
constexpr double kLongest = 200.0 * 365 * 86400;
// Two amounts that differ by less are the same: rounding must not make a step of its own.
constexpr double kSame = 1.0;

}  // namespace

void WriteBack::set(SimTime now, double wanted, double disk, double dirtyable) {
  dirty_ = dirty(now);
  since_ = now;
  wanted_ = std::max(0.0, wanted);
  disk_ = std::max(1.0, disk);
  background_ = std::max(0.0, dirtyable) * kernel_.dirty_background_ratio;
  ceiling_ = std::max(0.0, dirtyable) * (kernel_.dirty_background_ratio + kernel_.dirty_ratio) / 2.0;
}

void WriteBack::reset() {
  dirty_ = 0;
  wanted_ = 0;
}

WriteBack::State WriteBack::course(double dirty) const {
  State s;
  s.dirty = dirty;
  s.lasts = kForEver;
  const auto goes_to = [&](double level) {
    const double slope = s.inflow - s.outflow;
    if (slope != 0.0) s.lasts = std::max(0.0, (level - dirty) / slope);
  };
  const double aged = std::min(wanted_ * kernel_.dirty_expire_seconds, background_);
  s.inflow = wanted_;
  if (dirty > ceiling_ + kSame) {
    // Somebody took memory away, or wrote before: nobody writes until it is down.
    s.inflow = std::min(wanted_, disk_ / 2.0);
    s.outflow = disk_;
    s.throttles = wanted_ > s.inflow;
    goes_to(wanted_ > disk_ ? ceiling_ : std::max(background_, aged));
  } else if (wanted_ > disk_ && dirty >= ceiling_ - kSame) {
    s.inflow = s.outflow = disk_;
    s.throttles = true;
  } else if (wanted_ > disk_ && dirty >= background_ - kSame) {
    s.outflow = disk_;
    goes_to(ceiling_);
  } else if (dirty > background_ + kSame) {
    s.outflow = disk_;
    if (wanted_ < disk_) goes_to(background_);
  } else if (dirty < aged - kSame) {
    goes_to(aged);
  } else if (dirty > aged + kSame) {
    // What is there gets old: gone in as long as it takes to, at most.
    s.outflow = std::min(disk_, std::max(wanted_, wanted_ + (dirty - aged) / kernel_.dirty_expire_seconds));
    goes_to(aged);
  } else {
    s.outflow = wanted_;
  }
  return s;
}

WriteBack::State WriteBack::state(SimTime now) const {
  double left = seconds(now - since_);
  State s = course(dirty_);
  // No more steps than there are courses.
  for (int step = 0; step < 8 && left >= s.lasts; ++step) {
    left -= s.lasts;
    s = course(std::max(0.0, s.dirty + (s.inflow - s.outflow) * s.lasts));
  }
  if (left < s.lasts) {
    const double passed = std::isinf(s.lasts) && s.inflow == s.outflow ? 0.0 : left;
    s.dirty = std::max(0.0, s.dirty + (s.inflow - s.outflow) * passed);
    s.lasts -= left;
  }
  return s;
}

SimTime WriteBack::next_change(SimTime now) const {
  const State s = state(now);
  return s.lasts > kLongest ? kEndOfTime : now + from_seconds(s.lasts) + SimDuration(1);
}

}  // namespace sim::host
