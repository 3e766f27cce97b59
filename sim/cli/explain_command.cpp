#include "sim/cli/explain_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/json_text.hpp"
#include "chaos/harness.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/schedule_explain.hpp"
#include "sim/models/kubernetes/scheduler/cache.hpp"
#include "sim/models/kubernetes/scheduler/schedule_one.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

struct Arguments {
  std::string what;
  std::string pod;
  std::string scenario;
  std::string at;
  std::vector<std::string> overrides;
  std::optional<std::uint64_t> seed;
  std::string format = "text";
  bool all = false;
};

/// Attempts told in the text beside the one that is told in full.
constexpr std::size_t kAttemptsShown = 10;

struct Attempt {
  sim::SimTime at{};
  std::uint32_t number = 0;
  std::string node;     // empty: it failed
  std::string message;  // why
};

/// What the pods of one name went through. Only the last cycle is kept whole, unless all are wanted: a pod may be tried for days.
class Watch {
 public:
  Watch(std::string ns, std::string name, bool keeps_all) : ns_(std::move(ns)), name_(std::move(name)), keeps_all_(keeps_all) {}

  void attach(sim::World& world) {
    const sim::Interner& names = world.names;
    const sim::k8s::ApiServer& api = world.api;
    world.scheduler.observe(
        [this, &names, &api](sim::k8s::Ref<sim::k8s::Pod> ref) {
          const sim::k8s::Pod* pod = api.get(ref);
          return pod != nullptr && names.text(pod->meta.name) == name_ && names.text(pod->meta.ns) == ns_;
        },
        [this, &names](const sim::k8s::ObservedCycle& cycle) { note(names, cycle); });
  }

  const std::vector<Attempt>& attempts() const { return attempts_; }
  const std::vector<std::string>& cycles_json() const { return cycles_json_; }
  const std::string& last_text() const { return last_text_; }

 private:
  void note(const sim::Interner& names, const sim::k8s::ObservedCycle& cycle) {
    const bool placed = cycle.decision.node != sim::k8s::scheduling::kNoNode;
    attempts_.push_back({cycle.at, cycle.attempt, placed ? names.text(cycle.cache.node(cycle.decision.node).name) : std::string(), cycle.decision.message});
    ScheduleExplanation explanation(names);
    explanation.add(cycle);
    if (!keeps_all_) cycles_json_.clear();
    const std::string list = explanation.json();
    cycles_json_.push_back(list.substr(1, list.size() - 2));  // without the brackets of the array
    last_text_ = explanation.text();
  }

  std::string ns_, name_;
  bool keeps_all_;
  std::vector<Attempt> attempts_;
  std::vector<std::string> cycles_json_;
  std::string last_text_;
};

/// Where the pod stands at the end, in a sentence.
struct Standing {
  bool exists = false;
  std::string node;
  std::string queue;  // the scheduler's, empty: in none
  std::optional<sim::SimTime> backoff_until;
  std::string text;
};

