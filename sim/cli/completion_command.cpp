#include "sim/cli/completion_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "analysis/atomic_file.hpp"
#include "analysis/run_report.hpp"
#include "sim/cli/interrupt.hpp"

namespace cli {

namespace {

std::vector<const CLI::App*> below(const CLI::App& app) {
  std::vector<const CLI::App*> all;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); })) all.push_back(command);
  return all;
}
std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  std::vector<const CLI::Option*> all;
  for (const CLI::Option* option : command.get_options([](const CLI::Option* one) { return !one->get_group().empty() && one->nonpositional(); })) all.push_back(option);
  return all;
}
std::vector<const CLI::Option*> words_of(const CLI::App& command) {
  std::vector<const CLI::Option*> all;
  for (const CLI::Option* option : command.get_options([](const CLI::Option* one) { return !one->get_group().empty() && one->get_positional(); })) all.push_back(option);
  return all;
}
bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0 && option.get_type_size_max() > 0; }
/// "json" and "text" of text|json; nothing of FILE.
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string& text = option.get_option_text();
  std::vector<std::string> words;
  if (text.find('|') == std::string::npos) return words;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t stop = std::min(text.find('|', from), text.size());
    words.push_back(text.substr(from, stop - from));
    from = stop + 1;
  }
  const bool are_words = std::all_of(words.begin(), words.end(), [](const std::string& word) { return !word.empty() && std::none_of(word.begin(), word.end(), [](unsigned char c) { return std::isupper(c) || std::isspace(c); }); });
  return are_words ? words : std::vector<std::string>{};
}
bool takes_folder(const CLI::Option& option) { return option.get_option_text() == "DIR"; }
bool takes_file(const CLI::Option& option) { return option.get_option_text().find("FILE") != std::string::npos || takes_folder(option); }
std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& one : option.get_snames()) names.push_back("-" + one);
  for (const std::string& one : option.get_lnames()) names.push_back("--" + one);
  return names;
}
std::string path_of(const CLI::App& command) { return command.get_parent() == nullptr ? std::string() : path_of(*command.get_parent()) + (command.get_parent()->get_parent() == nullptr ? "" : " ") + command.get_name(); }

void walk(const CLI::App& app, const std::function<void(const CLI::App&)>& visit) {
  visit(app);
  for (const CLI::App* command : below(app)) walk(*command, visit);
}

std::string in_single_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// ---- bash -----------------------------------------------------------------------------------------------------------

std::string bash(const CLI::App& app) {
  std::string text =
      "# bash completion of squall: squall completion bash > /etc/bash_completion.d/squall\n"
      "_squall() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path='' word\n"
      "  COMPREPLY=()\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case \"$path $word\" in\n";
  walk(app, [&](const CLI::App& command) {
    if (command.get_parent() != nullptr) text += fmt::format("      {}) path={} ;;\n", in_single_quotes((command.get_parent()->get_parent() == nullptr ? std::string() : path_of(*command.get_parent())) + " " + command.get_name()), in_single_quotes(path_of(command)));
  });
  text += "    esac\n  done\n  case \"$path:$prev\" in\n";
  walk(app, [&](const CLI::App& command) {
    for (const CLI::Option* option : options_of(command)) {
      if (!takes_value(*option)) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : names_of(*option)) patterns.push_back(in_single_quotes(path_of(command) + ":" + name));
      const std::vector<std::string> choices = choices_of(*option);
      const std::string reply = !choices.empty() ? fmt::format("COMPREPLY=($(compgen -W {} -- \"$cur\"))", in_single_quotes(fmt::format("{}", fmt::join(choices, " "))))
                                : takes_folder(*option) ? std::string("COMPREPLY=($(compgen -d -- \"$cur\"))")
                                : takes_file(*option) ? std::string("COMPREPLY=($(compgen -f -- \"$cur\"))")
                                                      : std::string("COMPREPLY=()");
      text += fmt::format("    {}) {}; return ;;\n", fmt::join(patterns, "|"), reply);
    }
  });
  text += "  esac\n  case \"$path\" in\n";
  walk(app, [&](const CLI::App& command) {
    std::vector<std::string> words;
    for (const CLI::Option* option : options_of(command)) {
      const std::vector<std::string> names = names_of(*option);
      words.insert(words.end(), names.begin(), names.end());
    }
    std::vector<std::string> commands;
    for (const CLI::App* one : below(command)) commands.push_back(one->get_name());
    text += fmt::format("    {})\n      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W {} -- \"$cur\"))\n", in_single_quotes(path_of(command)), in_single_quotes(fmt::format("{}", fmt::join(words, " "))));
    if (!commands.empty()) text += fmt::format("      else COMPREPLY=($(compgen -W {} -- \"$cur\"))\n", in_single_quotes(fmt::format("{}", fmt::join(commands, " "))));
    else text += "      else COMPREPLY=($(compgen -f -- \"$cur\"))\n";
    text += "      fi ;;\n";
  });
  return text + "  esac\n}\ncomplete -o filenames -F _squall squall\n";
}

