/// Something that grows by itself: files, logs, processes. Straight lines with bends, so that when a sum of many crosses a level is computed and nothing ticks.
///
/// Source:     kubelet v1.36 pkg/kubelet/logs/container_log_manager.go (rotation every 10 s of files of at least containerLogMaxSize; of
///             containerLogMaxFiles all but the current and the newest rotated one are compressed).
/// Leaves out: the teeth of a log between two rotations: it is drawn through its peaks, which is at most one file too much.
/// Checked by: tests/models/kubernetes/kubelet_growth_test.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"

namespace sim::k8s::kubelet {

class Growth {
 public:
  /// From `now` on: `rate` a second up to `at_most` (0: without end).
  void start(SimTime now, double rate, std::int64_t at_most);
  /// A container's log that is written at `rate`, with the kubelet's rotation (`max_size` negative: none).
  void start_log(SimTime now, double rate, std::int64_t max_size, std::int64_t max_files);
  /// Stays as it is, until resume(): what it would do then is kept.
  void pause(SimTime now);
  void resume(SimTime now);
  /// Stays as it is for good.
  void stop(SimTime now);
  /// So many times as fast as it would: who writes waits for the disk.
  void set_speed(SimTime now, double speed);
  /// Nothing is left.
  void clear() { *this = {}; }
  void set(double amount) {
    clear();
    amount_ = amount;
  }

  double at(SimTime now) const;
  std::int64_t amount(SimTime now) const { return static_cast<std::int64_t>(at(now)); }
  /// How fast it grows now.
  double rate(SimTime now) const;
  bool grows(SimTime now) const { return rate(now) > 0.0; }
  /// How fast it would, if nothing held it up.
  double own_rate(SimTime now) const { return rate(now) / speed_; }
  /// When its rate changes next; kEndOfTime: never.
  SimTime next_bend(SimTime now) const;

 private:
  struct Line {
    double rate = 0;
    double up_to = 0;  // amount at which the next line begins; infinite: for ever
  };
  static constexpr std::size_t kLines = 2;

  bool is_paused_ = false;
  std::uint8_t line_count_ = 0;
  double amount_ = 0;  // at since_
  double speed_ = 1;
  SimTime since_{};
  Line lines_[kLines];
};

/// Counted `weight` times in a sum.
struct Weighed {
  const Growth* growth = nullptr;
  double weight = 1.0;
};
/// The first instant, not before `now`, at which the sum of all is more than `level`; kEndOfTime: never.
SimTime sum_exceeds(const std::vector<Weighed>& all, SimTime now, double level);

/// A log's share that compression leaves (gzip of text, assumed).
inline constexpr double kCompressed = 0.1;

}  // namespace sim::k8s::kubelet
