#include "sim/models/kubernetes/kubelet/kubelets.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/core/check.hpp"
#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/models/kubernetes/kubelet/kubelets_impl.hpp"

namespace sim::k8s {

namespace kubelet {

SimTime grid_at(SimTime from, SimDuration phase, SimDuration period) {
  const SimDuration since = from.time_since_epoch() - phase;
  if (since <= SimDuration{}) return SimTime(phase);
  return SimTime(phase + (since + period - SimDuration(1)) / period * period);
}

SimTime grid_before(SimTime until, SimDuration phase, SimDuration period) {
  const SimDuration since = until.time_since_epoch() - phase;
  if (since < SimDuration{}) return SimTime{};
  return SimTime(phase + since / period * period);
}

std::string human_bytes(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 1ll << 30) return fmt::format("{:.1f} GiB", value / static_cast<double>(1ll << 30));
  return fmt::format("{:.1f} MiB", value / static_cast<double>(1ll << 20));
}

}  // namespace kubelet

using kubelet::ContainerRun;
using kubelet::NodeRun;
using kubelet::PodRun;
using kubelet::Step;

Kubelets::Impl::Impl(Engine& engine_in, EventLog& log_in, const Randomness& random_in, host::Hosts& hosts_in, ControlPlane& control_plane_in,
                     ApiServer& api_in, KubeletConfig config_in, const std::vector<PodBehaviour>& behaviours_in,
                     const ImageConfig& image_config_in, Storage* storage_in)
    : engine(engine_in),
      log(log_in),
      random(random_in),
      hosts(hosts_in),
      control_plane(control_plane_in),
      api(api_in),
      config(config_in),
      behaviours(behaviours_in),
      image_config(image_config_in),
      storage(storage_in) {
  Interner& names = api.names();
  reasons = {names.intern("ContainerCreating"), names.intern("PodInitializing"),      names.intern("CrashLoopBackOff"),
             names.intern("ErrImagePull"),      names.intern("ImagePullBackOff"),     names.intern("ErrImageNeverPull"),
             names.intern("Completed"),         names.intern("Error"),                names.intern("OOMKilled"),
             names.intern("ContainerStatusUnknown"), names.intern("Evicted"),         names.intern("DeadlineExceeded"),
             names.intern("kubernetes.io/config.mirror")};
  hosts.on_change([this](const host::Hosts::Change& change) { on_host_change(change); });
  control_plane.on_reachability([this] { update_contact_of_all(); });
  api.on_availability([this] { update_contact_of_all(); });
  if (storage != nullptr) storage->on_io([this](Symbol volume) { on_io(volume); });
  hosts.disks().on_change([this](host::HostId host) {
    if (host.value < node_of_host.size() && node_of_host[host.value] >= 0) share_machine(nodes[static_cast<std::size_t>(node_of_host[host.value])]);
  });
}

Kubelets::Impl::~Impl() = default;

NodeRun* Kubelets::Impl::find_node(Ref<Node> ref) {
  if (!ref || ref.slot >= node_of_slot.size() || node_of_slot[ref.slot] < 0) return nullptr;
  NodeRun& node = nodes[static_cast<std::size_t>(node_of_slot[ref.slot])];
  return node.ref == ref ? &node : nullptr;
}

PodRun* Kubelets::Impl::find_pod(Ref<Pod> ref) {
  const auto found = pods.find(key(ref));
  return found == pods.end() ? nullptr : found->second;
}

std::string Kubelets::Impl::pod_name(const PodRun& run) const {
  return fmt::format("{}/{}", api.names().text(run.ns), api.names().text(run.name));
}

CauseId Kubelets::Impl::record(const PodRun& run, std::string_view kind, std::string_view message) {
  if (api.get(run.ref) != nullptr) return api.record(run.ref, kind, message);
  return log.record(kind, api.subject(Kind::kPod, run.ns, run.name), message);  // force-deleted, but still there on its node
}

RandomStream Kubelets::Impl::stream(std::string_view purpose, const PodRun& run, std::uint32_t serial) const {
  return RandomStream(random.seed(), purpose, pod_name(run), serial);
}

