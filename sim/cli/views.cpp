#include "sim/cli/views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>

#include "analysis/json_text.hpp"
#include "chaos/mesh/cluster.hpp"
#include "sim/cli/query_flow_control.hpp"
#include "sim/cli/query_monitoring.hpp"
#include "sim/cli/query_traffic.hpp"
#include "sim/models/ceph/views/views.hpp"
#include "sim/models/kubernetes/views/get.hpp"
#include "sim/models/kubernetes/views/machines.hpp"
#include "sim/models/rook/rook.hpp"
#include "sim/models/services/views.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/diagnostic.hpp"

namespace cli {

namespace {

using Cluster = sim::ceph::CephCluster;
struct CephCommand {
  std::string_view words;
  std::string (*text)(const Cluster&);
  std::string (*json)(const Cluster&);
};
constexpr CephCommand kCephCommands[] = {
    {"status", sim::ceph::status_text, sim::ceph::status_json},
    {"-s", sim::ceph::status_text, sim::ceph::status_json},
    {"health", [](const Cluster& c) { return sim::ceph::health_text(c, false); }, [](const Cluster& c) { return sim::ceph::health_json(c, false); }},
    {"health detail", [](const Cluster& c) { return sim::ceph::health_text(c, true); }, [](const Cluster& c) { return sim::ceph::health_json(c, true); }},
    {"osd tree", sim::ceph::osd_tree_text, sim::ceph::osd_tree_json},
    {"osd df", sim::ceph::osd_df_text, sim::ceph::osd_df_json},
    {"osd df tree", sim::ceph::osd_df_tree_text, sim::ceph::osd_df_tree_json},
    {"osd stat", sim::ceph::osd_stat_text, sim::ceph::osd_stat_json},
    {"osd dump", sim::ceph::osd_dump_json, sim::ceph::osd_dump_json},
    {"osd perf", sim::ceph::osd_perf_text, sim::ceph::osd_perf_json},
    {"pg stat", sim::ceph::pg_stat_text, sim::ceph::pg_stat_json},
    {"pg dump", sim::ceph::pg_dump_text, sim::ceph::pg_dump_json},
    {"mds stat", sim::ceph::mds_stat_text, sim::ceph::mds_stat_json},
    {"fs status", sim::ceph::fs_status_text, sim::ceph::fs_status_json},
    {"pg dump pgs_brief", sim::ceph::pg_dump_brief_text, sim::ceph::pg_dump_brief_json},
    {"df", sim::ceph::df_text, sim::ceph::df_json},
    {"mgr stat", sim::ceph::mgr_stat_json, sim::ceph::mgr_stat_json},
    {"mon stat", sim::ceph::mon_stat_text, sim::ceph::mon_stat_json},
    {"quorum_status", sim::ceph::quorum_status_json, sim::ceph::quorum_status_json},
};

std::string table_json(std::string_view resource, const sim::k8s::views::TextTable& table) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartArray();
  for (const std::vector<std::string>& row : table.rows) {
    writer.StartObject();
    analysis::field(writer, "resource", resource);
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::string column = table.columns[i];
      std::transform(column.begin(), column.end(), column.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      std::replace(column.begin(), column.end(), ' ', '-');
      analysis::field(writer, column, row[i]);
    }
    writer.EndObject();
  }
  writer.EndArray();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

/// What happened up to now, newest last, as `kubectl get events` would list it had it no expiry.
sim::k8s::views::TextTable events(const sim::World& world, const std::string& name_space) {
  sim::k8s::views::TextTable table;
  table.columns = {"LAST SEEN", "REASON", "OBJECT", "MESSAGE"};
  for (const sim::EventLog::Record& record : world.log.records()) {
    const std::string& subject = world.log.subject(record);
    if (!name_space.empty() && subject.find("/" + name_space + "/") == std::string::npos) continue;
    table.rows.push_back({sim::k8s::views::human_duration(world.engine.now() - record.time), world.log.kind(record), subject,
                          std::string(world.log.message(record))});
  }
  return table;
}

/// The resources of Chaos Mesh with their conditions, as `kubectl get` and `kubectl describe` tell them.
sim::k8s::views::TextTable chaos_table(const std::vector<chaos::mesh::ObjectView>& objects, sim::SimTime now, const std::string& name_space) {
  sim::k8s::views::TextTable table;
  table.columns = {"KIND", "NAMESPACE", "NAME", "PHASE", "SELECTED", "ALLINJECTED", "ALLRECOVERED", "PAUSED", "TARGETS", "AGE"};
  const auto shown = [](const chaos::mesh::ObjectView& of, bool condition) { return std::string(!of.has_conditions ? "-" : condition ? "True" : "False"); };
  for (const chaos::mesh::ObjectView& one : objects) {
    if (!name_space.empty() && one.ns != name_space) continue;
    table.rows.push_back({one.kind, one.ns, one.name, one.phase, shown(one, one.is_selected), shown(one, one.all_injected), shown(one, one.all_recovered), shown(one, one.is_paused),
                          std::to_string(one.targets), sim::k8s::views::human_duration(now - one.created)});
  }
  return table;
}

bool is_platform_view(std::string_view word) {
  const std::vector<std::string_view>& views = sim::services::platform_views();
  return std::find(views.begin(), views.end(), word) != views.end();
}

/// "top nodes", "free" ...; empty when the words are none of them.
std::string machine_view_of(const std::vector<std::string>& words) {
  std::string view = fmt::format("{}", fmt::join(words, " "));
  if (view == "top node" || view == "top pod") view += 's';
  const std::vector<std::string_view>& views = sim::k8s::views::machine_views();
  return std::find(views.begin(), views.end(), view) != views.end() ? view : std::string();
}

}  // namespace

std::string view_problem(const std::vector<std::string>& words, bool has_ceph, bool has_monitoring) {
  const std::string& first = words.front();
  if (first == "ceph") {
    if (!has_ceph) return "this scenario has no Ceph: it has no section 'ceph'";
    const std::string command = fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " "));
    std::vector<std::string> known;
    for (const CephCommand& one : kCephCommands) {
      if (one.words == command) return {};
      known.emplace_back(one.words);
    }
    const std::string hint = sim::scenario::did_you_mean(command, known);
    return fmt::format("'ceph {}' is not known{}; there are: ceph {}", command, hint.empty() ? std::string() : " (" + hint + ")", fmt::join(known, ", ceph "));
  }
  if (!machine_view_of(words).empty()) return {};
  if (first == "top") return "'top' of what? there are: top nodes, top pods";
  if (words.size() > 1) return fmt::format("'{}' is one word too many: one resource at a time", words[1]);
  if (first == "metrics" || first == "chaos" || first == "traffic" || is_flow_control_word(first)) return {};
  if (is_monitoring_word(first)) return has_monitoring ? std::string() : "nobody looks at this cluster: the scenario has no section 'monitoring'";
  if (first == "events" || is_platform_view(first) || sim::k8s::views::resource_of(first)) return {};
  std::vector<std::string> known;
  for (const std::string_view resource : sim::k8s::views::resources()) known.emplace_back(resource);
  known.emplace_back("events");
  known.emplace_back("ceph");
  known.emplace_back("chaos");
  for (const char* word : {"metrics", "traffic", "rules", "alerts", "notifications", "priority-levels", "api-requests"}) known.emplace_back(word);
  for (const std::string_view view : sim::services::platform_views()) known.emplace_back(view);
  for (const std::string_view view : sim::k8s::views::machine_views()) known.emplace_back(view);
  const std::string hint = sim::scenario::did_you_mean(first, known);
  return fmt::format("'{}' is nothing that can be asked for{}; there are: {}", first, hint.empty() ? std::string() : " (" + hint + ")", fmt::join(known, ", "));
}

