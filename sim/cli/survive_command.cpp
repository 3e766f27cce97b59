#include "sim/cli/survive_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>

#include "analysis/atomic_file.hpp"
#include "analysis/run_report.hpp"
#include "analysis/shard.hpp"
#include "analysis/shared_tasks.hpp"
#include "analysis/survival.hpp"
#include "analysis/survival_output.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/many_runs.hpp"
#include "sim/cli/mpi_ranks.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/run_options.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/ceph_builder.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/world_builder.hpp"

namespace cli {

namespace {

struct Arguments {
  std::string file;
  std::vector<std::string> overrides;
  std::size_t faults = 2;
  std::vector<std::string> elements{"nodes", "racks", "disks", "mons"};
  std::vector<std::string> mttf;
  std::vector<std::string> mttr;
  bool nodes_destroyed = false;
  std::size_t simulate = analysis::SurvivalOptions{}.simulate_max;
  std::size_t jobs = 0;
  std::string format = "text";
  bool quiet = false;
  ManyFlags many;  // of it: the shard
  std::string until_ci;
  std::string output;
};

int wrong(const std::string& what) {
  std::fputs(("squall survive: " + what + "\n").c_str(), stderr);
  return kWrongInput;
}

/// "disk=5y", "node=200d": as sim::parse_duration, and years, which outlast a duration in nanoseconds.
std::optional<double> hours_of(const std::string& text) {
  if (text.ends_with('y')) {
    char* end = nullptr;
    const double years = std::strtod(text.c_str(), &end);
    if (end != text.c_str() + text.size() - 1 || text.empty() || !(text[0] >= '0' && text[0] <= '9') || !std::isfinite(years)) return std::nullopt;
    return years * analysis::kHoursPerYear;
  }
  const std::optional<sim::SimDuration> span = sim::parse_duration(text);
  return span ? std::optional<double>(sim::seconds(*span) / 3600.0) : std::nullopt;
}

/// Empty, or what is wrong.
std::string set_rates(const std::vector<std::string>& settings, const char* option, double analysis::MeanTimes::* which, analysis::FailureRates& rates) {
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    const std::string kind = setting.substr(0, equals);
    const std::optional<double> hours = equals == std::string::npos ? std::nullopt : hours_of(setting.substr(equals + 1));
    std::vector<analysis::MeanTimes*> to;
    if (kind == "node") to = {&rates.node};
    else if (kind == "rack") to = {&rates.rack};
    else if (kind == "disk") to = {&rates.hdd, &rates.ssd};
    else if (kind == "mon") to = {&rates.mon};
    if (to.empty()) {
      static const std::vector<std::string> kKinds = {"node", "rack", "disk", "mon"};
      const std::string hint = sim::scenario::did_you_mean(kind, kKinds);
      return fmt::format("{} '{}': '{}' is no class of elements{}; there are: node, rack, disk, mon", option, setting, kind, hint.empty() ? std::string() : " (" + hint + ")");
    }
    if (!hours || !(*hours > 0.0)) return fmt::format("{} '{}': expected CLASS=TIME with a time above zero, like disk=50y or node=90d", option, setting);
    for (analysis::MeanTimes* times : to) times->*which = *hours;
  }
  return {};
}

/// What of the topology takes hosts of Ceph with it: racks, zones, regions, feeds, switches, and machines that carry VMs. What stands in for something
/// else takes hosts only together with it, so the topology itself is asked.
class Places {
 public:
  Places(const sim::scenario::ScenarioSpec& spec, const sim::ceph::ClusterConfig& config) : world_(sim::scenario::build_world(spec, 1)) {
    for (const sim::ceph::HostConfig& host : config.hosts) hosts_.push_back(world_->topology.find(host.host));
    for (const sim::topology::ElementId id : world_->topology.all()) {
      if (std::find(hosts_.begin(), hosts_.end(), id) != hosts_.end()) continue;
      if (!carries(id)) continue;
      elements_.push_back(id);
      places_.push_back({world_->topology.name(id), lost_with({id})});
    }
  }
  const std::vector<analysis::Place>& places() const { return places_; }
  /// Hosts that go when all these (indices into places()) fail.
  std::vector<std::size_t> lost(const std::vector<std::size_t>& places) {
    std::vector<sim::topology::ElementId> ids;
    for (const std::size_t place : places) ids.push_back(elements_[place]);
    return lost_with(ids);
  }