// ---- zsh ------------------------------------------------------------------------------------------------------------

std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    if (c == '\n') break;
    out += c;
  }
  return out;
}
std::string zsh_function(const CLI::App& command) {
  std::string name = "_squall";
  for (const char c : path_of(command)) name += c == ' ' || c == '-' ? '_' : c;
  return command.get_parent() == nullptr ? name : "_squall_" + name.substr(7);
}

std::string zsh(const CLI::App& app) {
  std::string text = "#compdef squall\n# zsh completion of squall: squall completion zsh > _squall, in a folder of $fpath\n";
  walk(app, [&](const CLI::App& command) {
    const std::vector<const CLI::App*> commands = below(command);
    text += fmt::format("\n{}() {{\n", zsh_function(command));
    if (!commands.empty()) text += "  local context state state_descr line\n  typeset -A opt_args\n";
    text += "  _arguments -s -S";
    for (const CLI::Option* option : options_of(command)) {
      for (const std::string& name : names_of(*option)) {
        std::string spec = fmt::format("*{}[{}]", name, zsh_text(option->get_description()));
        if (takes_value(*option)) {
          const std::vector<std::string> choices = choices_of(*option);
          spec += ":" + zsh_text(option->get_option_text().empty() ? "value" : option->get_option_text()) + ":" + (!choices.empty() ? fmt::format("({})", fmt::join(choices, " ")) : takes_folder(*option) ? "_directories" : takes_file(*option) ? "_files" : "");
        }
        text += " \\\n    " + in_single_quotes(spec);
      }
    }
    if (commands.empty()) {
      text += " \\\n    '*:file:_files'\n";
    } else {
      text += " \\\n    '1:command:->command' \\\n    '*::argument:->argument'\n  case $state in\n    command)\n      local -a commands=(\n";
      for (const CLI::App* one : commands) text += "        " + in_single_quotes(one->get_name() + ":" + zsh_text(one->get_description())) + "\n";
      text += "      )\n      _describe command commands ;;\n    argument)\n      case $words[1] in\n";
      for (const CLI::App* one : commands) text += fmt::format("        {}) {} ;;\n", one->get_name(), zsh_function(*one));
      text += "      esac ;;\n  esac\n";
    }
    text += "}\n";
  });
  return text + "\n_squall \"$@\"\n";
}

// ---- fish -----------------------------------------------------------------------------------------------------------

