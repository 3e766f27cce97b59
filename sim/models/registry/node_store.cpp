#include "sim/models/registry/node_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace sim::registry {

using k8s::kubelet::PullResult;

namespace {

constexpr SimDuration kGcPeriod = std::chrono::minutes(5);
constexpr std::size_t kNoPullLimit = SIZE_MAX;

/// "1m4.5s", as Go prints a duration that was cut to milliseconds.
std::string go_duration(SimDuration span) {
  const std::int64_t ms = span / std::chrono::milliseconds(1);
  if (ms < 1000) return fmt::format("{}ms", ms);
  std::string text;
  if (ms >= 3'600'000) text += fmt::format("{}h", ms / 3'600'000);
  if (ms >= 60'000) text += fmt::format("{}m", ms / 60'000 % 60);
  std::string seconds = fmt::format("{}.{:03}", ms / 1000 % 60, ms % 1000);
  while (seconds.back() == '0') seconds.pop_back();
  if (seconds.back() == '.') seconds.pop_back();
  return text + seconds + "s";
}

/// How far into the resolution an error came: the furthest is told (resolver.go, firstErrPriority).
int rank_of(Answer answer) {
  switch (answer) {
    case Answer::kNotFound: return 2;
    case Answer::kTooMany:
    case Answer::kServerError: return 3;
    default: return 1;
  }
}

/// As the image manager prints a size.
std::string format_size(std::int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  constexpr double kKiB = 1024.0;
  if (size < kKiB) return fmt::format("{} B", bytes);
  if (size < kKiB * kKiB) return fmt::format("{:.1f} KiB", size / kKiB);
  if (size < kKiB * kKiB * kKiB) return fmt::format("{:.1f} MiB", size / kKiB / kKiB);
  if (size < kKiB * kKiB * kKiB * kKiB) return fmt::format("{:.1f} GiB", size / kKiB / kKiB / kKiB);
  return fmt::format("{:.1f} TiB", size / kKiB / kKiB / kKiB / kKiB);
}

SimDuration time_for(std::int64_t bytes, double rate) {
  return SimDuration(static_cast<std::int64_t>(std::ceil(static_cast<double>(bytes) / rate * 1e9)));
}

}  // namespace

NodeStore::NodeStore(Registries& registries, const Hooks& hooks, const k8s::kubelet::ImageService::NodeContext& node, std::uint32_t number)
    : registries_(registries),
      engine_(registries.engine()),
      hooks_(hooks),
      node_(node),
      number_(number),
      bucket_(registries.policy().registry_pull_qps, static_cast<double>(registries.policy().registry_burst), registries.engine().now()) {}

NodeStore::~NodeStore() {
  // The registries and the network may be gone already: flows end with them.
  for (const auto& pull : active_) engine_.cancel(pull->timer);
  engine_.cancel(gc_timer_);
  engine_.cancel(tell_timer_);
}

// ---- what is here ---------------------------------------------------------------------------------------------------

bool NodeStore::has(Symbol image) const { return std::find(names_.begin(), names_.end(), image) != names_.end(); }

NodeStore::LayerState* NodeStore::find_layer(LayerId id) {
  const auto found = std::lower_bound(layers_.begin(), layers_.end(), id, [](const LayerState& state, LayerId wanted) { return state.id < wanted; });
  return found == layers_.end() || found->id != id ? nullptr : &*found;
}

NodeStore::LayerState& NodeStore::layer(LayerId id) {
  const auto found = std::lower_bound(layers_.begin(), layers_.end(), id, [](const LayerState& state, LayerId wanted) { return state.id < wanted; });
  if (found != layers_.end() && found->id == id) return *found;
  return *layers_.insert(found, LayerState{id});
}

bool NodeStore::is_content_here(LayerId id) const {
  const LayerState* state = find_layer(id);
  return state != nullptr && (state->images > 0 || state->got >= registries_.catalogue().layer(id).bytes);
}

bool NodeStore::is_complete(const Image& image) const {
  return std::all_of(image.layers.begin(), image.layers.end(), [this](LayerId id) { return is_content_here(id); });
}