View view_of(sim::World& world, std::int64_t start_unix_seconds, const std::vector<std::string>& words, const std::string& name_space,
             const std::vector<chaos::mesh::ObjectView>& chaos_objects, bool json) {
  View shown;
  const std::string& first = words.front();
  if (first == "ceph") {
    const std::string command = fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " "));
    const auto found = std::find_if(std::begin(kCephCommands), std::end(kCephCommands), [&](const CephCommand& one) { return one.words == command; });
    shown.text = (json ? found->json : found->text)(world.rook->cluster());
    if (!shown.text.ends_with('\n')) shown.text += '\n';
    return shown;
  }
  if (first == "metrics") {
    shown.text = metrics_text(world, start_unix_seconds) + flow_control_metrics(world);
    return shown;
  }
  if (const std::string view = machine_view_of(words); !view.empty()) {
    const sim::k8s::views::TextTable table = *sim::k8s::views::machine_view(world.api, world.kubelets, view, name_space);
    shown.text = json ? table_json(view, table) : table.text();
    if (shown.text.empty()) shown.note = "No resources found\n";
    return shown;
  }
  const bool is_events = first == "events";
  const bool is_platform = is_platform_view(first);
  sim::k8s::views::TextTable table;
  std::string_view resource = first;
  if (is_flow_control_word(first)) {
    table = flow_control_table(world, first);
    if (first == "api-requests" && table.rows.empty()) shown.note = "requests are simulated while a fault api-overload floods the API servers: until this instant none did\n";
  } else if (is_monitoring_word(first)) {
    table = monitoring_table(world, first);
  } else if (first == "traffic") {
    table = traffic_table(world);
    if (world.traffic == nullptr) shown.note = "nobody asks anything of a Service: the scenario has no section 'traffic'\n";
  } else if (first == "chaos") {
    table = chaos_table(chaos_objects, world.engine.now(), name_space);
  } else if (is_platform) {
    table = *sim::services::platform_view(world, first);
  } else if (is_events) {
    table = events(world, name_space);
  } else {
    resource = *sim::k8s::views::resource_of(first);
    table = sim::k8s::views::get(world.api, resource, {world.engine.now(), name_space});
    if (!json && !world.api.readable()) shown.note = "note: no API server answers at this instant; kubectl would get no answer\n";
  }
  shown.text = json ? table_json(resource, table) : table.text();
  if (shown.text.empty()) shown.note += is_platform ? "this scenario has none\n" : "No resources found\n";
  return shown;
}

}  // namespace cli