std::uint32_t Kubelets::Impl::draw_serial(const PodRun& run, const ContainerRun& c) const {
  constexpr std::uint32_t kContainersMax = 64;
  const bool init = is_init(run, c);
  const std::vector<ContainerRun>& list = init ? run.init_containers : run.containers;
  const auto index = static_cast<std::uint32_t>(&c - list.data());
  return (c.status.restart_count * 2 + (init ? 1 : 0)) * kContainersMax + index;
}

void Kubelets::Impl::add_node(Ref<Node> ref, host::HostId host) {
  const Node* object = api.get(ref);
  SIM_CHECK(object != nullptr, "a kubelet is added for a Node object that exists");
  nodes.emplace_back();
  NodeRun& node = nodes.back();
  node.ref = ref;
  node.host = host;
  node.name = object->meta.name;
  node.subject = api.subject(*object);
  node.memory = object->capacity.memory > 0 ? object->capacity.memory : hosts.spec(host).memory_bytes;
  // What the system daemons use is not known; they get what the node reserves for them, up to a common figure. A node that reserves nothing is
  // modelled without, so that pods that use just what they request never cause an eviction.
  constexpr std::int64_t kSystemMemoryMax = 512ll << 20;
  const std::int64_t reserved = object->allocatable.memory > 0 ? node.memory - object->allocatable.memory - config.hard_eviction_memory : 0;
  node.system_memory = std::clamp<std::int64_t>(reserved, 0, kSystemMemoryMax);
  node.pods_limit = object->allocatable.memory > 0 && config.limits_all_pods ? object->allocatable.memory + config.hard_eviction_memory : node.memory;
  node.kernel = std::make_unique<host::HostMemory>(hosts.spec(host).kernel, node.memory, hosts.spec(host).cpu_cores);
  if (node_of_slot.size() <= ref.slot) node_of_slot.resize(std::size_t{ref.slot} + 1, -1);
  node_of_slot[ref.slot] = static_cast<std::int64_t>(nodes.size()) - 1;
  if (node_of_host.size() <= host.value) node_of_host.resize(std::size_t{host.value} + 1, -1);
  node_of_host[host.value] = static_cast<std::int64_t>(nodes.size()) - 1;
  NodeRun* place = &node;
  node.image_hooks.registry = [this, place] { return registry_state(*place); };
  node.image_hooks.bytes = [this](Symbol image) {
    if (image_service != nullptr) return image_service->bytes(image);
    for (const ImageInfo& info : image_config.images) {
      if (info.image == image) return info.bytes;
    }
    return image_config.default_bytes;
  };
  node.image_hooks.arrived = [this, place](Symbol image) { on_image_arrived(*place, image); };
  node.image_hooks.done = [this, place](kubelet::NodeImages::Waiter waiter, Symbol image, const kubelet::PullResult& result) {
    const auto found = pods.find(waiter);
    if (found != pods.end()) on_pulled(*place, *found->second, image, result);
  };
  node.image_hooks.removed = [this, place] {
    place->images_changed = true;
    schedule_status(*place);
  };
  node.image_hooks.in_use = [this, place](Symbol image) { return uses_image(*place, image); };
  node.image_hooks.filesystem_changed = [this, place] {
    disk_of(*place);
    disk_changed(*place);
  };
  // A second disk for images has its bandwidth to itself.
  node.image_hooks.writing = [this, place](double bytes_per_second) {
    place->pull_writes = hosts.spec(place->host).image_disk_bytes > 0 ? 0.0 : bytes_per_second;
    writing_changed(*place);
  };
  node.image_hooks.beside_images = [this, place] { return beside_images(*place); };
  if (image_service != nullptr) {
    node.images = image_service->make({host, node.name, node.subject}, node.image_hooks);
  } else {
    node.images = std::make_unique<kubelet::ImagePuller>(engine, node.image_hooks, image_config.registry_bytes_per_second, config.serialize_image_pulls);
  }
  if (is_started) start_node(node);
}

void Kubelets::Impl::start() {
  is_started = true;
  api.all<Pod>().for_each([this](Ref<Pod> ref, const Pod&) { index_binding(ref); });
  if (image_config.preloaded) {
    for (NodeRun& node : nodes) {
      // What a node of a dump says that it has.
      const Node* object = api.get(node.ref);
      if (object != nullptr) {
        for (const NodeImage& image : object->images) node.images->add(api.names().intern(normalised_image(api.names().text(image.image))));
      }
      for (const Ref<Pod> ref : node.bound) {
        const Pod& pod = api.all<Pod>().at(ref);
        for (const Container& container : pod.spec->init_containers) node.images->add(container.image);
        for (const Container& container : pod.spec->containers) node.images->add(container.image);
        node.images_changed = true;
      }
    }
  }
  for (NodeRun& node : nodes) start_node(node);
}

