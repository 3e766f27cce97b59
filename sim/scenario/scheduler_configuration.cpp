#include "sim/scenario/scheduler_configuration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include "sim/scenario/manifests/object_reader.hpp"
#include "sim/scenario/monitoring_builder.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {

using namespace sim::k8s::scheduling;

namespace {

struct ScorePlugin {
  std::string_view name;
  std::int64_t ScoreWeights::*weight;
};
constexpr std::array<ScorePlugin, 7> kScorePlugins = {{{"TaintToleration", &ScoreWeights::taint_toleration},
                                                       {"NodeAffinity", &ScoreWeights::node_affinity},
                                                       {"NodeResourcesFit", &ScoreWeights::node_resources_fit},
                                                       {"NodeResourcesBalancedAllocation", &ScoreWeights::balanced_allocation},
                                                       {"PodTopologySpread", &ScoreWeights::pod_topology_spread},
                                                       {"InterPodAffinity", &ScoreWeights::inter_pod_affinity},
                                                       {"ImageLocality", &ScoreWeights::image_locality}}};

/// The default plugins, and how far a profile may do without each.
enum class Removal : std::uint8_t {
  kFilter,      // at the point `filter`, and everywhere
  kEverywhere,  // by multiPoint only: its PreFilter decides too
  kNothing,     // Squall decides nothing by it
  kNever,
};
struct DefaultPlugin {
  std::string_view name;
  Plugin plugin;
  Removal removal;
};
constexpr std::array<DefaultPlugin, 20> kDefaultPlugins = {{
    {"SchedulingGates", Plugin::kSchedulingGates, Removal::kNever},
    {"PrioritySort", Plugin::kSchedulingGates, Removal::kNever},
    {"NodeUnschedulable", Plugin::kNodeUnschedulable, Removal::kFilter},
    {"NodeName", Plugin::kNodeName, Removal::kFilter},
    {"TaintToleration", Plugin::kTaintToleration, Removal::kFilter},
    {"NodeAffinity", Plugin::kNodeAffinity, Removal::kEverywhere},
    {"NodePorts", Plugin::kNodePorts, Removal::kFilter},
    {"NodeResourcesFit", Plugin::kNodeResourcesFit, Removal::kFilter},
    {"VolumeRestrictions", Plugin::kVolumeRestrictions, Removal::kNever},
    {"NodeVolumeLimits", Plugin::kNodeVolumeLimits, Removal::kEverywhere},
    {"VolumeBinding", Plugin::kVolumeBinding, Removal::kNever},
    {"VolumeZone", Plugin::kVolumeZone, Removal::kEverywhere},
    {"PodTopologySpread", Plugin::kPodTopologySpread, Removal::kNever},
    {"InterPodAffinity", Plugin::kInterPodAffinity, Removal::kFilter},
    {"DynamicResources", Plugin::kSchedulingGates, Removal::kNothing},
    {"DefaultPreemption", Plugin::kDefaultPreemption, Removal::kEverywhere},
    {"NodeResourcesBalancedAllocation", Plugin::kNodeResourcesBalancedAllocation, Removal::kEverywhere},
    {"ImageLocality", Plugin::kImageLocality, Removal::kEverywhere},
    {"DefaultBinder", Plugin::kSchedulingGates, Removal::kNever},
    {"NodeDeclaredFeatures", Plugin::kSchedulingGates, Removal::kNothing},
}};

// Of them those that a node or a pod can fail by.
constexpr std::size_t kFirstFilter = 2;
constexpr std::size_t kLastFilter = 13;

constexpr std::string_view kVersion = "kubescheduler.config.k8s.io/v1";

class ConfigurationReader {
 public:
  ConfigurationReader(Interner& names, SchedulerPurpose purpose, const k8s::SchedulerConfig& base, Diagnostics& diagnostics)
      : names_(names), purpose_(purpose), result_(base), diagnostics_(diagnostics) {}

  k8s::SchedulerConfig read(Node root) {
    read_root(root);
    if (profiles_.empty()) profiles_.emplace_back();
    result_.profiles = std::make_shared<const std::vector<SchedulingProfile>>(std::move(profiles_));
    return result_;
  }

