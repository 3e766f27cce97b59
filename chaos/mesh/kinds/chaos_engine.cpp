/// ChaosEngine of LitmusChaos: experiments on the pods of an application, or on nodes, one after the other, told by environment variables.
///
/// Source:     the ChaosHub at b2662c23 (2026-04), faults/kubernetes/*/fault.yaml: names and defaults of the variables, which an installed ChaosExperiment
///             sets over those of litmus-go (1b3603fc, pkg/generic/*/environment: some differ, FORCE false for one); chaos-runner (the experiments of an engine run in turn).
///             pod-delete chooses anew each CHAOS_INTERVAL, at least one pod, PODS_AFFECTED_PERC of them rounded down. container-kill chooses once, kills one container of
///             each (TARGET_CONTAINER, or the first) each CHAOS_INTERVAL, and with SEQUENCE serial takes the whole duration for each pod (litmus-go 1b3603fc).
/// Leaves out: probes, RANDOMNESS, checks of the application's health before and after; images, runtimes and sockets of the helpers (no effect here);
///             disk-fill and every other experiment (refused by name). node-cpu-hog and node-memory-hog: the helper pod is created on the node and pulls its image.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/kinds/kind_files.hpp"
#include "chaos/target.hpp"

namespace chaos::mesh {

struct EnvSpec {
  std::string name, value;
  sim::scenario::Place where;
};
struct EngineExperiment {
  sim::scenario::Place where;
  std::string name;
  std::map<std::string, std::string> env;