std::string fish(const CLI::App& app) {
  std::string text = "# fish completion of squall: squall completion fish > ~/.config/fish/completions/squall.fish\n";
  const auto quoted = [](std::string_view given) {
    std::string out = "'";
    for (const char c : given) {
      if (c == '\n') break;
      out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    }
    return out + "'";
  };
  walk(app, [&](const CLI::App& command) {
    std::vector<std::string> names;
    for (const CLI::App* one : below(command)) names.push_back(one->get_name());
    std::string when;
    if (command.get_parent() == nullptr) {
      when = "__fish_use_subcommand";
    } else {
      when = fmt::format("__fish_seen_subcommand_from {}", command.get_name());
      // "crush test" and "squall test" have one name.
      if (command.get_parent()->get_parent() != nullptr) when = fmt::format("__fish_seen_subcommand_from {}; and {}", command.get_parent()->get_name(), when);
      else if (!names.empty()) when += fmt::format("; and not __fish_seen_subcommand_from {}", fmt::join(names, " "));
      else {
        for (const CLI::App* other : below(*command.get_parent())) {
          for (const CLI::App* deeper : below(*other)) {
            if (deeper->get_name() == command.get_name()) when += "; and not __fish_seen_subcommand_from " + other->get_name();
          }
        }
      }
    }
    for (const CLI::App* one : below(command)) text += fmt::format("complete -c squall -n {} -f -a {} -d {}\n", quoted(when), one->get_name(), quoted(one->get_description()));
    for (const CLI::Option* option : options_of(command)) {
      text += fmt::format("complete -c squall -n {}", quoted(when));
      for (const std::string& one : option->get_snames()) text += " -s " + one;
      for (const std::string& one : option->get_lnames()) text += " -l " + one;
      if (takes_value(*option)) {
        const std::vector<std::string> choices = choices_of(*option);
        if (!choices.empty()) text += fmt::format(" -x -a {}", quoted(fmt::format("{}", fmt::join(choices, " "))));
        else text += takes_file(*option) ? " -r" : " -x";
      }
      text += fmt::format(" -d {}\n", quoted(option->get_description()));
    }
  });
  return text;
}

// ---- man ------------------------------------------------------------------------------------------------------------

std::string roff(std::string_view text) {
  std::string out;
  bool at_line_start = true;
  for (const char c : text) {
    if (at_line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else out += c;
    at_line_start = c == '\n';
  }
  return out;
}

std::string manual_page(const CLI::App& command, const CLI::App& root) {
  std::string name = "squall";
  for (const char c : path_of(command)) name += name == "squall" ? fmt::format("-{}", c) : std::string(1, c == ' ' ? '-' : c);
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const std::string called = command.get_parent() == nullptr ? "squall" : "squall " + path_of(command);
  const std::string description = command.get_description();
  std::string text = fmt::format(".TH {} 1 \"\" \"squall {}\" \"Squall\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n", roff(upper), roff(analysis::program_version()), roff(name), roff(description.substr(0, description.find('\n'))), roff(called));
  if (!options_of(command).empty()) text += "[\\fIOPTIONS\\fR]";
  for (const CLI::Option* word : words_of(command)) {
    const std::string shown = roff(word->get_name(true)) + (word->get_items_expected_max() > 1 ? "..." : "");
    text += word->get_required() ? fmt::format(" \\fI{}\\fR", shown) : fmt::format(" [\\fI{}\\fR]", shown);
  }
  if (!below(command).empty()) text += " \\fICOMMAND\\fR ...";
  text += "\n.SH DESCRIPTION\n" + roff(description) + "\n";
  const auto list = [&](const char* title, const auto& entries, const auto& head, const auto& body) {
    if (entries.empty()) return;
    text += fmt::format(".SH {}\n", title);
    for (const auto* one : entries) text += ".TP\n" + head(*one) + "\n" + roff(body(*one)) + "\n";
  };
  list("ARGUMENTS", words_of(command), [](const CLI::Option& one) { return fmt::format("\\fI{}\\fR", roff(one.get_name(true))); }, [](const CLI::Option& one) { return one.get_description(); });
  list(
      "OPTIONS", options_of(command),
      [](const CLI::Option& one) {
        std::vector<std::string> names;
        for (const std::string& option : names_of(one)) names.push_back("\\fB" + roff(option) + "\\fR");
        return fmt::format("{}", fmt::join(names, ", ")) + (takes_value(one) ? fmt::format(" \\fI{}\\fR", roff(one.get_option_text())) : std::string());
      },
      [](const CLI::Option& one) { return one.get_description(); });
  list("COMMANDS", below(command), [&](const CLI::App& one) { return fmt::format("\\fB{}\\fR(1)", roff("squall-" + (command.get_parent() == nullptr ? "" : path_of(command) + "-") + one.get_name())); }, [](const CLI::App& one) { return one.get_description(); });
  if (const std::string footer = command.get_footer(); !footer.empty()) text += ".SH NOTES\n.nf\n" + roff(footer) + "\n.fi\n";
  if (command.get_parent() != nullptr) {
    text += ".SH \"SEE ALSO\"\n\\fBsquall\\fR(1)\n";
  } else {
    text += ".SH \"SEE ALSO\"\n";
    for (const CLI::App* one : below(root)) text += fmt::format("\\fB{}\\fR(1){}\n", roff("squall-" + one->get_name()), one == below(root).back() ? "" : ",");
  }
  return text;
}

int write_manual(const CLI::App& root, const std::string& folder) {
  if (const std::string error = analysis::make_folder(folder); !error.empty()) {
    std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
    return kCannotWrite;
  }
  std::string error;
  walk(root, [&](const CLI::App& command) {
    std::string name = "squall";
    if (command.get_parent() != nullptr) name += "-" + path_of(command);
    std::replace(name.begin(), name.end(), ' ', '-');
    if (error.empty()) error = analysis::write_whole_file(folder + "/" + name + ".1", manual_page(command, root));
  });
  if (error.empty()) return kOk;
  std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
  return kCannotWrite;
}

}  // namespace

