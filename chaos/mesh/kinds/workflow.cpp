/// Workflow: experiments one after the other or beside each other, with pauses and checks between them.
///
/// A node is a template at work. Serial: its children one after the other. Parallel: all at once. Suspend: until its deadline. StatusCheck: until it ends. Schedule and
/// kinds of chaos: created when the node begins, deleted at its deadline; without one they never end. A deadline ends what runs below it.
///
/// Source:     api/v1alpha1/workflow_webhook.go (what is refused), pkg/workflow/controllers (serial, parallel, chaos, statuscheck, deadline and abort reconcilers).
/// Leaves out: Task and conditionalBranches (what a container prints is not simulated).
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "chaos/mesh/kinds/kind_files.hpp"
#include "chaos/mesh/kinds/schedule.hpp"
#include "chaos/mesh/kinds/status_check.hpp"

namespace chaos::mesh {

namespace {

struct Template {
  sim::scenario::Place where;
  std::string name;
  std::string type;
  std::optional<GoDuration> deadline;
  std::vector<std::string> children;
  Embedded embedded;
  std::shared_ptr<ScheduleSpec> schedule;
  std::shared_ptr<StatusCheckSpec> status_check;
  bool aborts = false;
};

std::vector<std::pair<std::string, std::string>> template_types() {
  std::vector<std::pair<std::string, std::string>> words = {{"Serial", "Serial"}, {"Parallel", "Parallel"}, {"Suspend", "Suspend"}, {"StatusCheck", "StatusCheck"}, {"Schedule", "Schedule"}, {"Task", "Task"}};
  for (auto& word : embedded_types(false)) words.push_back(std::move(word));
  return words;
}

template <class T>
bool read_spec(Node node, std::shared_ptr<T>& to, std::string_view name, Reader& reader) {
  auto spec = std::make_shared<T>();
  spec->kind = name;
  spec->where = node.place();
  if (!sim::scenario::fields_of<T>().read(node, *spec, name, reader)) return false;
  to = std::move(spec);
  return true;
}

void describe(Fields<Template>& fields) {
  fields.title("A step.")
      .custom("name", TypeInfo{.kind = TypeInfo::Kind::kString}, "Its name, by which others call it.",
              [](Node node, Template& to, Reader& reader) {
                to.where = node.place();
                return sim::scenario::detail::read_string(node, to.name, reader);
              })
      .required()
      .choice("templateType", &Template::type, template_types(), "What it is. Task is refused.")
      .required()
      .add("deadline", &Template::deadline, "After so long it ends, with all below it. Of a kind of chaos, its duration.")
      .add("children", &Template::children, "Of Serial and Parallel: the names of the steps.")
      .custom("schedule", TypeInfo{.kind = TypeInfo::Kind::kObject}, "The spec of a Schedule.", [](Node node, Template& to, Reader& reader) { return read_spec(node, to.schedule, "Schedule", reader); })
      .custom("statusCheck", TypeInfo{.kind = TypeInfo::Kind::kObject}, "The spec of a StatusCheck.", [](Node node, Template& to, Reader& reader) { return read_spec(node, to.status_check, "StatusCheck", reader); })
      .add("abortWithStatusCheck", &Template::aborts, "The whole workflow ends when the check fails.");
  describe_embedded(fields, &Template::embedded, false);
  refused(fields, "task", TypeInfo::Kind::kObject, "what a container does and prints");
  refused(fields, "conditionalBranches", TypeInfo::Kind::kList, "what a container does and prints");
  fields.rule([](const Template& step, Node node, Reader& reader) {
    sim::scenario::Diagnostics& diagnostics = reader.diagnostics;
    const auto only = [&](std::string_view key, bool is_given, bool belongs) {
      if (is_given && !belongs) diagnostics.error(node.find(key), fmt::format("a template of type {} has no '{}'", step.type, key));
    };
    const bool is_list = step.type == "Serial" || step.type == "Parallel";
    only("children", !step.children.empty(), is_list);
    only("schedule", step.schedule != nullptr, step.type == "Schedule");
    only("statusCheck", step.status_check != nullptr, step.type == "StatusCheck");
    if (!step.embedded.key.empty()) only(step.embedded.key, true, find_kind(step.type) != nullptr && step.type != "Schedule" && step.type != "StatusCheck");
    if (step.type == "Task") diagnostics.error(node.find("templateType"), fmt::format("{}task: what a container does and prints", kNotModelled));
    if (step.type == "Suspend" && !step.deadline) diagnostics.error(node, "a template of type Suspend needs 'deadline'");
    if (step.type == "Schedule" && !step.schedule) diagnostics.error(node, "a template of type Schedule needs 'schedule'");
    if (step.type == "StatusCheck" && !step.status_check) diagnostics.error(node, "a template of type StatusCheck needs 'statusCheck'");
    if (step.type != "Schedule" && step.type != "StatusCheck") check_embedded(step.embedded, step.type, node, reader);
    if (has_duration(step.embedded)) {
      diagnostics.error(step.embedded.node.find("duration"), "should not define duration in chaos when using Workflow, use Template#Deadline instead.").hint = "deadline: of the template";
    }
    if (step.deadline && step.deadline->value < SimDuration::zero()) diagnostics.error(node.find("deadline"), "a deadline is not negative");
  });
}

struct WorkflowSpec final : Spec {
  std::string entry;
  std::vector<Template> templates;