  std::string text(const std::string& variable, std::string standard) const {
    const auto found = env.find(variable);
    return found == env.end() || found->second.empty() ? standard : found->second;
  }
  double number(const std::string& variable, double standard) const {
    const std::string value = text(variable, {});
    double result = standard;
    if (!value.empty()) std::from_chars(value.data(), value.data() + value.size(), result);
    return result;
  }
  SimDuration seconds(const std::string& variable, std::int64_t standard) const { return sim::from_seconds(number(variable, static_cast<double>(standard))); }
};
struct EngineComponents {
  std::vector<EnvSpec> env;
};
struct EngineExperimentSpec {
  EngineComponents components;
};
struct AppInfo {
  std::string ns, label, kind;
};

struct ChaosEngineSpec final : Spec {
  AppInfo app;
  bool is_active = true;
  std::vector<EngineExperiment> experiments;
  void check(CheckContext& context) const override;
};

namespace {

/// What a variable may say.
enum class Value : std::uint8_t { kSeconds, kNumber, kPercent, kBool, kText, kNoEffect, kRefused };
struct Variable {
  std::string_view name;
  Value value = Value::kText;
  std::string_view doc;
};
struct ExperimentKind {
  std::string_view name;
  bool is_of_node = false;
  std::vector<Variable> variables;
};

const std::vector<Variable>& common_variables() {
  static const std::vector<Variable> all = {
      {"TOTAL_CHAOS_DURATION", Value::kSeconds, "Seconds in all."},
      {"RAMP_TIME", Value::kSeconds, "Seconds before and after."},
      {"SEQUENCE", Value::kText, "serial or parallel."},
      {"LIB", Value::kNoEffect, ""}, {"LIB_IMAGE", Value::kNoEffect, ""}, {"LIB_IMAGE_PULL_POLICY", Value::kNoEffect, ""}, {"CONTAINER_RUNTIME", Value::kNoEffect, ""}, {"SOCKET_PATH", Value::kNoEffect, ""},
      {"CHAOS_NAMESPACE", Value::kNoEffect, ""}, {"CHAOS_SERVICE_ACCOUNT", Value::kNoEffect, ""}, {"TC_IMAGE", Value::kNoEffect, ""}, {"STRESS_IMAGE", Value::kNoEffect, ""}, {"INSTANCE_ID", Value::kNoEffect, ""},
      {"TERMINATION_GRACE_PERIOD", Value::kNoEffect, ""}, {"DEFAULT_HEALTH_CHECK", Value::kNoEffect, ""}, {"SET_HELPER_DATA", Value::kNoEffect, ""}, {"STATUS_CHECK_DELAY", Value::kNoEffect, ""}, {"STATUS_CHECK_TIMEOUT", Value::kNoEffect, ""},
      {"CHAOS_KILL_COMMAND", Value::kRefused, "commands in containers"}, {"CHAOS_INJECT_COMMAND", Value::kRefused, "commands in containers"},
  };
  return all;
}

const std::vector<ExperimentKind>& experiment_kinds() {
  static const std::vector<ExperimentKind> kinds = [] {
    const std::vector<Variable> pods = {{"PODS_AFFECTED_PERC", Value::kPercent, "Percent of the pods; 0: one."}, {"TARGET_PODS", Value::kText, "Names, with commas."}, {"NODE_LABEL", Value::kText, "Of the nodes."}};
    const std::vector<Variable> network = {{"NETWORK_INTERFACE", Value::kNoEffect, ""}, {"TARGET_CONTAINER", Value::kNoEffect, ""}, {"DESTINATION_IPS", Value::kRefused, "addresses"}, {"DESTINATION_HOSTS", Value::kRefused, "addresses"},
                                           {"SOURCE_PORTS", Value::kRefused, "single ports"}, {"DESTINATION_PORTS", Value::kRefused, "single ports"}};
    const std::vector<Variable> nodes = {{"TARGET_NODE", Value::kText, "Its name."}, {"TARGET_NODES", Value::kText, "Names, with commas."}, {"NODE_LABEL", Value::kText, "Of the nodes; one of them."}, {"APP_NAMESPACE", Value::kNoEffect, ""}, {"APP_LABEL", Value::kNoEffect, ""}};
    const auto with = [](std::initializer_list<std::vector<Variable>> lists) {
      std::vector<Variable> all;
      for (const std::vector<Variable>& list : lists) all.insert(all.end(), list.begin(), list.end());
      return all;
    };
    const std::vector<Variable> machine = {{"SSH_USER", Value::kNoEffect, ""}, {"TARGET_NODE_IP", Value::kNoEffect, ""}, {"REBOOT_COMMAND", Value::kNoEffect, ""}};
    return std::vector<ExperimentKind>{
        {"pod-delete", false, with({pods, {{"FORCE", Value::kBool, "Without grace period (the default)."}, {"CHAOS_INTERVAL", Value::kSeconds, "From one to the next."}, {"RANDOMNESS", Value::kRefused, "random intervals"}}})},
        {"container-kill", false, with({pods, {{"TARGET_CONTAINER", Value::kText, "Its name; the first without it."}, {"CHAOS_INTERVAL", Value::kSeconds, "From one to the next."}, {"SIGNAL", Value::kText, "SIGKILL."}, {"RANDOMNESS", Value::kRefused, "random intervals"}}})},
        {"pod-cpu-hog", false, with({pods, {{"CPU_CORES", Value::kNumber, "Cores."}, {"CPU_LOAD", Value::kPercent, "Of each."}, {"TARGET_CONTAINER", Value::kText, "Its name."}}})},
        {"pod-memory-hog", false, with({pods, {{"MEMORY_CONSUMPTION", Value::kNumber, "Megabytes."}, {"NUMBER_OF_WORKERS", Value::kNumber, "Threads."}, {"TARGET_CONTAINER", Value::kText, "Its name."}}})},
        {"pod-network-loss", false, with({pods, network, {{"NETWORK_PACKET_LOSS_PERCENTAGE", Value::kPercent, "Of the packets."}}})},
        {"pod-network-latency", false, with({pods, network, {{"NETWORK_LATENCY", Value::kNumber, "Milliseconds."}, {"JITTER", Value::kNumber, "Milliseconds."}}})},
        {"pod-network-corruption", false, with({pods, network, {{"NETWORK_PACKET_CORRUPTION_PERCENTAGE", Value::kPercent, "Of the packets."}}})},
        {"pod-network-duplication", false, with({pods, network, {{"NETWORK_PACKET_DUPLICATION_PERCENTAGE", Value::kPercent, "Of the packets."}}})},
        {"node-drain", true, nodes},
        {"node-taint", true, with({nodes, {{"TAINTS", Value::kText, "key=value:effect."}}})},
        {"node-restart", true, with({nodes, machine})},
        {"node-poweroff", true, with({nodes, machine})},
        {"kubelet-service-kill", true, nodes},
        {"node-cpu-hog", true, with({nodes, {{"NODE_CPU_CORE", Value::kNumber, "Cores; 0: all of the node."}, {"CPU_LOAD", Value::kPercent, "Of each."}, {"NODES_AFFECTED_PERC", Value::kRefused, "shares of nodes"}}})},
        {"node-memory-hog", true, with({nodes, {{"MEMORY_CONSUMPTION_PERCENTAGE", Value::kPercent, "Of the node's memory."}, {"MEMORY_CONSUMPTION_MEBIBYTES", Value::kNumber, "Or so much; 500 without either."}, {"NUMBER_OF_WORKERS", Value::kNumber, "Threads."}, {"NODES_AFFECTED_PERC", Value::kRefused, "shares of nodes"}}})},
    };
  }();
  return kinds;
}
constexpr std::string_view kKnownRefused[] = {"node-io-stress", "disk-fill", "pod-io-stress", "pod-dns-error", "pod-dns-spoof", "pod-http-latency", "pod-http-status-code", "pod-http-modify-body",
                                              "pod-http-modify-header", "pod-http-reset-peer", "pod-network-partition", "pod-network-rate-limit", "pod-autoscaler", "docker-service-kill", "ec2-terminate-by-id", "ec2-terminate-by-tag",
                                              "ebs-loss-by-id", "ebs-loss-by-tag", "gcp-vm-instance-stop", "gcp-vm-disk-loss", "azure-instance-stop", "azure-disk-loss", "vm-poweroff", "redfish-node-restart"};

const ExperimentKind* find_experiment(std::string_view name) {
  const auto found = std::find_if(experiment_kinds().begin(), experiment_kinds().end(), [&](const ExperimentKind& kind) { return kind.name == name; });
  return found == experiment_kinds().end() ? nullptr : &*found;
}

bool check_value(const Variable& variable, const std::string& value) {
  if (value.empty()) return true;
  double number = 0.0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool is_number = error == std::errc{} && end == value.data() + value.size() && std::isfinite(number) && number >= 0.0 && number < 1e9;
  switch (variable.value) {
    case Value::kSeconds:
    case Value::kNumber: return is_number;
    case Value::kPercent: return is_number && number <= 100.0;
    case Value::kBool: return value == "true" || value == "false";
    default: return true;
  }
}

void check_experiment(EngineExperiment& experiment, const std::vector<EnvSpec>& env, const ChaosEngineSpec& engine, Reader& reader) {
  sim::scenario::Diagnostics& diagnostics = reader.diagnostics;
  const ExperimentKind* kind = find_experiment(experiment.name);
  if (kind == nullptr) {
    if (std::find(std::begin(kKnownRefused), std::end(kKnownRefused), experiment.name) != std::end(kKnownRefused)) {
      diagnostics.error(experiment.where, fmt::format("{}litmus experiment {}", kNotModelled, experiment.name));
      return;
    }
    std::vector<std::string> names;
    for (const ExperimentKind& one : experiment_kinds()) names.emplace_back(one.name);
    sim::scenario::Diagnostic& d = diagnostics.error(experiment.where, fmt::format("'{}' is no experiment that is known", experiment.name));
    d.expected = fmt::format("one of: {}", fmt::join(names, ", "));
    d.hint = sim::scenario::did_you_mean(experiment.name, names);
    return;
  }
  for (const EnvSpec& one : env) {
    const Variable* found = nullptr;
    std::vector<std::string> names;
    for (const std::vector<Variable>* list : {&kind->variables, &common_variables()}) {
      for (const Variable& variable : *list) {
        names.emplace_back(variable.name);
        if (variable.name == one.name && found == nullptr) found = &variable;
      }
    }
    if (found == nullptr) {
      sim::scenario::Diagnostic& d = diagnostics.error(one.where, fmt::format("'{}' is no variable of {}", one.name, kind->name));
      d.hint = sim::scenario::did_you_mean(one.name, names);
      d.expected = fmt::format("one of: {}", fmt::join(names, ", "));
    } else if (found->value == Value::kRefused && !one.value.empty() && one.value != "false") {
      diagnostics.error(one.where, fmt::format("{}'{}': {}", kNotModelled, one.name, found->doc));
    } else if (!check_value(*found, one.value)) {
      diagnostics.error(one.where, fmt::format("'{}' is no value of {}", one.value, one.name)).expected = found->value == Value::kBool ? "\"true\" or \"false\"" : found->value == Value::kPercent ? "\"0\" to \"100\"" : "a number in quotes, such as \"30\"";
    }
    experiment.env[one.name] = one.value;
  }
  const auto need = [&](bool good, std::string_view message) {
    if (!good) diagnostics.error(experiment.where, fmt::format("{} {}", kind->name, message));
  };
  if (kind->is_of_node) need(!experiment.text("TARGET_NODE", experiment.text("TARGET_NODES", experiment.text("NODE_LABEL", {}))).empty(), "needs TARGET_NODE or NODE_LABEL");
  else need(!engine.app.label.empty() || !experiment.text("TARGET_PODS", {}).empty(), "needs appinfo.applabel or TARGET_PODS");
  if (kind->name == "container-kill") need(experiment.text("SIGNAL", "SIGKILL") == "SIGKILL", "is modelled with SIGNAL SIGKILL only");
  const std::string sequence = experiment.text("SEQUENCE", "parallel");
  need(sequence == "parallel" || sequence == "serial", "has a SEQUENCE of serial or parallel");
  if (kind->name == "node-taint") {
    const std::string taint = experiment.text("TAINTS", {});
    const std::size_t colon = taint.rfind(':');
    const std::string effect = colon == std::string::npos ? std::string() : taint.substr(colon + 1);
    need(effect == "NoSchedule" || effect == "NoExecute" || effect == "PreferNoSchedule", "needs TAINTS: key=value:NoSchedule, NoExecute or PreferNoSchedule");
  }
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : text + ",") {
    if (c != ',') {
      if (c != ' ') part += c;
    } else if (!part.empty()) {
      parts.push_back(std::exchange(part, {}));
    }
  }
  return parts;
}

/// "app=web,tier in (front)" is more than Litmus' own users write; equalities only.
bool parse_labels(const std::string& text, std::map<std::string, std::string>& to) {
  for (const std::string& part : split(text)) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0 || part.find_first_of("!()") != std::string::npos) return false;
    to[part.substr(0, equals)] = part.substr(equals + (part.substr(equals).starts_with("==") ? 2 : 1));
  }
  return true;
}

