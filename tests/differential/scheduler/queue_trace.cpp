// usage: queue_trace < SCRIPT. What kube-scheduler's queue does in virtual time, step by step, for queue_differential.py to hold against the real one.
//
// SCRIPT is JSON: {"objects": [...], "script": [{"at": ms, "op": "create|update|delete", "object": {...}} or {"at": ms, "op": "look"}], "until": ms}.
// Printed are JSON lines {"t": ns, "op": ...} in the order in which the scheduler meets them: `event` (index: the entry of the script that it hears of),
// `status` and `bound` (its own writes, heard of), `cycle` (pod, attempt, node or message), `look` (active, backoff, unschedulable).
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/cache.hpp"
#include "sim/models/kubernetes/scheduler/schedule_all.hpp"
#include "sim/models/kubernetes/scheduler/schedule_one.hpp"
#include "sim/models/kubernetes/scheduler/scheduler.hpp"
#include "sim/scenario/manifests.hpp"

namespace {

using namespace sim;
using namespace sim::k8s;

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

class Trace : public Watcher {
 public:
  explicit Trace(scenario::Node root) : root_(root) {}

  int run() {
    for (std::size_t i = 0; i < root_.find("objects").size(); ++i) create(root_.find("objects").item(i));
    if (diagnostics_.has_errors()) return wrong();
    // Heard of before the scheduler hears: it watches first.
    api_.watch({Kind::kPod, Kind::kNode}, *this);
    SchedulerConfig config;
    config.client_qps = 0;
    Scheduler scheduler(engine_, log_, random_, api_, config);
    scheduler_ = &scheduler;
    scheduler.observe([](Ref<Pod>) { return true; }, [this](const ObservedCycle& cycle) { note(cycle); });
    scheduler.start();
    const scenario::Node script = root_.find("script");
    for (std::size_t i = 0; i < script.size(); ++i) {
      engine_.at(at(script.item(i)), [this, i, entry = script.item(i)] { apply(i, entry); });
    }
    engine_.run_until(SimTime(std::chrono::milliseconds(root_.find("until").as_integer().value_or(0))));
    api_.unwatch(*this);
    return diagnostics_.has_errors() ? wrong() : 0;
  }

  void on_event(const WatchEvent& event) override {
    if (event.object.kind == Kind::kPod && event.type == WatchEvent::Type::kModified) {
      const Pod* pod = api_.get(event.ref<Pod>());
      if (pod != nullptr && has(event.changes, Change::kBinding)) return print("bound", fmt::format(", \"pod\": {}", quoted(name_of(*pod))));
      if (pod != nullptr && event.changes == Change::kScheduling) return print("status", fmt::format(", \"pod\": {}", quoted(name_of(*pod))));
    }
    print("event", fmt::format(", \"index\": {}", pending_.at(key_of(event.object))));
  }

 private:
  using Key = std::tuple<Kind, std::uint32_t, std::uint32_t>;
  static Key key_of(ObjectRef object) { return {object.kind, object.slot, object.generation}; }
  SimTime at(scenario::Node entry) const { return SimTime(std::chrono::milliseconds(entry.find("at").as_integer().value_or(0))); }
  std::string name_of(const Pod& pod) const { return names_.text(pod.meta.ns) + "/" + names_.text(pod.meta.name); }

  int wrong() {
    diagnostics_.print(stderr);
    return 2;
  }
  void print(std::string_view op, const std::string& more) { fmt::print("{{\"t\": {}, \"op\": \"{}\"{}}}\n", engine_.now().time_since_epoch().count(), op, more); }

  scenario::ManifestSet decode(scenario::Node object) {
    scenario::ManifestReader reader(names_, diagnostics_);
    reader.decode(object);
    return reader.finish();
  }
  void create(scenario::Node object) { scenario::store(decode(object), api_); }

  void apply(std::size_t index, scenario::Node entry) {
    const std::string_view op = entry.find("op").text();
    if (op == "look") return look();
    const scenario::Node object = entry.find("object");
    const Symbol name = names_.intern(object.find("metadata").find("name").text());
    const Symbol ns = names_.intern(object.find("metadata").find("namespace").text());
    const bool is_node = object.find("kind").text() == "Node";
    if (op == "create") create(object);
    const ObjectRef ref = is_node ? ApiServer::untyped(api_.find<Node>(Symbol{}, name)) : ApiServer::untyped(api_.find<Pod>(ns, name));
    pending_[key_of(ref)] = index;
    if (!is_node) pod_names_[ref.slot] = names_.text(ns) + "/" + names_.text(name);
    if (op == "delete") {
      if (is_node) api_.remove(api_.find<Node>(Symbol{}, name));
      else api_.remove(api_.find<Pod>(ns, name), DeleteOptions{.grace_period_seconds = 0, .uid = std::nullopt});
    } else if (op == "update") {
      const scenario::ManifestSet set = decode(object);
      if (is_node) {
        const Node& to = set.nodes.at(0).object;
        api_.update(api_.find<Node>(Symbol{}, name), Change::kLabels | Change::kTaints | Change::kAllocatable, [&](Node& node) {
          node.meta.labels = to.meta.labels;
          node.taints = to.taints;
          node.unschedulable = to.unschedulable;
          node.allocatable = to.allocatable;
        });
      } else {
        const Pod& to = set.pods.at(0).object;
        api_.update(api_.find<Pod>(ns, name), Change::kLabels | Change::kSpec, [&](Pod& pod) {
          pod.meta.labels = to.meta.labels;
          pod.spec = to.spec;
        });
      }
    }
  }

  void note(const ObservedCycle& cycle) {
    const std::string pod = quoted(names_.text(cycle.ns) + "/" + names_.text(cycle.name));
    const scheduling::Decision& decision = cycle.decision;
    const bool placed = decision.node != scheduling::kNoNode;
    print("cycle", fmt::format(", \"pod\": {}, \"attempt\": {}, \"{}\": {}", pod, cycle.attempt, placed ? "node" : "message",
                               quoted(placed ? names_.text(cycle.cache.node(decision.node).name) : decision.message)));
  }

  void look() {
    std::map<std::string, std::vector<std::string>> places;
    for (const QueueEntry& entry : scheduler_->queue()) {
      const std::string place = entry.place;
      places[place == "errorBackoff" ? "backoff" : place == "gated" ? "unschedulable" : place].push_back(quoted(pod_names_.at(entry.pod.slot)));
    }
    std::string more;
    for (const char* place : {"active", "backoff", "unschedulable"}) more += fmt::format(", \"{}\": [{}]", place, fmt::join(places[place], ", "));
    print("look", more);
  }

  scenario::Node root_;
  Engine engine_;
  Interner names_;
  EventLog log_{engine_, names_};
  ApiServer api_{engine_, log_, names_};
  Randomness random_{1};
  scenario::Diagnostics diagnostics_;
  Scheduler* scheduler_ = nullptr;
  std::map<Key, std::size_t> pending_;
  std::map<std::uint32_t, std::string> pod_names_;  // also of those whose deletion the scheduler has not heard of
};

}  // namespace

int main() {
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  scenario::Diagnostics diagnostics;
  const auto document = scenario::load_text("script.json", text, diagnostics);
  if (document == nullptr || diagnostics.has_errors()) {
    diagnostics.print(stderr);
    return 2;
  }
  return Trace(document->root()).run();
}
