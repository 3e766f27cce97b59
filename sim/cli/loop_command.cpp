#include "sim/cli/loop_command.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>

#include "analysis/atomic_file.hpp"
#include "analysis/run_report.hpp"
#include "chaos/harness.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/serve_options.hpp"
#include "sim/loop/virtual_time/supervisor.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string scenario;
  std::vector<std::string> command;
  ServeFlags flags;
  std::string until_text;
  std::string output;
  std::string format = "text";
  std::string request_log;
  std::string object_log;
  bool many_cpus = false;
  bool trap_tsc = true;
};

/// The command with the kubeconfig's path where it is asked for.
std::vector<std::string> with_kubeconfig(std::vector<std::string> words, const std::string& kubeconfig) {
  constexpr std::string_view kMark = "{kubeconfig}";
  for (std::string& word : words) {
    for (std::size_t at = word.find(kMark); at != std::string::npos; at = word.find(kMark, at + kubeconfig.size())) word.replace(at, kMark.size(), kubeconfig);
  }
  return words;
}

/// What a run in virtual time tells besides.
struct VirtualRun {
  sim::loop::SupervisorStatistics statistics;
  bool reproducible = false;
  std::vector<std::string> warnings;
};

/// The user's command, in a process group of its own, so that what it starts ends with it.
class Child {
 public:
  std::string start(std::vector<std::string> words, const std::string& kubeconfig) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) return "cannot start a process";
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::setenv("KUBECONFIG", kubeconfig.c_str(), 1);
      ::execvp(argv[0], argv.data());
      std::fputs(fmt::format("squall: {}: {}\n", words[0], std::strerror(errno)).c_str(), stderr);
      ::_exit(127);
    }
    ::setpgid(pid_, pid_);
    return {};
  }
  /// Whether it still runs; its exit code is kept when it does not.
  bool is_running() {
    if (pid_ <= 0) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    pid_ = 0;
    return false;
  }
  void end() {
    if (pid_ <= 0) return;
    const pid_t group = pid_;
    ::kill(-group, SIGTERM);
    constexpr std::chrono::seconds kPatience{5};
    const Clock::time_point until = Clock::now() + kPatience;
    while (is_running() && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (pid_ > 0) {
      ::kill(-group, SIGKILL);
      int status = 0;
      ::waitpid(pid_, &status, 0);
      pid_ = 0;
    }
  }
  int code() const { return code_; }
  ~Child() { end(); }

 private:
  pid_t pid_ = 0;
  int code_ = 0;
};