// ---- in a world -------------------------------------------------------------------------------------------------------

class Engine final : public Object {
 public:
  Engine(Cluster& cluster, std::shared_ptr<const ChaosEngineSpec> spec, const Meta& meta) : Object(cluster, "ChaosEngine", meta.ns, meta.name), spec_(std::move(spec)), timer_(world().engine), end_(world().engine) {}

  void start() override {
    if (!spec_->is_active) {
      record("ChaosEngineStopped", "engineState is stop: nothing is done");
      is_done_ = true;
      tell();
      return;
    }
    record("ChaosEngineInitialized", fmt::format("{} experiments", spec_->experiments.size()));
    next();
  }
  bool is_finished() const override { return is_done_ || is_deleted_; }
  ObjectView view() const override {
    ObjectView view = Object::view();
    view.phase = is_deleted_ ? "stopped" : is_done_ ? "completed" : "running";
    view.targets = targets_;
    view.is_selected = targets_ > 0;
    return view;
  }

 private:
  const EngineExperiment& experiment() const { return spec_->experiments[current_]; }
  SimDuration duration() const {
    const std::string& name = experiment().name;
    const std::int64_t standard = name == "pod-delete" ? 15 : name == "container-kill" ? 20 : name == "node-memory-hog" ? 120 : 60;
    return experiment().seconds("TOTAL_CHAOS_DURATION", standard);
  }
  void next() {
    if (current_ == spec_->experiments.size()) {
      is_done_ = true;
      record("ChaosEngineCompleted", "ChaosEngine completed, will delete or retain the resources according to jobCleanUpPolicy");
      tell();
      return;
    }
    timer_.set_after(experiment().seconds("RAMP_TIME", 0), [this] { inject(); });
  }
  void over() {
    timer_.set_after(experiment().seconds("RAMP_TIME", 0), [this] {
      record("Summary", fmt::format("{} experiment has been done", experiment().name));
      ++current_;
      next();
    });
  }
  void fail(const std::string& why) {
    failure_ = fmt::format("{}: {}", experiment().name, why);
    record("Failed", failure_);
    over();
  }