 private:
  using Aspect = sim::topology::Aspect;
  /// Some host of Ceph needs it, alone or as one of several.
  bool carries(sim::topology::ElementId id) const {
    const std::vector<sim::topology::ElementId> dependents = world_->topology.dependents(id);
    return std::any_of(dependents.begin(), dependents.end(), [&](sim::topology::ElementId one) { return std::find(hosts_.begin(), hosts_.end(), one) != hosts_.end(); });
  }
  std::vector<std::size_t> lost_with(const std::vector<sim::topology::ElementId>& ids) {
    sim::topology::Topology& topology = world_->topology;
    for (const sim::topology::ElementId id : ids) {
      for (const Aspect aspect : {Aspect::kPower, Aspect::kNetwork}) topology.fail(id, aspect);
    }
    std::vector<std::size_t> gone;
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      if (hosts_[i] && (!topology.has(hosts_[i], Aspect::kPower) || !topology.has(hosts_[i], Aspect::kNetwork))) gone.push_back(i);
    }
    for (const sim::topology::ElementId id : ids) {
      for (const Aspect aspect : {Aspect::kPower, Aspect::kNetwork}) topology.restore(id, aspect);
    }
    return gone;
  }

  std::unique_ptr<sim::World> world_;  // at time 0, and never started: only its topology is used
  std::vector<sim::topology::ElementId> hosts_;
  std::vector<sim::topology::ElementId> elements_;
  std::vector<analysis::Place> places_;
};

/// All that decides what comes out, as on the command line: what reads_options() reads.
std::vector<std::string> options_of(const Arguments& arguments) {
  std::vector<std::string> out = {fmt::format("--faults={}", arguments.faults), fmt::format("--simulate={}", arguments.simulate), fmt::format("--elements={}", fmt::join(arguments.elements, ","))};
  if (!arguments.mttf.empty()) out.push_back(fmt::format("--mttf={}", fmt::join(arguments.mttf, ",")));
  if (!arguments.mttr.empty()) out.push_back(fmt::format("--mttr={}", fmt::join(arguments.mttr, ",")));
  if (arguments.nodes_destroyed) out.emplace_back("--nodes-destroyed");
  return out;
}
void add_options(CLI::App& command, Arguments& arguments);

/// Who makes the runs. Alone: nobody else.
struct Sharing {
  analysis::Ranks* ranks = nullptr;
  std::optional<analysis::Shard> shard;
  const std::vector<analysis::ShardFile>* merged = nullptr;  // they are made
};

int write_the_shard(const Arguments& arguments, const LoadedScenario& loaded, analysis::Shard part, std::vector<std::string> lines, bool is_stopped) {
  if (is_stopped) {
    std::fputs("squall: interrupted: no shard was written\n", stderr);
    return kInterrupted;
  }
  analysis::ShardFile shard;
  shard.path = analysis::shard_path(arguments.output, part);
  shard.shard = part;
  shard.job.command = "survive";
  shard.job.program = analysis::program_version();
  shard.job.scenarios.push_back({loaded.name, loaded.description, loaded.file, loaded.inputs});
  shard.job.overrides = arguments.overrides;
  shard.job.options = options_of(arguments);
  shard.job.first_seed = loaded.seed;
  shard.lines = std::move(lines);
  if (const std::string error = analysis::write_shard(shard); !error.empty()) {
    std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
    return kCannotWrite;
  }
  if (!arguments.quiet) std::fputs(fmt::format("shard {} of {}: {} runs; {}\n", part.index, part.count, shard.lines.size(), shard.path).c_str(), stdout);
  return kOk;
}