void Kubelets::Impl::index_binding(Ref<Pod> ref) {
  const Pod* pod = api.get(ref);
  if (pod == nullptr || !pod->node || node_of_bound.contains(key(ref))) return;
  NodeRun* node = find_node(pod->node);
  if (node == nullptr) return;
  node_of_bound.emplace(key(ref), node);
  node->bound.push_back(ref);
}

void Kubelets::Impl::on_pod_event(const WatchEvent& event) {
  const Ref<Pod> ref = event.ref<Pod>();
  if (event.type == WatchEvent::Type::kDeleted) {
    const auto found = node_of_bound.find(key(ref));
    if (found == node_of_bound.end()) return;
    NodeRun& node = *found->second;
    std::erase(node.bound, ref);
    node_of_bound.erase(found);
    if (node.disk != nullptr) files_of_pod_deleted(node, ref);
    PodRun* run = find_pod(ref);
    if (run == nullptr) return;
    if (node.is_watching && can_act(node)) see(node, ref);
    return;
  }
  constexpr Change kOfInterest = Change::kBinding | Change::kDeletion | Change::kPhase | Change::kReady | Change::kContainers;
  if (event.type == WatchEvent::Type::kModified && !has(event.changes, kOfInterest)) return;
  index_binding(ref);
  const auto found = node_of_bound.find(key(ref));
  if (found == node_of_bound.end()) return;
  NodeRun& node = *found->second;
  if (node.is_watching && can_act(node)) see(node, ref);
}

void Kubelets::Impl::on_node_event(const WatchEvent& event) {
  if (event.type != WatchEvent::Type::kModified || !has(event.changes, Change::kConditions | Change::kVolumes)) return;
  NodeRun* node = find_node(event.ref<Node>());
  if (node == nullptr || !node->is_watching || !can_act(*node)) return;
  if (has(event.changes, Change::kVolumes)) advance_volumes(*node);
  if (!has(event.changes, Change::kConditions)) return;
  const Node* object = api.get(node->ref);
  if (object != nullptr && object->ready != ConditionStatus::kTrue) schedule_status(*node);
}

void Kubelets::Impl::on_host_change(const host::Hosts::Change& change) {
  if (change.host.value >= node_of_host.size() || node_of_host[change.host.value] < 0 || !is_started) return;
  NodeRun& node = nodes[static_cast<std::size_t>(node_of_host[change.host.value])];
  using What = host::Hosts::Change::What;
  switch (change.what) {
    case What::kDown:
    case What::kHung:
    case What::kBooting: on_host_down(node); break;
    case What::kUp: {
      const SimDuration wait = hosts.kubelet_start_time(node.host);
      engine.cancel(node.kubelet_start);
      NodeRun* place = &node;
      node.kubelet_start = engine.after(wait, [this, place] { start_kubelet(*place, true); });
      break;
    }
    case What::kNetwork:
      update_contact(node);
      for (const auto& run : node.pods) update_serving(*run);
      break;
  }
}

void Kubelets::Impl::on_host_down(NodeRun& node) {
  for (TimerId* timer : {&node.renewal, &node.relist, &node.status, &node.kubelet_start, &node.stall, &node.memory_timer, &node.pressure_timer,
                         &node.thrash_timer}) {
    engine.cancel(std::exchange(*timer, TimerId{}));
  }
  if (node.is_stalled) {
    node.is_stalled = false;
    control_plane.set_stalled(node.host, false);
  }
  node.images->interrupt();
  for (const auto& run : node.pods) {
    engine.cancel(std::exchange(run->timer, TimerId{}));
    engine.cancel(std::exchange(run->deadline, TimerId{}));
    const auto lose = [&](ContainerRun& c) {
      engine.cancel(std::exchange(c.timer, TimerId{}));
      if (c.step == Step::kRunning) {
        uncharge(*run, c);
        files_stopped(*run, c);
        c.step = Step::kLost;
      }
    };
    for (ContainerRun& c : run->init_containers) lose(c);
    for (ContainerRun& c : run->containers) lose(c);
  }
  lose_kernel_memory(node);
  node.kubelet_running = false;
  node.died_at = engine.now();
  node.pressure_cause = {};
  node.pressure = node.below_threshold = node.found_no_victim = node.hard_met = false;
  node.soft_since = kEndOfTime;
  node.evicting = nullptr;
  node.next_pass = SimTime{};
  disk_kubelet_stopped(node);
  lose_volumes(node);
  update_contact(node);
  for (const auto& run : node.pods) update_serving(*run);
}