void add_completion_command(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::string shell;
    std::vector<std::string> command;
    std::string output;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* completion = app.add_subcommand("completion", "Prints the script with which a shell completes commands, options and files");
  completion->add_option("shell", arguments->shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}))->option_text("bash|zsh|fish");
  completion->footer("Examples: source <(squall completion bash)\n"
                     "          squall completion zsh > ~/.zfunc/_squall\n"
                     "          squall completion fish > ~/.config/fish/completions/squall.fish");
  completion->callback([arguments, &app, &exit_code] {
    const std::string text = arguments->shell == "bash" ? bash(app) : arguments->shell == "zsh" ? zsh(app) : fish(app);
    std::fputs(text.c_str(), stdout);
    exit_code = kOk;
  });

  CLI::App* manual = app.add_subcommand("manual", "Prints the manual page of the program or of a command, for man");
  manual->add_option("command", arguments->command, "Of this command (default: squall itself)")->expected(0, 2)->option_text(" ");
  manual->add_option("-o,--output", arguments->output, "Writes the pages of all commands into this folder")->option_text("DIR");
  manual->footer("Examples: squall manual run | man -l -\n"
                 "          squall manual -o ~/.local/share/man/man1");
  manual->callback([arguments, &app, &exit_code] {
    if (!arguments->output.empty()) {
      exit_code = write_manual(app, arguments->output);
      return;
    }
    const CLI::App* command = &app;
    for (const std::string& word : arguments->command) {
      const std::vector<const CLI::App*> all = below(*command);
      const auto found = std::find_if(all.begin(), all.end(), [&](const CLI::App* one) { return one->get_name() == word; });
      if (found == all.end()) {
        std::fputs(fmt::format("squall manual: there is no command '{}'\n`squall --help` lists them.\n", word).c_str(), stderr);
        exit_code = kWrongInput;
        return;
      }
      command = *found;
    }
    std::fputs(manual_page(*command, app).c_str(), stdout);
    exit_code = kOk;
  });
}

}  // namespace cli