  void inject() {
    const ExperimentKind& kind = *find_experiment(experiment().name);
    const sim::CauseId id = record("ChaosInject", fmt::format("Injecting {} chaos on {}", kind.name, kind.is_of_node ? "node" : "application pod"));
    const sim::ScopedCause because(world().engine, id);
    began_ = world().engine.now();
    chosen_.clear();
    next_chosen_ = 0;
    if (kind.is_of_node) inject_nodes();
    else inject_pods();
  }

  // ---- pods
  std::vector<std::string> choose_pods() {
    PodSelection selection;
    const std::string ns = spec_->app.ns.empty() ? ns_ : spec_->app.ns;
    selection.mode = Mode::kAll;
    if (const std::vector<std::string> names = split(experiment().text("TARGET_PODS", {})); !names.empty()) selection.selector.pods[ns] = names;
    else parse_labels(spec_->app.label, selection.selector.labels);
    parse_labels(experiment().text("NODE_LABEL", {}), selection.selector.node_labels);
    sim::RandomStream random = world().random.stream("litmus/select", fmt::format("{}/{}#{}", subject(), experiment().name, draws_++));
    std::string why;
    std::vector<sim::k8s::Ref<sim::k8s::Pod>> pods = select_pods(selection, ns, world(), random, why);
    std::erase_if(pods, [&](sim::k8s::Ref<sim::k8s::Pod> pod) { return !world().api.get(pod)->is_active(); });
    const double percent = experiment().number("PODS_AFFECTED_PERC", 0.0);
    if (selection.selector.pods.empty()) choose(pods, std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(pods.size()) * percent / 100.0)), Pick::kRandom, random);
    std::vector<std::string> names;
    for (const sim::k8s::Ref<sim::k8s::Pod> pod : pods) names.push_back(world().names.text(world().api.get(pod)->meta.name));
    return names;
  }
  std::string container_field() {
    const std::string container = experiment().text("TARGET_CONTAINER", {});
    return container.empty() ? std::string() : fmt::format(", containerNames: ['{}']", container);
  }
  /// What Chaos Mesh would be told.
  std::string spec_of(const std::vector<std::string>& pods, std::string& kind) {
    const EngineExperiment& e = experiment();
    const std::string whom = fmt::format("mode: all, selector: {{pods: {{'{}': ['{}']}}}}", spec_->app.ns.empty() ? ns_ : spec_->app.ns, fmt::join(pods, "', '"));
    kind = "NetworkChaos";
    if (e.name == "pod-network-loss") return fmt::format("{{action: loss, loss: {{loss: '{}'}}, {}}}", e.number("NETWORK_PACKET_LOSS_PERCENTAGE", 100), whom);
    if (e.name == "pod-network-latency") return fmt::format("{{action: delay, delay: {{latency: '{}ms', jitter: '{}ms'}}, {}}}", e.number("NETWORK_LATENCY", 2000), e.number("JITTER", 0), whom);
    if (e.name == "pod-network-corruption") return fmt::format("{{action: corrupt, corrupt: {{corrupt: '{}'}}, {}}}", e.number("NETWORK_PACKET_CORRUPTION_PERCENTAGE", 100), whom);
    if (e.name == "pod-network-duplication") return fmt::format("{{action: duplicate, duplicate: {{duplicate: '{}'}}, {}}}", e.number("NETWORK_PACKET_DUPLICATION_PERCENTAGE", 100), whom);
    kind = "StressChaos";
    if (e.name == "pod-cpu-hog") {
      return fmt::format("{{stressors: {{cpu: {{workers: {}, load: {}}}}}, {}{}}}", std::max(1.0, std::round(e.number("CPU_CORES", 1))), std::round(e.number("CPU_LOAD", 100)), whom, container_field());
    }
    return fmt::format("{{stressors: {{memory: {{workers: {}, size: '{}MB'}}}}, {}{}}}", std::max(1.0, std::round(e.number("NUMBER_OF_WORKERS", 1))), std::round(e.number("MEMORY_CONSUMPTION", 500)), whom, container_field());
  }
  void inject_pods() {
    if (experiment().name == "pod-delete" || experiment().name == "container-kill") {
      round();
      return;
    }
    const std::vector<std::string> pods = choose_pods();
    targets_ = pods.size();
    if (pods.empty()) return fail("no target pods found");
    std::string kind;
    const std::string text = spec_of(pods, kind);
    sim::scenario::Diagnostics ignored;
    const auto document = sim::scenario::load_text("litmus.yaml", text, ignored);
    Reader reader{ignored};
    std::shared_ptr<Spec> spec = document == nullptr ? nullptr : find_kind(kind)->read(document->root(), reader);
    if (spec == nullptr) return fail(ignored.format(1));
    Meta meta;
    meta.ns = ns_;
    meta.name = cluster_.generate_name(name_ + "-" + experiment().name + "-");
    running_ = &cluster_.create(std::move(spec), meta);
    end_.set_after(duration(), [this] {
      if (running_ != nullptr) std::exchange(running_, nullptr)->remove();
      over();
    });
  }
  void round() {
    sim::World& w = world();
    const bool is_delete = experiment().name == "pod-delete";
    const bool is_serial = experiment().text("SEQUENCE", "parallel") == "serial";
    // A helper of container-kill keeps to the pods that it was made for; pod-delete looks for new ones each time.
    if (is_delete || chosen_.empty()) chosen_ = choose_pods();
    std::vector<std::string> pods = chosen_;
    targets_ = pods.size();
    if (pods.empty()) return fail("no target pods found");
    if (!is_delete && is_serial) pods = {chosen_[next_chosen_]};
    const SimDuration interval = experiment().seconds("CHAOS_INTERVAL", is_delete ? 5 : 10);
    const sim::Symbol space = w.names.intern(spec_->app.ns.empty() ? ns_ : spec_->app.ns);
    const auto hit = [this, space, is_delete](const std::string& name) {
      sim::World& here = world();
      const sim::k8s::Ref<sim::k8s::Pod> pod = here.api.find<sim::k8s::Pod>(space, here.names.find(name));
      if (here.api.get(pod) == nullptr) return;
      if (is_delete) {
        sim::k8s::DeleteOptions options;
        if (experiment().text("FORCE", "true") == "true") options.grace_period_seconds = 0;
        const sim::ScopedCause because(here.engine, here.api.record(pod, "Killing", "deleted by LitmusChaos"));
        here.api.remove(pod, options);
        return;
      }
      const std::string wanted = experiment().text("TARGET_CONTAINER", here.names.text(here.api.get(pod)->spec->containers.front().name));
      here.kubelets.kill_container(pod, here.names.find(wanted));
    };
    SimDuration wait = interval;
    for (std::size_t i = 0; i < pods.size(); ++i) {
      if (!is_serial || i == 0) {
        hit(pods[i]);
        continue;
      }
      // One after the other, each with its interval.
      w.engine.after(interval * static_cast<std::int64_t>(i), [this, hit, name = pods[i], alive = std::weak_ptr<const void>(cluster_.alive())] {
        if (!alive.expired() && !is_deleted_) hit(name);
      });
      wait += interval;
    }
    timer_.set_after(std::max(wait, SimDuration(1)), [this] {
      if (world().engine.now() - began_ < duration()) return round();
      const bool is_one_after_the_other = experiment().name == "container-kill" && experiment().text("SEQUENCE", "parallel") == "serial";
      if (!is_one_after_the_other || ++next_chosen_ >= chosen_.size()) return over();
      // The next pod's helper, for the whole duration again.
      began_ = world().engine.now();
      round();
    });
  }

  // ---- nodes
  std::vector<std::string> choose_nodes() {
    std::vector<std::string> names = split(experiment().text("TARGET_NODES", experiment().text("TARGET_NODE", {})));
    if (!names.empty()) return names;
    std::map<std::string, std::string> labels;
    parse_labels(experiment().text("NODE_LABEL", {}), labels);
    const sim::k8s::LabelSelector selector = to_selector(labels, world().names);
    world().api.all<sim::k8s::Node>().for_each([&](sim::k8s::Ref<sim::k8s::Node>, const sim::k8s::Node& node) {
      if (selector.matches(node.meta.labels, world().names)) names.push_back(world().names.text(node.meta.name));
    });
    sim::RandomStream random = world().random.stream("litmus/select", fmt::format("{}/{}#{}", subject(), experiment().name, draws_++));
    choose(names, 1, Pick::kRandom, random);
    return names;
  }
  void inject_nodes() {
    const std::vector<std::string> nodes = choose_nodes();
    targets_ = nodes.size();
    if (nodes.empty()) return fail("no target node found");
    if (experiment().name == "node-taint") {
      taint(nodes, true);
      end_.set_after(duration(), [this, nodes] {
        taint(nodes, false);
        over();
      });
      return;
    }
    const std::string& name = experiment().name;
    if (name == "node-cpu-hog" || name == "node-memory-hog") {
      for (const std::string& node : nodes) add_helper(node);
      end_.set_after(duration(), [this] {
        remove_helpers();
        over();
      });
      return;
    }
    const std::string_view fault = name == "node-drain" ? "drain" : name == "node-restart" ? "node-reboot" : name == "node-poweroff" ? "node-power-off" : "process-kill";
    sim::scenario::Diagnostics ignored;
    Reader reader{ignored};
    const auto document = sim::scenario::load_text("litmus.yaml", fmt::format("{{{}: {{kind: {}, at: 0s, target: {{nodes: ['{}']}}{}{}}}}}", name_, fault, fmt::join(nodes, "', '"), fault == "process-kill" ? ", component: kubelet" : "",
                                                                             fault == "node-reboot" || fault == "node-power-off" ? "" : ", duration: " + sim::format_duration(duration())), ignored);
    if (document != nullptr) {
      for (std::shared_ptr<FaultSpec>& spec : all_faults().read_section(document->root(), reader)) fault_ = std::move(spec);
    }
    if (fault_ == nullptr) return fail(ignored.format(1));
    injection_ = fault_->make(InjectionContext{cluster_.environment(), subject(), world().random.stream("litmus/node", subject())});
    if (injection_->targets().empty()) return fail("no target node found");
    injection_->finished = [](bool, std::string) {};
    injection_->inject();
    end_.set_after(duration(), [this] {
      // A machine that is off stays off: nobody switches it on again.
      if (experiment().name != "node-restart" && experiment().name != "node-poweroff") injection_->end();
      over();
    });
  }
  /// A pod of LitmusChaos' own, bound to the node, in which stress-ng runs.
  void add_helper(const std::string& node_name) {
    if (!std::exchange(listens_, true)) {
      world().kubelets.on_process([this, alive = std::weak_ptr<const void>(alive())](sim::k8s::Ref<sim::k8s::Pod> pod) {
        if (alive.expired() || std::find(helpers_.begin(), helpers_.end(), pod) == helpers_.end() || world().kubelets.process_of(pod).state != sim::k8s::ProcessState::kUp) return;
        // stress-ng starts when its container does; the status that says so is written a moment later.
        world().engine.after(std::chrono::seconds(1), [this, pod, still = std::weak_ptr<const void>(this->alive())] {
          if (!still.expired()) stress_from(pod);
        });
      });
    }
    const sim::k8s::Ref<sim::k8s::Node> node = world().api.find<sim::k8s::Node>(sim::Symbol{}, world().names.find(node_name));
    if (world().api.get(node) == nullptr) return;
    cluster_.environment().when_writable(alive(), [this, node, node_name] {
      sim::World& w = world();
      if (is_deleted_ || w.api.get(node) == nullptr) return;
      auto spec = std::make_shared<sim::k8s::PodSpec>();
      sim::k8s::Container container;
      container.name = w.names.intern("stress");
      container.image = w.names.intern("litmuschaos.docker.scarf.sh/litmuschaos/go-runner:latest");
      spec->containers.push_back(container);
      spec->scheduler_name = w.api.well_known().default_scheduler;
      sim::k8s::Toleration everything;
      everything.exists = true;
      spec->tolerations.push_back(everything);
      finish_pod_spec(*spec);
      sim::k8s::Pod pod;
      pod.meta.ns = w.names.intern(ns_);
      pod.meta.name = w.names.intern(cluster_.generate_name(experiment().name + "-helper-"));
      pod.meta.labels.set(w.names.intern("app"), w.names.intern(experiment().name + "-helper"));
      pod.spec = std::move(spec);
      pod.node = node;
      pod.node_name = w.api.get(node)->meta.name;
      pod.scheduled_at = w.engine.now();
      const sim::ScopedCause because(w.engine, record("HelperCreated", fmt::format("{} runs {} there", w.names.text(pod.meta.name), experiment().name)));
      helpers_.push_back(w.api.create(std::move(pod)));
    });
  }
  void stress_from(sim::k8s::Ref<sim::k8s::Pod> pod) {
    sim::World& w = world();
    const sim::k8s::Pod* object = w.api.get(pod);
    if (object == nullptr || is_done_) return;
    const sim::host::HostSpec& host = w.hosts.spec(w.kubelets.host_of(object->node));
    sim::k8s::Kubelets::Stress stress;
    if (experiment().name == "node-cpu-hog") {
      const double cores = experiment().number("NODE_CPU_CORE", 0.0);
      stress.cpu_workers = cores > 0.0 ? cores : host.cpu_cores;
      stress.cpu_cores = stress.cpu_workers * experiment().number("CPU_LOAD", 100.0) / 100.0;
    } else {
      const double percent = experiment().number("MEMORY_CONSUMPTION_PERCENTAGE", 0.0);
      const double mebibytes = experiment().number("MEMORY_CONSUMPTION_MEBIBYTES", 0.0);
      constexpr double kStandard = 500.0;
      stress.memory_bytes = static_cast<std::int64_t>(percent > 0.0 ? static_cast<double>(host.memory_bytes) * percent / 100.0 : (mebibytes > 0.0 ? mebibytes : kStandard) * 1048576.0);
    }
    const sim::ScopedCause because(w.engine, w.api.record(pod, "Stressed", fmt::format("{:.3g} cores, {:.4g} GB of memory", stress.cpu_cores, static_cast<double>(stress.memory_bytes) / 1e9)));
    cluster_.stress(Target{pod_id(w, pod), ".", pod, object->spec->containers.front().name, {}}, stress);
  }
  void remove_helpers() {
    const std::vector<sim::k8s::Ref<sim::k8s::Pod>> all = std::exchange(helpers_, {});
    cluster_.environment().when_writable(cluster_.alive(), [this, all] {
      for (const sim::k8s::Ref<sim::k8s::Pod> pod : all) {
        if (world().api.get(pod) == nullptr) continue;
        sim::k8s::DeleteOptions options;
        options.grace_period_seconds = 0;
        world().api.remove(pod, options);
      }
    });
  }
  void taint(const std::vector<std::string>& nodes, bool add) {
    const std::string text = experiment().text("TAINTS", {});
    const std::size_t colon = text.rfind(':');
    const std::size_t equals = text.find('=');
    sim::World& w = world();
    sim::k8s::Taint taint;
    taint.key = w.names.intern(text.substr(0, std::min(equals, colon)));
    if (equals < colon) taint.value = w.names.intern(text.substr(equals + 1, colon - equals - 1));
    const std::string effect = text.substr(colon + 1);
    taint.effect = effect == "NoExecute" ? sim::k8s::TaintEffect::kNoExecute : effect == "PreferNoSchedule" ? sim::k8s::TaintEffect::kPreferNoSchedule : sim::k8s::TaintEffect::kNoSchedule;
    cluster_.environment().when_writable(cluster_.alive(), [this, nodes, taint, add, text] {
      sim::World& here = world();
      for (const std::string& name : nodes) {
        const sim::k8s::Ref<sim::k8s::Node> node = here.api.find<sim::k8s::Node>(sim::Symbol{}, here.names.find(name));
        if (here.api.get(node) == nullptr) continue;
        const sim::ScopedCause because(here.engine, here.api.record(node, add ? "NodeTainted" : "NodeUntainted", fmt::format("{} by LitmusChaos", text)));
        here.api.update(node, sim::k8s::Change::kTaints, [&](sim::k8s::Node& object) {
          std::erase(object.taints, taint);
          if (add) object.taints.push_back(taint);
        });
      }
    });
  }

  void removed() override {
    timer_.cancel();
    if (end_.is_pending()) {
      end_.cancel();
      if (running_ != nullptr) std::exchange(running_, nullptr)->remove();
      if (injection_ != nullptr && experiment().name != "node-restart" && experiment().name != "node-poweroff") injection_->end();
      if (experiment().name == "node-taint") taint(choose_nodes(), false);
      remove_helpers();
    }
  }

  std::shared_ptr<const ChaosEngineSpec> spec_;
  sim::Timer timer_, end_;
  std::size_t current_ = 0;
  std::size_t targets_ = 0;
  std::uint64_t draws_ = 0;
  SimTime began_{};
  std::vector<std::string> chosen_;  // pods, of experiments in rounds
  std::size_t next_chosen_ = 0;
  bool is_done_ = false;
  Object* running_ = nullptr;
  std::shared_ptr<const FaultSpec> fault_;
  std::unique_ptr<Injection> injection_;
  std::vector<sim::k8s::Ref<sim::k8s::Pod>> helpers_;
  bool listens_ = false;
};

}  // namespace

