/// The endpoints of every Service with a selector: which pods serve, which are not ready, which are on their way out.
///
/// A sync looks at the pods that changed since the last one, and puts each in its place: a Service of 10,000 pods costs no more per change than
/// one of ten. All pods are read when the Service is new or has changed, and when somebody else wrote its Endpoints.
///
/// Source:     pkg/controller/endpointslice, staging/src/k8s.io/endpointslice (reference 2.12).
/// Leaves out: the split into slices of 100, ports, topology hints and traffic distribution, manually kept endpoints of Services without
///             a selector. A write that the API refuses is tried again when the API is back, not after 1 s * 2^n.
/// Checked by: tests/models/kubernetes/controllers/endpoints_test.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "sim/models/kubernetes/controllers/selected_pods.hpp"

namespace sim::k8s {

namespace {

// The reasons that a Service without endpoints names beside its first one.
constexpr std::size_t kCausesMax = 64;

class EndpointsController final : public Controller, public Watcher {
 public:
  explicit EndpointsController(const ControllerContext& context)
      : engine_(context.engine), log_(context.log), api_(context.api), client_(context.client()), budget_(context), queue_(context.engine, budget_, [this](ObjectRef key) { sync(key); }) {
    client_.on_availability([this] {
      if (!running_ || !client_.writable()) return;
      const std::set<ObjectRef> blocked = std::exchange(blocked_, {});
      for (const ObjectRef key : blocked) queue_.add(key);
    });
  }
  ~EndpointsController() override { stop(); }

  std::string_view name() const override { return "endpoints-controller"; }

  void start() override {
    if (running_) return;
    running_ = true;
    client_.watch({Kind::kPod, Kind::kService}, *this);
    for (auto entry = services_.begin(); entry != services_.end();) {
      const bool is_gone = api_.get(entry->first) == nullptr;  // deleted while nobody led
      if (is_gone) remove_endpoints(entry->second.ns, entry->second.name);
      entry = is_gone ? services_.erase(entry) : std::next(entry);
    }
    api_.all<Service>().for_each([&](Ref<Service> ref, const Service& service) {
      if (is_ours(service)) follow(ref, service, false);
    });
    selected_.list_pods(api_);
  }

  void stop() override {
    if (!running_) return;
    running_ = false;
    api_.unwatch(*this);
    queue_.clear();
    blocked_.clear();
    selected_.clear();
    // Whether a Service has lost its endpoints is kept: the next leader says when it has them again.
    for (auto& [ref, state] : services_) {
      state.changed.clear();
      state.written = 0;
      state.entries.clear();
    }
  }

  void on_event(const WatchEvent& event) override {
    if (event.is<Service>()) {
      on_service(event);
      return;
    }
    constexpr Change kCounts = Change::kReady | Change::kDeletion | Change::kPhase | Change::kLabels | Change::kBinding;
    if (event.type == WatchEvent::Type::kModified && !has(event.changes, kCounts)) return;
    const Ref<Pod> ref = event.ref<Pod>();
    const Pod* pod = event.type == WatchEvent::Type::kDeleted ? &event.last_state<Pod>() : api_.get(ref);
    const Symbol pod_name = pod == nullptr ? Symbol{} : pod->meta.name;
    selected_.on_event(api_, event, [&](Ref<Service> service) {
      // Without a name it is gone already, and the event that says so follows.
      if (pod_name) services_[service].changed[ref] = Changed{pod_name, cause_of(event, ref)};
      queue_.add(ApiServer::untyped(service));
    });
  }

 private:
  struct Changed {
    Symbol name;
    CauseId cause;
  };
  struct State {
    Symbol ns;
    Symbol name;
    std::map<Ref<Pod>, Changed> changed;  // since the last sync, and why
    std::vector<CauseId> left;            // why pods left since all of them were ready
    bool is_lost = false;                 // had a ready endpoint once, and has none now
    // As of the last write, which `entries` go with; 0: all is to be read anew.
    std::uint64_t written = 0;
    std::vector<Symbol> entries;          // the pods' names, in the order of the addresses
    std::int64_t ready = 0;
  };

