#include "sim/cli/crush_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "sim/cli/interrupt.hpp"
#include "sim/models/ceph/crush/json.hpp"
#include "sim/models/ceph/crush/text_map.hpp"
#include "sim/models/ceph/crush/tool_output.hpp"
#include "sim/scenario/ceph_dumps.hpp"

namespace cli {

namespace {

using namespace sim::ceph::crush;
using sim::scenario::Diagnostic;
using sim::scenario::Diagnostics;

/// Null, with an error, when the file cannot be read.
std::shared_ptr<const sim::scenario::SourceFile> read_source(const std::string& path, Diagnostics& diagnostics) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.good() && !in.eof()) {
    diagnostics.error_in(path, "cannot read the file");
    return nullptr;
  }
  return std::make_shared<const sim::scenario::SourceFile>(path, std::move(text));
}

std::optional<CrushMap> read_map(const std::string& path, Diagnostics& diagnostics) {
  const auto source = read_source(path, diagnostics);
  if (source == nullptr) return std::nullopt;
  std::vector<TextProblem> problems;
  std::optional<CrushMap> map = read_text_map(source->text(), problems);
  for (const TextProblem& problem : problems) {
    Diagnostic& told = diagnostics.error(sim::scenario::Place{source, problem.line, problem.column}, problem.message);
    told.hint = sim::scenario::did_you_mean(problem.word, problem.choices);
  }
  if (source->text().find('\0') != std::string_view::npos) {
    diagnostics.error_in(path, "this is the binary form of a map").hint = "crushtool -d FILE -o map.txt makes a text of it";
  }
  return map;
}

std::optional<OsdMap> read_dump(const std::string& dump, const std::string& map, Diagnostics& diagnostics) {
  const std::shared_ptr<const sim::scenario::Document> document = sim::scenario::load_file(dump, diagnostics);
  std::optional<OsdMap> osds;
  if (document != nullptr && !diagnostics.has_errors()) osds = sim::scenario::read_osd_dump(document->root(), diagnostics);
  std::optional<CrushMap> crush = read_map(map, diagnostics);
  if (!osds || !crush) return std::nullopt;
  if (crush->max_devices() > osds->max_osd()) {
    diagnostics.error_in(map, fmt::format("the map has devices up to {}, but the OSD map only {}", crush->max_devices() - 1, osds->max_osd()));
    return std::nullopt;
  }
  for (const auto& [id, pool] : osds->pools) {
    if (crush->rule(pool.crush_rule) == nullptr) diagnostics.error_in(map, fmt::format("rule {} of pool '{}' does not exist", pool.crush_rule, pool.name));
  }
  osds->set_crush(std::move(*crush));
  return osds;
}

/// By number or by name.
const Pool* find_pool(const OsdMap& map, const std::string& text) {
  std::int64_t id = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), id);
  if (result.ec == std::errc{} && result.ptr == text.data() + text.size() && map.pool(id) != nullptr) return map.pool(id);
  return map.pool(std::string_view(text));
}

bool put(std::string_view text) { return std::fwrite(text.data(), 1, text.size(), stdout) == text.size(); }

/// Prints what is wrong; the exit code.
int tell(const Diagnostics& diagnostics) {
  diagnostics.print(stderr);
  return diagnostics.has_errors() ? kWrongInput : kOk;
}

int flush_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return kOk;
  std::fputs("squall: cannot write the output\n", stderr);
  return kCannotWrite;
}

std::uint32_t reweight_of(float weight) {
  // As crushtool cuts it.
  return static_cast<std::uint32_t>(weight * static_cast<float>(kWeightOne));
}

std::optional<std::int32_t> parse_osd(std::string_view text) {
  if (text.starts_with("osd.")) text.remove_prefix(4);
  std::int32_t osd = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), osd);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() && osd >= 0 ? std::optional(osd) : std::nullopt;
}

