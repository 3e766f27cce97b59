// usage: machinery_replay < QUESTIONS. What Squall's scheduler says where upstream's own tests ask about what stands between the plugins (upstream_machinery.py).
//
// A question is one line of JSON with a "kind", an answer one line: {"answer": ...}, or {"error": "..."} when the objects are none that a cluster could have.
#include <fmt/format.h>

#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/models/kubernetes/scheduler/node_tree.hpp"
#include "sim/models/kubernetes/scheduler/scheduler_state.hpp"
#include "sim/scenario/manifests.hpp"
#include "sim/scenario/scheduler_configuration.hpp"
#include "sim/scenario/start_times.hpp"

namespace {

using namespace sim;
using namespace sim::k8s;
using namespace sim::k8s::scheduling;
using Yaml = scenario::Node;

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result + "\"";
}

std::int64_t integer(Yaml map, std::string_view key) { return map.find(key).as_integer().value_or(0); }

std::vector<std::int64_t> integers(Yaml list) {
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < list.size(); ++i) result.push_back(list.item(i).as_integer().value_or(0));
  return result;
}

std::string strings(const std::vector<std::string>& texts) {
  std::vector<std::string> marked;
  for (const std::string& text : texts) marked.push_back(quoted(text));
  return fmt::format("[{}]", fmt::join(marked, ", "));
}

class Question {
 public:
  explicit Question(Yaml root) : root_(root) {}

  std::string answer() {
    const std::string_view kind = root_.find("kind").text();
    if (kind == "nodeTree") return node_tree();
    if (kind == "numFeasible") return fmt::format("{{\"answer\": {}}}", feasible_nodes_to_find(integer(root_, "nodes"), integer(root_, "percentage")));
    if (kind == "best") return fmt::format("{{\"answer\": {}}}", select_host(integers(root_.find("totals"))));
    if (kind == "normalise") return fmt::format("{{\"answer\": [{}]}}", fmt::join(normalised(integers(root_.find("before")), root_.find("reverse").as_bool().value_or(false)), ", "));
    if (kind == "backoff") {
      const QueueConfig config{SimDuration(integer(root_, "initial")), SimDuration(integer(root_, "max")), SimDuration{0}};
      return fmt::format("{{\"answer\": {}}}", backoff_after(config, static_cast<std::uint32_t>(integer(root_, "count"))).count());
    }
    if (kind == "less") return fmt::format("{{\"answer\": {}}}", comes_before(order_of(root_.find("a"), 1), order_of(root_.find("b"), 1)));
    if (kind == "fitError") return fit_error();
    if (kind == "config") return config();
    if (const std::string wrong = load(); !wrong.empty()) return fmt::format("{{\"error\": {}}}", quoted(wrong));
    if (kind == "requests") return requests();
    if (kind == "pick") return pick();
    return victims();
  }

 private:
  static QueueOrder order_of(Yaml side, std::uint64_t sequence) {
    return QueueOrder{static_cast<std::int32_t>(integer(side, "priority")), SimTime(SimDuration(integer(side, "timestamp"))), sequence};
  }

