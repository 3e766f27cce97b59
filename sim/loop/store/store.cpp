#include "sim/loop/store/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "sim/core/check.hpp"

namespace sim::loop {

namespace {

/// Resources of one storage: events/v1 and events.k8s.io/v1 are one.
std::string storage_key(std::string_view group, std::string_view plural) {
  if (plural == "events" && group == "events.k8s.io") return "/events";
  return fmt::format("{}/{}", group, plural);
}

/// Kinds whose generation counts changes of everything but metadata and status.
bool has_generation(const ResourceInfo& resource) {
  static const std::vector<std::string_view> kWithout = {"ConfigMap", "Secret", "ServiceAccount", "Event", "Endpoints", "Node", "Namespace", "Lease",
                                                         "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ControllerRevision", "PodTemplate",
                                                         "LimitRange", "ResourceQuota", "StorageClass", "CSINode", "CSIStorageCapacity", "PersistentVolume",
                                                         "PersistentVolumeClaim", "Service", "VolumeAttachment", "RuntimeClass", "IPAddress"};
  return std::find(kWithout.begin(), kWithout.end(), resource.kind) == kWithout.end();
}

bool spec_changed(const Json& before, const Json& after) {
  const auto differs = [](const Json& a, const Json& b) {
    return std::any_of(a.members().begin(), a.members().end(), [&](const Member& m) {
      if (m.key == "metadata" || m.key == "status") return false;
      const Json* other = b.find(m.key);
      return other == nullptr ? !m.value.is_null() : !(m.value == *other);
    });
  };
  return differs(before, after) || differs(after, before);
}

bool same_but_version(const Json& before, const Json& after) {
  if (!(before.at({"metadata", "labels"}) == after.at({"metadata", "labels"}))) return false;
  Json a = before;
  Json b = after;
  a["metadata"].erase("resourceVersion");
  b["metadata"].erase("resourceVersion");
  if (a == b) return true;
  // A new time in managedFields alone is no change.
  const auto without_times = [](Json& json) {
    Json* managed = json["metadata"].find("managedFields");
    if (managed == nullptr) return;
    for (Json& entry : managed->items()) entry.erase("time");
  };
  without_times(a);
  without_times(b);
  return a == b;
}

}  // namespace

const std::string& DocumentChange::json() const {
  if (json_.empty()) document->write(json_);
  return json_;
}

void Collection::unwatch(Watcher& watcher) { std::erase(watchers_, &watcher); }

std::map<std::string, Document, std::less<>> Collection::snapshot(std::uint64_t version) const {
  std::map<std::string, Document, std::less<>> result = objects_;
  for (auto change = history_.rbegin(); change != history_.rend() && change->version > version; ++change) {
    const std::string key = key_of(*change->document);
    if (change->before == nullptr) {
      result.erase(key);
    } else {
      result[key] = change->before;
    }
  }
  return result;
}

Store::Store(Numbers numbers) : numbers_(std::move(numbers)) {}

std::string Store::timestamp() const { return rfc3339(now_nanoseconds()); }

Collection& Store::collection(const ResourceInfo& resource) {
  std::unique_ptr<Collection>& place = collections_[storage_key(resource.group, resource.plural)];
  if (place == nullptr) place = std::make_unique<Collection>(resource);
  return *place;
}

Collection* Store::find_collection(std::string_view group, std::string_view plural) {
  const auto found = collections_.find(storage_key(group, plural));
  return found == collections_.end() ? nullptr : found->second.get();
}

Document Store::get(const ResourceInfo& resource, std::string_view ns, std::string_view name) {
  const Collection& objects = collection(resource);
  const auto found = objects.objects().find(fmt::format("{}/{}", resource.namespaced ? ns : std::string_view{}, name));
  return found == objects.objects().end() ? nullptr : found->second;
}

void Store::set_backend(const ResourceInfo& resource, Backend& backend) { backends_[storage_key(resource.group, resource.plural)] = &backend; }
bool Store::is_simulated(const ResourceInfo& resource) const { return backends_.contains(storage_key(resource.group, resource.plural)); }

std::optional<Refusal> Store::create(const ResourceInfo& resource, Json document, bool dry_run, Document& result) {
  const std::string ns = document.at({"metadata", "namespace"}).text();
  const std::string name = document.at({"metadata", "name"}).text();
  const auto backend = backends_.find(storage_key(resource.group, resource.plural));
  if (backend != backends_.end()) {
    if (std::optional<Refusal> refusal = backend->second->create(document, dry_run)) return refusal;
    if (!dry_run) {
      result = get(resource, ns, name);
      SIM_CHECK(result != nullptr, "the model publishes what it creates");
      return std::nullopt;
    }
  }
  Json& metadata = document["metadata"];
  metadata.set("uid", uid_text(numbers_.next_uid()));
  metadata.set("creationTimestamp", timestamp());
  if (has_generation(resource)) metadata.set("generation", 1);
  if (dry_run) {
    result = std::make_shared<const Json>(std::move(document));
    return std::nullopt;
  }
  publish(resource, DocumentChange::Type::kAdded, std::move(document), numbers_.next_version());
  result = get(resource, resource.namespaced ? ns : std::string(), name);
  if (result == nullptr) result = collection(resource).history().back().document;
  return std::nullopt;
}

std::optional<Refusal> Store::update(const ResourceInfo& resource, const Document& before, Json document, std::string_view subresource, bool dry_run,
                                     Document& result) {
  result = before;
  if (same_but_version(*before, document)) return std::nullopt;
  Json& metadata = document["metadata"];
  const bool deleting = !metadata.at("deletionTimestamp").is_null();
  const bool ends = deleting && metadata.at("finalizers").is_empty() && metadata.at("deletionGracePeriodSeconds").as_integer() == 0;
  const auto backend = backends_.find(storage_key(resource.group, resource.plural));
  const std::string key = key_of(document);
  if (backend != backends_.end()) {
    if (std::optional<Refusal> refusal = backend->second->update(*before, document, subresource, dry_run)) return refusal;
    if (!dry_run) {
      const Collection& objects = collection(resource);
      const auto found = objects.objects().find(key);
      result = found != objects.objects().end() ? found->second : std::make_shared<const Json>(std::move(document));
      return std::nullopt;
    }
  }
  if (has_generation(resource) && spec_changed(*before, document)) metadata.set("generation", metadata.at("generation").as_integer() + 1);
  if (dry_run) {
    result = std::make_shared<const Json>(std::move(document));
    return std::nullopt;
  }
  publish(resource, ends ? DocumentChange::Type::kDeleted : DocumentChange::Type::kModified, std::move(document), numbers_.next_version());
  result = collection(resource).history().back().document;
  return std::nullopt;
}

std::optional<Refusal> Store::remove(const ResourceInfo& resource, const Document& document, const Deletion& deletion, bool dry_run, Document& result, bool& gone) {
  result = document;
  gone = false;
  if (dry_run) {
    gone = document->at({"metadata", "finalizers"}).is_empty();
    return std::nullopt;
  }
  const std::string key = key_of(*document);
  if (!collection(resource).objects().contains(key)) {
    gone = true;  // what it belonged to took it along
    return std::nullopt;
  }
  const auto backend = backends_.find(storage_key(resource.group, resource.plural));
  if (backend != backends_.end()) {
    if (std::optional<Refusal> refusal = backend->second->remove(*document, deletion)) return refusal;
    const Collection& objects = collection(resource);
    const auto found = objects.objects().find(key);
    gone = found == objects.objects().end();
    if (!gone) result = found->second;
    return std::nullopt;
  }
  Json changed = *document;
  Json& metadata = changed["metadata"];
  const auto add_finalizer = [&](std::string_view name) {
    Json& list = metadata["finalizers"];
    const auto has = std::any_of(list.items().begin(), list.items().end(), [&](const Json& f) { return f.text() == name; });
    if (!has) list.push_back(name);
  };
  if (deletion.propagation == Propagation::kForeground) add_finalizer("foregroundDeletion");
  if (deletion.propagation == Propagation::kOrphan) add_finalizer("orphan");
  if (metadata.at("finalizers").is_empty()) {
    metadata.erase("finalizers");
    publish(resource, DocumentChange::Type::kDeleted, std::move(changed), numbers_.next_version());
    result = collection(resource).history().back().document;
    gone = true;
    return std::nullopt;
  }
  if (!metadata.at("deletionTimestamp").is_null() && changed == *document) return std::nullopt;
  if (metadata.at("deletionTimestamp").is_null()) {
    metadata.set("deletionTimestamp", timestamp());
    metadata.set("deletionGracePeriodSeconds", 0);
    if (has_generation(resource)) metadata.set("generation", metadata.at("generation").as_integer() + 1);
  }
  publish(resource, DocumentChange::Type::kModified, std::move(changed), numbers_.next_version());
  result = collection(resource).history().back().document;
  return std::nullopt;
}

void Store::publish(const ResourceInfo& resource, DocumentChange::Type type, Json document, std::uint64_t version) {
  Collection& objects = collection(resource);
  document["metadata"].set("resourceVersion", fmt::format("{}", version));
  const std::string key = key_of(document);
  DocumentChange change;
  change.type = type;
  change.version = version;
  change.document = std::make_shared<const Json>(std::move(document));
  const auto place = objects.objects_.find(key);
  if (place != objects.objects_.end()) change.before = place->second;
  const Json* owners = change.document->at("metadata").find("ownerReferences");
  if (type != DocumentChange::Type::kDeleted && owners != nullptr && (change.before == nullptr || !(change.before->at({"metadata", "ownerReferences"}) == *owners))) {
    for (const Json& owner : owners->items()) dependents_[owner.at("uid").text()].emplace_back(&objects.resource(), key);
  }
  if (type == DocumentChange::Type::kDeleted) {
    if (place != objects.objects_.end()) objects.objects_.erase(place);
  } else if (place != objects.objects_.end()) {
    place->second = change.document;
  } else {
    objects.objects_.emplace(key, change.document);
  }
  objects.history_.push_back(std::move(change));
  if (objects.history_.size() > history_max_) {
    objects.oldest_ = objects.history_.front().version;
    objects.history_.pop_front();
  }
  // A watcher may go away while it is told.
  const std::vector<Watcher*> watchers = objects.watchers_;
  for (Watcher* watcher : watchers) watcher->on_change(objects.history_.back());
  if (type == DocumentChange::Type::kDeleted && removed_) {
    const Document gone = objects.history_.back().document;
    removed_(resource, *gone);
  }
}

std::vector<std::pair<const ResourceInfo*, std::string>> Store::take_dependents(const std::string& owner_uid) {
  const auto found = dependents_.find(owner_uid);
  if (found == dependents_.end()) return {};
  std::vector<std::pair<const ResourceInfo*, std::string>> result = std::move(found->second);
  dependents_.erase(found);
  return result;
}

void Store::compact() {
  for (const auto& [key, objects] : collections_) {
    objects->oldest_ = version();
    objects->history_.clear();
  }
}

std::string Store::uid_text(std::uint64_t serial) const {
  // The form of a version 4 UUID; the serial number can be read back from it.
  std::uint64_t mixed = serial * 0x9e3779b97f4a7c15ull;
  mixed ^= mixed >> 29;
  return fmt::format("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", static_cast<std::uint32_t>(mixed >> 32), static_cast<std::uint32_t>(mixed & 0xffff),
                     static_cast<std::uint32_t>(mixed >> 16 & 0xfff), static_cast<std::uint32_t>(mixed >> 28 & 0xfff), serial & 0xffffffffffffull);
}

std::optional<std::uint64_t> Store::serial_of(std::string_view uid) const {
  if (uid.size() != 36) return std::nullopt;
  std::uint64_t serial = 0;
  const auto [end, error] = std::from_chars(uid.data() + 24, uid.data() + 36, serial, 16);
  if (error != std::errc{} || end != uid.data() + 36 || uid_text(serial) != uid) return std::nullopt;
  return serial;
}

std::string key_of(const Json& document) {
  return fmt::format("{}/{}", document.at({"metadata", "namespace"}).text(), document.at({"metadata", "name"}).text());
}

namespace {

std::string format_time(std::int64_t unix_nanoseconds, bool micro) {
  using namespace std::chrono;
  const sys_time<nanoseconds> when{nanoseconds(unix_nanoseconds)};
  const auto day = floor<days>(when);
  const year_month_day date(day);
  const hh_mm_ss time(floor<seconds>(when - day));
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                 static_cast<unsigned>(date.day()), time.hours().count(), time.minutes().count(), time.seconds().count());
  if (micro) text += fmt::format(".{:06}", duration_cast<microseconds>(when - floor<seconds>(when)).count());
  return text + "Z";
}

}  // namespace