void NodeStore::insert(Symbol name) {
  const Image& image = registries_.catalogue().image(name);
  const bool keeps_content = !registries_.policy().discard_unpacked_layers;
  for (const LayerId id : image.layers) {
    LayerState& state = layer(id);
    const Layer& shape = registries_.catalogue().layer(id);
    if (state.images++ > 0) continue;
    used_ -= state.got;
    state.got = 0;
    used_ += shape.unpacked + (keeps_content ? shape.bytes : 0);
  }
  names_.push_back(name);
  held_.push_back(Held{name, engine_.now(), engine_.now()});
  registries_.holds(*this, name, true);
}

void NodeStore::erase(Symbol name) {
  const Image& image = registries_.catalogue().image(name);
  const bool keeps_content = !registries_.policy().discard_unpacked_layers;
  for (const LayerId id : image.layers) {
    LayerState& state = layer(id);
    if (--state.images > 0) continue;
    const Layer& shape = registries_.catalogue().layer(id);
    used_ -= shape.unpacked + (keeps_content ? shape.bytes : 0);
    layers_.erase(layers_.begin() + (&state - layers_.data()));
  }
  const auto index = std::find(names_.begin(), names_.end(), name) - names_.begin();
  names_.erase(names_.begin() + index);
  held_.erase(held_.begin() + index);
  registries_.holds(*this, name, false);
}

void NodeStore::add(Symbol image) {
  if (has(image)) return;
  insert(image);
  filesystem_changed();
}

bool NodeStore::was_running(Symbol image) {
  if (engine_.now() >= registries_.config().running_until) return false;
  if (!has(image)) {
    add(image);
    hooks_.arrived(image);
  }
  return true;
}

void NodeStore::touch(Symbol image) {
  for (Held& held : held_) {
    if (held.image == image) held.last_used = engine_.now();
  }
  look_at_disk();
}

void NodeStore::wipe() {
  interrupt();
  const std::vector<Symbol> all = names_;
  for (const Symbol image : all) erase(image);
  layers_.clear();
  used_ = 0;
  hooks_.removed();
  filesystem_changed();
}

k8s::kubelet::NodeImages::Filesystem NodeStore::filesystem() const {
  Filesystem result;
  const host::HostSpec& spec = registries_.hosts().spec(node_.host);
  result.capacity = spec.image_disk_bytes > 0 ? spec.image_disk_bytes : spec.disk_bytes;
  result.available = std::max<std::int64_t>(0, result.capacity - (hooks_.beside_images ? hooks_.beside_images() : 0) - used_);
  return result;
}

// ---- pulls ----------------------------------------------------------------------------------------------------------

void NodeStore::pull(Symbol image, Waiter waiter) {
  const auto same = [&](const std::unique_ptr<Pull>& pull) { return pull->image == image && pull->has_waiter && pull->waiter == waiter; };
  if (std::any_of(active_.begin(), active_.end(), same) || std::any_of(queue_.begin(), queue_.end(), same)) return;
  auto pull = std::make_unique<Pull>();
  pull->serial = ++last_serial_;
  pull->image = image;
  pull->waiter = waiter;
  pull->cause = engine_.cause();
  pull->asked = engine_.now();
  queue_.push_back(std::move(pull));
  begin_next();
}

void NodeStore::forget(Waiter waiter) {
  for (const auto& pull : active_) {
    if (pull->waiter == waiter) pull->has_waiter = false;
  }
  std::erase_if(queue_, [waiter](const std::unique_ptr<Pull>& pull) { return pull->waiter == waiter; });
}

void NodeStore::interrupt() {
  writes_changed();
  queue_.clear();
  frozen_ = false;
  std::vector<std::unique_ptr<Pull>> gone = std::exchange(active_, {});
  for (const auto& pull : gone) {
    engine_.cancel(pull->timer);
    if (pull->is_flowing) keep_progress(*pull);
    set_seed(*pull, false);
  }
  for (auto& pull : gone) ended_.push_back(std::move(pull));
  if (!ended_.empty()) engine_.after(SimDuration{}, [this] { ended_.clear(); });
}

