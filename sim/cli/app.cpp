#include "sim/cli/app.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

#include "analysis/run_report.hpp"
#include "sim/cli/catalog_command.hpp"
#include "sim/cli/compare_command.hpp"
#include "sim/cli/completion_command.hpp"
#include "sim/cli/crush_command.hpp"
#include "sim/cli/explain_command.hpp"
#include "sim/cli/fit_command.hpp"
#include "sim/cli/generate_command.hpp"
#include "sim/cli/hunt_command.hpp"
#include "sim/cli/import_command.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/merge_command.hpp"
#include "sim/cli/mpi_ranks.hpp"
#include "sim/cli/loop_command.hpp"
#include "sim/cli/plan_command.hpp"
#include "sim/cli/query_command.hpp"
#include "sim/cli/replay_command.hpp"
#include "sim/cli/run_command.hpp"
#include "sim/cli/schedule_command.hpp"
#include "sim/cli/schema_command.hpp"
#include "sim/cli/serve_command.hpp"
#include "sim/cli/survive_command.hpp"
#include "sim/cli/test_command.hpp"
#include "sim/cli/validate_command.hpp"
#include "sim/cli/what_if_command.hpp"
#include "sim/scenario/diagnostic.hpp"

namespace cli {

namespace {

/// "squall compare [OPTIONS] scenario...", where CLI11 would write "scenario(2x)".
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_usage(const CLI::Option* option) const override {
    const std::string name = make_option_name(option, true) + (option->get_expected_max() > 1 ? "..." : "");
    return option->get_required() ? name : "[" + name + "]";
  }
};

/// The command that the arguments chose, as deep as they go.
const CLI::App& chosen(const CLI::App& app) {
  const std::vector<CLI::App*> below = app.get_subcommands();
  return below.empty() ? app : chosen(*below.front());
}

std::string full_name(const CLI::App& command) {
  return command.get_parent() == nullptr ? command.get_name() : full_name(*command.get_parent()) + " " + command.get_name();
}

/// What is wrong with a word that no command takes, and what was most likely meant.
std::string unexpected(const CLI::App& command, const std::string& word) {
  std::vector<std::string> known;
  std::string what;
  if (word.starts_with('-')) {
    what = fmt::format("unknown option '{}'", word);
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  } else {
    for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) known.push_back(below->get_name());
    what = known.empty() ? fmt::format("one argument too many: '{}'", word) : fmt::format("unknown command '{}'", word);
  }
  const std::string hint = sim::scenario::did_you_mean(word.substr(0, word.find('=')), known);
  return hint.empty() ? what : what + "; " + hint;
}

int wrong_arguments(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const CLI::App& command = chosen(app);
  std::string what = error.what();
  // A word that nobody knows explains the others: `squall rnu a.yaml` is not about a.yaml.
  std::vector<std::string> unknown = app.remaining(true);
  if (&command == &app && argc > 1 && argv[1][0] != '-') unknown = {argv[1]};
  const auto option = std::find_if(unknown.begin(), unknown.end(), [](const std::string& word) { return word.starts_with("-"); });
  if (option != unknown.end()) std::swap(*option, unknown.front());
  const bool names_a_command = command.get_require_subcommand_max() > 0 && !unknown.empty();
  if (!unknown.empty() && (names_a_command || dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)) what = unexpected(command, unknown.front());
  const std::string name = full_name(command);
  std::fputs(fmt::format("{}: {}\n`{} --help` tells more.\n", name, what, name).c_str(), stderr);
  return kWrongInput;
}

/// What was printed has arrived, or the exit code says that it has not. Who closes the pipe early (`| head`) has seen enough: no message.
int with_output_flushed(int exit_code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  // What failed may be long ago, and errno with it: a pipe without a reader says so itself.
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  const bool nobody_reads = errno == EPIPE || (::poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0);
  if (!nobody_reads) std::fputs(fmt::format("squall: standard output: {}\n", errno != 0 ? std::strerror(errno) : "cannot be written").c_str(), stderr);
  return exit_code == kOk ? kCannotWrite : exit_code;
}

int dispatch(int argc, char** argv) {
  CLI::App app{"Squall simulates Kubernetes platforms and breaks them: what fails, how often, for how long, and why.\n"
               "The same scenario and seed give the same run, bit for bit.",
               "squall"};
  app.set_version_flag("--version", fmt::format("squall {}\n{}", analysis::program_version(), mpi_version()));
  app.require_subcommand(0, 1);
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_formatter()->column_width(34);
  app.footer("Exit codes: 0 all is well, 1 an expectation does not hold, 2 the input is wrong, 3 an output cannot be written, 130 interrupted.\n\n"
             "Begin with:  squall catalog\n"
             "             squall run scenarios/incident-1-shared.yaml -o out\n"
             "`squall COMMAND --help` tells more about a command.");
  int exit_code = kOk;
  add_run_command(app, exit_code);
  add_test_command(app, exit_code);
  add_compare_command(app, exit_code);
  add_merge_command(app, exit_code);
  add_query_command(app, exit_code);
  add_explain_command(app, exit_code);
  add_schedule_command(app, exit_code);
  add_survive_command(app, exit_code);
  add_hunt_command(app, exit_code);
  add_replay_command(app, exit_code);
  add_serve_command(app, exit_code);
  add_loop_command(app, exit_code);
  add_import_command(app, exit_code);
  add_fit_command(app, exit_code);
  add_what_if_command(app, exit_code);
  add_plan_command(app, exit_code);
  add_validate_command(app, exit_code);
  add_schema_command(app, exit_code);
  add_catalog_command(app, exit_code);
  add_crush_command(app, exit_code);
  add_generate_command(app, exit_code);
  add_completion_command(app, exit_code);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) {
      std::fputs(app.help().c_str(), stderr);
      return kWrongInput;
    }
  } catch (const CLI::ParseError& error) {
    // Help and version are no errors; everything else is wrong input.
    return error.get_exit_code() == 0 ? app.exit(error) : wrong_arguments(app, error, argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("squall: out of memory\n", stderr);
    return 70;
  }
  return exit_code;
}

}  // namespace

int run(int argc, char** argv) {
  // Whoever reads our output may go away before its end; the files that were asked for are written all the same.
  std::signal(SIGPIPE, SIG_IGN);
  return with_output_flushed(dispatch(argc, argv));
}

}  // namespace cli