std::optional<std::uint32_t> parse_reweight(std::string_view text) {
  float weight = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (result.ec != std::errc{} || result.ptr != text.data() + text.size() || !(weight >= 0 && weight <= 1)) return std::nullopt;
  return reweight_of(weight);
}

/// Lines "osd reweight"; '#' begins a comment.
void read_weights(const std::string& path, std::map<std::int32_t, std::uint32_t>& weights, Diagnostics& diagnostics) {
  const auto source = read_source(path, diagnostics);
  if (source == nullptr) return;
  for (std::uint32_t number = 1; number <= source->line_count(); ++number) {
    std::string_view line = source->line(number);
    line = line.substr(0, line.find('#'));
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t begin = line.find_first_not_of(" \t", at);
      if (begin == std::string_view::npos) break;
      at = std::min(line.find_first_of(" \t", begin), line.size());
      words.push_back(line.substr(begin, at - begin));
    }
    if (words.empty()) continue;
    const auto wrong = [&](std::string_view word, std::string expected) {
      const std::uint32_t column = static_cast<std::uint32_t>(word.data() - source->line(number).data() + 1);
      Diagnostic& told = diagnostics.error(sim::scenario::Place{source, number, column}, fmt::format("'{}' in a file of reweights", word));
      told.expected = std::move(expected);
    };
    const std::optional<std::int32_t> osd = parse_osd(words[0]);
    if (!osd || words.size() != 2) {
      wrong(osd ? words.back() : words[0], "the number of an OSD and its reweight, such as: 7 0.85");
      continue;
    }
    const std::optional<std::uint32_t> weight = parse_reweight(words[1]);
    if (!weight) {
      wrong(words[1], "a reweight from 0 to 1");
      continue;
    }
    weights[*osd] = *weight;
  }
}

struct TestArguments {
  std::string map;
  std::string rule;
  std::string weights_file;
  std::vector<std::pair<std::string, std::string>> weights;
  int num_rep = -1;
  int x = -1;
  MapTest test;
};

int run_test(const TestArguments& arguments) {
  Diagnostics diagnostics;
  MapTest test = arguments.test;
  const std::optional<CrushMap> map = read_map(arguments.map, diagnostics);
  if (!arguments.weights_file.empty()) read_weights(arguments.weights_file, test.weights, diagnostics);
  for (const auto& [osd_text, weight_text] : arguments.weights) {
    const std::optional<std::int32_t> osd = parse_osd(osd_text);
    const std::optional<std::uint32_t> weight = parse_reweight(weight_text);
    if (osd && weight) {
      test.weights[*osd] = *weight;
    } else {
      diagnostics.error_in({}, fmt::format("--weight {} {}", osd_text, weight_text)).expected = "the number of an OSD and a reweight from 0 to 1";
    }
  }
  if (map && !arguments.rule.empty()) {
    int id = -1;
    const char* end = arguments.rule.data() + arguments.rule.size();
    const auto result = std::from_chars(arguments.rule.data(), end, id);
    if (result.ec != std::errc{} || result.ptr != end) id = map->rule_id(arguments.rule).value_or(-1);
    if (map->rule(id) == nullptr) {
      std::vector<std::string> names;
      for (int other = 0; other < map->max_rules(); ++other) {
        if (map->rule(other) != nullptr) names.push_back(map->rule(other)->name);
      }
      Diagnostic& told = diagnostics.error_in(arguments.map, fmt::format("there is no rule '{}'", arguments.rule));
      told.hint = sim::scenario::did_you_mean(arguments.rule, names);
    }
    test.rule = id;
  }
  if (const int code = tell(diagnostics); code != kOk) return code;
  if (arguments.num_rep >= 0) test.min_rep = test.max_rep = arguments.num_rep;
  if (arguments.x >= 0) test.min_x = test.max_x = arguments.x;
  if (!test.show_statistics && !test.show_utilization && !test.show_bad_mappings) test.show_mappings = true;
  test_map(*map, test, put);
  return flush_output();
}