// ---- the public face

Kubelets::Kubelets(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, ControlPlane& control_plane, ApiServer& api,
                   KubeletConfig config, const std::vector<PodBehaviour>& behaviours, const ImageConfig& images, Storage* storage)
    : impl_(std::make_unique<Impl>(engine, log, random, hosts, control_plane, api, config, behaviours, images, storage)) {}

Kubelets::~Kubelets() { impl_->api.unwatch(*this); }

void Kubelets::use(kubelet::ImageService& images) { impl_->image_service = &images; }

kubelet::NodeImages* Kubelets::images_of(Ref<Node> node) {
  NodeRun* run = impl_->find_node(node);
  return run == nullptr ? nullptr : run->images.get();
}

void Kubelets::add_node(Ref<Node> node, host::HostId host) { impl_->add_node(node, host); }

void Kubelets::start() {
  impl_->api.watch({Kind::kPod, Kind::kNode, Kind::kPersistentVolumeClaim}, *this);
  impl_->start();
}

host::HostId Kubelets::host_of(Ref<Node> node) const {
  const NodeRun* run = impl_->find_node(node);
  return run == nullptr ? host::HostId{} : run->host;
}

Ref<Node> Kubelets::node_of(host::HostId host) const {
  if (host.value >= impl_->node_of_host.size() || impl_->node_of_host[host.value] < 0) return {};
  return impl_->nodes[static_cast<std::size_t>(impl_->node_of_host[host.value])].ref;
}

Heartbeat Kubelets::heartbeat(Ref<Node> node) const {
  const NodeRun* run = impl_->find_node(node);
  if (run == nullptr) return {};
  Heartbeat heartbeat{run->is_renewing, run->last_renewal};
  if (run->is_renewing) {
    heartbeat.last_renewal =
        std::max(run->last_renewal, kubelet::grid_before(impl_->engine.now(), run->lease_phase, impl_->config.lease_renew));
  }
  return heartbeat;
}

void Kubelets::on_heartbeat(std::function<void(Ref<Node>)> listener) { impl_->heartbeat_listeners.push_back(std::move(listener)); }

std::int64_t Kubelets::memory_used(Ref<Node> node) const {
  const NodeRun* run = impl_->find_node(node);
  // What is asked for beyond the machine's memory is not there: that is what the host stalls over.
  return run == nullptr || !impl_->hosts.is_running(run->host) ? 0 : std::min(impl_->working_set(*run), run->memory);
}

double Kubelets::cpu_used(Ref<Pod> pod) const {
  const PodRun* run = impl_->find_pod(pod);
  if (run == nullptr || !impl_->hosts.is_running(run->node->host)) return 0.0;
  double cores = 0.0;
  for (const ContainerRun& c : run->containers) {
    if (c.step == Step::kRunning) cores += c.wants_cpu * c.speed;
  }
  return cores;
}

host::CfsCounters::Counts Kubelets::throttling(Ref<Pod> pod, std::size_t container) const {
  const PodRun* run = impl_->find_pod(pod);
  if (run == nullptr || container >= run->containers.size()) return {};
  return run->containers[container].throttle.at(impl_->engine.now());
}

double Kubelets::cpu_used(Ref<Node> node) const {
  const NodeRun* run = impl_->find_node(node);
  double cores = 0.0;
  if (run == nullptr) return cores;
  for (const auto& pod : run->pods) cores += cpu_used(pod->ref);
  return cores;
}

std::int64_t Kubelets::memory_used(Ref<Pod> pod) const {
  const PodRun* run = impl_->find_pod(pod);
  return run == nullptr || !impl_->hosts.is_running(run->node->host) ? 0 : impl_->usage(*run);
}