int survive(const Arguments& arguments, const Sharing& sharing) {
  const bool is_first = sharing.ranks == nullptr || sharing.ranks->rank() == 0;
  analysis::FailureRates rates;
  if (const std::string problem = set_rates(arguments.mttf, "--mttf", &analysis::MeanTimes::to_failure, rates); !problem.empty()) return wrong(problem);
  if (const std::string problem = set_rates(arguments.mttr, "--mttr", &analysis::MeanTimes::to_repair, rates); !problem.empty()) return wrong(problem);
  const LoadedScenario loaded = load_scenario(arguments.file, arguments.overrides, !is_first ? Telling::kNothing : arguments.quiet ? Telling::kErrors : Telling::kAll);
  if (sharing.ranks != nullptr) {
    const std::string found = disagreement(*sharing.ranks, loaded.spec == nullptr ? loaded.error : std::string(), loaded.inputs);
    if (!found.empty()) return is_first && found != "told" ? wrong(found) : kWrongInput;
  }
  if (loaded.spec == nullptr) return kWrongInput;
  if (sharing.merged != nullptr && loaded.inputs != sharing.merged->front().job.scenarios.front().inputs) {
    return wrong(fmt::format("{} (or a file that it refers to) was another when the shards were made", arguments.file));
  }
  if (!loaded.spec->ceph) {
    if (!is_first) return kWrongInput;
    return wrong(fmt::format("{} has no Ceph: it has no section 'ceph' (`squall schema` tells what stands in it)", arguments.file));
  }
  sim::scenario::Diagnostics diagnostics;
  const sim::ceph::ClusterConfig config = sim::scenario::ceph_cluster(*loaded.spec, diagnostics);
  const auto wanted = [&](const char* kind) { return std::find(arguments.elements.begin(), arguments.elements.end(), kind) != arguments.elements.end(); };
  const analysis::ElementChoice choice{wanted("nodes"), wanted("racks"), wanted("disks"), wanted("mons")};
  std::unique_ptr<Places> places;
  if (choice.racks) places = std::make_unique<Places>(*loaded.spec, config);
  const std::vector<analysis::SurvivalElement> elements =
      analysis::survival_elements(config, choice, rates, places ? places->places() : std::vector<analysis::Place>{});
  const std::uint64_t combinations = analysis::combinations_of(elements.size(), arguments.faults);
  if (combinations > analysis::kCombinationsMax) {
    if (!is_first) return kWrongInput;
    return wrong(fmt::format("{} elements have more than {} sets of up to {}; take --elements nodes,racks or a lower --faults", elements.size(),
                             analysis::kCombinationsMax, arguments.faults));
  }
  analysis::SurvivalOptions options;
  options.faults = arguments.faults;
  options.nodes_destroyed = arguments.nodes_destroyed;
  options.simulate_max = arguments.simulate;
  options.seed = loaded.seed;
  options.jobs = arguments.jobs != 0 ? arguments.jobs : std::max(1u, std::thread::hardware_concurrency());
  options.stop = &stop_on_interrupt();
  Progress progress(arguments.quiet || !is_first);
  options.progress = [&](std::size_t done, std::size_t total) {
    progress.update(static_cast<double>(done) / static_cast<double>(total), fmt::format("{} of {} runs", done, total));
  };
  analysis::TaskSharing tasks;
  tasks.jobs = sharing.ranks != nullptr ? threads_of_rank(arguments.jobs, *sharing.ranks) : options.jobs;
  tasks.ranks = sharing.ranks;
  tasks.shard = sharing.shard;
  tasks.stop = options.stop;
  tasks.progress = options.progress;
  std::vector<std::string> lines;  // of a shard
  std::string damaged;
  const std::size_t pools = config.pools.size();
  if (sharing.ranks != nullptr || sharing.shard || sharing.merged != nullptr) {
    options.share = [&](std::size_t runs, const std::function<analysis::SimulatedLoss(std::size_t)>& simulate) {
      if (sharing.merged != nullptr) {
        std::vector<std::vector<std::string>> parts;
        for (const analysis::ShardFile& shard : *sharing.merged) parts.push_back(shard.lines);
        lines = analysis::lines_of_all(parts, runs);
        if (lines.empty()) damaged = fmt::format("{}: the shards do not hold the {} runs of this job", sharing.merged->front().path, runs);
      } else {
        lines = analysis::share_tasks(runs, tasks, [&](std::size_t run) { return analysis::loss_line(simulate(run)); });
      }
      std::vector<analysis::SimulatedLoss> losses(runs);
      for (std::size_t run = 0; run < runs; ++run) {
        const bool is_there = run < lines.size() && analysis::read_loss_line(lines[run], pools, losses[run]);
        losses[run].complete = is_there && losses[run].complete;
        if (sharing.merged != nullptr && damaged.empty() && !losses[run].complete) damaged = fmt::format("{}: a line is no run of this job", (*sharing.merged)[run % sharing.merged->size()].path);
      }
      return losses;
    };
  }
  if (places) {
    const auto first = std::find_if(elements.begin(), elements.end(), [](const analysis::SurvivalElement& e) { return e.kind == analysis::ElementClass::kRack; });
    const auto offset = static_cast<std::size_t>(first - elements.begin());
    options.hosts_lost = [&, offset](const std::vector<std::size_t>& failed) {
      std::vector<std::size_t> indices;
      for (const std::size_t element : failed) indices.push_back(element - offset);
      return places->lost(indices);
    };
  }
  const analysis::Survival survival = analysis::survive(config, elements, options);
  progress.finish();
  if (!damaged.empty()) return wrong(damaged);
  if (!is_first) return kOk;
  if (sharing.shard) return write_the_shard(arguments, loaded, *sharing.shard, analysis::own_lines(lines, *sharing.shard), options.stop->load());
  analysis::SurvivalReport report{loaded.name, loaded.file, &survival, {}};
  if (choice.racks) {
    std::string spares;
    for (const analysis::Place& place : places->places()) {
      if (place.hosts.empty()) spares += (spares.empty() ? "" : ", ") + place.name;
    }
    if (!spares.empty()) report.notes.push_back("nothing goes down with one of these alone, something else stands in for it: " + spares);
    if (places->places().empty()) report.notes.emplace_back("the topology has no racks or other places under Ceph's nodes");
  }
  const std::string text = arguments.format == "json" ? analysis::survival_json(report) : analysis::survival_text(report, use_colour(), terminal_width());
  std::fwrite(text.data(), 1, text.size(), stdout);
  return survival.complete ? kOk : kInterrupted;
}