void NodeStore::freeze(bool frozen) {
  if (frozen == frozen_) return;
  frozen_ = frozen;
  writes_changed();
  for (const auto& pull : active_) {
    if (frozen) {
      if (pull->is_flowing) keep_progress(*pull);
      pull->left = pull->due == kEndOfTime ? SimDuration{} : pull->due - engine_.now();
      engine_.cancel(std::exchange(pull->timer, TimerId{}));
    } else if (pull->stage == Stage::kFetching) {
      reopen(*pull);
    } else if (pull->due != kEndOfTime) {
      set_timer(*pull, pull->left);
    }
  }
  if (frozen) return;
  reevaluate();  // what changed meanwhile
  begin_next();
}

NodeStore::Pull* NodeStore::find_pull(std::uint64_t serial) {
  for (const auto& pull : active_) {
    if (pull->serial == serial) return pull.get();
  }
  return nullptr;
}

void NodeStore::set_timer(Pull& pull, SimDuration span) {
  engine_.cancel(pull.timer);
  pull.due = engine_.now() + span;
  const std::uint64_t serial = pull.serial;
  const ScopedCause because(engine_, pull.cause);
  pull.timer = engine_.at(pull.due, [this, serial] { on_timer(serial); });
}

void NodeStore::on_timer(std::uint64_t serial) {
  Pull* pull = find_pull(serial);
  if (pull == nullptr) return;
  pull->timer = TimerId{};
  pull->due = kEndOfTime;
  switch (pull->stage) {
    case Stage::kAsking: on_answer(*pull); return;
    case Stage::kStalled:
      fail(*pull, fmt::format("failed to copy: httpReadSeeker: failed open: context canceled after {} without progress",
                              go_duration(registries_.policy().image_pull_progress_timeout)),
           pull->error_cause);
      return;
    case Stage::kUnpacking: on_unpacked(*pull); return;
    case Stage::kFetching:
    case Stage::kWaiting: return;
  }
}

void NodeStore::begin_next() {
  if (frozen_) return;
  const k8s::ImagePolicy& policy = registries_.policy();
  const std::size_t at_once = policy.serialize_image_pulls            ? 1
                              : policy.max_parallel_image_pulls == 0 ? kNoPullLimit
                                                                     : static_cast<std::size_t>(policy.max_parallel_image_pulls);
  while (!queue_.empty() && active_.size() < at_once) {
    active_.push_back(std::move(queue_.front()));
    queue_.pop_front();
    Pull& pull = *active_.back();
    pull.began = engine_.now();
    const ScopedCause because(engine_, pull.cause);
    if (policy.registry_pull_qps > 0.0 && !bucket_.try_take(engine_.now())) {
      pull.error = "pull QPS exceeded";
      pull.attempt.answer = Answer::kHangs;  // ends it
      set_timer(pull, SimDuration{});
      continue;
    }
    pull.sources = registries_.sources(registries_.catalogue().image(pull.image));
    try_next(pull);
  }
}

void NodeStore::try_next(Pull& pull) {
  if (pull.next >= pull.sources.size()) {
    fail(pull, pull.error, pull.error_cause);
    return;
  }
  const Image& image = registries_.catalogue().image(pull.image);
  pull.stage = Stage::kAsking;
  pull.attempt = registries_.attempt(pull.sources[pull.next], *this, image, ++requests_, !is_complete(image));
  set_timer(pull, pull.attempt.after);
}

void NodeStore::note_error(Pull& pull, const Attempt& attempt) {
  const int rank = rank_of(attempt.answer);
  if (attempt.error.empty() || rank <= pull.error_rank) return;
  pull.error_rank = rank;
  pull.error_cause = attempt.cause;
  const std::string& name = registries_.names().text(pull.image);
  pull.error = fmt::format("failed to pull and unpack image \"{}\": failed to resolve reference \"{}\": {}", name, name, attempt.error);
}