void describe(Fields<EnvSpec>& fields) {
  fields.custom("name", TypeInfo{.kind = TypeInfo::Kind::kString}, "The variable.",
                [](Node node, EnvSpec& to, Reader& reader) {
                  to.where = node.place();
                  return sim::scenario::detail::read_string(node, to.name, reader);
                })
      .required()
      .add("value", &EnvSpec::value, "In quotes.");
  refused(fields, "valueFrom", TypeInfo::Kind::kObject, "values from elsewhere");
}
void describe(Fields<EngineComponents>& fields) {
  std::string doc = "Variables, by experiment: ";
  for (const ExperimentKind& kind : experiment_kinds()) {
    std::string names;
    for (const Variable& variable : kind.variables) {
      if (variable.value != Value::kRefused && variable.value != Value::kNoEffect) names += (names.empty() ? "" : ", ") + std::string(variable.name);
    }
    doc += fmt::format("{} ({}); ", kind.name, names);
  }
  doc += "all of them TOTAL_CHAOS_DURATION, RAMP_TIME, SEQUENCE. Images, runtimes and sockets of helpers have no effect; any other is refused.";
  fields.add("env", &EngineComponents::env, doc);
  for (const char* name : {"nodeSelector", "tolerations", "resources", "experimentAnnotations", "configMaps", "secrets", "experimentImage", "experimentImagePullSecrets", "statusCheckTimeouts", "securityContext", "sidecar"}) {
    without_effect(fields, name, TypeInfo::Kind::kRaw, "no effect: of the pod that does the experiment");
  }
}
void describe(Fields<EngineExperimentSpec>& fields) {
  fields.add("components", &EngineExperimentSpec::components, "Its variables.");
  refused(fields, "probe", TypeInfo::Kind::kList, "probes of LitmusChaos; expect: of the scenario says what must hold");
  refused(fields, "rank", TypeInfo::Kind::kInteger, "the order is that of the list");
}
void describe(Fields<AppInfo>& fields) {
  fields.add("appns", &AppInfo::ns, "Namespace of the pods; without it, the engine's.")
      .custom("applabel", TypeInfo{.kind = TypeInfo::Kind::kString}, "Their labels: app=web,tier=front.",
              [](Node node, AppInfo& to, Reader& reader) {
                if (!sim::scenario::detail::read_string(node, to.label, reader)) return false;
                std::map<std::string, std::string> labels;
                if (parse_labels(to.label, labels)) return true;
                reader.diagnostics.error(node, fmt::format("'{}' are no labels", to.label)).expected = "app=web or app=web,tier=front";
                return false;
              })
      .choice("appkind", &AppInfo::kind, std::vector<std::pair<std::string, std::string>>{{"deployment", "deployment"}, {"statefulset", "statefulset"}, {"daemonset", "daemonset"}, {"deploymentconfig", "deploymentconfig"}, {"rollout", "rollout"}, {"", ""}},
              "What made them: the labels say which pods.");
}
void describe(Fields<EngineExperiment>& fields) {
  fields.custom("name", TypeInfo{.kind = TypeInfo::Kind::kString}, "The experiment.",
                [](Node node, EngineExperiment& to, Reader& reader) {
                  to.where = node.place();
                  return sim::scenario::detail::read_string(node, to.name, reader);
                })
      .required()
      .custom("spec", sim::scenario::Codec<EngineExperimentSpec>::type(), "What it is told.", [](Node, EngineExperiment&, Reader&) { return true; });
}
void describe(Fields<ChaosEngineSpec>& fields) {
  fields.title("Experiments in turn.")
      .add("appinfo", &ChaosEngineSpec::app, "The application whose pods are meant.")
      .choice("engineState", &ChaosEngineSpec::is_active, std::vector<std::pair<std::string, bool>>{{"active", true}, {"stop", false}}, "stop: nothing is done.")
      .custom("experiments", TypeInfo{.kind = TypeInfo::Kind::kList, .element = std::make_shared<TypeInfo>(sim::scenario::Codec<EngineExperiment>::type())}, "One after the other.",
              [](Node node, ChaosEngineSpec& to, Reader& reader) {
                const std::size_t before = reader.diagnostics.error_count();
                if (!sim::scenario::Codec<std::vector<EngineExperiment>>::read(node, to.experiments, reader, "experiments")) return false;
                for (std::size_t i = 0; i < to.experiments.size(); ++i) {
                  EngineExperimentSpec spec;
                  const Node text = node.item(i).find("spec");
                  if (!text.is_null()) sim::scenario::read_struct(text, spec, "spec", reader);
                  for (const EnvSpec& one : spec.components.env) to.experiments[i].env[one.name] = one.value;
                }
                return reader.diagnostics.error_count() == before;
              })
      .required();
  for (const char* name : {"chaosServiceAccount", "jobCleanUpPolicy", "annotationCheck", "monitoring", "auxiliaryAppInfo", "components", "terminationGracePeriodSeconds", "defaultHealthCheck"}) {
    without_effect(fields, name, TypeInfo::Kind::kRaw, "no effect: how the experiment's pods run");
  }
  refused(fields, "selectors", TypeInfo::Kind::kObject, "use appinfo");
  fields.rule([](const ChaosEngineSpec& spec, Node node, Reader& reader) {
    const Node list = node.find("experiments");
    for (std::size_t i = 0; i < spec.experiments.size(); ++i) {
      EngineExperiment experiment = spec.experiments[i];
      EngineExperimentSpec text;
      sim::scenario::Diagnostics told;  // already
      Reader quiet{told};
      const Node given = list.item(i).find("spec");
      if (!given.is_null()) sim::scenario::read_struct(given, text, "spec", quiet);
      check_experiment(experiment, text.components.env, spec, reader);
    }
  });
}