 private:
  void read_root(Node root) {
    if (!root.is_map() || root.find("kind").text() != "KubeSchedulerConfiguration") {
      diagnostics_.error(root, "is no KubeSchedulerConfiguration").expected = fmt::format("kind: KubeSchedulerConfiguration, apiVersion: {}", kVersion);
      return;
    }
    if (root.find("apiVersion").text() != kVersion) {
      diagnostics_.error(root.find("apiVersion") ? root.find("apiVersion") : root, "this version of KubeSchedulerConfiguration is not served").expected = kVersion;
      return;
    }
    expect(root, "KubeSchedulerConfiguration",
           {"apiVersion", "kind", "profiles", "percentageOfNodesToScore", "podInitialBackoffSeconds", "podMaxBackoffSeconds", "parallelism", "leaderElection",
            "clientConnection", "enableProfiling", "enableContentionProfiling", "delayCacheUntilActive", "extenders"});
    if (root.find("extenders").size() != 0) not_modelled(root.find_key("extenders"), "extenders");
    expect(root.find("leaderElection"), "leaderElection", {"leaderElect", "leaseDuration", "renewDeadline", "retryPeriod", "resourceLock", "resourceName", "resourceNamespace"});
    leader_election(root.find("leaderElection"));
    integer(root, "parallelism", 16, 1, INT32_MAX);
    for (const std::string_view key : {"enableProfiling", "enableContentionProfiling", "delayCacheUntilActive"}) boolean(root, key, true);
    if (purpose_ == SchedulerPurpose::kRun) refuse_process(root);
    const Node client = root.find("clientConnection");
    expect(client, "clientConnection", {"kubeconfig", "acceptContentTypes", "contentType", "qps", "burst"});
    // 0 is absent, and a negative rate none, as in client-go.
    if (const std::int64_t qps = integer(client, "qps", 0, -1, 1'000'000); qps != 0) result_.client_qps = std::max<std::int64_t>(qps, 0);
    if (const std::int64_t burst = integer(client, "burst", 0, 0, 1'000'000); burst != 0) result_.client_burst = burst;
    if (const std::optional<int> share = percentage(root)) result_.percentage_of_nodes_to_score = *share;
    const auto seconds_of = [](SimDuration d) { return std::chrono::duration_cast<std::chrono::seconds>(d).count(); };
    const std::int64_t initial = integer(root, "podInitialBackoffSeconds", seconds_of(result_.pod_initial_backoff), 1, 1'000'000);
    const std::int64_t longest = integer(root, "podMaxBackoffSeconds", seconds_of(result_.pod_max_backoff), 1, 1'000'000);
    if (longest < initial) {
      const Node at = root.find("podMaxBackoffSeconds") ? root.find("podMaxBackoffSeconds") : root.find("podInitialBackoffSeconds");
      diagnostics_.error(at, "podMaxBackoffSeconds is less than podInitialBackoffSeconds");
    }
    if (!root.find("podInitialBackoffSeconds").is_null()) result_.pod_initial_backoff = std::chrono::seconds(initial);
    if (!root.find("podMaxBackoffSeconds").is_null()) result_.pod_max_backoff = std::chrono::seconds(longest);
    const Node profiles = root.find("profiles");
    if (!profiles.is_null() && !profiles.is_sequence()) wrong(profiles, "a list");
    for (std::size_t i = 0; i < (profiles.is_sequence() ? profiles.size() : 0); ++i) profile(profiles.item(i), profiles.size() > 1);
  }

  /// What a run takes from sections of its own.
  void refuse_process(Node root) {
    const auto refuse = [&](std::string_view section, std::string_view key, std::string_view hint) {
      const Node at = root.find(section).find_key(key);
      if (!at.is_null()) diagnostics_.error(at, fmt::format("{}.{} is not taken from here in a run", section, key)).hint = hint;
    };
    refuse("leaderElection", "leaseDuration", "controlPlane.leaseDuration of the scenario says it");
    refuse("leaderElection", "renewDeadline", "controlPlane.renewDeadline of the scenario says it");
    refuse("leaderElection", "retryPeriod", "controlPlane.retryPeriod of the scenario says it");
    if (root.find("leaderElection").find("leaderElect").text() == "false") not_modelled(root.find("leaderElection").find("leaderElect"), "a scheduler without leader election");
  }