void NodeStore::on_answer(Pull& pull) {
  if (pull.sources.empty()) {  // no token of registryPullQPS
    fail(pull, pull.error, CauseId{});
    return;
  }
  if (pull.attempt.answer == Answer::kOk) {
    // A registry that is slow by a fault answers, and its fault is why the pod waits.
    registries_.log().also_caused_by(pull.cause, pull.attempt.cause);
    // Meanwhile somebody may have gone who was there when it was asked.
    if (registries_.state(pull.attempt.route, *this) != RouteState::kBroken) fetch(pull);
    else try_next(pull);
    return;
  }
  note_error(pull, pull.attempt);
  if (pull.attempt.answer == Answer::kHangs) {
    // The runtime gives up the whole pull, not this one host.
    fail(pull, pull.error, pull.error_cause);
    return;
  }
  ++pull.next;
  try_next(pull);
}

void NodeStore::set_seed(Pull& pull, bool on) {
  if (on == pull.is_seed) return;
  pull.is_seed = on;
  registries_.pulls_pieces(*this, pull.image, on);
}

void NodeStore::fetch(Pull& pull) {
  const Image& image = registries_.catalogue().image(pull.image);
  if (registries_.state(pull.attempt.route, *this) == RouteState::kStalled) {
    pull.stage = Stage::kStalled;
    pull.error_cause = registries_.cause_of(pull.attempt.route, *this);
    set_timer(pull, registries_.policy().image_pull_progress_timeout);
    return;
  }
  pull.stage = Stage::kFetching;
  pull.fetching.clear();
  std::int64_t bytes = 0;
  bool waits = false;
  for (const LayerId id : image.layers) {
    if (is_content_here(id)) continue;
    const bool comes = std::any_of(active_.begin(), active_.end(), [&](const std::unique_ptr<Pull>& other) {
      return other.get() != &pull && other->is_flowing && std::find(other->fetching.begin(), other->fetching.end(), id) != other->fetching.end();
    });
    if (comes) {
      waits = true;
      continue;
    }
    pull.fetching.push_back(id);
    const LayerState* state = find_layer(id);
    bytes += registries_.catalogue().layer(id).bytes - (state == nullptr ? 0 : state->got);
  }
  if (pull.fetch_began == SimTime{}) pull.fetch_began = engine_.now();
  if (pull.fetching.empty()) {
    if (waits) {
      pull.stage = Stage::kWaiting;
    } else {
      on_fetched(pull);
    }
    return;
  }
  pull.bytes = static_cast<double>(bytes);
  pull.is_flowing = true;
  if (pull.attempt.route.registry != SIZE_MAX) set_seed(pull, true);
  const std::uint64_t serial = pull.serial;
  const ScopedCause because(engine_, pull.cause);
  std::vector<SharedBandwidth::LinkId> links = pull.attempt.route.links;
  if (hooks_.writing) {
    if (disk_.value == UINT32_MAX) disk_ = registries_.network().bandwidth().add_link(SharedBandwidth::kNoLimit);
    links.push_back(disk_);
    writes_changed();
  }
  pull.flow = registries_.network().bandwidth().start(
      links, pull.bytes,
      [this, serial] {
        Pull* one = find_pull(serial);
        if (one == nullptr) return;
        keep_progress(*one);
        on_fetched(*one);
      },
      pull.attempt.route.limit);
}

/// What has come of the flow fills its layers in their order.
void NodeStore::keep_progress(Pull& pull) {
  SharedBandwidth& bandwidth = registries_.network().bandwidth();
  const double left = bandwidth.is_active(pull.flow) ? bandwidth.remaining(pull.flow) : 0.0;
  bandwidth.cancel(pull.flow);
  pull.is_flowing = false;
  writes_changed();
  std::int64_t came = static_cast<std::int64_t>(std::llround(pull.bytes - left));
  pull.fetched_bytes += came;
  for (const LayerId id : pull.fetching) {
    LayerState& state = layer(id);
    const std::int64_t here = std::min(came, registries_.catalogue().layer(id).bytes - state.got);
    state.got += here;
    used_ += here;
    came -= here;
  }
}