  std::string node_tree() {
    NodeTree tree;
    std::vector<std::string> node_names;
    const Yaml steps = root_.find("steps");
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const Yaml step = steps.item(i);
      Labels labels;
      const Yaml given = step.find("labels");
      for (std::size_t j = 0; j < given.size(); ++j) labels.set(names_.intern(given.key(j).text()), names_.intern(given.value(j).text()));
      const std::string name(step.find("name").text());
      auto place = std::find(node_names.begin(), node_names.end(), name);
      if (place == node_names.end()) place = node_names.insert(node_names.end(), name);
      const auto node = static_cast<NodeIndex>(place - node_names.begin());
      const ZoneKey zone = zone_of(labels, api_.well_known());
      if (step.find("op").text() == "add") tree.add(node, zone);
      else tree.remove(node, zone);
    }
    std::vector<std::string> list;
    for (const NodeIndex node : tree.list()) list.push_back(node_names[node]);
    return fmt::format("{{\"answer\": {}}}", strings(list));
  }

  std::string fit_error() {
    std::map<std::string_view, std::size_t> reasons;
    const Yaml given = root_.find("reasons");
    for (std::size_t i = 0; i < given.size(); ++i) reasons[given.key(i).text()] = static_cast<std::size_t>(given.value(i).as_integer().value_or(0));
    std::string message = fmt::format("0/{} nodes are available:{}", integer(root_, "nodes"), reasons.empty() ? "" : fmt::format(" {}.", reasons_text(reasons)));
    if (const std::string_view after = root_.find("postFilter").text(); !after.empty()) message += fmt::format(" {}", after);
    return fmt::format("{{\"answer\": {}}}", quoted(message));
  }

  std::vector<SchedulingProfile> profiles(Yaml config) {
    return *scenario::read_scheduler_configuration(config, names_, scenario::SchedulerPurpose::kDecisions, SchedulerConfig{}, diagnostics_).profiles;
  }

  std::string config() {
    std::shared_ptr<const scenario::Document> document;
    Yaml config = root_.find("config");
    if (root_.find("text")) {
      document = scenario::load_text("config", std::string(root_.find("text").text()), diagnostics_);
      if (document != nullptr) config = document->root();
    }
    if (!diagnostics_.has_errors()) profiles(config);
    for (const scenario::Diagnostic& one : diagnostics_.sorted()) {
      if (one.severity == scenario::Severity::kError) return fmt::format("{{\"answer\": {}}}", quoted(one.message));
    }
    return "{\"answer\": \"accepted\"}";
  }

  /// What is wrong with the objects; empty when nothing is.
  std::string load() {
    scenario::ManifestReader reader(names_, diagnostics_);
    const Yaml objects = root_.find("objects");
    for (std::size_t i = 0; i < objects.size(); ++i) reader.decode(objects.item(i));
    const scenario::ManifestSet set = reader.finish();
    std::vector<SchedulingProfile> wanted;
    if (root_.find("config")) wanted = profiles(root_.find("config"));
    for (const scenario::Diagnostic& one : diagnostics_.sorted()) {
      if (one.severity == scenario::Severity::kError) return one.message;
    }
    scenario::store(set, api_);
    scenario::keep_start_times(set, api_);
    state_ = std::make_unique<SchedulerState>(api_, random_, QueueConfig{}, 0);
    if (!wanted.empty()) state_->cycle.set_profiles(wanted);
    Cache& cache = state_->cache;
    api_.all<Node>().for_each([&](Ref<Node> ref, const Node& node) { cache.add_node(ref, node); });
    api_.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      if (pod.node_name) {
        cache.assign(ref, pod, pod.node_name);
        return;
      }
      cache.put_pending(ref, pod);
      if (pod.nominated_node) cache.nominate(ref.slot, cache.find(pod.nominated_node));
    });
    return {};
  }
  PodSlot slot_of(std::string_view ns, std::string_view name) const { return api_.find<Pod>(names_.find(ns), names_.find(name)).slot; }

  std::string requests() {
    std::string answer;
    api_.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) {
      NodeLoad load;  // as the pod counts on its node
      load.add(*pod.spec);
      const Resources& wanted = load.requested;
      std::vector<std::string> scalars;
      for (const NamedAmount& other : wanted.other) {
        if (other.amount != 0) scalars.push_back(fmt::format("{}: {}", quoted(names_.text(other.name)), other.amount));
      }
      answer = fmt::format("{{\"answer\": {{\"cpu\": {}, \"memory\": {}, \"ephemeral\": {}, \"scalars\": {{{}}}, \"nonzeroCPU\": {}, \"nonzeroMemory\": {}}}}}", wanted.cpu_milli,
                           wanted.memory, wanted.ephemeral_storage, fmt::join(scalars, ", "), load.nonzero_cpu_milli, load.nonzero_memory);
    });
    return answer;
  }

  std::string pick() {
    std::vector<PreemptionCandidate> candidates;
    const Yaml given = root_.find("candidates");
    for (std::size_t i = 0; i < given.size(); ++i) {
      PreemptionCandidate candidate;
      candidate.name = names_.intern(given.item(i).find("node").text());
      candidate.node = state_->cache.find(candidate.name);
      candidate.budget_violations = integer(given.item(i), "violations");
      const Yaml of_node = given.item(i).find("victims");
      for (std::size_t j = 0; j < of_node.size(); ++j) candidate.victims.push_back(slot_of("default", of_node.item(j).text()));
      candidates.push_back(std::move(candidate));
    }
    // Of candidates that are equal the real one takes the first that its map happens to give, Squall the first by name: equal are two that still go by their names when those are exchanged.
    const DefaultPreemption plugin(state_->cache);
    const PreemptionCandidate best = plugin.pick(candidates, SimTime{});
    std::vector<std::string> equal{names_.text(best.name)};
    for (const PreemptionCandidate& other : candidates) {
      if (other.name == best.name) continue;
      std::vector<PreemptionCandidate> exchanged{best, other};
      std::swap(exchanged[0].name, exchanged[1].name);
      if (plugin.pick(exchanged, SimTime{}).name == best.name) equal.push_back(names_.text(other.name));
    }
    return fmt::format("{{\"answer\": {}}}", strings(equal));
  }

  std::string victims() {
    const PodSlot slot = slot_of(root_.find("namespace").text(), root_.find("pod").text());
    const NodeIndex node = state_->cache.find(names_.intern(root_.find("node").text()));
    const auto [status, candidate] = state_->cycle.victims_on(slot, node, SimTime{});
    const Code code = status == kFits ? Code::kSuccess : state_->cycle.statuses().code(status);
    const char* word = code == Code::kSuccess ? "Success" : code == Code::kUnschedulable ? "Unschedulable" : "UnschedulableAndUnresolvable";
    std::vector<std::string> gone;
    for (const PodSlot victim : candidate.victims) {
      const PodInfo& pod = state_->cache.pod(victim);
      gone.push_back(fmt::format("{}/{}", names_.text(pod.ns), names_.text(pod.name)));
    }
    return fmt::format("{{\"answer\": {{\"code\": \"{}\", \"victims\": {}, \"violations\": {}}}}}", word, strings(gone), candidate.budget_violations);
  }

  Yaml root_;
  Engine engine_;
  Interner names_;
  EventLog log_{engine_, names_};
  ApiServer api_{engine_, log_, names_};
  Randomness random_{1};
  scenario::Diagnostics diagnostics_;
  std::unique_ptr<SchedulerState> state_;
};

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    scenario::Diagnostics diagnostics;
    const auto document = scenario::load_text("question", line, diagnostics);
    if (document == nullptr || diagnostics.has_errors()) {
      fmt::print("{{\"error\": \"no JSON\"}}\n");
      continue;
    }
    fmt::print("{}\n", Question(document->root()).answer());
  }
  return 0;
}