  const Template* find(std::string_view name) const {
    const auto found = std::find_if(templates.begin(), templates.end(), [&](const Template& one) { return one.name == name; });
    return found == templates.end() ? nullptr : &*found;
  }
  void check(CheckContext& context) const override {
    for (const Template& step : templates) {
      if (step.embedded.spec) step.embedded.spec->check(context);
      if (step.schedule) step.schedule->check(context);
      if (step.status_check) step.status_check->check(context);
    }
  }
};

/// How many nodes a workflow comes to, from its entry on; nothing when a step comes to itself.
std::optional<double> count_nodes(const WorkflowSpec& spec, const std::map<std::string, std::size_t>& place, std::size_t& circular) {
  // Take away, again and again, what has no child that is left: a circle stays. A chain of thousands must not eat the stack.
  const std::size_t count = spec.templates.size();
  std::vector<std::size_t> open(count, 0);
  std::vector<std::vector<std::size_t>> parents(count);
  std::vector<double> nodes(count, 1.0);
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < count; ++i) {
    open[i] = spec.templates[i].children.size();
    for (const std::string& child : spec.templates[i].children) parents[place.at(child)].push_back(i);
    if (open[i] == 0) ready.push_back(i);
  }
  while (!ready.empty()) {
    const std::size_t one = ready.back();
    ready.pop_back();
    for (const std::size_t parent : parents[one]) {
      nodes[parent] += nodes[one];
      if (--open[parent] == 0) ready.push_back(parent);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (open[i] == 0) continue;
    circular = i;
    return std::nullopt;
  }
  return nodes[place.at(spec.entry)];
}

void describe(Fields<WorkflowSpec>& fields) {
  fields.title("Steps.").add("entry", &WorkflowSpec::entry, "The template that begins.").required().add("templates", &WorkflowSpec::templates, "The steps.").required();
  fields.rule([](const WorkflowSpec& spec, Node node, Reader& reader) {
    sim::scenario::Diagnostics& diagnostics = reader.diagnostics;
    std::map<std::string, std::size_t> place;
    std::vector<std::string> names;
    bool good = !spec.templates.empty();
    if (!good) diagnostics.error(node.find("templates"), "templates in workflow could not be empty");
    for (std::size_t i = 0; i < spec.templates.size(); ++i) {
      const Template& one = spec.templates[i];
      if (!place.emplace(one.name, i).second) diagnostics.error(one.where, fmt::format("template name must be unique, duplicated names: [{}]", one.name));
      names.push_back(one.name);
    }
    const auto look_up = [&](const std::string& name, Node where) {
      if (place.contains(name)) return;
      good = false;
      diagnostics.error(where, fmt::format("can not find a template with name {}", name)).hint = sim::scenario::did_you_mean(name, names);
    };
    if (good) look_up(spec.entry, node.find("entry"));
    const Node list = node.find("templates");
    for (std::size_t i = 0; i < spec.templates.size(); ++i) {
      const Node children = list.item(i).find("children");
      for (std::size_t k = 0; k < spec.templates[i].children.size(); ++k) look_up(spec.templates[i].children[k], children.item(k));
    }
    if (!good) return;
    constexpr double kMost = 2000;
    std::size_t circular = 0;
    const std::optional<double> nodes = count_nodes(spec, place, circular);
    if (!nodes) diagnostics.error(spec.templates[circular].where, fmt::format("template '{}' comes to itself: it would never end", spec.templates[circular].name));
    else if (*nodes > kMost) diagnostics.error(node.find("entry"), fmt::format("more than {} nodes come of '{}'", kMost, spec.entry));
  });
}

class WorkflowObject final : public Object {
 public:
  WorkflowObject(Cluster& cluster, std::shared_ptr<const WorkflowSpec> spec, const Meta& meta) : Object(cluster, "Workflow", meta.ns, meta.name), spec_(std::move(spec)) {}

