#include "chaos/mesh/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace chaos::mesh {

Object::Object(Cluster& cluster, std::string kind, std::string ns, std::string name)
    : cluster_(cluster), kind_(std::move(kind)), ns_(std::move(ns)), name_(std::move(name)), created_(cluster.world().engine.now()) {}

sim::World& Object::world() const { return cluster_.world(); }

sim::CauseId Object::record(std::string_view reason, std::string_view message) {
  return world().log.record(reason, world().names.intern(subject()), message);
}

void Object::remove() {
  if (is_deleted_) return;
  is_deleted_ = true;
  const sim::CauseId id = record("Deleted", "Experiment has been deleted");
  const sim::ScopedCause because(world().engine, id);
  removed();
  tell();
}

ObjectView Object::view() const {
  ObjectView view;
  view.kind = kind_;
  view.ns = ns_;
  view.name = name_;
  view.created = created_;
  return view;
}

Object& Cluster::create(std::shared_ptr<const Spec> spec, const Meta& meta) {
  objects_.push_back(make_object(*this, std::move(spec), meta));
  Object& object = *objects_.back();
  environment_.when_writable(object.alive(), [&object] {
    if (!object.is_deleted()) object.start();
  });
  return object;
}

void Cluster::forget(const Object& object) {
  // The youngest are asked for most.
  const auto found = std::find_if(objects_.rbegin(), objects_.rend(), [&](const std::unique_ptr<Object>& one) { return one.get() == &object; });
  if (found != objects_.rend()) objects_.erase(std::next(found).base());
}

std::vector<ObjectView> Cluster::views() const {
  std::vector<ObjectView> views;
  for (const std::unique_ptr<Object>& object : objects_) {
    if (!object->is_deleted()) views.push_back(object->view());
  }
  std::stable_sort(views.begin(), views.end(), [](const ObjectView& a, const ObjectView& b) { return std::tie(a.kind, a.ns, a.name) < std::tie(b.kind, b.ns, b.name); });
  return views;
}

std::string Cluster::generate_name(const std::string& prefix) {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";  // no vowels: no words by chance
  constexpr int kLength = 5;
  sim::RandomStream random = world().random.stream("chaos-mesh/name", fmt::format("{}#{}", prefix, names_++));
  std::string name = prefix;
  for (int i = 0; i < kLength; ++i) name += kLetters[static_cast<std::size_t>(random.uniform_int(0, static_cast<std::int64_t>(kLetters.size()) - 1))];
  return name;
}

void Cluster::skew_clock(std::size_t member, SimDuration by) { environment_.skew_controllers(member, by); }

std::optional<std::uint32_t> Cluster::restarts_of(const Target& target) {
  const sim::k8s::Pod* pod = world().api.get(target.pod);
  for (std::size_t i = 0; pod != nullptr && i < pod->spec->containers.size() && i < pod->containers.size(); ++i) {
    if (pod->spec->containers[i].name == target.container) return pod->containers[i].restart_count;
  }
  return std::nullopt;
}

bool Cluster::update_load(const Target& target) {
  const std::optional<std::uint32_t> restarts = restarts_of(target);
  if (!restarts) return false;
  sim::k8s::Kubelets::Stress all;
  for (const auto& [number, load] : loads_) {
    if (load.target.pod != target.pod || load.target.container != target.container || load.restarts != *restarts) continue;
    all.cpu_cores += load.stress.cpu_cores;
    all.cpu_workers += load.stress.cpu_workers;
    all.disk_bytes_per_second += load.stress.disk_bytes_per_second;
    all.memory_bytes += load.stress.memory_bytes;
  }
  return world().kubelets.set_stress(target.pod, target.container, all);
}

std::uint64_t Cluster::stress(const Target& target, const sim::k8s::Kubelets::Stress& stress) {
  const std::optional<std::uint32_t> restarts = restarts_of(target);
  if (!restarts) return 0;
  const std::uint64_t number = ++last_load_;
  loads_[number] = Load{target, *restarts, stress};
  if (update_load(target)) return number;
  loads_.erase(number);
  return 0;
}

void Cluster::relieve(std::uint64_t number) {
  const auto found = loads_.find(number);
  if (found == loads_.end()) return;
  const Load load = found->second;
  loads_.erase(found);
  // A container that restarted has lost what ran in it.
  if (restarts_of(load.target) == load.restarts) update_load(load.target);
}

void Cluster::delay_disk(std::size_t member, SimDuration delay, double share, bool undo) {
  std::vector<std::pair<SimDuration, double>>& delays = disk_delays_[member];
  if (undo) {
    const auto found = std::find(delays.begin(), delays.end(), std::pair(delay, share));
    if (found != delays.end()) delays.erase(found);
  } else {
    delays.emplace_back(delay, share);
  }
  // Several rules: the call waits for each that it meets; told as their sum, at the share of the one that is met most often.
  SimDuration all{};
  double most = 0.0;
  for (const auto& [one, part] : delays) {
    all += one;
    most = std::max(most, part);
  }
  world().control_plane.set_disk_delay(member, all, most);
}

}  // namespace chaos::mesh