host::Meminfo Kubelets::meminfo(Ref<Node> node) const {
  const NodeRun* run = impl_->find_node(node);
  if (run == nullptr || !impl_->hosts.is_running(run->host)) return {};
  const std::int64_t anonymous = impl_->used(*run);
  // Of a copy: looking must not take part in reclaim, whose stalls somebody has to feel.
  host::HostMemory books = *run->kernel;
  books.settle(impl_->engine.now(), anonymous);
  return books.meminfo(impl_->engine.now(), anonymous);
}

host::Psi::Averages Kubelets::memory_pressure(Ref<Node> node) const {
  const NodeRun* run = impl_->find_node(node);
  return run == nullptr ? host::Psi::Averages{} : run->psi.at(impl_->engine.now());
}

void Kubelets::grow_kernel_memory(Ref<Node> node, double bytes_per_second) {
  if (NodeRun* run = impl_->find_node(node)) impl_->grow_kernel_memory(*run, bytes_per_second);
}

void Kubelets::drop_caches(Ref<Node> node, host::DropCaches what) {
  if (NodeRun* run = impl_->find_node(node)) impl_->drop_caches(*run, what);
}

void Kubelets::on_memory(std::function<void(Ref<Node>)> listener) { impl_->memory_listeners.push_back(std::move(listener)); }

bool Kubelets::is_really_running(Ref<Pod> pod) const {
  const PodRun* run = impl_->find_pod(pod);
  if (run == nullptr || !impl_->hosts.is_running(run->node->host)) return false;
  return std::any_of(run->containers.begin(), run->containers.end(), [](const ContainerRun& c) { return c.step == Step::kRunning; });
}

bool Kubelets::is_serving(Ref<Pod> pod) const {
  const PodRun* run = impl_->find_pod(pod);
  return run != nullptr && impl_->serves(*run);
}

PodProcess Kubelets::process_of(Ref<Pod> pod) const {
  const PodRun* run = impl_->find_pod(pod);
  return run == nullptr ? PodProcess{} : impl_->process_of(*run);
}

void Kubelets::on_process(std::function<void(Ref<Pod>)> listener) { impl_->process_listeners.push_back(std::move(listener)); }

void Kubelets::set_start_gate(std::function<bool(Ref<Pod>)> may_start) { impl_->may_start = std::move(may_start); }

void Kubelets::start_gate_opened(Ref<Pod> pod) {
  if (PodRun* run = impl_->find_pod(pod)) impl_->sync(*run);
}

void Kubelets::set_probes_fail(Ref<Pod> pod, bool readiness, bool liveness) {
  PodRun* run = impl_->find_pod(pod);
  if (run == nullptr) return;
  run->readiness_needs = readiness;
  run->liveness_needs = liveness;
  impl_->update_probes(*run);
}

void Kubelets::set_interference(Ref<Pod> pod, Interference interference) {
  if (PodRun* run = impl_->find_pod(pod)) impl_->set_interference(*run, interference);
}

bool Kubelets::set_image_paused(Ref<Pod> pod, bool paused) {
  PodRun* run = impl_->find_pod(pod);
  return run != nullptr && impl_->set_image_paused(*run, paused);
}

bool Kubelets::set_stress(Ref<Pod> pod, Symbol container, const Stress& stress) {
  PodRun* run = impl_->find_pod(pod);
  if (run == nullptr) return false;
  for (std::size_t i = 0; i < run->containers.size(); ++i) {
    if (run->spec->containers[i].name == container) return impl_->set_stress(*run, run->containers[i], stress);
  }
  return false;
}

namespace {

std::uint8_t with(std::uint8_t set, Says who, bool says) {
  const auto bit = static_cast<std::uint8_t>(who);
  return static_cast<std::uint8_t>(says ? set | bit : set & ~bit);
}

}  // namespace

void Kubelets::set_lacking(Ref<Pod> pod, Says who, bool lacking) {
  PodRun* run = impl_->find_pod(pod);
  if (run == nullptr) return;
  const bool lacked = run->lacking_by != 0;
  run->lacking_by = with(run->lacking_by, who, lacking);
  if (lacked != (run->lacking_by != 0)) impl_->update_serving(*run);
}

void Kubelets::on_serving(std::function<void(Ref<Pod>, bool)> listener) { impl_->serving_listeners.push_back(std::move(listener)); }

void Kubelets::set_certificate_expiry(Ref<Node> ref, std::optional<SimTime> when) {
  if (NodeRun* node = impl_->find_node(ref)) node->certificate_expiry = when;
}

