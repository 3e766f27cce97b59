/// What became of the objects that the API serves, a line of JSON a change, in the order of their writes: for comparing two runs.
///
/// `{"at": 1247.700003, "type": "MODIFIED", "object": {...}}`: `at` in seconds of the simulation; the object as the API gives it, of a deletion the last
/// state. What is there when the log begins comes first, as ADDED.
///
/// Leaves out: Events and Leases (they change all the time and are no state of the cluster), custom resources.
/// Checked by: tests/loop/object_log_test.cpp, tests/differential/controllers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/loop/store/store.hpp"

namespace sim::loop {

class ObjectLog : public Watcher {
 public:
  /// `now` and `line` are called for every change; the store outlives the log.
  ObjectLog(Store& store, std::function<SimTime()> now, std::function<void(std::string)> line);
  ~ObjectLog() override;
  ObjectLog(const ObjectLog&) = delete;
  ObjectLog& operator=(const ObjectLog&) = delete;

  void on_change(const DocumentChange& change) override;

 private:
  std::function<SimTime()> now_;
  std::function<void(std::string)> line_;
  std::vector<Collection*> watched_;
};

}  // namespace sim::loop