  void start() override {
    root_ = std::make_unique<Step>(*this, *spec_->find(spec_->entry), nullptr);
    record("EntryCreated", fmt::format("entry node created, entry node {}", root_->name));
    root_->begin();
    root_ended();
  }
  bool is_finished() const override { return is_done_ || is_deleted_; }
  ObjectView view() const override {
    ObjectView view = Object::view();
    view.phase = is_deleted_ ? "Deleted" : is_done_ ? (failure_.empty() ? "Accomplished" : "Aborted") : "Running";
    view.targets = spec_->templates.size();
    return view;
  }

 private:
  /// A node of the workflow.
  struct Step {
    Step(WorkflowObject& workflow_in, const Template& step_in, Step* parent_in)
        : workflow(workflow_in), step(step_in), parent(parent_in), name(workflow_in.cluster_.generate_name(step_in.name + "-")), deadline(workflow_in.world().engine) {}

    void begin() {
      if (step.deadline) {
        deadline.set_after(step.deadline->value, [this] {
          if (is_done) return;
          end(step.type == "Suspend" ? "NodeAccomplished" : "DeadlineExceed", step.type == "Suspend" ? "node accomplished" : "deadline exceed");
          if (parent != nullptr) parent->child_ended();
          else workflow.root_ended();
        });
      }
      if (step.type == "Serial") {
        next();
      } else if (step.type == "Parallel") {
        for (const std::string& child : step.children) add(child);
        for (std::size_t i = 0; i < children.size() && !is_done; ++i) children[i]->begin();
        if (children.empty()) finish_if_all_did();
      } else if (step.type != "Suspend") {
        Meta meta;
        meta.ns = workflow.ns_;
        meta.name = workflow.cluster_.generate_name(name + "-");
        std::shared_ptr<const Spec> spec = step.embedded.spec;
        if (step.schedule) spec = step.schedule;
        if (step.status_check) spec = step.status_check;
        const sim::CauseId id = workflow.record("ChaosCRCreated", fmt::format("chaos CR {} created", meta.name));
        const sim::ScopedCause because(workflow.world().engine, id);
        Object& made = workflow.cluster_.create(std::move(spec), meta);
        object = &made;
        made.changed = [this] { object_changed(); };
        object_changed();
      }
    }
    void object_changed() {
      if (is_done || object == nullptr) return;
      if (!object->failure().empty() && step.type != "StatusCheck") workflow.failure_of_step_ = object->failure();
      if (step.type != "StatusCheck" || !object->is_finished()) return;
      const bool failed = !object->failure().empty();
      end("NodeAccomplished", "node accomplished");
      if (failed && step.aborts) workflow.abort(name);
      else if (parent != nullptr) parent->child_ended();
      else workflow.root_ended();
    }
    Step& add(const std::string& child) {
      children.push_back(std::make_unique<Step>(workflow, *workflow.spec_->find(child), this));
      workflow.record("NodesCreated", fmt::format("child nodes created, {}", children.back()->name));
      return *children.back();
    }
    void next() {
      while (!is_done && children.size() < step.children.size() && (children.empty() || children.back()->is_done)) add(step.children[children.size()]).begin();
      finish_if_all_did();
    }
    void finish_if_all_did() {
      if (is_done || children.size() < step.children.size()) return;
      if (!std::all_of(children.begin(), children.end(), [](const auto& child) { return child->is_done; })) return;
      end("NodeAccomplished", "node accomplished");
      if (parent != nullptr) parent->child_ended();
      else workflow.root_ended();
    }
    void child_ended() {
      if (is_done) return;
      if (step.type == "Serial") next();
      else finish_if_all_did();
    }
    /// Ends it, and what runs below it; tells nobody.
    void end(std::string_view reason, std::string_view message) {
      if (std::exchange(is_done, true)) return;
      deadline.cancel();
      const sim::CauseId id = workflow.record(reason, fmt::format("{}: {}", name, message));
      const sim::ScopedCause because(workflow.world().engine, id);
      if (object != nullptr && !object->is_deleted()) {
        workflow.record("ChaosCRDeleted", fmt::format("chaos CR {} deleted", object->name()));
        object->remove();
      }
      for (const auto& child : children) child->end("ParentNodeDeadlineExceed", fmt::format("deadline exceed bscause parent node {} deadline exceed", name));
    }