std::optional<SimTime> Kubelets::certificate_expiry(Ref<Node> ref) const {
  const NodeRun* node = impl_->find_node(ref);
  return node == nullptr ? std::nullopt : node->certificate_expiry;
}

void Kubelets::set_certificate_expired(Ref<Node> ref, bool expired) {
  NodeRun* node = impl_->find_node(ref);
  if (node == nullptr || node->certificate_expired == expired) return;
  node->certificate_expired = expired;
  const CauseId id = impl_->log.record(
      expired ? "CertificateExpired" : "CertificateRenewed", node->subject,
      expired ? fmt::format("the client certificate of {}'s kubelet has expired: the API servers answer 401 Unauthorized", impl_->api.names().text(node->name))
              : fmt::format("{}'s kubelet has a new client certificate", impl_->api.names().text(node->name)));
  const ScopedCause because(impl_->engine, id);
  impl_->update_contact(*node);
}

void Kubelets::set_no_contact(Ref<Node> ref, NoContact why, bool holds) {
  NodeRun* node = impl_->find_node(ref);
  if (node == nullptr) return;
  const auto bit = static_cast<std::uint8_t>(why);
  node->no_contact = static_cast<std::uint8_t>(holds ? node->no_contact | bit : node->no_contact & ~bit);
  impl_->update_contact(*node);
}

void Kubelets::set_throttled(Ref<Node> ref, std::optional<SimTime> last_renewal) {
  NodeRun* node = impl_->find_node(ref);
  if (node == nullptr || node->is_throttled == last_renewal.has_value()) return;
  node->is_throttled = last_renewal.has_value();
  const bool was_renewing = node->is_renewing;
  if (last_renewal && was_renewing) {
    // What the renewals' grid has gone on counting since then did not arrive.
    node->is_renewing = false;
    node->last_renewal = std::max(node->last_renewal, *last_renewal);
  }
  impl_->update_contact(*node);
  if (was_renewing && !node->is_renewing) impl_->notify_heartbeat(*node);
}

bool Kubelets::is_certificate_expired(Ref<Node> ref) const {
  const NodeRun* node = impl_->find_node(ref);
  return node != nullptr && node->certificate_expired;
}

bool Kubelets::is_kubelet_running(Ref<Node> ref) const {
  const NodeRun* node = impl_->find_node(ref);
  return node != nullptr && node->kubelet_running && impl_->hosts.is_running(node->host);
}

void Kubelets::kill_kubelet(Ref<Node> ref, SimDuration restart_after) {
  NodeRun* node = impl_->find_node(ref);
  if (node == nullptr || !node->kubelet_running) return;
  const CauseId id = impl_->log.record("KubeletDied", node->subject,
                                       fmt::format("the kubelet of {} is gone; its containers run on", impl_->api.names().text(node->name)));
  const ScopedCause because(impl_->engine, id);
  impl_->stop_kubelet(*node);
  if (restart_after > SimDuration{}) {
    node->kubelet_start = impl_->engine.after(restart_after, [this, node] { impl_->start_kubelet(*node, false); });
  }
}

void Kubelets::restart_kubelet(Ref<Node> ref) {
  NodeRun* node = impl_->find_node(ref);
  if (node == nullptr || !impl_->hosts.is_running(node->host)) return;
  // While the machine's own start of the kubelet is under way there is nothing to restart.
  if (!node->kubelet_running && !node->kubelet_was_killed) return;
  if (node->kubelet_running) impl_->stop_kubelet(*node);
  impl_->start_kubelet(*node, false);
}

void Kubelets::leak_memory(Ref<Pod> pod, double bytes_per_second) {
  if (PodRun* run = impl_->find_pod(pod)) {
    impl_->add_leak(*run, bytes_per_second);
  } else if (impl_->api.get(pod) != nullptr) {
    impl_->pending_leaks.push_back({pod, bytes_per_second, impl_->engine.cause()});
  }
}

void Kubelets::leak_memory(Symbol ns, const LabelSelector& selector, double bytes_per_second) {
  impl_->leak_rules.push_back({ns, selector, bytes_per_second, impl_->engine.cause()});
  for (NodeRun& node : impl_->nodes) {
    for (const auto& run : node.pods) {
      const Pod* pod = impl_->api.get(run->ref);
      if (pod == nullptr || (ns && pod->meta.ns != ns) || !selector.matches(pod->meta.labels, impl_->api.names())) continue;
      impl_->add_leak(*run, bytes_per_second);
    }
  }
}