int run_loop(const Arguments& arguments) {
  std::optional<Prepared> prepared = prepare_session(arguments.scenario, arguments.flags);
  if (!prepared) return kWrongInput;
  const std::atomic<bool>& stop = stop_on_interrupt();
  std::error_code ignored;
  std::string kubeconfig = arguments.flags.kubeconfig;
  Progress progress(arguments.flags.quiet);
  chaos::RunOptions options;
  options.stop = &stop;
  if (!arguments.until_text.empty()) options.until = sim::SimTime(*sim::parse_duration(arguments.until_text));
  std::string failure;
  bool command_ended = false;
  int command_code = 0;
  sim::loop::SessionStatistics seen;
  std::optional<VirtualRun> virtual_run;
  std::string requests;  // for --request-log
  std::string objects;   // for --object-log
  const std::uint64_t seed = arguments.flags.seed.value_or(prepared->loaded.seed);
  options.drive = [&](sim::World& world, sim::SimTime until) {
    prepared->session.seed = seed;
    sim::loop::Session session(world, prepared->session);
    failure = session.start();
    // Nothing of this process in the name: the command sees it.
    if (kubeconfig.empty()) kubeconfig = (std::filesystem::temp_directory_path(ignored) / fmt::format("squall-{}.kubeconfig", session.port())).string();
    if (failure.empty()) failure = analysis::write_whole_file(kubeconfig, session.kubeconfig());
    std::filesystem::permissions(kubeconfig, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
    Child child;
    std::unique_ptr<sim::loop::Supervisor> supervisor;
    if (failure.empty() && arguments.flags.virtual_time) {
      supervisor = std::make_unique<sim::loop::Supervisor>(sim::loop::SupervisorOptions{seed, session.clock_at(world.engine.now()), !arguments.many_cpus, arguments.trap_tsc});
      failure = supervisor->start(with_kubeconfig(arguments.command, kubeconfig), {"KUBECONFIG=" + kubeconfig});
    } else if (failure.empty()) {
      failure = child.start(with_kubeconfig(arguments.command, kubeconfig), kubeconfig);
    }
    if (!failure.empty()) return sim::RunEnd::kStopped;
    sim::loop::RunHooks hooks;
    hooks.stop = &stop;
    hooks.supervisor = supervisor.get();
    hooks.enough = [&] {
      if (command_ended || (supervisor ? supervisor->is_running() : child.is_running())) return false;
      // One that did its work and left is no failure; the scenario goes on without it.
      command_ended = true;
      command_code = supervisor ? supervisor->exit_code() : child.code();
      return command_code != 0;
    };
    hooks.progress = [&](sim::SimTime now) {
      progress.update(sim::seconds(now) / std::max(sim::seconds(until), 1e-9), fmt::format("{} of {}", sim::humanize(now.time_since_epoch()), sim::humanize(until.time_since_epoch())));
    };
    if (!arguments.request_log.empty()) hooks.request = [&](std::string line) { requests += std::move(line) + '\n'; };
    if (!arguments.object_log.empty()) hooks.object = [&](const std::string& line) { objects += line + '\n'; };
    sim::RunEnd end = session.run(until, hooks);
    if (hooks.enough()) end = sim::RunEnd::kRequested;  // it ended with the run
    if (supervisor) {
      virtual_run = VirtualRun{supervisor->statistics(), supervisor->is_reproducible() && session.statistics().pushed_steps == 0, supervisor->take_warnings()};
      failure = session.failure();
    }
    child.end();
    seen = session.statistics();
    return end;
  };
  const auto began = Clock::now();
  const chaos::RunOutcome outcome = chaos::run_scenario(*prepared->spec, seed, options);
  progress.finish();
  if (arguments.flags.kubeconfig.empty()) std::filesystem::remove(kubeconfig, ignored);
  if (!failure.empty()) {
    std::fputs(fmt::format("squall: {}\n", failure).c_str(), stderr);
    return kCannotWrite;
  }
  const bool paced = prepared->session.coupling == sim::loop::Coupling::kPaced;
  const char* const coupling = to_string(prepared->session.coupling);
  const analysis::RunReport report{prepared->loaded.name, prepared->loaded.description, prepared->loaded.file, seed, &outcome, std::chrono::duration<double>(Clock::now() - began).count()};
  if (arguments.format == "json") {
    std::string loop = fmt::format("\n  \"loop\": {{\"coupling\": \"{}\", \"speed\": {}, \"requests\": {}, \"writes\": {}, \"watches\": {}, \"refused\": {}, \"commandExitCode\": {}", coupling,
                                   paced ? fmt::format("{}", prepared->session.speed) : "null", seen.requests, seen.writes, seen.watches, seen.refused,
                                   command_ended ? fmt::format("{}", command_code) : "null");
    if (virtual_run) {
      loop += fmt::format(", \"reproducible\": {}, \"requestHash\": \"{:016x}\", \"steps\": {}, \"pushedSteps\": {}, \"stops\": {}, \"wakes\": {}, \"programs\": {}, \"threadsMax\": {}",
                          virtual_run->reproducible, seen.request_hash, seen.steps, seen.pushed_steps, virtual_run->statistics.stops, virtual_run->statistics.wakes,
                          virtual_run->statistics.processes, virtual_run->statistics.threads_max);
    }
    std::string json = analysis::summary_json(report);
    json.insert(json.find('{') + 1, loop + "},");
    std::fputs(json.c_str(), stdout);
  } else {
    std::fputs(analysis::terminal_summary(report, use_colour(), terminal_width()).c_str(), stdout);
    const std::string how = virtual_run ? (virtual_run->reproducible ? fmt::format("the same seed gives the same requests; their hash: {:016x}", seen.request_hash)
                                           : seen.pushed_steps > 0 ? std::string("not reproducible: a process did not come to rest, and the clock followed the wall")
                                                                   : std::string("not reproducible: without SCHED_FIFO on one CPU the processes' order is the kernel's"))
                                        : std::string("not reproducible: real processes took part");
    std::fputs(fmt::format("  coupling: {}{} ({}); {} requests, {} writes, {} watches, {} refused\n\n", coupling, paced ? fmt::format(", speed {}", prepared->session.speed) : std::string(), how,
                           seen.requests, seen.writes, seen.watches, seen.refused)
                   .c_str(),
               stdout);
  }
  if (virtual_run && !arguments.flags.quiet) {
    for (const std::string& warning : virtual_run->warnings) std::fputs(fmt::format("squall: warning: {}\n", warning).c_str(), stderr);
  }
  for (const auto& [path, text] : {std::pair(&arguments.request_log, &requests), std::pair(&arguments.object_log, &objects)}) {
    if (path->empty()) continue;
    if (const std::string error = analysis::write_whole_file(*path, *text); !error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
  }
  if (!arguments.output.empty()) {
    if (const std::string error = analysis::write_run_folder(report, arguments.output); !error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
  }
  if (command_ended && command_code != 0) {
    std::fputs(fmt::format("squall: the command ended with code {}\n", command_code).c_str(), stderr);
    return kExpectationFailed;
  }
  if (!outcome.verdict.complete) return kInterrupted;
  return outcome.verdict.held ? kOk : kExpectationFailed;
}

}  // namespace

void add_loop_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("loop", "Runs a scenario with a real controller beside it, and judges its expectations");
  command->add_option("scenario", arguments->scenario, "The scenario file; - reads standard input")->required()->option_text(" ");
  command->add_option("command", arguments->command, "After --: the command to start when the API is ready; it finds the kubeconfig in KUBECONFIG and where {kubeconfig} stands")
      ->required()
      ->option_text("COMMAND...");
  command->add_option("--kubeconfig", arguments->flags.kubeconfig, "Where the kubeconfig is written (default: a temporary file)")->option_text("FILE");
  const auto is_duration = [](const std::string& text) {
    const auto span = sim::parse_duration(text);
    return span && *span > sim::SimDuration::zero() ? std::string() : "'" + text + "' is no duration above zero (like 90s, 2h30m)";
  };
  command->add_option("--until", arguments->until_text, "How much simulated time to run (default: run.until of the scenario)")->check(is_duration)->option_text("TIME");
  add_serve_flags(*command, arguments->flags);
  command->add_flag("--virtual", arguments->flags.virtual_time,
                    "The command, and all that it starts, runs in virtual time: it sees the simulated clock, and its sleeps and time-outs end by it (Linux x86-64, needs ptrace)")
      ->excludes("--coupling")
      ->excludes("--speed")
      ->excludes("--settle");
  command->add_flag("--many-cpus", arguments->many_cpus, "In virtual time: on all CPUs and without SCHED_FIFO, so that the order of requests is the kernel's choice")->needs("--virtual");
  command->add_flag("!--real-tsc", arguments->trap_tsc, "In virtual time: rdtsc shows the machine's counter. Faster; programs of Go before 1.22 draw random numbers from it")->needs("--virtual");
  command->add_option("-o,--output", arguments->output, "Folder for summary.json, report.html, events.jsonl, metrics.h5, trace.perfetto")->option_text("DIR");
  command->add_option("--request-log", arguments->request_log, "File for a line a request, in order: moment, client, method, URI, size and hash of the body. Two runs that differ, differ there first")
      ->option_text("FILE");
  command->add_option("--object-log", arguments->object_log, "File for a line of JSON a change of an object (all kinds but Events and Leases), in order: moment, type, object. Shows what a controller did")
      ->option_text("FILE");
  command->add_option("--format", arguments->format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->footer(
      "The exit code is 0 when all expectations hold, 1 when one does not or the command fails. When the scenario is over the command gets SIGTERM\n"
      "(in virtual time SIGKILL: its clock stands still).\n\n"
      "Example:  squall loop scenarios/serve-small.yaml --set controlPlane.scheduler=external --until 2m -- \\\n"
      "            kube-scheduler --kubeconfig {kubeconfig} --leader-elect=false --secure-port=0\n"
      "          squall loop day.yaml --virtual -- sh -c 'kube-scheduler --kubeconfig {kubeconfig} & exec kube-controller-manager --kubeconfig {kubeconfig}'");
  command->callback([arguments, &exit_code] { exit_code = run_loop(*arguments); });
}

}  // namespace cli
