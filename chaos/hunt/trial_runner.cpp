#include "chaos/hunt/trial_runner.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <new>
#include <numeric>
#include <tuple>

#include "chaos/hunt/coverage.hpp"
#include "chaos/hunt/instants.hpp"
#include "chaos/live_run.hpp"
#include "sim/core/check.hpp"
#include "sim/models/world.hpp"

namespace chaos::hunt {

namespace {

constexpr SimDuration kOne{1};
constexpr int kOutOfMemory = 71;
constexpr int kThrown = 72;
/// Before it a child's stderr may stand.
constexpr std::string_view kMagic = "\nSQUALL-TRIAL-RESULT\n";
constexpr std::size_t kTextMax = 400;

/// What a child tells its parent, as bytes. Both are one program: no versions, no byte order.
class Packer {
 public:
  template <class T>
  void number(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    number(value.size());
    out_.append(value);
  }
  const std::string& bytes() const { return out_; }

 private:
  std::string out_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : in_(bytes) {}
  template <class T>
  T number() {
    T value{};
    if (in_.size() < sizeof value) {
      good_ = false;
      return value;
    }
    std::memcpy(&value, in_.data(), sizeof value);
    in_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const auto size = number<std::size_t>();
    if (size > in_.size()) {
      good_ = false;
      return {};
    }
    std::string value(in_.substr(0, size));
    in_.remove_prefix(size);
    return value;
  }
  /// A count that the rest can hold: a damaged message asks for no memory.
  std::size_t count() {
    const auto value = number<std::size_t>();
    if (value > in_.size()) good_ = false;
    return good_ ? value : 0;
  }
  bool good() const { return good_; }

