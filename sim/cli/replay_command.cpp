#include "sim/cli/replay_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>

#include "analysis/json_text.hpp"
#include "analysis/tested.hpp"
#include "analysis/text_layout.hpp"
#include "chaos/harness.hpp"
#include "chaos/live_run.hpp"
#include "chaos/mesh/cluster.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/replay_note.hpp"
#include "sim/cli/run_options.hpp"
#include "sim/cli/views.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/printable.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

constexpr const char* kHashLabel = "eventLogHash";

struct Arguments {
  std::string path;
  std::vector<std::string> words;
  std::string at;
  std::string from;
  std::string to;
  std::string about;
  bool step = false;
  std::optional<std::uint64_t> seed;
  std::string name_space;
  std::string format = "text";
};

int wrong(const std::string& what) {
  std::fputs(("squall replay: " + what + "\n").c_str(), stderr);
  return kWrongInput;
}

/// What is replayed.
struct Subject {
  LoadedScenario loaded;
  std::uint64_t seed = 1;
  sim::SimTime until{};
  std::string expected;  // event-log hash; empty: nobody knows
  std::string expected_from;
};

std::string line_of(const sim::EventLog& log, std::uint32_t index) {
  const sim::EventLog::Record& record = log.records()[index];
  std::string text = fmt::format("#{:<6} {:>14}  {} {}: {}", index + 1, sim::format_duration(std::chrono::floor<std::chrono::milliseconds>(record.time.time_since_epoch())),
                                 log.kind(record), log.subject(record), log.message(record));
  if (record.cause) text += fmt::format("  <- #{}", record.cause.value);
  return sim::scenario::printable(text) + "\n";
}

std::string chain_of(const sim::EventLog& log, std::uint32_t index) {
  std::string text;
  bool first = true;
  for (const sim::CauseId id : log.chain(sim::CauseId{index + 1})) {
    text += (first ? "   " : "<- ") + line_of(log, id.value - 1);
    first = false;
  }
  for (const sim::CauseId id : log.contributing(sim::CauseId{index + 1})) text += " + " + line_of(log, id.value - 1);
  return text;
}

