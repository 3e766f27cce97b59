#include "analysis/rare_events.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "analysis/json_text.hpp"
#include "analysis/run_report.hpp"
#include "chaos/failures/failures.hpp"
#include "chaos/live_run.hpp"
#include "chaos/plan.hpp"
#include "sim/core/check.hpp"
#include "sim/core/math.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"

namespace analysis {

namespace {

using sim::SimTime;

// Structs cross pipes as they are in memory: both ends are the same program.
template <class T>
bool write_all(int to, const T& value) {
  const char* at = reinterpret_cast<const char*>(&value);
  std::size_t left = sizeof(T);
  while (left > 0) {
    const ssize_t wrote = ::write(to, at, left);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    at += wrote;
    left -= static_cast<std::size_t>(wrote);
  }
  return true;
}
template <class T>
bool read_all(int from, T& value) {
  char* at = reinterpret_cast<char*>(&value);
  std::size_t left = sizeof(T);
  while (left > 0) {
    const ssize_t got = ::read(from, at, left);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    left -= static_cast<std::size_t>(got);
  }
  return true;
}
void wait_for(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

chaos::Plan plan_of(const sim::scenario::ScenarioSpec& scenario) {
  sim::scenario::Diagnostics diagnostics;
  chaos::Plan plan = chaos::read_plan(scenario, diagnostics);
  SIM_CHECK(!diagnostics.has_errors(), "a scenario that is run has passed check_scenario()");
  return plan;
}

struct CopyReport {
  double lost = 0.0;
  double log_weight = 0.0;
  std::uint64_t events = 0;
  bool complete = false;
};

class Replicate {
 public:
  Replicate(const sim::scenario::ScenarioSpec& scenario, const RareEventOptions& options, std::uint64_t seed)
      : options_(options), live_(scenario, plan_of(scenario), seed), until_(options.until.value_or(SimTime{} + scenario.run.until)), warm_up_(std::min(SimTime{} + scenario.run.warm_up, until_)) {
    run_.seed = seed;
    rule_.settle = options.settle;
    rule_.failures = options.failures;
    const std::vector<std::string>& names = live_.failures()->processes();
    if (!options.processes.empty()) {
      for (const std::string& name : names) rule_.processes.push_back(std::find(options.processes.begin(), options.processes.end(), name) != options.processes.end());
    }
    live_.failures()->cycles().watch_excursions(rule_, [this] { stops(true); }, [this] { stops(false); });
  }

  /// At the beginning of an excursion, in a process of its own: lives through it under bias.
  CopyReport live_through(std::size_t number) {
    CopyReport report;
    const std::uint64_t events_before = engine().stats().executed;
    const SimTime from = std::max(engine().now(), warm_up_);
    cycles().bias(fmt::format("~{}.{}", run_.excursions, number));
    // Once the outage is there nothing has to be hastened any more. It is looked for a while after each failure, the first one too: what follows from one takes
    // its time. A few requests that fail with each node are not what is looked for.
    constexpr sim::SimDuration kLook = std::chrono::minutes(2);
    constexpr double kShareDown = 0.1;
    constexpr int kLooks = 5;
    std::uint64_t seen = cycles().failures();
    int looks = kLooks;
    bool is_over = false;
    bool is_biased = true;
    while (!is_over && engine().now() < until_) {
      const SimTime next = std::min(until_, engine().now() + kLook);
      const sim::RunEnd end = engine().run_until(is_biased ? next : until_, options_.stop);
      if (end == sim::RunEnd::kStopped) return report;
      is_over = end == sim::RunEnd::kRequested && !began_;
      if (is_over || !is_biased || end == sim::RunEnd::kRequested) continue;
      if (cycles().failures() != seen) looks = kLooks;
      seen = cycles().failures();
      if (looks == 0) continue;
      --looks;
      const SimTime since = std::max(from, engine().now() - kLook);
      if (live_.lost_seconds(options_.subject, since, engine().now()) <= kShareDown * sim::seconds(engine().now() - since)) continue;
      cycles().end_bias();
      is_biased = false;
    }
    report.lost = live_.lost_seconds(options_.subject, from, engine().now());
    report.log_weight = cycles().log_weight();
    report.events = engine().stats().executed - events_before;
    report.complete = true;
    return report;
  }

  enum class Pause : std::uint8_t { kExcursion, kEnd, kStopped };
  /// Goes on to the beginning of the next excursion, or to the end.
  Pause next() {
    while (advance(until_)) {
      if (!began_) {
        excursions_.back().second = engine().now();
        continue;
      }
      excursions_.emplace_back(engine().now(), until_);
      for (std::size_t i = 0; i < cycles().components().size(); ++i) {
        const std::size_t process = cycles().components()[i].process;
        if (cycles().is_broken(i) && process < 64) run_.openers |= std::uint64_t{1} << process;
      }
      return Pause::kExcursion;
    }
    return engine().now() < until_ ? Pause::kStopped : Pause::kEnd;  // Ctrl-C
  }

  /// What the copies of the excursion that has just begun have lost.
  void take(const std::vector<CopyReport>& reports) {
    double weighted = 0.0;
    for (const CopyReport& report : reports) {
      const double share = sim::math::exp(report.log_weight) * report.lost / static_cast<double>(reports.size());
      weighted += share;
      run_.weighted_square += share * report.lost;
      run_.hits += report.lost > 0.0 ? 1 : 0;
      run_.copied_events += report.events;
      ++run_.copies;
    }
    run_.largest = std::max(run_.largest, weighted);
    run_.weighted += weighted;
    ++run_.excursions;
  }

  RareEventRun finish() {
    const double measured = sim::seconds(until_ - warm_up_);
    const double all = live_.lost_seconds(options_.subject, warm_up_, until_);
    run_.outside = all;
    for (const auto& [from, to] : excursions_) {
      run_.outside -= live_.lost_seconds(options_.subject, std::max(from, warm_up_), std::max(to, warm_up_));
      run_.in_excursions += sim::seconds(to - from);
    }
    // Differences of sums: what is below a microsecond is rounding.
    if (run_.outside < 1e-6) run_.outside = 0.0;
    run_.plain = all / measured;
    run_.unavailability = (run_.outside + run_.weighted) / measured;
    run_.events = engine().stats().executed;
    run_.complete = true;
    return run_;
  }

 private:
  sim::Engine& engine() { return live_.world().engine; }
  chaos::LifeCycles& cycles() { return live_.failures()->cycles(); }
  void stops(bool began) {
    began_ = began;
    engine().stop();
  }
  /// True when an excursion began or ended before `to`.
  bool advance(SimTime to) { return engine().run_until(to, options_.stop) == sim::RunEnd::kRequested; }

  const RareEventOptions& options_;
  chaos::LiveRun live_;
  SimTime until_;
  SimTime warm_up_;
  chaos::LifeCycles::BiasRule rule_;
  RareEventRun run_;
  std::vector<std::pair<SimTime, SimTime>> excursions_;
  bool began_ = false;
};

/// Lets one copy of the process live through the excursions of all of these. Empty: it died, or was stopped.
std::vector<CopyReport> copy_all(const std::vector<Replicate*>& paused, std::size_t number) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    bool told = true;
    for (Replicate* one : paused) told = told && write_all(ends[1], one->live_through(number));
    ::_exit(told ? 0 : 1);
  }
  ::close(ends[1]);
  std::vector<CopyReport> reports(child < 0 ? 0 : paused.size());
  for (CopyReport& report : reports) {
    if (read_all(ends[0], report) && report.complete) continue;
    reports.clear();
    break;
  }
  ::close(ends[0]);
  if (child > 0) wait_for(child);
  return reports;
}

/// Replications side by side: a fork costs much the same for one world as for several, so one serves an excursion of each. They know nothing of each other, and
/// what each finds is what it would find alone.
void run_side_by_side(const sim::scenario::ScenarioSpec& scenario, const RareEventOptions& options, const std::vector<std::uint64_t>& seeds, const std::function<bool(const RareEventRun&)>& done) {
  std::vector<std::unique_ptr<Replicate>> running;
  for (const std::uint64_t seed : seeds) running.push_back(std::make_unique<Replicate>(scenario, options, seed));
  while (!running.empty()) {
    std::vector<Replicate*> paused;
    for (std::unique_ptr<Replicate>& one : running) {
      switch (one->next()) {
        case Replicate::Pause::kExcursion: paused.push_back(one.get()); break;
        case Replicate::Pause::kStopped: return;
        case Replicate::Pause::kEnd:
          if (!done(one->finish())) return;
          one.reset();
          break;
      }
    }
    std::erase(running, nullptr);
    if (paused.empty()) return;
    std::vector<std::vector<CopyReport>> reports(paused.size());  // by replication, then by copy
    for (std::size_t copy = 0; copy < options.copies; ++copy) {
      const std::vector<CopyReport> of_all = copy_all(paused, copy);
      if (of_all.empty()) return;
      for (std::size_t i = 0; i < paused.size(); ++i) reports[i].push_back(of_all[i]);
    }
    for (std::size_t i = 0; i < paused.size(); ++i) paused[i]->take(reports[i]);
  }
}

/// How many replications live in one process: many of a small world, whose run costs less than a fork; few of a large one, whose memory counts. Half of what a
/// process has to do at most, so that there is an answer when somebody stops it half way.
std::size_t side_by_side(std::size_t nodes, std::size_t replications) {
  constexpr std::size_t kNodes = 400;
  constexpr std::size_t kMost = 16;
  return std::clamp<std::size_t>(kNodes / std::max<std::size_t>(nodes, 1), 1, std::clamp<std::size_t>((replications + 1) / 2, 1, kMost));
}

// What an interval needs to be trusted.
constexpr std::uint64_t kHitsNeeded = 50;
constexpr double kShareAllowed = 0.1;
constexpr std::size_t kRunsNeeded = 10;
constexpr std::uint64_t kOutsideRunsNeeded = 20;
/// Much of it happened outside of excursions, to few runs: that part is plain luck.
bool has_lucky_outside(const RareEvents& found) { return found.outside_share > kShareAllowed && found.outside_runs < kOutsideRunsNeeded; }

void summarise(RareEvents& found, std::size_t wanted) {
  sim::Tally estimate;
  sim::Tally plain;
  double weighted = 0.0;
  double outside = 0.0;
  double square = 0.0;
  double largest = 0.0;
  double events = 0.0;
  double copied = 0.0;
  for (const RareEventRun& run : found.runs) {
    estimate.add(run.unavailability);
    plain.add(run.plain);
    found.excursions += run.excursions;
    found.copies += run.copies;
    found.hits += run.hits;
    weighted += run.weighted;
    outside += run.outside;
    found.outside_runs += run.outside > 0.0 ? 1 : 0;
    found.excursion_share += run.in_excursions;
    square += run.weighted_square;
    largest = std::max(largest, run.largest);
    events += static_cast<double>(run.events);
    copied += static_cast<double>(run.copied_events);
  }
  found.complete = found.runs.size() == wanted;
  if (found.runs.empty()) return;
  const auto runs = static_cast<double>(found.runs.size());
  found.unavailability = sim::mean_interval(estimate);
  found.unavailability.low = std::max(0.0, found.unavailability.low);
  found.plain = sim::mean_interval(plain);
  found.plain.low = std::max(0.0, found.plain.low);
  const double all = weighted + outside;
  found.largest_share = all > 0.0 ? largest / all : 0.0;
  found.outside_share = all > 0.0 ? outside / all : 0.0;
  // Outages that are rare come as in a Poisson process: the variance of a plain run is the sum of the squares of what they cost.
  const double plain_variance = square / runs / (found.measured_seconds * found.measured_seconds);
  if (estimate.variance() > 0.0 && plain_variance > 0.0) found.work_saved = plain_variance * events / (estimate.variance() * (events + copied));
  found.excursion_share /= runs * found.length_seconds;
  found.is_trusted = found.hits >= kHitsNeeded && found.largest_share <= kShareAllowed && found.runs.size() >= kRunsNeeded && !has_lucky_outside(found) && found.unseen.empty();
}

}  // namespace