Standing standing_of(const sim::World& world, const std::string& ns, const std::string& name) {
  Standing result;
  const sim::Symbol ns_symbol = world.names.find(ns);
  const sim::Symbol name_symbol = world.names.find(name);
  const sim::k8s::Ref<sim::k8s::Pod> ref = world.api.find<sim::k8s::Pod>(ns_symbol, name_symbol);
  const sim::k8s::Pod* pod = ns_symbol && name_symbol ? world.api.get(ref) : nullptr;
  if (pod == nullptr) {
    result.text = "does not exist at this instant";
    return result;
  }
  result.exists = true;
  if (pod->node_name) {
    result.node = world.names.text(pod->node_name);
    result.text = "is on " + result.node;
    return result;
  }
  for (const sim::k8s::QueueEntry& entry : world.scheduler.queue()) {
    if (entry.pod != ref) continue;
    result.queue = entry.place;
    if (result.queue == "backoff" || result.queue == "errorBackoff") result.backoff_until = entry.backoff_until;
  }
  if (!world.scheduler.is_running()) {
    result.text = "is Pending, and no kube-scheduler leads";
  } else if (result.queue == "unschedulable") {
    result.text = "is Pending: nothing that happened since its last attempt could help it, so it waits for an event, or for the retry after 5 minutes";
  } else if (result.queue == "gated") {
    result.text = "is Pending: its scheduling gates are not gone";
  } else if (result.backoff_until) {
    result.text = fmt::format("is Pending: its next attempt waits for the back-off, until {}", sim::format_duration(result.backoff_until->time_since_epoch()));
  } else if (result.queue == "active") {
    result.text = "is Pending: it waits for its turn";
  } else if (result.queue == "inFlight") {
    result.text = "is Pending: its binding is on the way";
  } else if (pod->spec->scheduler_name && world.names.text(pod->spec->scheduler_name) != "default-scheduler") {
    result.text = fmt::format("is Pending: it waits for the scheduler \"{}\"", world.names.text(pod->spec->scheduler_name));
  } else {
    result.text = "is Pending, and unknown to kube-scheduler";
  }
  return result;
}

int wrong(const std::string& what) {
  std::fputs(("squall explain: " + what + "\n").c_str(), stderr);
  return kWrongInput;
}

std::string nearest_pod(const sim::World& world, const std::string& wanted) {
  std::vector<std::string> known;
  world.api.all<sim::k8s::Pod>().for_each([&](sim::k8s::Ref<sim::k8s::Pod>, const sim::k8s::Pod& pod) {
    known.push_back(world.names.text(pod.meta.ns) + "/" + world.names.text(pod.meta.name));
  });
  const std::string hint = sim::scenario::did_you_mean(wanted, known);
  return hint.empty() ? std::string("its pods: squall query SCENARIO --at TIME pods") : hint;
}

std::string to_json(const Arguments& arguments, sim::SimTime now, std::uint64_t seed, const Standing& standing, const Watch& watch) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  analysis::field(writer, "pod", arguments.pod);
  analysis::field(writer, "at", now);
  analysis::field(writer, "seed", seed);
  analysis::field(writer, "exists", standing.exists);
  if (!standing.node.empty()) analysis::field(writer, "node", standing.node);
  if (!standing.queue.empty()) analysis::field(writer, "queue", standing.queue);
  if (standing.backoff_until) analysis::field(writer, "backoffUntil", *standing.backoff_until);
  analysis::field(writer, "state", standing.text);
  analysis::key(writer, "attempts");
  writer.StartArray();
  for (const Attempt& attempt : watch.attempts()) {
    writer.StartObject();
    analysis::field(writer, "at", attempt.at);
    analysis::field(writer, "attempt", std::uint64_t{attempt.number});
    if (!attempt.node.empty()) analysis::field(writer, "node", attempt.node);
    if (!attempt.message.empty()) analysis::field(writer, "message", attempt.message);
    writer.EndObject();
  }
  writer.EndArray();
  analysis::key(writer, "cycles");
  writer.StartArray();
  for (const std::string& cycle : watch.cycles_json()) writer.RawValue(cycle.data(), cycle.size(), rapidjson::kObjectType);
  writer.EndArray();
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

std::string to_text(const Arguments& arguments, sim::SimTime now, const Standing& standing, const Watch& watch) {
  const auto time = [](sim::SimTime at) { return sim::format_duration(at.time_since_epoch()); };
  std::string text = fmt::format("{} at {}: {}\n", arguments.pod, time(now), standing.text);
  const std::vector<Attempt>& attempts = watch.attempts();
  if (attempts.empty()) {
    if (standing.exists && !standing.node.empty()) text += "kube-scheduler decided nothing about it: it came with its node\n";
    return text;
  }
  text += fmt::format("\nAttempts ({})\n", attempts.size());
  const std::size_t from = attempts.size() > kAttemptsShown ? attempts.size() - kAttemptsShown : 0;
  if (from != 0) text += fmt::format("  {} before these\n", from);
  for (std::size_t i = from; i < attempts.size(); ++i) {
    text += fmt::format("  {:>12}  {}\n", time(attempts[i].at), attempts[i].node.empty() ? attempts[i].message : "-> " + attempts[i].node);
  }
  return text + "\nThe last one" + watch.last_text().substr(watch.last_text().find('\n', 1));
}