  void wrong(Node at, std::string_view expected) {
    Diagnostic& d = diagnostics_.error(at, "wrong type of value");
    d.expected = expected;
    d.found = at.describe();
  }
  Diagnostic& not_modelled(Node at, std::string_view what) { return diagnostics_.error(at, fmt::format("{} is not modelled", what)); }

  void expect(Node map, std::string_view where, std::initializer_list<std::string_view> keys) {
    if (!map.is_null() && !map.is_map()) wrong(map, "a map");
    for (std::size_t i = 0; map.is_map() && i < map.size(); ++i) {
      const std::string_view key = map.key(i).text();
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
      Diagnostic& d = diagnostics_.error(map.key(i), fmt::format("unknown key '{}' in {}", key, where));
      d.hint = did_you_mean(key, std::vector<std::string>(keys.begin(), keys.end()));
    }
  }

  std::int64_t integer(Node map, std::string_view key, std::int64_t absent, std::int64_t low, std::int64_t high) {
    const Node value = map.find(key);
    if (value.is_null()) return absent;
    const std::optional<std::int64_t> number = value.as_integer();
    if (!number || *number < low || *number > high) {
      wrong(value, fmt::format("an integer from {} to {}", low, high));
      return absent;
    }
    return *number;
  }
  bool boolean(Node map, std::string_view key, bool absent) {
    const Node value = map.find(key);
    if (value.is_null()) return absent;
    if (!value.as_bool()) wrong(value, "true or false");
    return value.as_bool().value_or(absent);
  }
  /// A duration as Go writes it: "15s", "1m30s". Other types of value are no durations.
  SimDuration duration(Node map, std::string_view key, SimDuration absent) {
    const Node value = map.find(key);
    if (value.is_null()) return absent;
    // Go knows no days.
    const bool is_go = value.is_scalar() && value.text().find_first_of("dw") == std::string_view::npos;
    const std::optional<SimDuration> span = is_go ? parse_duration(value.text()) : std::nullopt;
    if (!span) wrong(value, "a duration such as 15s");
    return span.value_or(absent) == SimDuration{0} ? absent : span.value_or(absent);  // zero is absent, as in kube-scheduler's defaults
  }

  /// Source: component-base/config/validation (ValidateLeaderElectionConfiguration), with kube-scheduler's defaults.
  void leader_election(Node section) {
    const SimDuration lease = duration(section, "leaseDuration", std::chrono::seconds(15));
    const SimDuration renew = duration(section, "renewDeadline", std::chrono::seconds(10));
    duration(section, "retryPeriod", std::chrono::seconds(2));
    if (!boolean(section, "leaderElect", true)) return;
    if (lease <= renew) {
      const Node at = section.find("leaseDuration").is_null() ? section.find("renewDeadline") : section.find("leaseDuration");
      diagnostics_.error(at, "leaseDuration must be greater than renewDeadline");
    }
    for (const std::string_view key : {"resourceLock", "resourceName", "resourceNamespace"}) {
      const Node value = section.find(key);
      if (value.is_null()) continue;
      if (!value.is_scalar()) wrong(value, "a text");
      else if (key == "resourceLock" && value.text() != "leases" && !value.text().empty()) diagnostics_.error(value, "resourceLock must be \"leases\"");
    }
  }

  std::optional<int> percentage(Node map) {
    if (map.find("percentageOfNodesToScore").is_null()) return std::nullopt;
    return static_cast<int>(integer(map, "percentageOfNodesToScore", 0, 0, 100));
  }
  std::vector<Node> items(Node list) {
    std::vector<Node> result;
    if (!list.is_null() && !list.is_sequence()) wrong(list, "a list");
    for (std::size_t i = 0; i < (list.is_sequence() ? list.size() : 0); ++i) {
      if (list.item(i).is_map()) result.push_back(list.item(i));
      else wrong(list.item(i), "a map");
    }
    return result;
  }

  void profile(Node node, bool one_of_several) {
    if (!node.is_map()) return wrong(node, "a map");
    profiles_.emplace_back();
    SchedulingProfile& made = profiles_.back();
    expect(node, "a profile", {"schedulerName", "percentageOfNodesToScore", "plugins", "pluginConfig"});
    if (const Node name = node.find("schedulerName"); !name.is_null()) {
      made.scheduler_name = names_.intern(name.text());
    } else if (one_of_several) {
      diagnostics_.error(node, "a profile among several needs 'schedulerName'");
    }
    const auto same = [&](const SchedulingProfile& other) { return &other != &made && other.scheduler_name == made.scheduler_name; };
    if (std::any_of(profiles_.begin(), profiles_.end(), same)) diagnostics_.error(node.find("schedulerName"), "there is a profile of this schedulerName already");
    made.percentage_of_nodes_to_score = percentage(node);
    const Node configs = node.find("pluginConfig");
    for (const Node config : items(configs)) plugin_config(config);
    plugins(node.find("plugins"));
  }