RareEvents estimate_rare_events(const sim::scenario::ScenarioSpec& scenario, const RareEventOptions& options) {
  RareEvents found;
  found.subject = options.subject;
  const SimTime until = options.until.value_or(SimTime{} + scenario.run.until);
  found.length_seconds = sim::seconds(until);
  found.measured_seconds = sim::seconds(until - std::min(SimTime{} + scenario.run.warm_up, until));
  if (scenario.failures == nullptr) {
    found.error = "the scenario has no section 'failures': nothing in it fails by itself, so there is no rare event to hasten";
    return found;
  }
  if (found.measured_seconds <= 0.0) {
    found.error = fmt::format("nothing is measured: the warm-up lasts {}, and the run {}", sim::format_duration(scenario.run.warm_up), sim::format_duration(until.time_since_epoch()));
    return found;
  }
  std::vector<std::pair<std::size_t, std::string>> watched;
  std::size_t together = 1;
  {
    chaos::LiveRun live(scenario, plan_of(scenario), options.first_seed);
    // Services have a history once they serve.
    together = side_by_side(live.world().api.all<sim::k8s::Node>().size(), options.replications / std::max<std::size_t>(options.jobs, 1));
    live.world().engine.run_until(std::min(until, SimTime(std::max<sim::SimDuration>(scenario.run.warm_up, std::chrono::minutes(10)))), options.stop);
    const std::vector<std::string> subjects = live.subjects();
    if (std::find(subjects.begin(), subjects.end(), options.subject) == subjects.end()) {
      const std::string hint = sim::scenario::did_you_mean(options.subject, subjects);
      found.error = fmt::format("there is no '{}' that has an availability{}; there are: {}", options.subject, hint.empty() ? "" : " (" + hint + ")", fmt::join(subjects, ", "));
      return found;
    }
    const std::vector<std::string>& names = live.failures()->processes();
    for (const std::string& process : options.processes) {
      if (std::find(names.begin(), names.end(), process) != names.end()) continue;
      found.error = fmt::format("there is no failure process '{}' to bias; there are: {}", process, fmt::join(names, ", "));
      return found;
    }
    std::size_t may = 0;
    for (const std::size_t process : live.failures()->cycles().unbiased_processes()) {
      if (!options.processes.empty() && std::find(options.processes.begin(), options.processes.end(), names[process]) == options.processes.end()) continue;
      found.unbiased.push_back(names[process]);
    }
    for (std::size_t i = 0; i < names.size() && i < 64; ++i) {
      const bool is_wanted = options.processes.empty() || std::find(options.processes.begin(), options.processes.end(), names[i]) != options.processes.end();
      if (is_wanted) watched.emplace_back(i, names[i]);
    }
    for (const std::string& name : names) {
      const bool is_wanted = options.processes.empty() || std::find(options.processes.begin(), options.processes.end(), name) != options.processes.end();
      may += is_wanted && std::find(found.unbiased.begin(), found.unbiased.end(), name) == found.unbiased.end() ? 1 : 0;
    }
    if (may == 0) {
      found.error = "no failure process can be biased: a law that is 'always', 'empirical' or has a 'longest' has no hazard to multiply";
      return found;
    }
  }

  // One process a job; each tells its replications through a pipe. None of them has a thread, so that it may be forked at any instant.
  const std::size_t jobs = std::min(std::max<std::size_t>(options.jobs, 1), options.replications);
  std::vector<pollfd> pipes;
  std::vector<pid_t> workers;
  for (std::size_t job = 0; job < jobs; ++job) {
    int ends[2];
    if (::pipe(ends) != 0) break;
    const pid_t worker = ::fork();
    if (worker == 0) {
      ::close(ends[0]);
      const auto is_stopped = [&] { return options.stop != nullptr && options.stop->load(std::memory_order_relaxed); };
      for (std::size_t i = job; i < options.replications && !is_stopped();) {
        std::vector<std::uint64_t> seeds;
        for (; i < options.replications && seeds.size() < together; i += jobs) seeds.push_back(options.first_seed + i);
        run_side_by_side(scenario, options, seeds, [&](const RareEventRun& run) { return write_all(ends[1], run); });
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    if (worker < 0) {
      ::close(ends[0]);
      break;  // the replications of this one are missing then, which is told
    }
    workers.push_back(worker);
    pipes.push_back(pollfd{ends[0], POLLIN, 0});
  }
  if (workers.empty()) {
    found.error = fmt::format("no process can be forked: {}", std::strerror(errno));
    return found;
  }
  std::size_t open = pipes.size();
  while (open > 0) {
    if (::poll(pipes.data(), pipes.size(), -1) < 0) continue;  // a signal: the workers have it too
    for (pollfd& one : pipes) {
      if (one.fd < 0 || (one.revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      RareEventRun run;
      if (!read_all(one.fd, run)) {
        ::close(one.fd);
        one.fd = -1;
        --open;
        continue;
      }
      if (run.complete) found.runs.push_back(run);
      if (options.progress) options.progress(found.runs.size(), options.replications);
    }
  }
  for (const pid_t worker : workers) wait_for(worker);
  const bool is_stopped = options.stop != nullptr && options.stop->load(std::memory_order_relaxed);
  if (found.runs.size() < options.replications && !is_stopped) {
    found.error = fmt::format("{} of {} replications are missing: their processes died or could not be forked (memory, or a limit of processes?); fewer --jobs may help",
                              options.replications - found.runs.size(), options.replications);
    found.ran_short = true;
    return found;
  }
  std::sort(found.runs.begin(), found.runs.end(), [](const RareEventRun& a, const RareEventRun& b) { return a.seed < b.seed; });
  for (const auto& [process, name] : watched) {
    const bool is_seen = std::any_of(found.runs.begin(), found.runs.end(), [bit = process](const RareEventRun& run) { return (run.openers >> bit & 1u) != 0; });
    if (!is_seen) found.unseen.push_back(name);
  }
  summarise(found, options.replications);
  return found;
}

// ---- what is told ---------------------------------------------------------------------------------------------------

namespace {

std::string share(double value) { return value >= 1e-3 ? fmt::format("{:.4f} %", value * 100.0) : fmt::format("{:.3g}", value); }

/// What speaks against the interval; empty when nothing does.
std::string doubt(const RareEvents& found) {
  if (found.is_trusted) return {};
  if (found.runs.size() < kRunsNeeded) return fmt::format("{} replications: take {} at least", found.runs.size(), kRunsNeeded);
  if (found.hits < kHitsNeeded) return fmt::format("only {} copies saw a loss, {} are needed: more --replications, or more --copies", found.hits, kHitsNeeded);
  if (has_lucky_outside(found)) {
    return fmt::format("{:.0f} % of the estimate is from outside of excursions, where only {} runs saw a loss ({} are needed): more --replications, a longer --settle, or more --bias processes",
                       found.outside_share * 100.0, found.outside_runs, kOutsideRunsNeeded);
  }
  if (found.largest_share > kShareAllowed) {
    return fmt::format("one excursion has {:.0f} % of the estimate, 10 % are allowed: more --replications; where a rare failure makes the outage by itself nothing else helps", found.largest_share * 100.0);
  }
  return fmt::format("process{} {} began no excursion in these runs, so that what such a failure does by itself is in none: more --replications, or --bias for the others", found.unseen.size() == 1 ? "" : "es",
                     fmt::join(found.unseen, ", "));
}

}  // namespace

std::string rare_events_text(const RareEvents& found, const std::string& scenario, bool colour) {
  const auto style = [&](const char* code, std::string_view content) { return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, content) : std::string(content); };
  std::string out = fmt::format("\n  {}  {}\n\n", style("1", scenario), style("2", fmt::format("{}: {} replications, {} excursions, {} copies of them under bias", found.subject, found.runs.size(), found.excursions, found.copies)));
  if (!found.complete) out += style("33", "  stopped early: complete replications only\n");
  if (found.runs.empty()) return out;
  const double year = 365.0 * 86'400.0;
  const auto line = [&](std::string_view name, const std::string& value, const std::string& rest) { out += fmt::format("   {:<22} {:>14}   {}\n", name, value, rest); };
  line("unavailability", share(found.unavailability.estimate), fmt::format("95 %: {} to {}", share(found.unavailability.low), share(found.unavailability.high)));
  line("availability", fmt::format("{:.9g} %", (1.0 - found.unavailability.estimate) * 100.0),
       found.unavailability.estimate > 0.0 ? fmt::format("{:.1f} nines", -std::log10(found.unavailability.estimate)) : std::string());
  line("lost a year", sim::humanize(sim::from_seconds(found.unavailability.estimate * year)), "on average");
  line("same runs, plain", share(found.plain.estimate), fmt::format("95 %: {} to {}", share(found.plain.low), share(found.plain.high)));
  line("copies with a loss", fmt::format("{}", found.hits), fmt::format("the largest has {:.2g} % of the estimate; {:.2g} % are from outside of excursions", found.largest_share * 100.0, found.outside_share * 100.0));
  if (found.work_saved > 0.0) line("plain replication", fmt::format("{:.3g} x", found.work_saved), "the events, for an interval as narrow (estimated from the weights)");
  for (const std::string& process : found.unbiased) out += fmt::format("   note: process '{}' runs unbiased: its law has no hazard that could be multiplied\n", process);
  if (found.excursion_share > 0.5) {
    out += fmt::format("   note: something is broken for {:.0f} % of the time, so copies are long: a shorter --settle, or --bias for what matters, makes them cheaper\n", found.excursion_share * 100.0);
  }
  const std::string why = doubt(found);
  out += why.empty() ? fmt::format("   {} the interval can be trusted\n", style("32", "✓")) : fmt::format("   {} do not trust the interval: {}\n", style("1;31", "✗"), why);
  return out + "\n";
}

std::string rare_events_json(const RareEvents& found, const std::string& scenario) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  field(writer, "schemaVersion", std::int64_t{kSummarySchemaVersion});
  field(writer, "program", std::string("squall ") + program_version());
  field(writer, "kind", "rareEvents");
  field(writer, "scenario", scenario);
  field(writer, "subject", found.subject);
  field(writer, "complete", found.complete);
  const auto number = [&](std::string_view name, double value) {
    key(writer, std::string(name).c_str());
    writer.Double(std::isfinite(value) ? value : 0.0);
  };
  const auto interval = [&](std::string_view name, const sim::ConfidenceInterval& value) {
    key(writer, std::string(name).c_str());
    writer.StartObject();
    number("mean", value.estimate);
    if (std::isfinite(value.high)) {
      key(writer, "ci95");
      writer.StartArray();
      writer.Double(value.low);
      writer.Double(value.high);
      writer.EndArray();
    }
    writer.EndObject();
  };
  interval("unavailability", found.unavailability);
  interval("plainUnavailability", found.plain);
  field(writer, "replications", static_cast<std::uint64_t>(found.runs.size()));
  field(writer, "excursions", found.excursions);
  field(writer, "copies", found.copies);
  field(writer, "hits", found.hits);
  number("largestShare", found.largest_share);
  number("outsideShare", found.outside_share);
  field(writer, "outsideRuns", found.outside_runs);
  number("excursionShare", found.excursion_share);
  number("workSaved", found.work_saved);
  field(writer, "trusted", found.is_trusted);
  field(writer, "doubt", doubt(found));
  for (const auto& [name, processes] : {std::pair("unbiasedProcesses", &found.unbiased), std::pair("unseenProcesses", &found.unseen)}) {
    key(writer, name);
    writer.StartArray();
    for (const std::string& process : *processes) writer.String(process.c_str());
    writer.EndArray();
  }
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace analysis