void NodeStore::on_fetched(Pull& pull) {
  const Image& image = registries_.catalogue().image(pull.image);
  if (pull.attempt.route.from_pieces && registries_.has_seed(*this, pull.image)) {
    pull.stage = Stage::kWaiting;  // the last pieces are not in the swarm before the one that brings them in has them
    return;
  }
  if (!is_complete(image)) {
    fetch(pull);  // the rest came with another pull, or will
    return;
  }
  set_seed(pull, false);
  // Layers came one after the other between the first byte and now; each is unpacked when it is there and the one below it is done.
  pull.stage = Stage::kUnpacking;
  const double rate = registries_.config().unpack_bytes_per_second * writer_speed_;
  const SimDuration span = engine_.now() - pull.fetch_began;
  std::int64_t missing = 0;
  for (const LayerId id : image.layers) {
    if (find_layer(id)->images == 0) missing += registries_.catalogue().layer(id).bytes;
  }
  SimTime done = pull.fetch_began;
  std::int64_t before = 0;
  for (const LayerId id : image.layers) {
    if (find_layer(id)->images > 0) continue;
    const Layer& shape = registries_.catalogue().layer(id);
    before += shape.bytes;
    const double part = missing == 0 ? 1.0 : static_cast<double>(before) / static_cast<double>(missing);
    const SimTime came = pull.fetch_began + SimDuration(static_cast<std::int64_t>(static_cast<double>(span.count()) * part));
    done = std::max(done, came) + time_for(shape.unpacked, rate);
  }
  set_timer(pull, std::max(done, engine_.now()) - engine_.now());
  writes_changed();
}

/// What pulls write is looked at once an instant, when their flows have their shares.
void NodeStore::writes_changed() {
  if (!hooks_.writing || engine_.is_pending(tell_timer_)) return;
  tell_timer_ = engine_.after(SimDuration{}, [this] { tell_writes(); });
}

/// What comes is written as content; layers that are there are unpacked beside it, no faster than one core does it. The last one is unpacked when all is there.
void NodeStore::tell_writes() {
  SharedBandwidth& bandwidth = registries_.network().bandwidth();
  const double unpacks = registries_.config().unpack_bytes_per_second;
  if (disk_.value != UINT32_MAX) bandwidth.set_capacity(disk_, SharedBandwidth::kNoLimit);
  flowing_ = 0;
  double writes = 0;
  for (const auto& pull : active_) {
    if (pull->stage == Stage::kUnpacking && !frozen_) writes += unpacks;
    if (!pull->is_flowing) continue;
    const double comes = std::min(bandwidth.rate(pull->flow), 1e12);  // on one machine no link is crossed
    double bytes = 0;
    double unpacked = 0;
    for (const LayerId id : pull->fetching) {
      bytes += static_cast<double>(registries_.catalogue().layer(id).bytes);
      if (id != pull->fetching.back()) unpacked += static_cast<double>(registries_.catalogue().layer(id).unpacked);
    }
    flowing_ += comes;
    writes += comes + (bytes > 0 ? std::min(unpacks, comes * unpacked / bytes) : 0.0);
  }
  if (writer_speed_ < 1.0 && disk_.value != UINT32_MAX) bandwidth.set_capacity(disk_, flowing_ * writer_speed_);
  hooks_.writing(writes);
}

void NodeStore::set_writer_speed(double speed) {
  if (speed == writer_speed_) return;
  const double before = std::exchange(writer_speed_, speed);
  for (const auto& pull : active_) {
    if (pull->stage != Stage::kUnpacking || pull->due == kEndOfTime || frozen_) continue;
    set_timer(*pull, from_seconds(seconds(pull->due - engine_.now()) * before / speed));
  }
  if (disk_.value != UINT32_MAX) registries_.network().bandwidth().set_capacity(disk_, speed < 1.0 ? flowing_ * speed : SharedBandwidth::kNoLimit);
}