  CauseId cause_of(const WatchEvent& event, Ref<Pod> ref) const {
    if (event.cause) return event.cause;
    if (event.type == WatchEvent::Type::kDeleted) return event.last_state<Pod>().meta.cause;
    const Pod* pod = api_.get(ref);
    return pod == nullptr ? CauseId{} : pod->meta.cause;
  }

  void on_service(const WatchEvent& event) {
    const Ref<Service> ref = event.ref<Service>();
    const Service* service = api_.get(ref);
    if (service != nullptr && is_ours(*service)) {
      follow(ref, *service, true);
      return;
    }
    selected_.remove_owner(ref);
    const auto entry = services_.find(ref);
    if (entry == services_.end()) return;
    const State last = std::move(entry->second);
    services_.erase(entry);
    if (event.type == WatchEvent::Type::kDeleted) remove_endpoints(last.ns, last.name);
  }

  static bool is_ours(const Service& service) { return service.has_selector && !service.selector.is_empty(); }

  void follow(Ref<Service> ref, const Service& service, bool look_now) {
    selected_.set_owner(api_, ref, service.meta.ns, service.selector, look_now);
    State& state = services_[ref];
    state.ns = service.meta.ns;
    state.name = service.meta.name;
    state.written = 0;
    queue_.add(ApiServer::untyped(ref));
  }

  void remove_endpoints(Symbol ns, Symbol name) {
    // A Service of the same name may have come in its place; then the Endpoints are that one's.
    if (api_.find<Service>(ns, name)) return;
    if (const Ref<Endpoints> endpoints = api_.find<Endpoints>(ns, name)) api_.remove(endpoints);
  }

  /// The pod's address; none when the pod is no endpoint.
  std::optional<Endpoints::Address> address_of(Ref<Pod> ref, const Service& service) const {
    const Pod* pod = api_.get(ref);
    if (pod == nullptr || pod->is_terminal() || pod->ip_serial == 0) return std::nullopt;
    Endpoints::Address address;
    address.pod = ref;
    address.terminating = pod->meta.is_deleting();
    address.ready = service.publish_not_ready || (pod->ready && !address.terminating);
    return address;
  }

  /// By name. Most pods stood there before: those keep their order, and only the new ones are sorted by their names and merged in.
  std::vector<Endpoints::Address> addresses_of(Ref<Service> ref, const Service& service, const std::vector<Endpoints::Address>& before) const {
    std::vector<Endpoints::Address> eligible;
    for (const Ref<Pod> pod : selected_.pods(ref)) {
      if (const std::optional<Endpoints::Address> address = address_of(pod, service)) eligible.push_back(*address);
    }
    const auto by_ref = [](const Endpoints::Address& a, const Endpoints::Address& b) { return a.pod < b.pod; };
    if (!std::is_sorted(eligible.begin(), eligible.end(), by_ref)) std::sort(eligible.begin(), eligible.end(), by_ref);

    std::vector<Endpoints::Address> known;
    std::vector<bool> is_known(eligible.size(), false);
    known.reserve(before.size());
    for (const Endpoints::Address& address : before) {
      const auto found = std::lower_bound(eligible.begin(), eligible.end(), address, by_ref);
      if (found == eligible.end() || found->pod != address.pod) continue;
      known.push_back(*found);
      is_known[static_cast<std::size_t>(found - eligible.begin())] = true;
    }
    std::vector<Endpoints::Address> added;
    for (std::size_t i = 0; i < eligible.size(); ++i) {
      if (!is_known[i]) added.push_back(eligible[i]);
    }
    const auto by_name = [this](const Endpoints::Address& a, const Endpoints::Address& b) {
      return api_.names().text(api_.get(a.pod)->meta.name) < api_.names().text(api_.get(b.pod)->meta.name);
    };
    std::sort(added.begin(), added.end(), by_name);
    std::vector<Endpoints::Address> addresses;
    addresses.reserve(eligible.size());
    // Each new one goes behind those before it in the alphabet: few new ones among many cost few comparisons.
    auto from = known.begin();
    for (const Endpoints::Address& address : added) {
      const auto place = std::lower_bound(from, known.end(), address, by_name);
      addresses.insert(addresses.end(), from, place);
      addresses.push_back(address);
      from = place;
    }
    addresses.insert(addresses.end(), from, known.end());
    return addresses;
  }

