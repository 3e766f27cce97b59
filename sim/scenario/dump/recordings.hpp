/// Recordings of clusters in the formats of other simulators, as objects that a scenario can take.
///
/// SimKube traces (.sktrace): MessagePack, version 2. openb: CSV lists of the nodes and pods of a GPU cluster.
///
/// Source:     SimKube docs/ref/trace-files.md; MessagePack specification; alibaba/clusterdata cluster-trace-gpu-v2023.
/// Leaves out: extension types of MessagePack (refused).
/// Checked by: tests/scenario/recordings_test.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"

namespace sim::scenario::dump {

struct TraceEvent {
  SimDuration at{};  // from the first event on
  bool is_deletion = false;
  Node object;
};
struct Trace {
  std::shared_ptr<const Document> document;
  std::vector<TraceEvent> events;
  SimDuration length{};
  std::size_t lifecycles = 0;  // of pods: told, not taken over
};

bool is_simkube_trace(std::string_view text);
Trace read_simkube_trace(const std::string& name, std::string_view text, Diagnostics& diagnostics);

/// MessagePack as JSON; keys that are no strings are written as their JSON in a string. Empty, with the reason, when it is broken.
std::string messagepack_to_json(std::string_view bytes, std::string& problem);

bool is_openb_list(std::string_view text);
/// Nodes or pods as YAML documents. Wrong rows are errors with their place.
std::string openb_to_yaml(const std::string& name, std::string_view text, Diagnostics& diagnostics);

}  // namespace sim::scenario::dump