std::string record_json(const sim::EventLog& log, std::uint32_t index) {
  const sim::EventLog::Record& record = log.records()[index];
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  writer.StartObject();
  analysis::field(writer, "event", std::uint64_t{index} + 1);
  analysis::field(writer, "at", record.time);
  analysis::field(writer, "kind", log.kind(record));
  analysis::field(writer, "subject", log.subject(record));
  analysis::field(writer, "message", log.message(record));
  if (record.cause) analysis::field(writer, "cause", std::uint64_t{record.cause.value});
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

/// Which records are shown.
struct Filter {
  sim::SimTime from{};
  sim::SimTime to = sim::kEndOfTime;
  std::string about;
  bool takes(const sim::EventLog& log, std::uint32_t index) const {
    const sim::EventLog::Record& record = log.records()[index];
    if (record.time < from || record.time > to) return false;
    if (about.empty()) return true;
    const std::string& subject = log.subject(record);
    // "w1", "Node/w1" and "shop/web-0" are all names that people use.
    return subject == about || (subject.size() > about.size() && subject.ends_with(about) && subject[subject.size() - about.size() - 1] == '/');
  }
};

/// What was most likely meant by a name that no record has.
std::string unknown_entity(const sim::EventLog& log, const std::set<std::string>& nodes, const std::string& about) {
  std::set<std::string> subjects = nodes;
  for (const sim::EventLog::Record& record : log.records()) {
    const std::string& subject = log.subject(record);
    subjects.insert(subject);
    subjects.insert(subject.substr(subject.rfind('/') + 1));
  }
  const std::vector<std::string> known(subjects.begin(), subjects.end());
  const std::string hint = sim::scenario::did_you_mean(about, known);
  return fmt::format("--about: nothing was recorded about '{}'{}", about, hint.empty() ? std::string() : "; " + hint);
}

/// The run as a story: what was done to it, what broke, who suffered.
std::string story(const chaos::Verdict& verdict) {
  constexpr std::size_t kOutagesShown = 12;
  std::string out;
  for (const chaos::FaultRun& fault : verdict.faults) {
    out += fmt::format("  {:>10}  {} {}: {}{}\n", analysis::instant(fault.injected), fault.kind, fault.target, fault.outcome,
                       fault.ended && *fault.ended != fault.injected ? fmt::format(" at {}", analysis::instant(*fault.ended)) : std::string());
  }
  std::vector<const chaos::Outage*> outages;
  for (const chaos::Outage& outage : verdict.outages) {
    if (outage.severity == chaos::Severity::kAlert) outages.push_back(&outage);
  }
  const std::size_t of_all = outages.size();
  // The longest first, then in their order.
  std::stable_sort(outages.begin(), outages.end(), [](const auto* a, const auto* b) { return a->length() > b->length(); });
  if (outages.size() > kOutagesShown) outages.resize(kOutagesShown);
  std::stable_sort(outages.begin(), outages.end(), [](const auto* a, const auto* b) { return a->start < b->start; });
  if (!outages.empty()) out += fmt::format("\nwhat users saw{}\n", of_all > outages.size() ? fmt::format(" (the longest {} of {})", outages.size(), of_all) : std::string());
  for (const chaos::Outage* outage : outages) {
    out += fmt::format("  {:>10}  {} {}, {}{}\n", analysis::instant(outage->start), chaos::to_string(outage->kind), outage->subject, sim::humanize(outage->length()),
                       outage->open ? ", still so at the end" : "");
  }
  out += "\nwhat was expected\n";
  for (const chaos::ExpectationResult& result : verdict.expectations) {
    out += result.held ? fmt::format("  holds   {}\n", result.name) : fmt::format("  BROKEN  {}: {}", result.name, analysis::describe_violation(result));
  }
  return out;
}

/// Goes through a run record by record, at a terminal.
class Stepper {
 public:
  Stepper(const Subject& subject, Filter filter, const std::string& name_space)
      : subject_(subject), filter_(std::move(filter)), name_space_(name_space), run_(*subject.loaded.spec, plan_of(*subject.loaded.spec), subject.seed, options_of(subject)) {}

  int go() {
    std::fputs("Enter: the next record; N: N records on; c: the chain of causes of this one; go TIME; find TEXT; about NAME (about alone: all);\n"
               "get pods, get nodes, ..., ceph status, ...: the world at this instant; help; q\n", stdout);
    if (filter_.from > sim::SimTime{}) run_until(filter_.from - sim::SimDuration(1));
    next(1, {});
    std::string line;
    for (;;) {
      std::fputs(fmt::format("{}> ", sim::humanize(run_.world().engine.now().time_since_epoch())).c_str(), stdout);
      std::fflush(stdout);
      if (!std::getline(std::cin, line)) break;
      std::istringstream in(line);
      std::vector<std::string> words;
      for (std::string word; in >> word;) words.push_back(word);
      if (!words.empty() && (words[0] == "q" || words[0] == "quit" || words[0] == "exit")) break;
      command(words);
    }
    std::fputs("\n", stdout);
    return stop_on_interrupt().load() ? kInterrupted : kOk;
  }

 private:
  static chaos::Plan plan_of(const sim::scenario::ScenarioSpec& spec) {
    sim::scenario::Diagnostics ignored;  // load_scenario() has told them
    return chaos::read_plan(spec, ignored);
  }
  static chaos::RunOptions options_of(const Subject& subject) {
    chaos::RunOptions options;
    options.until = subject.until;
    options.stop = &stop_on_interrupt();
    return options;
  }
  static void say(const std::string& text) { std::fputs(text.c_str(), stdout); }

  void command(const std::vector<std::string>& words) {
    if (words.empty()) return next(1, {});
    const std::string& first = words[0];
    std::size_t count = 0;
    const auto [end, error] = std::from_chars(first.data(), first.data() + first.size(), count);
    if (error == std::errc{} && end == first.data() + first.size()) return next(count, {});
    if (first == "c" || first == "chain") return say(shown_ > 0 ? chain_of(run_.world().log, shown_ - 1) : std::string("no record was shown yet\n"));
    if (first == "go" && words.size() == 2) {
      const auto at = sim::parse_duration(words[1]);
      if (!at) return say(fmt::format("'{}' is no time since the start (like 90s or 2h30m)\n", words[1]));
      if (sim::SimTime(*at) < run_.world().engine.now()) return say(fmt::format("it is {} already, and a run goes forward only\n", sim::humanize(run_.world().engine.now().time_since_epoch())));
      run_until(std::min(sim::SimTime(*at), subject_.until));
      shown_ = static_cast<std::uint32_t>(run_.world().log.size());
      return;
    }
    if (first == "find" && words.size() >= 2) {
      std::string text = words[1];
      for (std::size_t i = 2; i < words.size(); ++i) text += " " + words[i];
      return next(1, text);
    }
    if (first == "about") {
      filter_.about = words.size() > 1 ? words[1] : std::string();
      return say(filter_.about.empty() ? "all records\n" : fmt::format("only records about {}\n", filter_.about));
    }
    if (first == "get" && words.size() > 1) return view({words.begin() + 1, words.end()});
    if (first == "ceph") return view(words);
    std::string hint;
    if (first != "help" && first != "?") {
      const std::vector<std::string> known = {"chain", "go", "find", "about", "get", "ceph", "help", "quit"};
      hint = sim::scenario::did_you_mean(first, known);
      say(fmt::format("'{}' is no command{}\n", first, hint.empty() ? std::string() : "; " + hint));
    }
    say("Enter, N, c, go TIME, find TEXT, about NAME, get WHAT, ceph WHAT, q\n");
  }

  void view(const std::vector<std::string>& words) {
    const sim::scenario::ScenarioSpec& spec = *subject_.loaded.spec;
    const std::string problem = view_problem(words, spec.ceph.has_value(), spec.monitoring.has_value());
    if (!problem.empty()) return say(problem + "\n");
    const View shown = view_of(run_.world(), spec.run.start_unix_seconds, words, name_space_, chaos::chaos_objects(run_.schedule()), false);
    say(shown.note + shown.text);
  }

  void run_until(sim::SimTime at) {
    if (at > run_.world().engine.now()) run_.advance(at);
  }

  /// Shows `count` records more (those that have `text`, if that is given).
  void next(std::size_t count, const std::string& text) {
    const sim::EventLog& log = run_.world().log;
    sim::Engine& engine = run_.world().engine;
    while (count > 0) {
      while (shown_ < log.size() && count > 0) {
        const std::uint32_t index = shown_++;
        if (!filter_.takes(log, index)) continue;
        const std::string line = line_of(log, index);
        if (!text.empty() && line.find(text) == std::string::npos) continue;
        say(line);
        --count;
      }
      if (count == 0) return;
      if (engine.next_event_time() > std::min(subject_.until, filter_.to) || !engine.step()) {
        run_until(std::min(subject_.until, filter_.to));
        return say(text.empty() ? "the run ends here\n" : fmt::format("no further record has '{}'\n", text));
      }
      if (stop_on_interrupt().load()) return;
    }
  }

  const Subject& subject_;
  Filter filter_;
  std::string name_space_;
  chaos::LiveRun run_;
  std::uint32_t shown_ = 0;  // records up to here were shown, or passed over
};

int load(const Arguments& arguments, Subject& subject) {
  std::error_code ignored;
  if (std::filesystem::is_directory(arguments.path, ignored)) {
    std::string error;
    const std::optional<ReplayNote> note = read_replay_note(arguments.path, error);
    if (!note) return wrong(error);
    subject.loaded = load_scenario(note->scenario, note->overrides, true);
    if (subject.loaded.spec == nullptr) return kWrongInput;
    subject.seed = note->seed;
    subject.until = subject.loaded.until;
    if (const auto until = sim::parse_duration(note->until); !note->until.empty() && until) subject.until = sim::SimTime(*until);
    subject.expected = note->hash;
    subject.expected_from = arguments.path;
  } else {
    subject.loaded = load_scenario(arguments.path, {}, true);
    if (subject.loaded.spec == nullptr) return kWrongInput;
    subject.seed = subject.loaded.seed;
    subject.until = subject.loaded.until;
    const auto& labels = subject.loaded.spec->metadata.labels;
    if (const auto found = labels.find(kHashLabel); found != labels.end()) {
      subject.expected = found->second;
      subject.expected_from = "its label " + std::string(kHashLabel);
    }
  }
  if (arguments.seed && *arguments.seed != subject.seed) {
    subject.seed = *arguments.seed;
    subject.expected.clear();  // another seed is another run
  }
  return kOk;
}

int replay(const Arguments& arguments) {
  Subject subject;
  if (const int code = load(arguments, subject); code != kOk) return code;
  const sim::scenario::ScenarioSpec& spec = *subject.loaded.spec;
  const bool json = arguments.format == "json";
  const auto instant = [](const std::string& text) { return sim::SimTime(*sim::parse_duration(text)); };
  Filter filter;
  if (!arguments.from.empty()) filter.from = instant(arguments.from);
  if (!arguments.to.empty()) filter.to = instant(arguments.to);
  filter.about = arguments.about;
  if (filter.from > filter.to) return wrong(fmt::format("--from {} is after --to {}", arguments.from, arguments.to));
  if (!arguments.at.empty() && arguments.step) return wrong("--at or --step, not both (with --step: go TIME)");
  if (arguments.at.empty() && !arguments.words.empty()) return wrong(fmt::format("'{}' needs --at TIME: an instant to look at", arguments.words.front()));
  for (const auto& [name, text] : {std::pair{"--at", arguments.at}, std::pair{"--from", arguments.from}}) {
    if (!text.empty() && instant(text) > subject.until) return wrong(fmt::format("{} {}: the run ends at {}", name, text, sim::format_duration(subject.until.time_since_epoch())));
  }

  if (!arguments.at.empty()) {
    std::vector<std::vector<std::string>> views = {arguments.words};
    if (arguments.words.empty()) {
      views = {{"nodes"}, {"pods"}};
      if (spec.ceph) views.push_back({"ceph", "status"});
    }
    for (const auto& words : views) {
      if (const std::string problem = view_problem(words, spec.ceph.has_value(), spec.monitoring.has_value()); !problem.empty()) return wrong(problem);
    }
    chaos::RunOptions options;
    options.stop = &stop_on_interrupt();
    options.until = instant(arguments.at);
    const chaos::RunOutcome outcome = chaos::run_scenario(spec, subject.seed, options);
    if (outcome.end == sim::RunEnd::kStopped) return kInterrupted;
    for (std::size_t i = 0; i < views.size(); ++i) {
      const View shown = view_of(*outcome.world, spec.run.start_unix_seconds, views[i], arguments.name_space, chaos::chaos_objects(outcome), json);
      std::fputs(shown.note.c_str(), stderr);
      if (i > 0) std::fputs("\n", stdout);
      std::fwrite(shown.text.data(), 1, shown.text.size(), stdout);
    }
    return kOk;
  }
  if (arguments.step && !json && ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0) return Stepper(subject, filter, arguments.name_space).go();

  chaos::RunOptions options;
  options.stop = &stop_on_interrupt();
  options.until = subject.until;
  const chaos::RunOutcome outcome = chaos::run_scenario(spec, subject.seed, options);
  if (outcome.end == sim::RunEnd::kStopped) return kInterrupted;
  const sim::EventLog& log = outcome.world->log;
  const bool same = subject.expected.empty() || subject.expected == outcome.event_log_hash;
  const bool records = arguments.step || !arguments.from.empty() || !arguments.to.empty() || !arguments.about.empty();
  std::string out;
  bool any = false;
  for (std::uint32_t i = 0; records && i < log.size(); ++i) {
    if (!filter.takes(log, i)) continue;
    any = true;
    out += json ? record_json(log, i) : line_of(log, i);
  }
  if (!arguments.about.empty() && !any) {
    Filter everywhen;
    everywhen.about = arguments.about;
    for (std::uint32_t i = 0; i < log.size() && !any; ++i) any = everywhen.takes(log, i);
    std::set<std::string> nodes;
    sim::World& world = *outcome.world;
    world.api.all<sim::k8s::Node>().for_each([&](sim::k8s::Ref<sim::k8s::Node>, const sim::k8s::Node& node) { nodes.insert(world.names.text(node.meta.name)); });
    if (!any && !nodes.contains(arguments.about)) return wrong(unknown_entity(log, nodes, arguments.about));
    std::fputs("nothing was recorded about it in this time\n", stderr);
  }
  if (!records && json) {
    rapidjson::StringBuffer buffer;
    rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
    writer.SetIndent(' ', 2);
    writer.StartObject();
    analysis::field(writer, "scenario", subject.loaded.name);
    analysis::field(writer, "seed", subject.seed);
    analysis::field(writer, "eventLogHash", outcome.event_log_hash);
    if (!subject.expected.empty()) {
      analysis::field(writer, "expectedHash", subject.expected);
      analysis::field(writer, "same", same);
    }
    analysis::field(writer, "verdict", outcome.verdict.held ? "held" : "failed");
    analysis::key(writer, "broken");
    writer.StartArray();
    for (const chaos::ExpectationResult& result : outcome.verdict.expectations) {
      if (result.held) continue;
      writer.StartObject();
      analysis::field(writer, "name", result.name);
      analysis::field(writer, "violation", analysis::describe_violation(result));
      writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
    out = std::string(buffer.GetString(), buffer.GetSize()) + "\n";
  } else if (!records) {
    out = fmt::format("{} (seed {}): {}\n\nwhat was done\n", sim::scenario::printable(subject.loaded.name), subject.seed,
                      subject.expected.empty() ? fmt::format("event log {}, with nothing to compare", outcome.event_log_hash)
                      : same                   ? fmt::format("the same run, event log {}", outcome.event_log_hash)
                                               : fmt::format("NOT the same run: event log {}, and {} by {}", outcome.event_log_hash, subject.expected, subject.expected_from));
    out += story(outcome.verdict);
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  if (!same) {
    std::fputs(fmt::format("squall replay: not the same run: event log {}, expected {} ({}); another version of Squall, or the scenario was changed\n", outcome.event_log_hash,
                           subject.expected, subject.expected_from)
                   .c_str(),
               stderr);
    return kExpectationFailed;
  }
  return kOk;
}

}  // namespace

void add_replay_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("replay", "Runs a finding, or a run whose files are in a folder, again: is it the same, what happened, what was at an instant");
  const auto is_instant = [](const std::string& text) {
    const auto value = sim::parse_duration(text);
    return value && *value >= sim::SimDuration::zero() ? std::string() : "'" + text + "' is no time since the start (like 90s or 2h30m)";
  };
  command->add_option("path", arguments->path, "Scenario file (one that squall hunt wrote knows its event-log hash), or a folder that squall run -o wrote")->required()->option_text(" ");
  command->add_option("what", arguments->words, "With --at: pods, nodes, ceph status, ... as squall query shows them (default: nodes, pods, and ceph status)")->option_text(" ");
  command->add_option("--at", arguments->at, "Shows the world at this instant")->check(is_instant)->option_text("TIME");
  command->add_flag("--step", arguments->step, "Record by record: at a terminal with questions in between, else all of them");
  command->add_option("--from", arguments->from, "Records from here on, one a line")->check(is_instant)->option_text("TIME");
  command->add_option("--to", arguments->to, "Records up to there")->check(is_instant)->option_text("TIME");
  command->add_option("--about", arguments->about, "Only records about this: w1, Node/w1, shop/web-0 ...")->option_text("NAME");
  command->add_option("--seed", arguments->seed, "Another seed than the one that it was run with")->check(is_seed)->option_text("N");
  command->add_option("-n,--namespace", arguments->name_space, "With --at: only this namespace")->option_text("NAME");
  command->add_option("--format", arguments->format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->footer("Exit codes: 0 the same run (or nothing to compare), 1 another run, 2 the input is wrong, 130 interrupted.\n\n"
                  "Examples: squall replay found/finding-1.yaml\n"
                  "          squall replay found/finding-1.yaml --at 1h5m pods\n"
                  "          squall replay out --from 1h --to 1h10m --about w1;  squall replay out --step");
  command->callback([arguments, &exit_code] { exit_code = replay(*arguments); });
}

}  // namespace cli
