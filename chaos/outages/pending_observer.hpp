/// How long pods are Pending: from their creation (or the start of the run) until they run, end, or are deleted.
///
/// Checked by: tests/chaos/pending_observer_test.cpp.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "chaos/outages/signal.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"

namespace chaos {

/// Which pods. Both empty: all.
struct PodFilter {
  sim::Symbol ns;
  std::optional<sim::k8s::LabelSelector> selector;
  bool matches(const sim::k8s::Pod& pod, const sim::Interner& names) const;
};

struct PendingSpan {
  sim::Symbol ns;
  sim::Symbol name;
  SimTime start{};
  SimTime end{};
  bool open = false;      // it waits on
  CauseId cause{};        // the record about the pod that stood longest while it waited ("FailedScheduling": why it waits)
  CauseId created_by{};   // why there was a pod to start at all
};

class PendingObserver : public sim::k8s::Watcher {
 public:
  /// Keeps the waits that are longer than `threshold`, at most kSpansMax of them; of the others only how long the longest was, between `from` and `to`.
  PendingObserver(sim::k8s::ApiServer& api, PodFilter filter, SimDuration threshold, SimTime from = SimTime{}, SimTime to = SimTime::max());
  ~PendingObserver() override;
  void start();
  /// Called with each event of a pod, whether it matches the filter or not: for whoever looks at pods as well, without a watch of its own.
  void on_pod(std::function<void(const sim::k8s::WatchEvent&)> listener) { listener_ = std::move(listener); }

  /// The longest that anybody waited between `from` and `to`, waits that still go on included.
  SimDuration longest(SimTime now) const;
  /// Waits longer than the threshold, those that still go on included, by start and then in the order in which they ended.
  std::vector<PendingSpan> spans(SimTime now) const;
  /// Waits beyond those that are kept.
  std::uint64_t left_out() const { return left_out_; }
  /// How many pods are Pending, over time.
  const Signal& count() const { return count_; }

  void on_event(const sim::k8s::WatchEvent& event) override;

  static constexpr std::size_t kSpansMax = 100'000;

 private:
  struct Waiting {
    std::uint32_t generation = 0;  // 0: nobody in this slot waits
    sim::Symbol ns;
    sim::Symbol name;
    SimTime since{};
    CauseId cause{};       // the newest record of the pod
    SimTime cause_since{};
    CauseId blamed{};      // the record that stood for the longest part of the wait: "no node fits", not "at last bound"
    SimDuration blamed_for{};
    CauseId created_by{};
    /// The record that is the newest has stood until `now`.
    void blame_until(SimTime now);
  };
  void begin(sim::k8s::Ref<sim::k8s::Pod> ref, const sim::k8s::Pod& pod);
  void finish(Waiting& waiting);
  SimDuration within_window(SimTime since, SimTime until) const { return std::max(SimDuration::zero(), std::min(until, to_) - std::max(since, from_)); }

  sim::k8s::ApiServer& api_;
  PodFilter filter_;
  SimDuration threshold_;
  SimTime from_;
  SimTime to_;
  SimDuration longest_{};
  bool watching_ = false;
  std::function<void(const sim::k8s::WatchEvent&)> listener_;
  std::vector<Waiting> waiting_;  // by slot
  std::int64_t pending_ = 0;
  std::vector<PendingSpan> spans_;
  std::uint64_t left_out_ = 0;
  Signal count_;
};

}  // namespace chaos