  SchedulingProfile& current() { return profiles_.back(); }

  /// A default plugin named at the one point that it has, where no order is changed by that.
  static bool is_there_already(std::string_view point, std::string_view plugin) {
    return (point == "queueSort" && plugin == "PrioritySort") || (point == "bind" && plugin == "DefaultBinder") || (point == "preEnqueue" && plugin == "SchedulingGates") ||
           (point == "postFilter" && plugin == "DefaultPreemption");
  }

  void plugins(Node node) {
    expect(node, "plugins", {"multiPoint", "preEnqueue", "queueSort", "preFilter", "filter", "postFilter", "preScore", "score", "reserve", "permit", "preBind", "bind", "postBind", "placementGenerate", "placementScore"});
    for (std::size_t i = 0; node.is_map() && i < node.size(); ++i) {
      const Node set = node.value(i);
      expect(set, fmt::format("plugins.{}", node.key(i).text()), {"enabled", "disabled"});
    }
    multi_point(node.find("multiPoint"));
    score(node.find("score"));
    for (std::size_t i = 0; node.is_map() && i < node.size(); ++i) {
      const std::string_view point = node.key(i).text();
      if (point == "multiPoint" || point == "score") continue;
      for_each_plugin(node.value(i).find("enabled"), [&](Node at, const DefaultPlugin& plugin) {
        if (is_there_already(point, plugin.name)) return;
        not_modelled(at, fmt::format("plugins.{}.enabled", point)).hint = "the default plugins are enabled already, and their order stays";
      });
      for_each_plugin(node.value(i).find("disabled"), [&](Node at, const DefaultPlugin& plugin) {
        const bool post = point == "postFilter" && plugin.plugin == Plugin::kDefaultPreemption;
        if (post || (point == "filter" && plugin.removal == Removal::kFilter)) {
          current().disabled |= set_of(plugin.plugin);
        } else if (plugin.removal != Removal::kNothing) {
          not_modelled(at, fmt::format("a profile without {} at plugins.{}", plugin.name, point));
        }
      });
    }
  }

  /// All are disabled, and those that are named take their place: in the default order, or it would be another.
  void only_these(Node star, Node enabled) {
    std::vector<std::string_view> named;
    std::size_t last = 0;
    for_each_plugin(enabled, [&](Node at, const DefaultPlugin& plugin) {
      const std::size_t place = static_cast<std::size_t>(&plugin - kDefaultPlugins.data());
      const bool is_filter = place >= kFirstFilter && place <= kLastFilter;
      if (is_filter && place < last) not_modelled(at, fmt::format("{} in another place of the order", plugin.name)).hint = "the default order is that of kube-scheduler's documentation";
      if (is_filter) last = place;
      named.push_back(plugin.name);
      for (const ScorePlugin& scores : kScorePlugins) {
        if (scores.name == plugin.name) current().weights.*scores.weight = weight(at);
      }
    });
    for (const DefaultPlugin& plugin : kDefaultPlugins) {
      if (std::find(named.begin(), named.end(), plugin.name) == named.end()) remove(star, plugin);
    }
  }

  /// Everywhere.
  void remove(Node at, const DefaultPlugin& plugin) {
    if (plugin.removal == Removal::kNothing) return;
    if (plugin.removal == Removal::kNever) {
      Diagnostic& d = not_modelled(at, fmt::format("a profile without {}", plugin.name));
      if (plugin.plugin == Plugin::kPodTopologySpread) d.hint = "kube-scheduler then schedules equal pods in batches (OpportunisticBatching), which is not modelled";
      return;
    }
    current().disabled |= set_of(plugin.plugin);
    for (const ScorePlugin& scores : kScorePlugins) {
      if (scores.name == plugin.name) current().weights.*scores.weight = 0;
    }
  }