void NodeStore::on_unpacked(Pull& pull) {
  const Image& image = registries_.catalogue().image(pull.image);
  PullResult result;
  result.pulled = true;
  result.message = fmt::format("in {} ({} including waiting). Image size: {} bytes.", go_duration(engine_.now() - pull.began),
                               go_duration(engine_.now() - pull.asked), image.bytes);
  if (has(pull.image)) {
    registries_.pulled(*this, pull.attempt.route, engine_.now() - pull.asked, pull.fetched_bytes);
    end(pull, result, Arrived::kNo);
    return;
  }
  std::int64_t room = filesystem().available;
  for (const LayerId id : image.layers) {
    const LayerState* state = find_layer(id);
    if (state == nullptr) {  // collected while this pull unpacked
      pull.next = 0;
      try_next(pull);
      return;
    }
    if (state->images == 0) room -= registries_.catalogue().layer(id).unpacked;
  }
  if (room < 0) {
    drop_content(image);
    const std::string& name = registries_.names().text(pull.image);
    fail(pull, fmt::format("failed to pull and unpack image \"{}\": failed to extract layer: write: no space left on device", name), CauseId{});
    return;
  }
  insert(pull.image);
  registries_.pulled(*this, pull.attempt.route, engine_.now() - pull.asked, pull.fetched_bytes);
  end(pull, result, Arrived::kYes);
  filesystem_changed();
}

/// What was fetched for an image that could not be unpacked is of no use.
void NodeStore::drop_content(const Image& image) {
  for (const LayerId id : image.layers) {
    LayerState* state = find_layer(id);
    if (state == nullptr || state->images > 0) continue;
    used_ -= state->got;
    layers_.erase(layers_.begin() + (state - layers_.data()));
  }
}

void NodeStore::fail(Pull& pull, std::string error, CauseId cause) {
  registries_.failed(pull.next < pull.sources.size() ? pull.sources[pull.next] : pull.sources.empty() ? SIZE_MAX : pull.sources.back(),
                     engine_.now() - pull.asked, cause);
  PullResult result;
  result.message = std::move(error);
  result.cause = cause;
  end(pull, result, Arrived::kNo);
}

void NodeStore::end(Pull& pull, const PullResult& result, Arrived arrived) {
  const auto place = std::find_if(active_.begin(), active_.end(), [&](const std::unique_ptr<Pull>& one) { return one.get() == &pull; });
  if (ended_.empty()) engine_.after(SimDuration{}, [this] { ended_.clear(); });
  ended_.push_back(std::move(*place));
  active_.erase(place);
  engine_.cancel(pull.timer);
  writes_changed();
  if (pull.is_flowing) keep_progress(pull);
  set_seed(pull, false);
  // Others waited for layers of this one: they have them, or fetch them themselves.
  for (const auto& other : active_) {
    if (other->stage == Stage::kWaiting && !other->attempt.route.from_pieces) fetch(*other);
  }
  // The next ones begin before the waiters hear: what a waiter asks for anew goes behind them.
  begin_next();
  const ScopedCause because(engine_, pull.cause);
  if (arrived == Arrived::kYes) hooks_.arrived(pull.image);
  if (pull.has_waiter) hooks_.done(pull.waiter, pull.image, result);
}

void NodeStore::reopen(Pull& pull) {
  const RouteState state = registries_.state(pull.attempt.route, *this);
  if (state == RouteState::kBroken) try_next(pull);
  else fetch(pull);
}

void NodeStore::reevaluate() {
  if (frozen_) return;
  std::vector<std::uint64_t> serials;
  for (const auto& pull : active_) {
    if (pull->is_flowing || pull->stage == Stage::kStalled) serials.push_back(pull->serial);
  }
  for (const std::uint64_t serial : serials) {
    Pull* pull = find_pull(serial);
    if (pull == nullptr) continue;
    const RouteState state = registries_.state(pull->attempt.route, *this);
    if (pull->stage == Stage::kStalled ? state == RouteState::kStalled : state == RouteState::kOpen) continue;
    if (pull->is_flowing) keep_progress(*pull);
    engine_.cancel(std::exchange(pull->timer, TimerId{}));
    pull->due = kEndOfTime;
    reopen(*pull);
  }
}