void add_test(CLI::App& crush, int& exit_code) {
  auto arguments = std::make_shared<TestArguments>();
  CLI::App* command = crush.add_subcommand("test", "Maps a range of inputs: the lines of `crushtool --test`");
  command->add_option("--map,-i", arguments->map, "A CRUSH map as text (crushtool -d)")->required();
  command->add_option("--rule", arguments->rule, "Number or name of a rule (default: all)");
  command->add_option("--num-rep", arguments->num_rep, "How many replicas (default: from the rule's min_size to its max_size)")->check(CLI::Range(0, 4096));
  command->add_option("--min-rep", arguments->test.min_rep, "Least number of replicas, with --max-rep")->check(CLI::Range(0, 4096));
  command->add_option("--max-rep", arguments->test.max_rep, "Greatest number of replicas, with --min-rep")->check(CLI::Range(0, 4096));
  command->add_option("--min-x", arguments->test.min_x, "First input, with --max-x (default: 0)")->check(CLI::NonNegativeNumber);
  command->add_option("--max-x", arguments->test.max_x, "Last input, with --min-x (default: 1023)")->check(CLI::NonNegativeNumber);
  command->add_option("--x", arguments->x, "One input")->check(CLI::NonNegativeNumber);
  command->add_option("--weights", arguments->weights_file, "File of reweights: lines `OSD REWEIGHT`");
  command->add_option("--weight,-w", arguments->weights, "OSD REWEIGHT: 1 in, 0 out (may be repeated)")->type_name("OSD REWEIGHT");
  command->add_option("--pool-id", arguments->test.pool_id, "Hashes each input with the number of a pool: inputs are then its placement groups")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--show-mappings", arguments->test.show_mappings, "The mappings (default)");
  command->add_flag("--show-statistics", arguments->test.show_statistics, "How many results of which size");
  command->add_flag("--show-utilization", arguments->test.show_utilization, "How often each device was chosen, with the statistics");
  command->add_flag("--show-bad-mappings", arguments->test.show_bad_mappings, "Mappings that are too short or have holes");
  command->footer("Example: squall crush test --map map.txt --rule 0 --num-rep 3 --min-x 0 --max-x 9 --weight 7 0");
  command->callback([arguments, &exit_code] { exit_code = run_test(*arguments); });
}