  void sync(ObjectRef key) {
    const Ref<Service> ref{key.slot, key.generation};
    const Service* service = api_.get(ref);
    const auto entry = services_.find(ref);
    if (service == nullptr || entry == services_.end()) return;
    if (!client_.writable()) {
      blocked_.insert(key);
      return;
    }
    State& state = entry->second;
    const Ref<Endpoints> known = api_.find<Endpoints>(service->meta.ns, service->meta.name);
    if (known && state.written != 0 && api_.get(known)->meta.resource_version == state.written) {
      sync_changed(ref, *service, state, known);
    } else {
      sync_all(ref, *service, state, known);
    }
  }

  void sync_all(Ref<Service> ref, const Service& service, State& state, Ref<Endpoints> known) {
    const std::vector<Endpoints::Address> addresses =
        addresses_of(ref, service, known ? api_.get(known)->addresses : std::vector<Endpoints::Address>{});
    state.entries.clear();
    for (const Endpoints::Address& address : addresses) state.entries.push_back(api_.get(address.pod)->meta.name);
    state.ready = std::count_if(addresses.begin(), addresses.end(), [](const Endpoints::Address& address) { return address.ready; });
    if (!known) {
      Endpoints made;
      made.meta.ns = service.meta.ns;
      made.meta.name = service.meta.name;
      made.meta.labels = service.meta.labels;
      made.addresses = addresses;
      spend();
      state.written = api_.get(api_.create(std::move(made)))->meta.resource_version;
      state.changed.clear();
      return;
    }
    const Endpoints& before = *api_.get(known);
    if (before.addresses == addresses) {
      state.written = before.meta.resource_version;
      state.changed.clear();
      return;
    }
    note_who_left(state, before.addresses, addresses);
    state.changed.clear();
    write(ref, state, known, before.ready_count(), addresses.size(), [&](Endpoints& endpoints) { endpoints.addresses = addresses; });
  }

  /// The same from what changed alone.
  void sync_changed(Ref<Service> ref, const Service& service, State& state, Ref<Endpoints> known) {
    struct Edit {
      Ref<Pod> pod;
      Symbol name;
      CauseId cause;
      std::optional<Endpoints::Address> address;
    };
    std::vector<Edit> edits;
    const std::set<Ref<Pod>>& selected = selected_.pods(ref);
    const std::vector<Endpoints::Address>& before = api_.get(known)->addresses;
    for (const auto& [pod, change] : state.changed) {
      Edit edit{pod, change.name, change.cause, selected.contains(pod) ? address_of(pod, service) : std::nullopt};
      const std::size_t place = place_of(state, before, pod, change.name);
      const bool stands = place < before.size() && before[place].pod == pod;
      if (stands ? edit.address == before[place] : !edit.address) continue;
      edits.push_back(std::move(edit));
    }
    state.changed.clear();
    if (edits.empty()) return;
    std::sort(edits.begin(), edits.end(), [this](const Edit& a, const Edit& b) {
      const std::string& a_name = api_.names().text(a.name);
      const std::string& b_name = api_.names().text(b.name);
      return a_name != b_name ? a_name < b_name : a.pod < b.pod;
    });
    const std::int64_t ready_before = state.ready;
    std::vector<Endpoints::Address> addresses = before;
    for (const Edit& edit : edits) {
      const std::size_t place = place_of(state, addresses, edit.pod, edit.name);
      const bool stands = place < addresses.size() && addresses[place].pod == edit.pod;
      const bool was_ready = stands && addresses[place].ready;
      const bool is_ready = edit.address && edit.address->ready;
      state.ready += (is_ready ? 1 : 0) - (was_ready ? 1 : 0);
      if (was_ready && !is_ready) note_left(state, edit.cause);
      const auto offset = static_cast<std::ptrdiff_t>(place);
      if (stands && edit.address) {
        addresses[place] = *edit.address;
      } else if (stands) {
        addresses.erase(addresses.begin() + offset);
        state.entries.erase(state.entries.begin() + offset);
      } else if (edit.address) {
        addresses.insert(addresses.begin() + offset, *edit.address);
        state.entries.insert(state.entries.begin() + offset, edit.name);
      }
    }
    const std::size_t count = addresses.size();
    write(ref, state, known, ready_before, count, [&](Endpoints& endpoints) { endpoints.addresses = std::move(addresses); });
  }

