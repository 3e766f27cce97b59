#include "sim/scenario/scheduler_configuration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include "sim/scenario/names.hpp"

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

constexpr std::string_view kVersion = "kubescheduler.config.k8s.io/v1";

class ConfigurationReader {
 public:
  ConfigurationReader(Interner& names, Diagnostics& diagnostics) : names_(names), diagnostics_(diagnostics) {}

  SchedulerConfiguration read(Node root) {
    if (!root.is_map() || root.find("kind").text() != "KubeSchedulerConfiguration") {
      diagnostics_.error(root, "is no KubeSchedulerConfiguration").expected = fmt::format("kind: KubeSchedulerConfiguration, apiVersion: {}", kVersion);
      return std::move(result_);
    }
    if (root.find("apiVersion").text() != kVersion) {
      diagnostics_.error(root.find("apiVersion") ? root.find("apiVersion") : root, "this version of KubeSchedulerConfiguration is not served").expected = kVersion;
      return std::move(result_);
    }
    expect(root, "KubeSchedulerConfiguration",
           {"apiVersion", "kind", "profiles", "percentageOfNodesToScore", "podInitialBackoffSeconds", "podMaxBackoffSeconds", "parallelism", "leaderElection",
            "clientConnection", "enableProfiling", "enableContentionProfiling", "delayCacheUntilActive", "extenders"});
    if (root.find("extenders").size() != 0) not_modelled(root.find_key("extenders"), "extenders");
    percentage(root);
    const std::int64_t initial = integer(root, "podInitialBackoffSeconds", 1, 1, 1'000'000);
    const std::int64_t longest = integer(root, "podMaxBackoffSeconds", 10, 1, 1'000'000);
    if (longest < initial) diagnostics_.error(root.find("podMaxBackoffSeconds"), "podMaxBackoffSeconds is less than podInitialBackoffSeconds");
    result_.queue.pod_initial_backoff = std::chrono::seconds(initial);
    result_.queue.pod_max_backoff = std::chrono::seconds(longest);
    const Node profiles = root.find("profiles");
    if (!profiles.is_null() && !profiles.is_sequence()) wrong(profiles, "a list");
    if (profiles.size() > 1) not_modelled(profiles.item(1), "a second profile");
    if (profiles.is_sequence() && profiles.size() == 1) profile(profiles.item(0));
    return std::move(result_);
  }

 private:
  void wrong(Node at, std::string_view expected) {
    Diagnostic& d = diagnostics_.error(at, "wrong type of value");
    d.expected = expected;
    d.found = at.describe();
  }
  void not_modelled(Node at, std::string_view what) { diagnostics_.error(at, fmt::format("{} is not modelled", what)); }

