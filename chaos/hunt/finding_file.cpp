#include "chaos/hunt/finding_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/scenario/document.hpp"
#include "sim/scenario/yaml_text.hpp"

namespace chaos::hunt {

namespace {

using sim::scenario::Node;
using sim::scenario::yaml_quoted;

/// A value in flow style, as it was.
std::string flow(Node node) {
  if (node.is_null()) return "null";
  if (node.is_scalar()) return node.is_plain() && !node.is_string() ? std::string(node.text()) : yaml_quoted(node.text());
  std::string out(1, node.is_map() ? '{' : '[');
  for (std::size_t i = 0; i < node.size(); ++i) {
    if (i > 0) out += ", ";
    out += node.is_map() ? yaml_quoted(node.key(i).text()) + ": " + flow(node.value(i)) : flow(node.item(i));
  }
  return out + (node.is_map() ? '}' : ']');
}

/// A comment's text, without what would end it.
std::string comment(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return out;
}

std::vector<std::string> path_steps(std::string_view path) {
  std::vector<std::string> steps(1);
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 1 < path.size()) {
      steps.back() += path[++i];
    } else if (path[i] == '.') {
      steps.emplace_back();
    } else {
      steps.back() += path[i];
    }
  }
  return steps;
}

/// Nested maps, to which overrides, names and removals are added one by one.
struct Tree {
  std::string value;  // of a leaf
  std::vector<std::pair<std::string, Tree>> entries;
  Tree& at(const std::string& key) {
    for (auto& [name, tree] : entries) {
      if (name == key) return tree;
    }
    return entries.emplace_back(key, Tree{}).second;
  }
  void set(const std::vector<std::string>& path, std::string text) {
    Tree* tree = this;
    for (const std::string& step : path) tree = &tree->at(step);
    tree->value = std::move(text);
  }
  void write(std::string& out, std::size_t indent) const {
    for (const auto& [name, tree] : entries) {
      out += std::string(indent, ' ');
      const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'; });
      out += (plain ? name : yaml_quoted(name)) + ":";
      if (tree.entries.empty()) {
        out += " " + tree.value + "\n";
      } else {
        out += "\n";
        tree.write(out, indent + 2);
      }
    }
  }
};

/// Takes named entries out of a section and adds others.
void add_entries(Tree& tree, const char* section, Node own, const std::vector<std::string>& removed, const std::vector<std::pair<std::string, std::string>>& added) {
  // Of a list nothing can be taken away and nothing added by extending: it is written anew.
  if (own.is_sequence()) {
    std::string list;
    for (std::size_t i = 0; i < own.size(); ++i) {
      const std::string name(own.item(i).find("name").text());
      if (std::find(removed.begin(), removed.end(), name) == removed.end()) list += "\n- " + flow(own.item(i));
    }
    for (const auto& [name, text] : added) list += fmt::format("\n- {{name: {}, {}}}", yaml_quoted(name), text);
    tree.set({section}, list.empty() ? "[]" : list);
    return;
  }
  for (const std::string& name : removed) tree.set({section, name}, "null");
  for (const auto& [name, text] : added) tree.set({section, name}, "{" + text + "}");
}

}  // namespace

std::vector<std::string> names_of(Node section) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < section.size(); ++i) names.emplace_back(section.is_map() ? section.key(i).text() : section.item(i).find("name").text());
  return names;
}

std::vector<std::string> chain_lines(const Why& why, std::size_t max) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < why.steps.size(); ++i) {
    if (i >= max && i + 1 < why.steps.size()) continue;  // the root is always told
    const CauseStep& step = why.steps[i];
    lines.push_back(fmt::format("{}{}  {} {}: {}", i == 0 ? "" : "<- ", sim::humanize(step.time.time_since_epoch()), step.kind, step.subject, step.message));
  }
  return lines;
}

std::string override_problem(const std::string& override_text, const sim::scenario::ScenarioSpec& spec) {
  const auto parsed = sim::scenario::parse_override(override_text);
  if (!parsed) return {};  // told elsewhere
  if (parsed->path.find('[') != std::string::npos) return fmt::format("--set {}: a place in a list cannot be written into a file that extends the scenario", override_text);
  Node node = spec.document == nullptr ? Node{} : spec.document->root();
  for (const std::string& step : path_steps(parsed->path)) {
    if (node.is_sequence()) return fmt::format("--set {}: an entry of a list cannot be written into a file that extends the scenario", override_text);
    node = node.find(step);
  }
  return {};
}