void add_options(CLI::App& command, Arguments& arguments) {
  command.add_option("--faults", arguments.faults, "How many elements fail at once at most, 0 to 6 (default: 2)")->check(CLI::Range(0, 6))->option_text("K");
  command.add_option("--elements", arguments.elements, "What can fail (default: nodes,racks,disks,mons); racks are also zones, feeds, switches ...")
      ->delimiter(',')
      ->check(CLI::IsMember({"nodes", "racks", "disks", "mons"}))
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false)
      ->option_text("LIST");
  command.add_option("--mttf", arguments.mttf, "Mean time to failure of a class: node, rack, disk or mon, like disk=50y,node=1.5y")
      ->delimiter(',')->take_all()->expected(1)->allow_extra_args(false)->option_text("CLASS=TIME");
  command.add_option("--mttr", arguments.mttr, "Mean time to repair, like disk=24h")->delimiter(',')->take_all()->expected(1)->allow_extra_args(false)->option_text("CLASS=TIME");
  command.add_flag("--nodes-destroyed", arguments.nodes_destroyed, "A failed node takes its disks with it for good");
  command.add_option("--simulate", arguments.simulate, "Runs of the simulated cluster at most, for how long I/O is gone; 0: estimates only (default: 256)")
      ->check(CLI::Range(0, 1'000'000))->option_text("N");
}