  void expect(Node map, std::string_view where, std::initializer_list<std::string_view> keys) {
    for (std::size_t i = 0; i < map.size(); ++i) {
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
  void percentage(Node map) {
    result_.queue.percentage_of_nodes_to_score = static_cast<int>(integer(map, "percentageOfNodesToScore", result_.queue.percentage_of_nodes_to_score, 0, 100));
  }

  void profile(Node node) {
    if (!node.is_map()) return wrong(node, "a map");
    expect(node, "a profile", {"schedulerName", "percentageOfNodesToScore", "plugins", "pluginConfig"});
    if (const Node name = node.find("schedulerName"); !name.is_null()) result_.profile.scheduler_name = names_.intern(name.text());
    percentage(node);
    plugins(node.find("plugins"));
    const Node configs = node.find("pluginConfig");
    for (std::size_t i = 0; i < (configs.is_sequence() ? configs.size() : 0); ++i) plugin_config(configs.item(i));
  }

  /// Score plugins by their weights; every other point must stay as it is.
  void plugins(Node node) {
    for (std::size_t i = 0; i < node.size(); ++i) {
      const std::string_view point = node.key(i).text();
      if (point != "score") {
        not_modelled(node.key(i), fmt::format("plugins.{} (score is)", point));
        continue;
      }
      const Node score = node.value(i);
      expect(score, "plugins.score", {"enabled", "disabled"});
      for_each_plugin(score.find("disabled"), [&](Node at, std::string_view name) {
        if (name == "*") {
          for (const ScorePlugin& plugin : kScorePlugins) result_.profile.weights.*plugin.weight = 0;
        } else if (const ScorePlugin* plugin = find(at, name)) {
          result_.profile.weights.*plugin->weight = 0;
        }
      });
      for_each_plugin(score.find("enabled"), [&](Node at, std::string_view name) {
        if (const ScorePlugin* plugin = find(at, name)) result_.profile.weights.*plugin->weight = std::max<std::int64_t>(1, integer(at, "weight", 1, 0, 100'000));
      });
    }
  }
  template <class Use>
  void for_each_plugin(Node list, Use&& use) {
    for (std::size_t i = 0; i < (list.is_sequence() ? list.size() : 0); ++i) {
      expect(list.item(i), "a plugin", {"name", "weight"});
      use(list.item(i), list.item(i).find("name").text());
    }
  }
  const ScorePlugin* find(Node at, std::string_view name) {
    for (const ScorePlugin& plugin : kScorePlugins) {
      if (plugin.name == name) return &plugin;
    }
    std::vector<std::string> known;
    for (const ScorePlugin& plugin : kScorePlugins) known.emplace_back(plugin.name);
    Diagnostic& d = diagnostics_.error(at, fmt::format("the score plugin '{}' is not modelled", name));
    d.expected = fmt::format("one of {}", fmt::join(known, ", "));
    d.hint = did_you_mean(name, known);
    return nullptr;
  }

  void plugin_config(Node node) {
    expect(node, "pluginConfig", {"name", "args"});
    const std::string_view name = node.find("name").text();
    const Node args = node.find("args");
    if (name == "NodeResourcesFit") return fit(args);
    if (name == "InterPodAffinity") {
      expect(args, "InterPodAffinityArgs", {"apiVersion", "kind", "hardPodAffinityWeight", "ignorePreferredTermsOfExistingPods"});
      result_.profile.hard_pod_affinity_weight = integer(args, "hardPodAffinityWeight", 1, 0, 100);
      if (const Node ignore = args.find("ignorePreferredTermsOfExistingPods"); !ignore.is_null()) {
        if (!ignore.as_bool()) return wrong(ignore, "true or false");
        result_.profile.ignores_preferred_terms_of_existing_pods = *ignore.as_bool();
      }
      return;
    }
    if (name == "DefaultPreemption") {
      expect(args, "DefaultPreemptionArgs", {"apiVersion", "kind", "minCandidateNodesPercentage", "minCandidateNodesAbsolute"});
      result_.profile.preemption_candidates_percent = integer(args, "minCandidateNodesPercentage", 10, 0, 100);
      result_.profile.preemption_candidates_min = integer(args, "minCandidateNodesAbsolute", 100, 0, INT32_MAX);
      if (result_.profile.preemption_candidates_percent == 0 && result_.profile.preemption_candidates_min == 0) {
        diagnostics_.error(args, "minCandidateNodesPercentage and minCandidateNodesAbsolute may not both be 0");
      }
      return;
    }
    if (name == "VolumeBinding") {
      expect(args, "VolumeBindingArgs", {"apiVersion", "kind", "bindTimeoutSeconds"});
      return;  // no claim waits that long without a decision of its own
    }
    if (name == "PodTopologySpread") {
      expect(args, "PodTopologySpreadArgs", {"apiVersion", "kind", "defaultConstraints", "defaultingType"});
      if (args.find("defaultConstraints").size() != 0) not_modelled(args.find_key("defaultConstraints"), "PodTopologySpreadArgs.defaultConstraints");
      const Node type = args.find("defaultingType");
      if (!type.is_null() && type.text() != "System") not_modelled(type, "PodTopologySpreadArgs.defaultingType other than System");
      return;
    }
    not_modelled(node.find("name") ? node.find("name") : node, fmt::format("pluginConfig of '{}'", name));
  }

  void fit(Node args) {
    expect(args, "NodeResourcesFitArgs", {"apiVersion", "kind", "ignoredResources", "ignoredResourceGroups", "scoringStrategy"});
    for (const std::string_view key : {"ignoredResources", "ignoredResourceGroups"}) {
      if (args.find(key).size() != 0) not_modelled(args.find_key(key), fmt::format("NodeResourcesFitArgs.{}", key));
    }
    const Node given = args.find("scoringStrategy");
    if (given.is_null()) return;
    expect(given, "scoringStrategy", {"type", "resources", "requestedToCapacityRatio"});
    ScoringStrategy& strategy = result_.profile.scoring;
    const std::string_view type = given.find("type").is_null() ? "LeastAllocated" : given.find("type").text();
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
    if (!is_ratio) return;
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
  Diagnostics& diagnostics_;
  SchedulerConfiguration result_;
};

}  // namespace

SchedulerConfiguration read_scheduler_configuration(const Document& document, Interner& names, Diagnostics& diagnostics) {
  return ConfigurationReader(names, diagnostics).read(document.root());
}

}  // namespace sim::scenario