 private:
  std::string_view in_;
  bool good_ = true;
};

void pack(Packer& to, const std::vector<CauseStep>& steps) {
  to.number(steps.size());
  for (const CauseStep& step : steps) {
    to.number(step.id.value);
    to.number(step.time.time_since_epoch().count());
    to.text(step.kind);
    to.text(step.subject);
    to.text(step.message);
  }
}

std::vector<CauseStep> unpack_steps(Unpacker& from) {
  std::vector<CauseStep> steps(from.count());
  for (CauseStep& step : steps) {
    step.id.value = from.number<decltype(step.id.value)>();
    step.time = SimTime(SimDuration(from.number<SimDuration::rep>()));
    step.kind = from.text();
    step.subject = from.text();
    step.message = from.text();
  }
  return steps;
}

std::string pack(const TrialResult& result) {
  Packer to;
  to.text(result.hash);
  to.number(result.events);
  to.number(result.broken.size());
  for (const Broken& one : result.broken) {
    to.number(one.expectation);
    to.text(one.measure);
    to.text(one.signature);
    to.text(one.in_words);
  }
  to.number(result.not_injected.size());
  for (const std::string& one : result.not_injected) to.text(one);
  to.number(result.strain.size());
  for (const double one : result.strain) to.number(one);
  to.number(result.features.size());
  for (const std::uint64_t one : result.features) to.number(one);
  to.number(result.reactions.size());
  for (const Reaction& one : result.reactions) {
    to.text(one.what);
    to.number(one.at.count());
  }
  to.number(result.whys.size());
  for (const Why& why : result.whys) {
    pack(to, why.steps);
    to.number(why.left_out);
    pack(to, why.contributing);
    to.text(why.fault);
  }
  return to.bytes();
}

bool unpack(std::string_view bytes, TrialResult& result) {
  Unpacker from(bytes);
  result.hash = from.text();
  result.events = from.number<std::uint64_t>();
  result.broken.resize(from.count());
  for (Broken& one : result.broken) {
    one.expectation = from.number<std::size_t>();
    one.measure = from.text();
    one.signature = from.text();
    one.in_words = from.text();
  }
  result.not_injected.resize(from.count());
  for (std::string& one : result.not_injected) one = from.text();
  result.strain.resize(from.count());
  for (double& one : result.strain) one = from.number<double>();
  result.features.resize(from.count());
  for (std::uint64_t& one : result.features) one = from.number<std::uint64_t>();
  result.reactions.resize(from.count());
  for (Reaction& one : result.reactions) {
    one.what = from.text();
    one.at = SimDuration(from.number<SimDuration::rep>());
  }
  result.whys.resize(from.count());
  for (Why& why : result.whys) {
    why.steps = unpack_steps(from);
    why.left_out = from.number<std::size_t>();
    why.contributing = unpack_steps(from);
    why.fault = from.text();
  }
  result.ran = from.good();
  return from.good();
}

void write_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(to, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // the parent is gone
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// What counts for RLIMIT_DATA now; 0 when the system does not say.
std::uint64_t data_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long size = 0, resident = 0, shared = 0, text = 0, library = 0, data = 0;
  const int read = std::fscanf(file, "%llu %llu %llu %llu %llu %llu", &size, &resident, &shared, &text, &library, &data);
  std::fclose(file);
  return read == 6 ? data * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

std::string describe(const Measure& measure) {
  std::string measured = format_figure(measure.unit, measure.measured);
  // What was shrunk is just beyond its bound, and must not read as if it were on it.
  if (measured == format_figure(measure.unit, measure.bound)) {
    measured = measure.unit == Unit::kRatio ? fmt::format("{:.6f} %", measure.measured * 100.0) : fmt::format("{:.9g} {}", measure.measured, to_string(measure.unit));
  }
  std::string text = fmt::format("{} {}, {} {} expected", measure.name, measured, to_string(measure.comparison), format_figure(measure.unit, measure.bound));
  if (measure.first_violation) text += fmt::format(", first at {}", sim::humanize(measure.first_violation->time_since_epoch()));
  return text;
}

/// Judges the run and says what is to be told of it.
TrialResult summarize_trial(LiveRun& run, sim::RunEnd end, const Coverage& coverage, const TrialRequest& request, const std::vector<std::string>& known_classes,
                            std::size_t reactions_max, const std::vector<std::string>& own_faults) {
  TrialResult result;
  const sim::EventLog& log = run.world().log;
  std::map<std::string, SimDuration> first;
  const SimTime from = request.trial.empty() ? sim::kEndOfTime : SimTime(request.trial.front().at);
  for (const sim::EventLog::Record& record : log.records()) {
    if (record.time < from) continue;
    std::string what = fmt::format("{} {}", log.kind(record), kind_of_subject(log.subject(record)));
    if (!std::binary_search(known_classes.begin(), known_classes.end(), what)) first.try_emplace(std::move(what), record.time.time_since_epoch());
  }
  for (const auto& [what, at] : first) {
    if (result.reactions.size() < reactions_max && !what.starts_with("Fault")) result.reactions.push_back({what, at});
  }
  const RunOutcome outcome = run.finish(end);
  const Verdict& verdict = outcome.verdict;
  result.hash = outcome.event_log_hash;
  result.events = outcome.engine_stats.executed;
  for (std::size_t i = 0; i < verdict.expectations.size(); ++i) {
    const ExpectationResult& expectation = verdict.expectations[i];
    if (expectation.held) continue;
    bool any = false;
    for (const Measure& measure : expectation.measures) {
      if (measure.held) continue;
      any = true;
      result.broken.push_back({i, measure.name, chain_signature(measure.why), describe(measure)});
      if (request.explain) result.whys.push_back(measure.why);
    }
    if (!any) {
      result.broken.push_back({i, "not judged", "not judged", expectation.not_judged});
      if (request.explain) result.whys.emplace_back();
    }
  }
  for (const FaultRun& fault : verdict.faults) {
    const std::string name = fault.name.substr(0, fault.name.rfind('#'));
    if (fault.failed && std::find(own_faults.begin(), own_faults.end(), name) == own_faults.end()) result.not_injected.push_back(fault.name + ": " + fault.outcome);
  }
  result.strain = strain_of(verdict);
  result.features = coverage.features(verdict, result.strain);
  result.ran = true;
  return result;
}

/// What the child says: the last line that is not empty.
std::string last_words(std::string_view said) {
  while (!said.empty() && (said.back() == '\n' || said.back() == ' ')) said.remove_suffix(1);
  // The first line of an internal error tells more than the last one, which asks for a report.
  const std::size_t error = said.rfind("squall: ");
  if (error != std::string_view::npos) said = said.substr(error, said.find('\n', error) - error);
  const std::size_t line = said.rfind('\n');
  if (line != std::string_view::npos) said = said.substr(line + 1);
  return std::string(said.substr(0, kTextMax));
}

}  // namespace

std::string chain_signature(const Why& why) {
  std::string text;
  std::string before;
  for (const CauseStep& step : why.steps) {
    std::string one = fmt::format("{} {}", step.kind, kind_of_subject(step.subject));
    if (one == before) continue;  // the third eviction in a row is no other story than the second
    if (!text.empty()) text += " < ";
    text += one;
    before = std::move(one);
  }
  if (why.left_out > 0) text += " ...";
  return text.empty() ? "no cause" : text;
}

struct TrialRunner::Child {
  pid_t pid = 0;
  int from = -1;
  std::size_t index = 0;
  std::string said;
};

TrialRunner::TrialRunner(const sim::scenario::ScenarioSpec& scenario, const Plan& plan, const std::vector<Action>& actions, RunnerOptions options)
    : scenario_(scenario), plan_(plan), actions_(actions), options_(options) {
  for (const auto& fault : plan.faults) taken_names_.push_back(fault->name);
}

std::vector<TrialResult> TrialRunner::run(const std::vector<TrialRequest>& requests, const std::function<bool()>& stop,
                                          const std::function<void(std::size_t, const TrialResult&)>& done) {
  std::vector<TrialResult> results(requests.size());
  // One clean run serves all trials of as many faults and of one seed; those that begin at the start come first, in a group of their own.
  const auto forks = [&](const TrialRequest& request) {
    if (request.from_start || request.trial.empty()) return false;
    return std::none_of(request.trial.begin(), request.trial.end(), [&](const PlannedFault& fault) { return actions_[fault.action].foresees; });
  };
  std::map<std::tuple<bool, std::uint64_t, std::size_t>, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const bool forked = forks(requests[i]);
    groups[{forked, forked ? requests[i].seed : 0, forked ? requests[i].trial.size() : 0}].push_back(i);
  }
  for (auto& [key, order] : groups) {
    const bool forked = std::get<0>(key);
    if (forked) {
      std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return requests[a].trial.front().at < requests[b].trial.front().at; });
    }
    (forked ? forked_ : from_start_) += order.size();
    run_group(requests, order, results, stop, done);
  }
  return results;
}