kubelet::DiskStats Kubelets::disk(Ref<Node> node) const {
  const NodeRun* run = impl_->find_node(node);
  return run == nullptr ? kubelet::DiskStats{} : impl_->disk_stats(*run);
}

bool Kubelets::disk_of(Ref<Pod> pod, kubelet::PodDiskStats& stats) const {
  const PodRun* run = impl_->find_pod(pod);
  if (run == nullptr) return false;
  stats = impl_->disk_stats(*run);
  return true;
}

std::uint64_t Kubelets::fill_disk(Ref<Node> ref, std::int64_t bytes, double bytes_per_second, std::int64_t at_most) {
  NodeRun* node = impl_->find_node(ref);
  if (node == nullptr) return 0;
  kubelet::NodeDisk& disk = impl_->disk_of(*node);
  kubelet::NodeDisk::Fill& fill = disk.fills.emplace_back();
  fill.number = ++disk.last_fill;
  fill.growth.set(static_cast<double>(bytes));
  fill.growth.start(impl_->engine.now(), bytes_per_second, at_most);
  fill.cause = impl_->engine.cause();
  if (!impl_->hosts.is_running(node->host)) fill.growth.pause(impl_->engine.now());  // nobody writes until it has booted
  impl_->disk_changed(*node);
  return fill.number;
}

void Kubelets::stop_filling_disk(Ref<Node> ref, std::uint64_t number) {
  NodeRun* node = impl_->find_node(ref);
  if (node == nullptr || node->disk == nullptr) return;
  for (kubelet::NodeDisk::Fill& fill : node->disk->fills) {
    if (fill.number == number) fill.growth.stop(impl_->engine.now());
  }
  impl_->disk_changed(*node);
}

void Kubelets::clear_disk(Ref<Node> ref, std::uint64_t number) {
  NodeRun* node = impl_->find_node(ref);
  if (node == nullptr || node->disk == nullptr) return;
  std::erase_if(node->disk->fills, [number](const kubelet::NodeDisk::Fill& fill) { return fill.number == number; });
  impl_->disk_changed(*node);
}

void Kubelets::wipe_disk(Ref<Node> ref) {
  NodeRun* node = impl_->find_node(ref);
  if (node == nullptr) return;
  if (node->disk != nullptr) {
    node->disk->fills.clear();
    node->disk->dead.clear();
    for (const auto& run : node->pods) {
      if (run->disk != nullptr) run->disk->lose_files();
    }
  }
  node->images->wipe();
}

void Kubelets::kill_container(Ref<Pod> pod) {
  PodRun* run = impl_->find_pod(pod);
  if (run == nullptr) return;
  for (ContainerRun& c : run->containers) {
    if (c.step != Step::kRunning) continue;
    const bool is_mirror = run->is_mirror;
    impl_->die(*run, c, 137, impl_->reasons.error);
    if (is_mirror) impl_->restart_mirror(*run, c);
    return;
  }
}

bool Kubelets::kill_container(Ref<Pod> pod, Symbol container) {
  PodRun* run = impl_->find_pod(pod);
  if (run == nullptr) return false;
  for (std::size_t i = 0; i < run->containers.size(); ++i) {
    ContainerRun& c = run->containers[i];
    if (run->spec->containers[i].name != container || c.step != Step::kRunning) continue;
    const bool is_mirror = run->is_mirror;
    impl_->die(*run, c, 137, impl_->reasons.error);
    if (is_mirror) impl_->restart_mirror(*run, c);
    return true;
  }
  return false;
}

void Kubelets::set_unready(Ref<Pod> pod, Says who, bool unready) {
  PodRun* run = impl_->find_pod(pod);
  if (run == nullptr) return;
  run->unready_by = with(run->unready_by, who, unready);
  impl_->set_unready(*run, run->unready_by != 0);
}

void Kubelets::on_event(const WatchEvent& event) {
  if (event.is<Pod>()) impl_->on_pod_event(event);
  else if (event.is<Node>()) impl_->on_node_event(event);
  else impl_->on_claim_event(event);
}

}  // namespace sim::k8s