std::string text_without_faults(const sim::scenario::ScenarioSpec& spec, const std::string& file_name, std::vector<std::string>& expectations_out) {
  const std::vector<std::string> faults = names_of(spec.faults);
  for (std::size_t i = 0; i < spec.expect.size(); ++i) {
    const Node value = spec.expect.is_map() ? spec.expect.value(i) : spec.expect.item(i);
    const std::string about(value.find("fault").text());
    if (about.empty() || std::find(faults.begin(), faults.end(), about) == faults.end()) continue;
    expectations_out.emplace_back(spec.expect.is_map() ? spec.expect.key(i).text() : value.find("name").text());
  }
  Tree tree;
  tree.set({"apiVersion"}, "squall.dev/v1alpha1");
  tree.set({"kind"}, "Scenario");
  tree.set({"extends"}, yaml_quoted(file_name));
  add_entries(tree, "faults", spec.faults, faults, {});
  if (!expectations_out.empty()) add_entries(tree, "expect", spec.expect, expectations_out, {});
  std::string out;
  tree.write(out, 0);
  return out;
}

std::string finding_yaml(const Finding& finding, const Hunter& hunter, const sim::scenario::ScenarioSpec& spec, const FindingContext& context) {
  constexpr std::size_t kChainMax = 12;
  const Trial& trial = finding.shrunk ? finding.minimal : finding.found;
  const auto& expectations = hunter.plan().expectations;
  std::vector<std::string> broken;
  for (const Broken& one : finding.broken) {
    const std::string& name = expectations[one.expectation]->name;
    if (std::find(broken.begin(), broken.end(), name) == broken.end()) broken.push_back(name);
  }
  std::string out = fmt::format("# Found by `{}`: {} fault{}", comment(context.command), trial.size(), trial.size() == 1 ? "" : "s");
  out += finding.crash.empty() ? fmt::format(" break {}.\n", fmt::join(broken, ", ")) : fmt::format(" end the simulation: {}.\n", comment(finding.crash));
  if (finding.shrunk && finding.crash.empty()) {
    out += fmt::format("# Shrunk to the fewest, shortest and latest faults that break {}; broken under {} of {} seeds from {}.\n",
                       finding.expectation < expectations.size() ? expectations[finding.expectation]->name : "it", finding.seeds_failed, finding.seeds_tried, context.seed);
  } else if (!finding.shrunk) {
    out += "# Not shrunk: there may be smaller ones.\n";
  }
  for (std::size_t i = 0; i < finding.broken.size(); ++i) {
    out += fmt::format("#\n# {}: {}\n", expectations[finding.broken[i].expectation]->name, comment(finding.broken[i].in_words));
    if (i >= finding.whys.size()) continue;
    for (const std::string& line : chain_lines(finding.whys[i], kChainMax)) out += "#   " + comment(line) + "\n";
  }
  Tree tree;
  tree.set({"apiVersion"}, "squall.dev/v1alpha1");
  tree.set({"kind"}, "Scenario");
  tree.set({"extends"}, yaml_quoted(context.extends));
  tree.set({"metadata", "name"}, yaml_quoted(fmt::format("{}-finding-{}", context.scenario, context.number)));
  std::string what;
  for (const PlannedFault& fault : trial) what += (what.empty() ? "" : ", and ") + in_words(hunter.actions()[fault.action], fault);
  tree.set({"metadata", "description"}, yaml_quoted(fmt::format("Found by squall hunt: {} breaks {}.", what, finding.crash.empty() ? fmt::format("{}", fmt::join(broken, ", ")) : "the simulation")));
  tree.set({"metadata", "labels", "expected"}, "fails");
  tree.set({"metadata", "labels", "eventLogHash"}, yaml_quoted(finding.hash));
  tree.set({"run", "seed"}, fmt::format("{}", context.seed));
  for (const std::string& text : context.overrides) {
    if (const auto parsed = sim::scenario::parse_override(text)) tree.set(path_steps(parsed->path), parsed->value);
  }
  const std::vector<std::string> names = fault_names(hunter.actions(), trial, hunter.taken_names());
  std::vector<std::pair<std::string, std::string>> added;
  for (std::size_t i = 0; i < trial.size(); ++i) added.emplace_back(names[i], fault_text(hunter.actions()[trial[i].action], trial[i]));
  // With its own faults out, `spec` has none: what the file extends has them.
  add_entries(tree, "faults", spec.faults, context.without_own_faults ? context.own_faults : std::vector<std::string>{}, added);
  if (!context.expectations_out.empty()) add_entries(tree, "expect", spec.expect, context.expectations_out, {});
  tree.write(out, 0);
  return out;
}

}  // namespace chaos::hunt