/// What does not go together, and who shares it; then it is done.
int survive_shared(const Arguments& arguments) {
  std::string problem;
  if (!arguments.until_ci.empty()) {
    problem = "--until-ci is for what is drawn: survive enumerates every set of losses, and its probabilities are sums, not estimates from runs";
  } else if (arguments.many.shard.empty()) {
    if (!arguments.output.empty()) problem = "-o is the folder of a shard's file, and needs --shard";
  } else if (arguments.output.empty()) {
    problem = "--shard needs -o DIR: the folder of the shard's file";
  } else if (arguments.format == "json") {
    problem = "--shard prints no results that --format json could be of; squall merge does";
  } else if (arguments.file == "-") {
    problem = "--shard needs a file: squall merge reads the scenario again";
  }
  std::string cannot_join;
  const std::unique_ptr<analysis::Ranks> ranks = join_ranks(cannot_join);
  if (!cannot_join.empty()) problem = cannot_join;
  if (problem.empty() && ranks != nullptr && !arguments.many.shard.empty()) problem = "--shard is for machines without MPI: under mpirun leave it out";
  if (!problem.empty()) return ranks == nullptr || ranks->rank() == 0 ? wrong(problem) : kWrongInput;
  Sharing sharing;
  sharing.ranks = ranks.get();
  sharing.shard = arguments.many.part();
  if (sharing.shard) {
    // Before the work, not after it.
    if (const std::string error = analysis::make_folder(arguments.output); !error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
  }
  return survive(arguments, sharing);
}

}  // namespace

int merge_survival(const std::vector<analysis::ShardFile>& shards, const std::string& format) {
  const analysis::JobDescription& job = shards.front().job;
  Arguments arguments;
  CLI::App reader;
  add_options(reader, arguments);
  try {
    std::vector<std::string> reversed(job.options.rbegin(), job.options.rend());  // as CLI11 takes them
    reader.parse(reversed);
  } catch (const CLI::ParseError&) {
    return wrong(fmt::format("{}: its options are damaged", shards.front().path));
  }
  arguments.file = job.scenarios.front().file;
  arguments.overrides = job.overrides;
  arguments.format = format;
  Sharing sharing;
  sharing.merged = &shards;
  return survive(arguments, sharing);
}

void add_survive_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("survive", "Which losses of nodes, racks, disks and monitors the scenario's Ceph survives: what stops, what is lost, for how long");
  command->add_option("scenario", arguments->file, "Scenario file with a section ceph")->required()->option_text(" ");
  add_options(*command, *arguments);
  add_overrides(*command, arguments->overrides);
  command->add_option("-j,--jobs", arguments->jobs, "Threads, 1 to 1024 (default: one a processor); results do not depend on it")->check(CLI::Range(1, 1024))->option_text("N");
  command->add_option("--format", arguments->format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->add_flag("-q,--quiet", arguments->quiet, "No progress and no warnings");
  add_shard_flag(*command, arguments->many);
  command->add_option("-o,--output", arguments->output, "With --shard: folder of the shard's file")->option_text("DIR");
  command->add_option("--until-ci", arguments->until_ci, "Refused, with the reason: nothing is drawn here")->group("");
  command->footer("The exit code is 0 whatever is survived.\n\nExamples: squall survive scenarios/incident-2-colocated.yaml --elements nodes,disks\n"
                  "          squall survive S.yaml --faults 3 --shard 0/4 -o parts   (1/4, 2/4 and 3/4 elsewhere; then squall merge parts)\n"
                  "          mpirun -n 8 squall survive S.yaml --faults 3 --simulate 5000");
  command->callback([arguments, &exit_code] { exit_code = survive_shared(*arguments); });
}

}  // namespace cli
