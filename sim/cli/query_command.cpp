#include "sim/cli/query_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "analysis/json_text.hpp"
#include "chaos/harness.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/query_monitoring.hpp"
#include "sim/models/ceph/views/views.hpp"
#include "sim/models/kubernetes/views/get.hpp"
#include "sim/models/rook/rook.hpp"
#include "sim/models/services/views.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

struct Arguments {
  std::string file;
  std::string at;
  std::vector<std::string> words;
  std::vector<std::string> overrides;
  std::optional<std::uint64_t> seed;
  std::string name_space;
  std::string format = "text";
  bool dash_s = false;
};

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

int wrong(const std::string& what) {
  std::fputs(("squall: " + what + "\n").c_str(), stderr);
  return kWrongInput;
}

bool is_platform_view(std::string_view word) {
  const std::vector<std::string_view>& views = sim::services::platform_views();
  return std::find(views.begin(), views.end(), word) != views.end();
}

/// Nothing when the words ask for nothing that is known here.
std::string problem_of(const Arguments& arguments, bool has_ceph, bool has_monitoring) {
  const std::string& first = arguments.words.front();
  if (first == "ceph") {
    if (!has_ceph) return "this scenario has no Ceph: it has no section 'ceph'";
    const std::string command = fmt::format("{}", fmt::join(arguments.words.begin() + 1, arguments.words.end(), " "));
    std::vector<std::string> known;
    for (const CephCommand& one : kCephCommands) {
      if (one.words == command) return {};
      known.emplace_back(one.words);
    }
    const std::string hint = sim::scenario::did_you_mean(command, known);
    return fmt::format("'ceph {}' is not known{}; there are: ceph {}", command, hint.empty() ? std::string() : " (" + hint + ")", fmt::join(known, ", ceph "));
  }
  if (arguments.words.size() > 1) return fmt::format("'{}' is one word too many: one resource at a time", arguments.words[1]);
  if (first == "metrics") return {};
  if (is_monitoring_word(first)) return has_monitoring ? std::string() : "nobody looks at this cluster: the scenario has no section 'monitoring'";
  if (first == "events" || is_platform_view(first) || sim::k8s::views::resource_of(first)) return {};
  std::vector<std::string> known;
  for (const std::string_view resource : sim::k8s::views::resources()) known.emplace_back(resource);
  known.emplace_back("events");
  known.emplace_back("ceph");
  for (const char* word : {"metrics", "rules", "alerts", "notifications"}) known.emplace_back(word);
  for (const std::string_view view : sim::services::platform_views()) known.emplace_back(view);
  const std::string hint = sim::scenario::did_you_mean(first, known);
  return fmt::format("'{}' is nothing that can be asked for{}; there are: {}", first, hint.empty() ? std::string() : " (" + hint + ")", fmt::join(known, ", "));
}

int query(const Arguments& arguments) {
  const LoadedScenario loaded = load_scenario(arguments.file, arguments.overrides, true);
  if (loaded.spec == nullptr) return kWrongInput;
  if (const std::string problem = problem_of(arguments, loaded.spec->ceph.has_value(), loaded.spec->monitoring.has_value()); !problem.empty()) return wrong(problem);
  chaos::RunOptions options;
  options.stop = &stop_on_interrupt();
  options.until = arguments.at.empty() ? loaded.until : sim::SimTime(*sim::parse_duration(arguments.at));
  const chaos::RunOutcome outcome = chaos::run_scenario(*loaded.spec, arguments.seed.value_or(loaded.seed), options);
  if (outcome.end == sim::RunEnd::kStopped) return kInterrupted;
  const sim::World& world = *outcome.world;
  const bool json = arguments.format == "json";
  std::string text;
  if (arguments.words.front() == "ceph") {
    const std::string command = fmt::format("{}", fmt::join(arguments.words.begin() + 1, arguments.words.end(), " "));
    const auto found = std::find_if(std::begin(kCephCommands), std::end(kCephCommands), [&](const CephCommand& one) { return one.words == command; });
    text = (json ? found->json : found->text)(world.rook->cluster());
    if (!text.ends_with('\n')) text += '\n';
  } else if (arguments.words.front() == "metrics") {
    text = metrics_text(*outcome.world, loaded.spec->run.start_unix_seconds);
  } else if (is_monitoring_word(arguments.words.front())) {
    const sim::k8s::views::TextTable table = monitoring_table(world, arguments.words.front());
    text = json ? table_json(arguments.words.front(), table) : table.text();
    if (text.empty()) std::fputs("No resources found\n", stderr);
  } else if (is_platform_view(arguments.words.front())) {
    const sim::k8s::views::TextTable table = *sim::services::platform_view(world, arguments.words.front());
    text = json ? table_json(arguments.words.front(), table) : table.text();
    if (text.empty()) std::fputs("this scenario has none\n", stderr);
  } else {
    const bool is_events = arguments.words.front() == "events";
    const std::string_view resource = is_events ? std::string_view("events") : *sim::k8s::views::resource_of(arguments.words.front());
    const sim::k8s::views::TextTable table =
        is_events ? events(world, arguments.name_space) : sim::k8s::views::get(world.api, resource, {world.engine.now(), arguments.name_space});
    if (json) {
      text = table_json(resource, table);
    } else {
      if (!is_events && !world.api.readable()) std::fputs("note: no API server answers at this instant; kubectl would get no answer\n", stderr);
      text = table.text();
      if (text.empty()) std::fputs("No resources found\n", stderr);
    }
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kOk;
}

}  // namespace

void add_query_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("query", "Runs a scenario up to an instant and shows it in the words of kubectl and ceph");
  command->add_option("scenario", arguments->file, "Scenario file")->required();
  command->add_option("what", arguments->words,
                      "pods, nodes, deployments, events, ... or: ceph status, ceph osd tree, ... or: platform, members, operations, vms, or: metrics, rules, alerts, notifications")
      ->required();
  command->add_option("--at", arguments->at, "The instant, as time since the start: 90s, 2h30m (default: the end of the run)")
      ->check([](const std::string& text) {
        const auto span = sim::parse_duration(text);
        return span && *span >= sim::SimDuration::zero() ? std::string() : "'" + text + "' is no time since the start (like 90s or 2h30m)";
      });
  command->add_option("--seed", arguments->seed, "Seed of the run (default: run.seed of the scenario)");
  command->add_option("--set", arguments->overrides, "Overrides a value: path=value (may be repeated)")->take_all()->expected(1)->allow_extra_args(false);
  command->add_option("-n,--namespace", arguments->name_space, "Only this namespace (default: all)");
  command->add_option("--format", arguments->format, "text for people, json for programs")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  command->footer("Example: squall query scenarios/incident-2-shared.yaml --at 3h ceph status");
  command->add_flag("-s", arguments->dash_s, "After ceph: its status, as `ceph -s`");
  command->callback([arguments, &exit_code] {
    if (arguments->dash_s) arguments->words.emplace_back("-s");
    exit_code = query(*arguments);
  });
}

}  // namespace cli