void add_dump(CLI::App& crush, int& exit_code) {
  struct Arguments {
    std::string map;
    std::string format = "text";
    int release = 16;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = crush.add_subcommand("dump", "Prints a map again: as `crushtool -d` or `crushtool --dump`");
  command->add_option("--map,-i", arguments->map, "A CRUSH map as text (crushtool -d)")->required();
  command->add_option("--format,-f", arguments->format, "text, json, json-pretty")->check(CLI::IsMember({"text", "json", "json-pretty"}))->capture_default_str();
  command->add_option("--release", arguments->release, "Of text: 16 (weights with 3 digits) or 18 (5 digits, rules without sizes)")
      ->check(CLI::IsMember({16, 18}))
      ->capture_default_str();
  command->callback([arguments, &exit_code] {
    Diagnostics diagnostics;
    const std::optional<CrushMap> map = read_map(arguments->map, diagnostics);
    exit_code = tell(diagnostics);
    if (exit_code != kOk) return;
    constexpr int kReef = 18;
    if (arguments->format == "text") {
      put(write_text_map(*map, arguments->release == kReef ? TextStyle::kReef : TextStyle::kPacific));
    } else {
      put(crush_map_json(*map, arguments->format == "json" ? JsonStyle::kCompact : JsonStyle::kPretty));
    }
    exit_code = flush_output();
  });
}

struct ClusterArguments {
  std::string dump;
  std::string map;
  std::string pool;
  std::vector<std::string> names;
  std::string key;
  std::string name_space;
  std::string format = "json";
};

void add_cluster_options(CLI::App& command, ClusterArguments& arguments) {
  command.add_option("--osd-dump", arguments.dump, "Output of `ceph osd dump -f json`")->required();
  command.add_option("--map,-i", arguments.map, "The cluster's CRUSH map as text")->required();
}

/// Reads the cluster and the pool, then calls `print`.
template <class Print>
int with_cluster(const ClusterArguments& arguments, Print print) {
  Diagnostics diagnostics;
  const std::optional<OsdMap> map = read_dump(arguments.dump, arguments.map, diagnostics);
  const Pool* pool = nullptr;
  if (map && !arguments.pool.empty()) {
    pool = find_pool(*map, arguments.pool);
    if (pool == nullptr) {
      std::vector<std::string> names;
      for (const auto& [id, other] : map->pools) names.push_back(other.name);
      Diagnostic& told = diagnostics.error_in(arguments.dump, fmt::format("there is no pool '{}'", arguments.pool));
      told.hint = sim::scenario::did_you_mean(arguments.pool, names);
    }
  }
  if (const int code = tell(diagnostics); code != kOk) return code;
  print(*map, pool);
  return flush_output();
}

void add_object(CLI::App& crush, int& exit_code) {
  auto arguments = std::make_shared<ClusterArguments>();
  CLI::App* command = crush.add_subcommand("object", "Where objects lie: the lines of `osdmaptool --test-map-object`");
  add_cluster_options(*command, *arguments);
  command->add_option("--pool", arguments->pool, "Number or name of the pool")->required();
  command->add_option("--namespace", arguments->name_space, "Namespace of the objects");
  command->add_option("--key", arguments->key, "Locator key, hashed instead of the name");
  command->add_option("name", arguments->names, "Names of objects")->required();
  command->callback([arguments, &exit_code] {
    exit_code = with_cluster(*arguments, [&](const OsdMap& map, const Pool* pool) {
      for (const std::string& name : arguments->names) put(object_line(map, *pool, name, arguments->key, arguments->name_space));
    });
  });
}

void add_pgs(CLI::App& crush, int& exit_code) {
  auto arguments = std::make_shared<ClusterArguments>();
  CLI::App* command = crush.add_subcommand("pgs", "Where placement groups lie: the lines of `osdmaptool --test-map-pgs-dump-all`");
  add_cluster_options(*command, *arguments);
  command->add_option("--pool", arguments->pool, "Number or name of one pool (default: all)");
  command->callback([arguments, &exit_code] {
    exit_code = with_cluster(*arguments, [](const OsdMap& map, const Pool* pool) {
      dump_pgs(map, pool == nullptr ? std::nullopt : std::optional(pool->id), put);
    });
  });
}

void add_tree(CLI::App& crush, int& exit_code) {
  auto arguments = std::make_shared<ClusterArguments>();
  CLI::App* command = crush.add_subcommand("tree", "The OSD map or its tree as JSON in Ceph's shape");
  add_cluster_options(*command, *arguments);
  auto what = std::make_shared<std::string>("tree");
  command->add_option("--show", *what, "tree: as `ceph osd tree`; dump: as `ceph osd dump`")->check(CLI::IsMember({"tree", "dump"}))->capture_default_str();
  command->add_option("--format,-f", arguments->format, "json, json-pretty")->check(CLI::IsMember({"json", "json-pretty"}))->capture_default_str();
  command->callback([arguments, what, &exit_code] {
    exit_code = with_cluster(*arguments, [&](const OsdMap& map, const Pool*) {
      const JsonStyle style = arguments->format == "json" ? JsonStyle::kCompact : JsonStyle::kPretty;
      put(*what == "tree" ? osd_tree_json(map, style) : osd_map_json(map, style));
    });
  });
}

}  // namespace

void add_crush_command(CLI::App& app, int& exit_code) {
  CLI::App* crush = app.add_subcommand("crush", "CRUSH placements, line for line as crushtool and osdmaptool print them");
  crush->require_subcommand(1);
  add_test(*crush, exit_code);
  add_dump(*crush, exit_code);
  add_object(*crush, exit_code);
  add_pgs(*crush, exit_code);
  add_tree(*crush, exit_code);
}

}  // namespace cli