void TrialRunner::run_group(const std::vector<TrialRequest>& requests, std::vector<std::size_t> order, std::vector<TrialResult>& results,
                            const std::function<bool()>& stop, const std::function<void(std::size_t, const TrialResult&)>& done) {
  const TrialRequest& first = requests[order.front()];
  const bool is_forked = !first.from_start && !first.trial.empty() &&
                         std::none_of(first.trial.begin(), first.trial.end(), [&](const PlannedFault& fault) { return actions_[fault.action].foresees; });
  RunOptions run_options;
  run_options.keep_world = false;
  std::unique_ptr<LiveRun> trunk;
  if (is_forked) trunk = std::make_unique<LiveRun>(scenario_, plan_, first.seed, run_options, first.trial.size());
  std::vector<Child> children;
  bool stopped = false;

  const auto whole_run = [&](const TrialRequest& request, std::vector<std::shared_ptr<const FaultSpec>> specs) {
    Plan plan = plan_;
    for (auto& spec : specs) plan.faults.push_back(std::move(spec));
    LiveRun run(scenario_, std::move(plan), request.seed, run_options);
    const Coverage coverage(run.world());
    const sim::RunEnd end = run.advance(run.until());
    return summarize_trial(run, end, coverage, request, known_classes_, options_.reactions_max, taken_names_);
  };
  // In the child; never returns.
  const auto play = [&](const TrialRequest& request, const std::vector<std::shared_ptr<const FaultSpec>>& specs, int to) {
    ::dup2(to, STDERR_FILENO);
    std::signal(SIGINT, SIG_IGN);  // Ctrl-C goes to all; the parent decides
    std::signal(SIGTERM, SIG_DFL);
    const rlimit seconds{options_.seconds_max, options_.seconds_max + 1};
    ::setrlimit(RLIMIT_CPU, &seconds);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    if (options_.memory_bytes != 0) {
      const rlim_t bound = data_bytes() + options_.memory_bytes;
      const rlimit data{bound, bound};
      ::setrlimit(RLIMIT_DATA, &data);
    }
    int exit_code = 0;
    try {
      TrialResult result;
      bool forked = trunk != nullptr;
      // An event that is due at the very instant of the fault may come before it: only the run from the start knows.
      if (forked && trunk->world().engine.next_event_time() <= SimTime(request.trial.front().at)) forked = false;
      if (forked) {
        LiveRun& run = *trunk;
        const Coverage coverage(run.world());
        sim::RunEnd end = sim::RunEnd::kTimeLimit;
        for (std::size_t i = 0; forked && i < specs.size(); ++i) {
          const SimTime at{specs[i]->at};
          if (at - kOne > run.world().engine.now()) end = run.advance(at - kOne);
          const bool tied = i > 0 && request.trial[i].at == request.trial[i - 1].at;  // reserved places stand in their order: the next one is next
          if (!tied && run.world().engine.next_event_time() <= at) forked = false;
          if (end == sim::RunEnd::kRequested) break;
          if (forked) run.schedule().inject_reserved(specs[i], i);
        }
        if (forked) {
          run.schedule().release_reserved();
          if (end != sim::RunEnd::kRequested) end = run.advance(run.until());
          result = summarize_trial(run, end, coverage, request, known_classes_, options_.reactions_max, taken_names_);
          result.events += specs.size();  // the injections, which did not come from the queue here
        }
      }
      if (!forked) result = whole_run(request, specs);
      write_all(to, kMagic);
      write_all(to, pack(result));
    } catch (const std::bad_alloc&) {
      exit_code = kOutOfMemory;
    } catch (const std::exception& error) {
      write_all(to, fmt::format("squall: {}\n", error.what()));
      exit_code = kThrown;
    }
    ::_exit(exit_code);  // no destructors, no buffers of the parent's
  };

  const auto finish = [&](Child& child) {
    ::close(child.from);
    int status = 0;
    while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    TrialResult& result = results[child.index];
    if (stopped) return;
    const std::size_t magic = child.said.rfind(kMagic);
    const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!(well && magic != std::string::npos && unpack(std::string_view(child.said).substr(magic + kMagic.size()), result))) {
      result = TrialResult{};
      result.ran = true;
      if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
        result.crash = fmt::format("no end within {} s of processor time", options_.seconds_max);
      } else if (WIFSIGNALED(status)) {
        result.crash = fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
      } else if (WIFEXITED(status) && WEXITSTATUS(status) == kOutOfMemory) {
        result.crash = "out of memory";
      } else {
        result.crash = fmt::format("exit code {}", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
      }
      if (const std::string words = last_words(child.said.substr(0, magic)); !words.empty()) result.crash += ": " + words;
    }
    if (done) done(child.index, result);
  };
  /// Waits until somebody says something, and takes away who has ended.
  const auto listen = [&] {
    std::vector<pollfd> polled;
    for (const Child& child : children) polled.push_back({child.from, POLLIN, 0});
    constexpr int kLookMilliseconds = 200;
    if (::poll(polled.data(), polled.size(), kLookMilliseconds) <= 0) return;
    for (std::size_t i = children.size(); i-- > 0;) {
      if ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      char buffer[65536];
      const ssize_t got = ::read(children[i].from, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got > 0) {
        children[i].said.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      finish(children[i]);
      children.erase(children.begin() + static_cast<std::ptrdiff_t>(i));
    }
  };
  const auto ask = [&] {
    if (stopped || !stop || !stop()) return;
    stopped = true;
    for (const Child& child : children) ::kill(child.pid, SIGKILL);
  };

  for (const std::size_t index : order) {
    const TrialRequest& request = requests[index];
    while (children.size() >= std::max<std::size_t>(options_.jobs, 1)) {
      listen();
      ask();
    }
    ask();
    if (stopped) break;
    std::string error;
    const std::vector<std::shared_ptr<const FaultSpec>> specs = read_trial(actions_, request.trial, taken_names_, error);
    SIM_CHECK(specs.size() == request.trial.size(), "list_actions() makes faults that the scenario's reader takes");
    if (trunk != nullptr) {
      const SimTime before = SimTime(request.trial.front().at) - kOne;
      if (before > trunk->world().engine.now()) trunk->advance(before);
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      results[index].ran = true;
      results[index].crash = fmt::format("no pipe: {}", std::strerror(errno));
      continue;
    }
    pid_t pid = ::fork();
    // No process to be had: those that run give theirs back.
    while (pid < 0 && !children.empty()) {
      const std::size_t running = children.size();
      while (children.size() == running) listen();
      pid = ::fork();
    }
    if (pid == 0) {
      ::close(ends[0]);
      for (const Child& other : children) ::close(other.from);
      play(request, specs, ends[1]);
    }
    ::close(ends[1]);
    if (pid < 0) {
      ::close(ends[0]);
      results[index].ran = true;
      results[index].crash = fmt::format("no process: {}", std::strerror(errno));
      continue;
    }
    children.push_back({pid, ends[0], index, {}});
  }
  while (!children.empty()) {
    listen();
    ask();
  }
}

}  // namespace chaos::hunt
