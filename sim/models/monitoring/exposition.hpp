/// What a Prometheus would scrape of a world at one instant, target by target: the exporters' series, `up` of every target, and what only an instant tells.
///
/// Beside exported_metrics(), on which rules can rely: scheduler_pending_pods (of the scheduler that leads) and
/// apiserver_storage_objects. They are read here and kept as no steps, so rules cannot use them.
///
/// Source:     kubernetes pkg/scheduler/metrics (PendingPods: active, backoff, unschedulable, gated); apiserver pkg/storage/etcd3/metrics.
/// Leaves out: what docs/models/monitoring.md leaves out; targets that do not answer have `up` 0 and nothing else.
/// Checked by: tests/models/monitoring/exposition_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/monitoring/exporters.hpp"

namespace sim::monitoring {

struct Exposed {
  std::string metric;
  std::string labels;  // {a="b",...}, names in alphabetical order; empty: none
  double value = 0.0;
};

/// Sorted by metric, then labels; no two with both the same.
std::vector<Exposed> exposed(World& world, std::int64_t start_unix_seconds, ExporterConfig config = {});

/// "counter" of what only grows, else "gauge".
std::string_view metric_type(std::string_view metric);
/// A value as Prometheus writes it: 1, 0.25, +Inf, NaN.
std::string metric_value(double value);
/// The text format 0.0.4, with a line of its type before each metric.
std::string prometheus_text(const std::vector<Exposed>& series);

}  // namespace sim::monitoring