int explain(const Arguments& arguments) {
  if (arguments.what != "pod") return wrong(fmt::format("'{}' cannot be explained; what can: pod NAMESPACE/NAME", arguments.what));
  const std::size_t slash = arguments.pod.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == arguments.pod.size()) return wrong(fmt::format("'{}' is no NAMESPACE/NAME", arguments.pod));
  const std::string ns = arguments.pod.substr(0, slash);
  const std::string name = arguments.pod.substr(slash + 1);
  const LoadedScenario loaded = load_scenario(arguments.scenario, arguments.overrides, true);
  if (loaded.spec == nullptr) return kWrongInput;
  Watch watch(ns, name, arguments.all);
  chaos::RunOptions options;
  options.stop = &stop_on_interrupt();
  options.until = arguments.at.empty() ? loaded.until : sim::SimTime(*sim::parse_duration(arguments.at));
  options.prepare = [&](sim::World& world) { watch.attach(world); };
  const std::uint64_t seed = arguments.seed.value_or(loaded.seed);
  const chaos::RunOutcome outcome = chaos::run_scenario(*loaded.spec, seed, options);
  if (outcome.end == sim::RunEnd::kStopped) return kInterrupted;
  const sim::World& world = *outcome.world;
  const Standing standing = standing_of(world, ns, name);
  if (!standing.exists && watch.attempts().empty()) {
    return wrong(fmt::format("until {} there is no pod {}; {}", sim::format_duration(world.engine.now().time_since_epoch()), arguments.pod, nearest_pod(world, arguments.pod)));
  }
  const std::string text =
      arguments.format == "json" ? to_json(arguments, world.engine.now(), seed, standing, watch) : to_text(arguments, world.engine.now(), standing, watch);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kOk;
}

}  // namespace

void add_explain_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("explain", "Why a pod is where it is, or why it is Pending: every plugin's verdict on every node, scores, the choice");
  command->add_option("what", arguments->what, "pod")->required()->option_text(" ");
  command->add_option("pod", arguments->pod, "NAMESPACE/NAME")->required()->option_text(" ");
  command->add_option("scenario", arguments->scenario, "Scenario file")->required()->option_text(" ");
  command->add_option("--at", arguments->at, "The instant, as time since the start: 90s, 2h30m (default: the end of the run)")
      ->check([](const std::string& text) {
        const auto span = sim::parse_duration(text);
        return span && *span >= sim::SimDuration::zero() ? std::string() : "'" + text + "' is no time since the start (like 90s or 2h30m)";
      });
  command->add_option("--seed", arguments->seed, "Seed of the run (default: run.seed of the scenario)");
  command->add_option("--set", arguments->overrides, "Overrides a value: path=value (may be repeated)")->take_all()->expected(1)->allow_extra_args(false);
  command->add_flag("--all", arguments->all, "With --format json: every cycle whole, not only the last one before that instant");
  command->add_option("--format", arguments->format, "text for people, json for programs: the cycle as `squall schedule --explain --format json` has it")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer(
      "Example: squall explain pod default/web-0 --at 70m scenario.yaml\n\n"
      "The pods of an instant: squall query SCENARIO --at TIME pods. Of manifests without a scenario: squall schedule FILE... --explain.");
  command->callback([arguments, &exit_code] { exit_code = explain(*arguments); });
}

}  // namespace cli