    WorkflowObject& workflow;
    const Template& step;
    Step* parent;
    std::string name;
    sim::Timer deadline;
    std::vector<std::unique_ptr<Step>> children;
    Object* object = nullptr;
    bool is_done = false;
  };

  void root_ended() {
    if (is_done_ || root_ == nullptr || !root_->is_done) return;
    is_done_ = true;
    if (failure_.empty()) failure_ = failure_of_step_;
    record("WorkflowAccomplished", "workflow accomplished");
    tell();
  }
  void abort(const std::string& name) {
    failure_ = fmt::format("aborted: status check {} failed", name);
    is_done_ = true;
    const sim::CauseId id = record("WorkflowAborted", fmt::format("abort the workflow because of {}", name));
    const sim::ScopedCause because(world().engine, id);
    root_->end("NodeAborted", fmt::format("abort the node because workflow {} aborted", name_));
    tell();
  }
  void removed() override {
    if (root_ != nullptr) root_->end("Deleted", "the workflow was deleted");
  }

  std::shared_ptr<const WorkflowSpec> spec_;
  std::unique_ptr<Step> root_;
  bool is_done_ = false;
  std::string failure_of_step_;
};

}  // namespace

std::unique_ptr<Object> make_object(Cluster& cluster, std::shared_ptr<const Spec> spec, const Meta& meta) {
  if (auto chaos = std::dynamic_pointer_cast<const ChaosSpec>(spec)) return make_experiment(cluster, std::move(chaos), meta);
  if (auto schedule_spec = std::dynamic_pointer_cast<const ScheduleSpec>(spec)) return make_schedule(cluster, std::move(schedule_spec), meta);
  if (auto check = std::dynamic_pointer_cast<const StatusCheckSpec>(spec)) return std::make_unique<StatusCheckObject>(cluster, std::move(check), meta);
  if (std::unique_ptr<Object> engine = make_engine(cluster, spec, meta)) return engine;
  return std::make_unique<WorkflowObject>(cluster, std::dynamic_pointer_cast<const WorkflowSpec>(spec), meta);
}

Kind workflow() { return make_kind<WorkflowSpec>("Workflow", "workflow", "Experiments one after the other or beside each other."); }

}  // namespace chaos::mesh