void NodeStore::seed_ended(Symbol image) {
  std::vector<std::uint64_t> serials;
  for (const auto& pull : active_) {
    if (pull->image == image && pull->attempt.route.from_pieces) serials.push_back(pull->serial);
  }
  for (const std::uint64_t serial : serials) {
    Pull* pull = find_pull(serial);
    if (pull == nullptr) continue;
    if (is_complete(registries_.catalogue().image(image))) {
      if (pull->stage == Stage::kWaiting) on_fetched(*pull);
      continue;
    }
    // Whether it brought everything in or broke off: the holder, or another source, is asked for the rest.
    if (pull->is_flowing) keep_progress(*pull);
    pull->next = 0;
    try_next(*pull);
  }
}

// ---- the disk -------------------------------------------------------------------------------------------------------

void NodeStore::filesystem_changed() {
  hooks_.filesystem_changed();
  look_at_disk();
}

/// At the next turn of garbage collection at which there may be something to do.
void NodeStore::look_at_disk() {
  const k8s::ImagePolicy& policy = registries_.policy();
  const Filesystem disk = filesystem();
  const bool is_full = disk.capacity > 0 && 100 - disk.available * 100 / disk.capacity >= policy.image_gc_high_percent;
  SimTime when = is_full ? engine_.now() : kEndOfTime;
  if (policy.image_maximum_gc_age > SimDuration{} && !is_full) {
    for (const Held& held : held_) when = std::min(when, std::max(held.last_used, kubelet_start_) + policy.image_maximum_gc_age + SimDuration(1));
  }
  if (when == kEndOfTime || (engine_.is_pending(gc_timer_) && gc_at_ <= when)) return;
  if (engine_.is_pending(gc_timer_) && is_full && gc_at_ - engine_.now() <= kGcPeriod) return;
  when = std::max(when, engine_.now());
  if (!gc_phase_) {
    RandomStream draws(registries_.random().seed(), "kubelet/image-gc", registries_.names().text(node_.name));
    gc_phase_ = draws.uniform(SimDuration{}, kGcPeriod - SimDuration(1));
  }
  const SimDuration since = when.time_since_epoch() - *gc_phase_;
  std::int64_t turns = since / kGcPeriod;
  if (since >= SimDuration::zero()) ++turns;  // the next one, not one that is over
  gc_at_ = SimTime(*gc_phase_ + turns * kGcPeriod);
  engine_.cancel(gc_timer_);
  gc_timer_ = engine_.at(gc_at_, [this] { collect(); });
}

void NodeStore::look_later(SimTime when) {
  const SimDuration since = when.time_since_epoch() - *gc_phase_;
  gc_at_ = SimTime(*gc_phase_ + (since / kGcPeriod + 1) * kGcPeriod);
  engine_.cancel(gc_timer_);
  gc_timer_ = engine_.at(gc_at_, [this] { collect(); });
}

/// Nobody uses, pins or pulls it.
bool NodeStore::is_removable(const Held& held) const {
  const std::vector<Symbol>& pinned = registries_.config().pinned;
  if (hooks_.in_use(held.image) || std::find(pinned.begin(), pinned.end(), held.image) != pinned.end()) return false;
  return std::none_of(active_.begin(), active_.end(), [&](const std::unique_ptr<Pull>& pull) { return pull->image == held.image; });
}

SimTime NodeStore::next_unused() const {
  SimTime next = kEndOfTime;
  for (const Held& held : held_) {
    if (is_removable(held)) next = std::min(next, held.detected + registries_.policy().image_minimum_gc_age);
  }
  return next;
}