  void multi_point(Node set) {
    for (const Node entry : items(set.find("disabled"))) {
      if (entry.find("name").text() == "*") return only_these(entry, set.find("enabled"));
    }
    std::vector<std::string_view> removed;
    for_each_plugin(set.find("disabled"), [&](Node at, const DefaultPlugin& plugin) {
      if (plugin.removal != Removal::kNothing && plugin.removal != Removal::kNever) removed.push_back(plugin.name);
      remove(at, plugin);
    });
    for_each_plugin(set.find("enabled"), [&](Node at, const DefaultPlugin& plugin) {
      const bool filters = plugin.plugin != Plugin::kNodeResourcesBalancedAllocation && plugin.plugin != Plugin::kImageLocality;
      if (std::find(removed.begin(), removed.end(), plugin.name) != removed.end()) {
        if (filters) {
          not_modelled(at, fmt::format("{} in another place of the order", plugin.name)).hint = "to change its weight, name it under 'enabled' only";
          return;
        }
        current().disabled &= ~set_of(plugin.plugin);
      }
      for (const ScorePlugin& scores : kScorePlugins) {
        if (scores.name == plugin.name) current().weights.*scores.weight = weight(at);
      }
    });
  }

  /// The weight that is given at `score` goes before that of multiPoint.
  void score(Node set) {
    const Node disabled = set.find("disabled");
    for (const Node entry : items(disabled)) {
      if (entry.find("name").text() != "*") continue;
      // Named one by one, VolumeBinding and DynamicResources are left, which score nothing here; all at once, none is.
      current().scores = set.find("enabled").size() != 0;
      for (const ScorePlugin& plugin : kScorePlugins) current().weights.*plugin.weight = 0;
    }
    for_each_scorer(disabled, [&](Node, const ScorePlugin& plugin) { current().weights.*plugin.weight = 0; });
    for_each_scorer(set.find("enabled"), [&](Node at, const ScorePlugin& plugin) { current().weights.*plugin.weight = weight(at); });
  }
  std::int64_t weight(Node at) { return std::max<std::int64_t>(1, integer(at, "weight", 1, 0, 100'000)); }

  template <class Use>
  void for_each_plugin(Node list, Use&& use) {
    for (const Node entry : items(list)) {
      expect(entry, "a plugin", {"name", "weight"});
      const std::string_view name = entry.find("name").text();
      if (name == "*") {
        not_modelled(entry, "'*' at this point").hint = "name the plugins";
        continue;
      }
      const auto found = std::find_if(kDefaultPlugins.begin(), kDefaultPlugins.end(), [&](const DefaultPlugin& plugin) { return plugin.name == name; });
      if (found != kDefaultPlugins.end()) {
        use(entry, *found);
        continue;
      }
      std::vector<std::string> known;
      for (const DefaultPlugin& plugin : kDefaultPlugins) known.emplace_back(plugin.name);
      unknown_plugin(entry, fmt::format("the plugin '{}' is not modelled", name), name, known);
    }
  }
  template <class Use>
  void for_each_scorer(Node list, Use&& use) {
    for (const Node entry : items(list)) {
      expect(entry, "a plugin", {"name", "weight"});
      const std::string_view name = entry.find("name").text();
      if (name == "*") continue;  // seen by the caller
      const auto found = std::find_if(kScorePlugins.begin(), kScorePlugins.end(), [&](const ScorePlugin& plugin) { return plugin.name == name; });
      if (found != kScorePlugins.end()) {
        use(entry, *found);
        continue;
      }
      std::vector<std::string> known;
      for (const ScorePlugin& plugin : kScorePlugins) known.emplace_back(plugin.name);
      unknown_plugin(entry, fmt::format("the score plugin '{}' is not modelled", name), name, known);
    }
  }
  void unknown_plugin(Node at, std::string message, std::string_view name, const std::vector<std::string>& known) {
    Diagnostic& d = diagnostics_.error(at, std::move(message));
    d.expected = fmt::format("one of {}", fmt::join(known, ", "));
    d.hint = did_you_mean(name, known);
  }

  void plugin_config(Node node) {
    expect(node, "pluginConfig", {"name", "args"});
    const std::string_view name = node.find("name").text();
    const Node args = node.find("args");
    if (const Node kind = args.find("kind"); !kind.is_null() && kind.text() != fmt::format("{}Args", name)) {
      diagnostics_.error(kind, fmt::format("these are no arguments of {}", name)).expected = fmt::format("{}Args", name);
    }
    if (const Node version = args.find("apiVersion"); !version.is_null() && version.text() != kVersion) {
      diagnostics_.error(version, "this version of arguments is not served").expected = kVersion;
    }
    if (name == "NodeResourcesFit") return fit(args);
    if (name == "NodeResourcesBalancedAllocation") return balanced(args);
    if (name == "NodeAffinity") return added_affinity(args);
    if (name == "PodTopologySpread") return spread(args);
    if (name == "InterPodAffinity") {
      expect(args, "InterPodAffinityArgs", {"apiVersion", "kind", "hardPodAffinityWeight", "ignorePreferredTermsOfExistingPods"});
      current().hard_pod_affinity_weight = integer(args, "hardPodAffinityWeight", 1, 0, 100);
      if (const Node ignore = args.find("ignorePreferredTermsOfExistingPods"); !ignore.is_null()) {
        if (!ignore.as_bool()) return wrong(ignore, "true or false");
        current().ignores_preferred_terms_of_existing_pods = *ignore.as_bool();
      }
      return;
    }
    if (name == "DefaultPreemption") {
      expect(args, "DefaultPreemptionArgs", {"apiVersion", "kind", "minCandidateNodesPercentage", "minCandidateNodesAbsolute"});
      current().preemption_candidates_percent = integer(args, "minCandidateNodesPercentage", 10, 0, 100);
      current().preemption_candidates_min = integer(args, "minCandidateNodesAbsolute", 100, 0, INT32_MAX);
      if (current().preemption_candidates_percent == 0 && current().preemption_candidates_min == 0) {
        diagnostics_.error(args, "minCandidateNodesPercentage and minCandidateNodesAbsolute may not both be 0");
      }
      return;
    }
    if (name == "VolumeBinding") {
      expect(args, "VolumeBindingArgs", {"apiVersion", "kind", "bindTimeoutSeconds", "shape"});
      if (const Node shape = args.find("shape")) not_modelled(shape, "VolumeBinding's score (shape)").hint = "it needs the feature gate StorageCapacityScoring, which is off in v1.36";
      current().bind_timeout = std::chrono::seconds(integer(args, "bindTimeoutSeconds", 600, 0, 1'000'000'000));
      return;
    }
    const Node at = node.find("name") ? node.find("name") : node;
    not_modelled(at, fmt::format("pluginConfig of '{}'", name)).hint =
        did_you_mean(name, std::vector<std::string>{"NodeResourcesFit", "NodeResourcesBalancedAllocation", "NodeAffinity", "PodTopologySpread", "InterPodAffinity", "DefaultPreemption", "VolumeBinding"});
  }

  void added_affinity(Node args) {
    expect(args, "NodeAffinityArgs", {"apiVersion", "kind", "addedAffinity"});
    const Node added = args.find("addedAffinity");
    if (added.is_null()) return;
    expect(added, "addedAffinity", {"requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"});
    auto affinity = std::make_shared<k8s::Affinity>();
    manifests::ObjectReader(names_, diagnostics_).node_affinity(added, *affinity, false);
    current().added_affinity = std::move(affinity);
  }

  void spread(Node args) {
    expect(args, "PodTopologySpreadArgs", {"apiVersion", "kind", "defaultConstraints", "defaultingType"});
    const Node type = args.find("defaultingType");
    const Node given = args.find("defaultConstraints");
    const bool is_list = type.text() == "List";
    if (!type.is_null() && !is_list && type.text() != "System") diagnostics_.error(type, fmt::format("unknown defaultingType '{}'", type.text())).expected = "System or List";
    if (!is_list) {
      if (given.size() != 0) diagnostics_.error(args.find_key("defaultConstraints"), "defaultConstraints need defaultingType: List");
      return;
    }
    manifests::ObjectReader reader(names_, diagnostics_);
    std::vector<k8s::TopologySpreadConstraint> constraints;
    for (const Node entry : items(given)) {
      expect(entry, "a default constraint", {"maxSkew", "topologyKey", "whenUnsatisfiable", "minDomains", "nodeAffinityPolicy", "nodeTaintsPolicy", "matchLabelKeys", "labelSelector"});
      for (const std::string_view key : {"maxSkew", "topologyKey", "whenUnsatisfiable"}) {
        if (entry.find(key).is_null()) diagnostics_.error(entry, fmt::format("a default constraint needs '{}'", key));
      }
      if (!entry.find("labelSelector").is_null()) diagnostics_.error(entry.find("labelSelector"), "a default constraint takes no labelSelector: it follows from each pod's owners");
      if (!entry.find("matchLabelKeys").is_null()) not_modelled(entry.find_key("matchLabelKeys"), "matchLabelKeys of a default constraint");
      const k8s::TopologySpreadConstraint made = reader.spread_constraint(entry);
      const auto same = [&](const k8s::TopologySpreadConstraint& other) { return other.topology_key == made.topology_key && other.do_not_schedule == made.do_not_schedule; };
      if (std::any_of(constraints.begin(), constraints.end(), same)) diagnostics_.error(entry, "there is a constraint of this topologyKey and whenUnsatisfiable already");
      constraints.push_back(made);
    }
    if (given.is_null() || constraints.empty()) {
      not_modelled(type, "a profile without default spread constraints").hint = "kube-scheduler then schedules equal pods in batches (OpportunisticBatching), which is not modelled";
    }
    current().default_constraints = std::move(constraints);
  }

  void balanced(Node args) {
    expect(args, "NodeResourcesBalancedAllocationArgs", {"apiVersion", "kind", "resources"});
    for (const Node entry : items(args.find("resources"))) {
      expect(entry, "a resource", {"name", "weight"});
      if (entry.find("name").text().empty()) diagnostics_.error(entry, "a resource needs 'name'");
      integer(entry, "weight", 1, 1, 1);
      const Symbol name = names_.intern(entry.find("name").text());
      std::vector<Symbol>& resources = current().balanced_resources;
      if (std::find(resources.begin(), resources.end(), name) != resources.end()) diagnostics_.error(entry, fmt::format("the resource '{}' is named twice", names_.text(name)));
      resources.push_back(name);
    }
  }

  std::vector<Node> scalars(Node list) {
    std::vector<Node> result;
    if (!list.is_null() && !list.is_sequence()) wrong(list, "a list of names");
    for (std::size_t i = 0; i < (list.is_sequence() ? list.size() : 0); ++i) {
      if (list.item(i).is_scalar()) result.push_back(list.item(i));
      else wrong(list.item(i), "a name");
    }
    return result;
  }

  void fit(Node args) {
    expect(args, "NodeResourcesFitArgs", {"apiVersion", "kind", "ignoredResources", "ignoredResourceGroups", "scoringStrategy"});
    const auto name_of = [&](Node entry) {
      if (!is_label_key(entry.text())) diagnostics_.error(entry, fmt::format("'{}' is no valid name of a resource", entry.text()));
      return entry.text();
    };
    for (const Node entry : scalars(args.find("ignoredResources"))) current().ignored_resources.push_back(names_.intern(name_of(entry)));
    for (const Node entry : scalars(args.find("ignoredResourceGroups"))) {
      if (entry.text().find('/') != std::string_view::npos) diagnostics_.error(entry, "the name of a resource group holds no '/'");
      current().ignored_groups.emplace_back(name_of(entry));
    }
    const Node given = args.find("scoringStrategy");
    if (given.is_null()) return;
    expect(given, "scoringStrategy", {"type", "resources", "requestedToCapacityRatio"});
    ScoringStrategy& strategy = current().scoring;
    const std::string_view type = given.find("type").text();
    if (given.find("type").is_null()) {
      diagnostics_.error(given, "a scoringStrategy needs 'type'").expected = "LeastAllocated, MostAllocated or RequestedToCapacityRatio";
      return;
    }
    if (type == "MostAllocated") {
      strategy.type = ScoringStrategy::Type::kMostAllocated;
    } else if (type == "RequestedToCapacityRatio") {
      strategy.type = ScoringStrategy::Type::kRequestedToCapacityRatio;
    } else if (type != "LeastAllocated") {
      diagnostics_.error(given.find("type"), fmt::format("unknown scoring strategy '{}'", type)).expected = "LeastAllocated, MostAllocated or RequestedToCapacityRatio";
    }
    const Node resources = given.find("resources");
    for (std::size_t i = 0; i < (resources.is_sequence() ? resources.size() : 0); ++i) {
      const Node entry = resources.item(i);
      expect(entry, "a resource", {"name", "weight"});
      if (entry.find("name").text().empty()) diagnostics_.error(entry, "a resource needs 'name'");
      strategy.resources.push_back({names_.intern(entry.find("name").text()), std::max<std::int64_t>(1, integer(entry, "weight", 1, 0, 100))});
    }
    const Node ratio = given.find("requestedToCapacityRatio");
    const bool is_ratio = strategy.type == ScoringStrategy::Type::kRequestedToCapacityRatio;
    if (!is_ratio) {
      if (!ratio.is_null()) diagnostics_.error(given.find_key("requestedToCapacityRatio"), "requestedToCapacityRatio needs type: RequestedToCapacityRatio");
      return;
    }
    expect(ratio, "requestedToCapacityRatio", {"shape"});
    const Node shape = ratio.find("shape");
    if (!shape.is_sequence() || shape.size() == 0) {
      diagnostics_.error(ratio ? ratio : given, "RequestedToCapacityRatio needs a 'shape' of at least one point");
      return;
    }
    for (std::size_t i = 0; i < shape.size(); ++i) {
      expect(shape.item(i), "a point", {"utilization", "score"});
      const std::int64_t utilization = integer(shape.item(i), "utilization", 0, 0, 100);
      if (!strategy.shape.empty() && utilization <= strategy.shape.back().utilization) diagnostics_.error(shape.item(i), "the points of a shape must rise in utilization");
      strategy.shape.push_back({utilization, integer(shape.item(i), "score", 0, 0, 10) * 10});
    }
  }

  Interner& names_;
  SchedulerPurpose purpose_;
  k8s::SchedulerConfig result_;
  std::vector<SchedulingProfile> profiles_;
  Diagnostics& diagnostics_;
};

}  // namespace

k8s::SchedulerConfig read_scheduler_configuration(Node root, Interner& names, SchedulerPurpose purpose, const k8s::SchedulerConfig& base, Diagnostics& diagnostics) {
  return ConfigurationReader(names, purpose, base, diagnostics).read(root);
}

void apply_scheduler_section(SchedulerSpec& spec, Node section, const std::string& path, Interner& names, Diagnostics& diagnostics) {
  if (spec.config.is_null()) return;
  Node root = spec.config;
  std::shared_ptr<const Document> document;  // what is read of it is copied
  if (root.is_string()) {
    document = load_file(beside(Reference{std::string(root.text()), root.place()}, path), diagnostics);
    if (document == nullptr) return;
    root = document->root();
  } else if (!root.is_map()) {
    Diagnostic& d = diagnostics.error(root, "wrong type of value");
    d.expected = "the path of a KubeSchedulerConfiguration, or a map that is one";
    d.found = root.describe();
    return;
  }
  static constexpr std::pair<std::string_view, std::string_view> kTwice[] = {
      {"percentageOfNodesToScore", "percentageOfNodesToScore"}, {"podInitialBackoff", "podInitialBackoffSeconds"}, {"podMaxBackoff", "podMaxBackoffSeconds"}};
  for (const auto& [ours, theirs] : kTwice) {
    if (section.find(ours).is_null() || root.find(theirs).is_null()) continue;
    diagnostics.error(section.find_key(ours), fmt::format("'{}' stands here and, as {}, in the configuration", ours, theirs));
  }
  static constexpr std::pair<std::string_view, std::string_view> kOfClient[] = {{"clientQps", "qps"}, {"clientBurst", "burst"}};
  for (const auto& [ours, theirs] : kOfClient) {
    if (section.find(ours).is_null() || root.find("clientConnection").find(theirs).is_null()) continue;
    diagnostics.error(section.find_key(ours), fmt::format("'{}' stands here and, as clientConnection.{}, in the configuration", ours, theirs));
  }
  // What a configuration leaves out has kube-scheduler's own defaults.
  k8s::SchedulerConfig base = spec;
  if (section.find("clientQps").is_null()) base.client_qps = 50;
  if (section.find("clientBurst").is_null()) base.client_burst = 100;
  static_cast<k8s::SchedulerConfig&>(spec) = read_scheduler_configuration(root, names, SchedulerPurpose::kRun, base, diagnostics);
}

}  // namespace sim::scenario