std::string rfc3339(std::int64_t unix_nanoseconds) { return format_time(unix_nanoseconds, false); }
std::string rfc3339_micro(std::int64_t unix_nanoseconds) { return format_time(unix_nanoseconds, true); }

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const auto number = [&](std::size_t at, std::size_t size, int& to) {
    if (at + size > text.size()) return false;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + size, to);
    return error == std::errc{} && end == text.data() + at + size;
  };
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') return std::nullopt;
  if (!number(0, 4, y) || !number(5, 2, mo) || !number(8, 2, d) || !number(11, 2, h) || !number(14, 2, mi) || !number(17, 2, s)) return std::nullopt;
  const year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
  if (!date.ok() || h > 23 || mi > 59 || s > 60) return std::nullopt;
  std::int64_t nanoseconds_since = 0;
  std::size_t at = 19;
  if (text[at] == '.') {
    std::int64_t unit = 100'000'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) nanoseconds_since += (text[at] - '0') * unit;
  }
  std::int64_t offset = 0;
  if (at >= text.size()) return std::nullopt;
  if (text[at] == '+' || text[at] == '-') {
    int oh = 0, om = 0;
    if (at + 6 != text.size() || !number(at + 1, 2, oh) || !number(at + 4, 2, om)) return std::nullopt;
    offset = (oh * 3600 + om * 60) * (text[at] == '-' ? -1 : 1);
  } else if ((text[at] != 'Z' && text[at] != 'z') || at + 1 != text.size()) {
    return std::nullopt;
  }
  const auto since = sys_days(date).time_since_epoch();
  return (duration_cast<seconds>(since).count() + h * 3600 + mi * 60 + s - offset) * 1'000'000'000 + nanoseconds_since;
}

}  // namespace sim::loop