  /// Where the pod stands, or where it would: a pod and its successor of the same name stand side by side.
  std::size_t place_of(const State& state, const std::vector<Endpoints::Address>& addresses, Ref<Pod> pod, Symbol pod_name) const {
    const std::string& text = api_.names().text(pod_name);
    const auto first = std::lower_bound(state.entries.begin(), state.entries.end(), text,
                                        [this](Symbol entry, const std::string& wanted) { return api_.names().text(entry) < wanted; });
    const auto start = static_cast<std::size_t>(first - state.entries.begin());
    for (std::size_t place = start; place < state.entries.size() && state.entries[place] == pod_name; ++place) {
      if (addresses[place].pod == pod) return place;
    }
    return start;
  }

  void write(Ref<Service> ref, State& state, Ref<Endpoints> known, std::int64_t ready_before, std::size_t count,
             const std::function<void(Endpoints&)>& change) {
    CauseId record = engine_.cause();
    if (state.ready == 0 && ready_before > 0) {
      state.is_lost = true;
      record = record_loss(ref, state, count);
    } else if (state.ready > 0 && state.is_lost) {
      state.is_lost = false;
      record = api_.record(ref, "ServiceHasEndpoints", fmt::format("{} of {} endpoints ready", state.ready, count));
    }
    if (count > 0 && state.ready == static_cast<std::int64_t>(count)) state.left.clear();
    const ScopedCause because(engine_, record);
    spend();
    api_.update(known, Change::kStatus, change);
    state.written = api_.get(known)->meta.resource_version;
  }

  void note_left(State& state, CauseId cause) {
    if (!cause || std::find(state.left.begin(), state.left.end(), cause) != state.left.end()) return;
    if (state.left.size() == kCausesMax) state.left.erase(state.left.begin());
    state.left.push_back(cause);
  }

  void note_who_left(State& state, const std::vector<Endpoints::Address>& before, const std::vector<Endpoints::Address>& now) {
    std::vector<Ref<Pod>> ready_now;
    for (const Endpoints::Address& address : now) {
      if (address.ready) ready_now.push_back(address.pod);
    }
    std::sort(ready_now.begin(), ready_now.end());
    for (const Endpoints::Address& address : before) {
      if (!address.ready || std::binary_search(ready_now.begin(), ready_now.end(), address.pod)) continue;
      const auto change = state.changed.find(address.pod);
      CauseId cause = engine_.cause();
      if (change != state.changed.end()) {
        cause = change->second.cause;
      } else if (const Pod* pod = api_.get(address.pod)) {
        cause = pod->meta.cause;  // it changed while nobody led
      }
      note_left(state, cause);
    }
  }

  /// Caused by the pod that left last, and by all those before it.
  CauseId record_loss(Ref<Service> ref, const State& state, std::size_t addresses) {
    const ScopedCause because(engine_, state.left.empty() ? engine_.cause() : state.left.back());
    const CauseId record = api_.record(ref, "ServiceHasNoEndpoints", fmt::format("0 of {} endpoints ready", addresses));
    for (const CauseId cause : state.left) log_.also_caused_by(record, cause);
    return record;
  }

  /// One write. What a world begins with is free: it stands for what was written long before.
  void spend() {
    if (engine_.now() > SimTime{}) budget_.take();
  }

  Engine& engine_;
  EventLog& log_;
  ApiServer& api_;
  ApiClient& client_;
  ClientBudget budget_;
  WorkQueue queue_;
  SelectedPods<Service> selected_;
  bool running_ = false;
  std::map<Ref<Service>, State> services_;
  std::set<ObjectRef> blocked_;
};

}  // namespace

std::unique_ptr<Controller> make_endpoints_controller(const ControllerContext& context) {
  return std::make_unique<EndpointsController>(context);
}

}  // namespace sim::k8s