/// imageMaximumGCAge: what nobody has used for so long, however much room there is.
void NodeStore::remove_old_images() {
  const SimDuration most = registries_.policy().image_maximum_gc_age;
  if (most <= SimDuration{} || engine_.now() - kubelet_start_ <= most) return;
  std::vector<Symbol> old;
  for (Held& held : held_) {
    if (!is_removable(held)) held.last_used = engine_.now();  // in use: seen so by this look
    else if (engine_.now() - held.last_used > most) old.push_back(held.image);
  }
  if (old.empty()) return;
  const std::int64_t before = used_;
  for (const Symbol image : old) erase(image);
  const CauseId id = registries_.log().record("ImagesRemoved", node_.subject,
                                              fmt::format("image garbage collection removed {} images, {:.1f} GiB: nobody has used them for {}", old.size(),
                                                          static_cast<double>(before - used_) / static_cast<double>(1ll << 30), humanize(most)));
  const ScopedCause because(engine_, id);
  hooks_.removed();
  hooks_.filesystem_changed();
}

std::int64_t NodeStore::remove_images(std::int64_t to_free, std::int64_t& eligible, std::size_t& count) {
  const SimTime now = engine_.now();
  std::vector<Held> candidates;
  for (const Held& held : held_) {
    if (is_removable(held) && now - held.detected >= registries_.policy().image_minimum_gc_age) candidates.push_back(held);
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const Held& a, const Held& b) {
    if (a.last_used != b.last_used) return a.last_used < b.last_used;
    return a.detected < b.detected;
  });
  const std::int64_t before = used_;
  eligible = 0;
  count = 0;
  for (const Held& held : candidates) {
    // The kubelet counts what the runtime reports: the size as transferred. More than that comes free.
    if (eligible >= to_free) break;
    eligible += registries_.catalogue().image(held.image).bytes;
    erase(held.image);
    ++count;
  }
  return before - used_;
}

void NodeStore::collect() {
  gc_timer_ = TimerId{};
  if (!registries_.hosts().is_running(node_.host)) return;
  remove_old_images();
  const k8s::ImagePolicy& policy = registries_.policy();
  const Filesystem disk = filesystem();
  if (100 - disk.available * 100 / disk.capacity < policy.image_gc_high_percent) {
    look_at_disk();
    return;
  }
  const std::int64_t to_free = disk.capacity * (100 - policy.image_gc_low_percent) / 100 - disk.available;
  std::int64_t eligible = 0;
  std::size_t count = 0;
  const std::int64_t freed = remove_images(to_free, eligible, count);
  if (count > 0) {
    const CauseId id = registries_.log().record("ImagesRemoved", node_.subject,
                                                fmt::format("image garbage collection removed {} images, {:.1f} GiB: the disk was {} % full", count,
                                                            static_cast<double>(freed) / static_cast<double>(1ll << 30),
                                                            100 - disk.available * 100 / disk.capacity));
    const ScopedCause because(engine_, id);
    hooks_.removed();
    hooks_.filesystem_changed();
  }
  if (eligible < to_free) {
    if (!std::exchange(told_gc_failed_, true)) {
      registries_.log().record(
          "FreeDiskSpaceFailed", node_.subject,
          fmt::format("Insufficient free disk space on the node's image filesystem ({}% of {} used). Failed to free sufficient space by deleting unused images "
                      "(freed {} bytes). Investigate disk usage, as it could be used by active images, logs, volumes, or other data.",
                      100 - disk.available * 100 / disk.capacity, format_size(disk.capacity), eligible));
    }
    // The next look is after the next image, when a container goes, or when an unused image is old enough.
    if (count == 0) {
      if (const SimTime next = next_unused(); next != kEndOfTime) look_later(next);
      return;
    }
  } else {
    told_gc_failed_ = false;
  }
  look_at_disk();
}

std::int64_t NodeStore::remove_unused() {
  std::int64_t eligible = 0;
  std::size_t count = 0;
  const std::int64_t freed = remove_images(INT64_MAX, eligible, count);
  if (count == 0) return 0;
  const CauseId id = registries_.log().record("ImagesRemoved", node_.subject,
                                              fmt::format("disk pressure: all {} unused images were removed, {:.1f} GiB", count,
                                                          static_cast<double>(freed) / static_cast<double>(1ll << 30)));
  const ScopedCause because(engine_, id);
  hooks_.removed();
  hooks_.filesystem_changed();
  return freed;
}

}  // namespace sim::registry
