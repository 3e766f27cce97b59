#include "sim/cli/many_runs.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "analysis/aggregate.hpp"
#include "analysis/atomic_file.hpp"
#include "analysis/comparison.hpp"
#include "analysis/replications.hpp"
#include "analysis/run_report.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/mpi_ranks.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/replay_note.hpp"

namespace cli {

namespace {

using Clock = std::chrono::steady_clock;

int wrong(const std::string& problem) {
  std::fputs(fmt::format("squall: {}\n", problem).c_str(), stderr);
  return kWrongInput;
}

int cannot_write(const std::string& problem) {
  std::fputs(fmt::format("squall: {}\n", problem).c_str(), stderr);
  return kCannotWrite;
}

std::string side_folder(const std::string& folder, std::size_t scenario) { return folder + "/" + static_cast<char>('a' + static_cast<int>(scenario)); }

/// The files of the first replications, as `run` and `compare` lay them out: `run` with `summary` as its summary.json.
std::string write_firsts(const std::string& command, const std::vector<LoadedScenario>& loaded, const analysis::Sweep& sweep, const std::string& folder, const std::string& summary) {
  for (std::size_t s = 0; s < loaded.size(); ++s) {
    const chaos::RunOutcome* first = sweep.first(s);
    if (first == nullptr) continue;
    const analysis::RunReport report{loaded[s].name, loaded[s].description, loaded[s].file, first->verdict.seed, first, 0.0};
    std::string error = command == "run" ? analysis::write_run_folder(report, folder, summary) : analysis::write_run_folder(report, side_folder(folder, s));
    if (!error.empty()) return error;
  }
  return {};
}

analysis::JobDescription describe(const std::string& command, const std::vector<LoadedScenario>& loaded, const RunFlags& flags, const ManyFlags& many) {
  analysis::JobDescription job;
  job.command = command;
  job.program = analysis::program_version();
  for (const LoadedScenario& one : loaded) job.scenarios.push_back({one.name, one.description, one.file, one.inputs});
  job.overrides = flags.overrides;
  job.until = flags.until_text;
  job.first_seed = flags.seed.value_or(loaded.front().seed);
  job.replications = flags.replications;
  job.confidence = many.level();
  return job;
}

/// Runs one part and writes its file.
int run_shard(const analysis::JobDescription& job, const std::vector<LoadedScenario>& loaded, analysis::Sweep& sweep, analysis::Shard part, const std::string& folder, bool quiet) {
  if (!sweep.extend_to(job.replications)) {
    std::fputs("squall: interrupted: no shard was written\n", stderr);
    return kInterrupted;
  }
  analysis::ShardFile shard;
  shard.path = analysis::shard_path(folder, part);
  shard.job = job;
  shard.shard = part;
  shard.lines = sweep.lines();
  if (part.index == 0) {
    // What the first replication leaves goes along: who merges has neither the scenario nor its world.
    const std::string files = shard.path + ".files";
    std::error_code ignored;
    std::string error = write_firsts(job.command, loaded, sweep, files, {});
    if (error.empty()) error = analysis::read_folder(files, shard.files);
    std::filesystem::remove_all(files, ignored);
    if (!error.empty()) return cannot_write(error);
  }
  if (const std::string error = analysis::write_shard(shard); !error.empty()) return cannot_write(error);
  if (!quiet) {
    std::fputs(fmt::format("shard {} of {}: {} runs of {}; {}\n", part.index, part.count, shard.lines.size(), job.replications * loaded.size(), shard.path).c_str(), stdout);
  }
  return kOk;
}

/// Replications until the interval is narrow enough. Empty, or what is wrong with the metric.
std::string run_until_narrow(analysis::Sweep& sweep, analysis::Precision& precision, Progress& progress) {
  if (!sweep.extend_to(1)) return {};
  if (std::string problem = precision.choose(sweep.results()); !problem.empty()) return problem;
  do {
    if (!sweep.extend_to(precision.next_look())) break;
    progress.finish();
  } while (precision.wants_more(sweep.results()));
  if (!sweep.complete() && sweep.replications() > 0) precision.wants_more(sweep.results());
  return {};
}

}  // namespace

std::optional<double> parse_share(const std::string& text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (rest == "%" || rest == " %") value /= 100.0;
  else if (!rest.empty()) return std::nullopt;
  if (!(value > 0.0) || !(value < 1.0)) return std::nullopt;
  return value;
}

std::optional<analysis::Shard> parse_shard(const std::string& text) {
  analysis::Shard shard;
  const char* end = text.data() + text.size();
  const auto index = std::from_chars(text.data(), end, shard.index);
  if (index.ec != std::errc{} || index.ptr == end || *index.ptr != '/') return std::nullopt;
  const auto count = std::from_chars(index.ptr + 1, end, shard.count);
  constexpr std::size_t kMost = 100'000;
  if (count.ec != std::errc{} || count.ptr != end || shard.index >= shard.count || shard.count > kMost) return std::nullopt;
  return shard;
}

double ManyFlags::level() const { return parse_share(confidence).value_or(0.95); }
std::optional<analysis::Shard> ManyFlags::part() const { return shard.empty() ? std::nullopt : parse_shard(shard); }

void add_precision_flags(CLI::App& command, ManyFlags& flags) {
  const auto is_share = [](const std::string& text) { return parse_share(text) ? std::string() : "'" + text + "' is no share above 0 and below 100 % (like 5% or 0.05)"; };
  const auto is_level = [](const std::string& text) {
    const auto share = parse_share(text);
    return share && *share >= 0.5 && *share <= 0.999999 ? std::string() : "'" + text + "' is no confidence from 50% to 99.9999% (like 95% or 0.95)";
  };
  command.add_option("--until-ci", flags.until_ci, "Runs until the interval of one figure is this narrow: half of it at most 5% of the mean, of the unavailability of an availability; points of a share of runs")
      ->check(is_share)->option_text("WIDTH");
  command.add_option("--ci-of", flags.metric, "Which figure --until-ci looks at: a name or part of one, p95: or median: before it for a quantile (default: objectives all held)")->option_text("FIGURE");
  command.add_option("--confidence", flags.confidence, "Confidence of all intervals, 50% to 99.9999% (default: 95%)")->check(is_level)->option_text("SHARE");
  const auto bound = [&flags](const std::string&) {
    flags.has_bounds = true;
    return std::string();
  };
  command.add_option("--min-replications", flags.minimum, "With --until-ci: at least so many, 2 to 1000000 (default: 30)")->check(CLI::Range(2, 1'000'000))->check(bound)->option_text("N");
  command.add_option("--max-replications", flags.maximum, "With --until-ci: at most so many, 2 to 1000000 (default: 10000)")->check(CLI::Range(2, 1'000'000))->check(bound)->option_text("N");
}

void add_shard_flag(CLI::App& command, ManyFlags& flags) {
  const auto is_shard = [](const std::string& text) {
    return parse_shard(text) ? std::string() : "'" + text + "' is no shard: INDEX/COUNT, where the index counts from 0 (0/16 to 15/16)";
  };
  command.add_option("--shard", flags.shard, "Runs one part of many and writes it to DIR as shard-I-of-N.jsonl; squall merge puts them together")->check(is_shard)->option_text("I/N");
}

std::string contradiction(const ManyFlags& many, const RunFlags& flags) {
  if (!many.until_ci.empty() && many.has_replications) return "--replications and --until-ci exclude each other; --min-replications and --max-replications bound it";
  if (many.until_ci.empty() && !many.metric.empty()) return "--ci-of needs --until-ci: how narrow the interval of that figure is to be";
  if (many.until_ci.empty() && many.has_bounds) return "--min-replications and --max-replications need --until-ci; --replications says how many there are";
  if (many.minimum > many.maximum) return fmt::format("--min-replications {} is more than --max-replications {}", many.minimum, many.maximum);
  if (many.shard.empty()) return {};
  if (!many.until_ci.empty()) return "--shard and --until-ci exclude each other: when to stop depends on all runs, and a shard has only its own; give --replications";
  if (flags.output.empty()) return "--shard needs -o DIR: the folder of the shard's file";
  if (flags.replications < 2) return "--shard needs --replications of 2 or more";
  if (flags.format == "json") return "--shard prints no results that --format json could be of; squall merge does";
  return {};
}

int tell(const ManyResults& many, const std::string& output, const std::string& format) {
  const analysis::JobDescription& job = *many.job;
  const std::vector<analysis::ScenarioResults>& results = *many.results;
  const bool is_json = format == "json";
  const double confidence = job.confidence;
  std::string json;
  std::string text;
  std::string html;
  if (many.replications == 0) {
    std::fputs(job.command == "run" ? "squall: stopped before one run was complete\n" : "squall: stopped before one pair of runs was complete\n", stderr);
    return kInterrupted;
  }
  if (job.command == "run") {
    const analysis::Aggregate aggregate =
        analysis::aggregate(job.scenarios.front().name, job.scenarios.front().description, results.front(), many.complete, confidence, many.precision);
    json = analysis::aggregate_json(aggregate);
    text = analysis::aggregate_text(aggregate, use_colour(), many.wall_seconds);
  } else {
    std::vector<std::string> names;
    std::vector<std::string> files;
    for (const analysis::JobDescription::Scenario& scenario : job.scenarios) {
      names.push_back(scenario.name);
      files.push_back(scenario.file);
    }
    const analysis::Comparison comparison = analysis::compare(names, files, results, many.replications, many.complete, confidence, many.precision);
    json = analysis::comparison_json(comparison);
    text = analysis::comparison_text(comparison, use_colour(), terminal_width());
    if (!output.empty()) html = analysis::comparison_html(comparison);
  }
  std::fputs(is_json ? json.c_str() : text.c_str(), stdout);
  if (!output.empty()) {
    if (const std::string error = analysis::make_folder(output); !error.empty()) return cannot_write(error);
    if (const std::string error = analysis::remove_file(output + "/summary.json"); !error.empty()) return cannot_write(error);
    if (const std::string error = many.write_firsts(output, json); !error.empty()) return cannot_write(error);
    if (job.command == "run") {
      const analysis::ScenarioResults& runs = results.front();
      const ReplayNote note{job.scenarios.front().file, runs.seeds().front(), job.until, job.overrides, fmt::format("{:016x}", runs.hashes().front())};
      if (const std::string error = write_replay_note(note, output); !error.empty()) return cannot_write(error);
    }
    if (job.command == "compare") {
      if (const std::string error = analysis::write_whole_file(output + "/report.html", html); !error.empty()) return cannot_write(error);
    }
    if (const std::string error = analysis::write_whole_file(output + "/summary.json", json); !error.empty()) return cannot_write(error);
    if (!is_json && job.command == "run") {
      std::fputs(fmt::format("  {}/summary.json, and report.html of seed {}\n\n", output, results.front().seeds().front()).c_str(), stdout);
    } else if (!is_json) {
      std::fputs(fmt::format("  Report: {0}/report.html   figures: {0}/summary.json   one run of each: {0}/a/report.html, {0}/b/report.html\n\n", output).c_str(), stdout);
    }
  }
  return many.complete ? kOk : kInterrupted;
}

std::string disagreement(analysis::Ranks& ranks, const std::string& error, std::uint64_t inputs) {
  const std::vector<std::string> all = ranks.gather(fmt::format("{:016x}{:016x} {}", inputs, error.empty() ? 0u : 1u, error));
  std::string problem;
  for (std::size_t rank = 0; rank < all.size() && problem.empty(); ++rank) {
    const bool failed = all[rank][31] == '1';
    if (failed && rank == 0) problem = "told";
    else if (failed && all[0][31] == '0') problem = fmt::format("process {} of {}: {}", rank, all.size(), all[rank].substr(33));
    else if (all[rank].substr(0, 16) != all[0].substr(0, 16)) problem = fmt::format("process {} of {} read other files than process 0: all need the same ones", rank, all.size());
  }
  return ranks.broadcast(problem);
}

int run_many(const std::string& command, const std::vector<std::string>& scenarios, const RunFlags& flags, const ManyFlags& many) {
  std::string problem;
  const std::unique_ptr<analysis::Ranks> ranks = join_ranks(problem);
  const bool is_first = ranks == nullptr || ranks->rank() == 0;
  if (problem.empty() && ranks != nullptr && !many.shard.empty()) problem = is_first ? "--shard is for machines without MPI: under mpirun leave it out" : "told";
  if (!problem.empty()) return problem == "told" ? kWrongInput : wrong(problem);
  std::vector<LoadedScenario> loaded;
  std::string error;
  std::uint64_t inputs = 0;
  for (const std::string& file : scenarios) {
    loaded.push_back(load_scenario(file, flags.overrides, !is_first ? Telling::kNothing : flags.quiet ? Telling::kErrors : Telling::kAll));
    if (loaded.back().spec == nullptr && error.empty()) error = loaded.back().error;
    inputs = inputs * 31 + loaded.back().inputs;
  }
  if (ranks != nullptr) {
    if (const std::string found = disagreement(*ranks, error, inputs); !found.empty()) return is_first && found != "told" ? wrong(found) : kWrongInput;
  }
  if (!error.empty()) return kWrongInput;
  const std::atomic<bool>& stop = stop_on_interrupt();  // until here there is nothing to tell, and a signal just ends the program
  if (is_first && !flags.output.empty()) {
    // Before the work, not after it.
    error = analysis::make_folder(flags.output);
  }
  if (ranks != nullptr ? !ranks->broadcast(error).empty() : !error.empty()) return is_first ? cannot_write(error) : kCannotWrite;

  Progress progress(flags.quiet || !is_first);
  const analysis::JobDescription job = describe(command, loaded, flags, many);
  analysis::SweepOptions options;
  options.first_seed = job.first_seed;
  options.jobs = ranks != nullptr ? threads_of_rank(flags.jobs, *ranks) : flags.threads();
  options.run.stop = &stop;
  options.run.until = flags.until();
  options.keep_first = !flags.output.empty();
  options.shard = many.part();
  options.ranks = ranks.get();
  const bool until_narrow = !many.until_ci.empty();
  options.progress = [&](std::size_t done, std::size_t total) {
    progress.update(static_cast<double>(done) / static_cast<double>(total),
                    fmt::format("{} of {} runs{}{}", done, total, until_narrow ? " to the next look" : "", ranks != nullptr ? " of this process" : ""));
  };
  std::vector<const sim::scenario::ScenarioSpec*> specs;
  for (const LoadedScenario& scenario : loaded) specs.push_back(scenario.spec.get());
  const auto began = Clock::now();
  analysis::Sweep sweep(specs, options);
  if (!is_first) {
    sweep.serve();
    return kOk;
  }
  if (const auto part = many.part()) return run_shard(job, loaded, sweep, *part, flags.output, flags.quiet);
  std::optional<analysis::Precision> precision;
  if (until_narrow) {
    precision.emplace(sim::StoppingRule::Params{*parse_share(many.until_ci), many.level(), many.minimum, many.maximum}, many.metric);
    if (const std::string unknown = run_until_narrow(sweep, *precision, progress); !unknown.empty()) return wrong("--ci-of " + unknown);
  } else {
    sweep.extend_to(job.replications);
  }
  sweep.finish();
  progress.finish();
  ManyResults results;
  results.job = &job;
  results.results = &sweep.results();
  results.replications = sweep.replications();
  results.complete = sweep.complete();
  results.precision = precision && sweep.replications() > 0 ? &*precision : nullptr;
  results.wall_seconds = std::chrono::duration<double>(Clock::now() - began).count();
  results.write_firsts = [&](const std::string& folder, const std::string& summary) { return write_firsts(command, loaded, sweep, folder, summary); };
  return tell(results, flags.output, flags.format);
}

}  // namespace cli