void ChaosEngineSpec::check(CheckContext& context) const {
  for (const EngineExperiment& experiment : experiments) {
    const auto problem = [&](std::string message) { context.problem(experiment.where, std::move(message)); };
    if (find_experiment(experiment.name)->is_of_node) {
      for (const std::string& name : split(experiment.text("TARGET_NODES", experiment.text("TARGET_NODE", {})))) {
        if (context.world.api.find<sim::k8s::Node>(sim::Symbol{}, context.world.names.find(name))) continue;
        const std::string hint = sim::scenario::did_you_mean(name, node_names(context.world));
        problem(fmt::format("there is no node '{}'{}", name, hint.empty() ? std::string() : "; " + hint));
      }
      continue;
    }
    PodSelection selection;
    const std::string ns = app.ns.empty() ? context.ns : app.ns;
    if (const std::vector<std::string> names = split(experiment.text("TARGET_PODS", {})); !names.empty()) selection.selector.pods[ns] = names;
    else parse_labels(app.label, selection.selector.labels);
    check_pods(selection, ns, context.world, problem);
  }
}

std::unique_ptr<Object> make_engine(Cluster& cluster, const std::shared_ptr<const Spec>& spec, const Meta& meta) {
  auto engine = std::dynamic_pointer_cast<const ChaosEngineSpec>(spec);
  if (engine == nullptr) return nullptr;
  return std::make_unique<Engine>(cluster, std::move(engine), meta);
}

Kind chaos_engine() {
  Kind kind = make_kind<ChaosEngineSpec>("ChaosEngine", "", "Of LitmusChaos: experiments on the pods of an application, or on nodes, one after the other.");
  kind.group = "litmuschaos.io/v1alpha1";
  return kind;
}

}  // namespace chaos::mesh
