/// The objects that the API serves, as documents: what is stored now, what happened lately, who watches.
///
/// One sequence of resourceVersions for everything. Objects of a resource are kept by "namespace/name" in byte order, as etcd keeps them. Each resource
/// remembers its latest changes up to a bound; a watch that starts before them is told 410 Gone.
///
/// A kind that is simulated has a Backend: the typed objects of the model are then the truth for the fields that they have, and every write of the
/// model (of a kubelet, of Squall's own controllers) is rendered over the document and published here, in the same sequence.
///
/// Source:     apiserver pkg/registry/generic/registry/store.go, pkg/registry/rest/{create,update,delete}.go, pkg/storage/cacher/watch_cache.go;
///             reference kubernetes 4.2 to 4.6.
/// Leaves out: the growing and shrinking window of the watch cache (a fixed number of changes is kept).
/// Checked by: tests/loop/api_test.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sim/loop/json/json.hpp"
#include "sim/loop/schema/schema.hpp"

namespace sim::loop {

using Document = std::shared_ptr<const Json>;

struct DocumentChange {
  enum class Type : std::uint8_t { kAdded, kModified, kDeleted } type = Type::kAdded;
  std::uint64_t version = 0;
  Document document;  // for kDeleted: the last state, with the version of the deletion
  Document before;    // null for kAdded
  /// The document as JSON; made once, however many watch.
  const std::string& json() const;

 private:
  mutable std::string json_;
};

class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void on_change(const DocumentChange& change) = 0;
};

/// A refusal, as a metav1.Status.
struct Refusal {
  int code = 0;
  Json status;
};

enum class Propagation : std::uint8_t { kBackground, kForeground, kOrphan };
struct Deletion {
  std::optional<std::int64_t> grace_seconds;
  Propagation propagation = Propagation::kBackground;
};

/// What stands behind the documents of a simulated kind.
class Backend {
 public:
  virtual ~Backend() = default;
  /// Stores a new object in the model, which publishes it; `dry_run`: says only what is wrong with it.
  virtual std::optional<Refusal> create(const Json& document, bool dry_run) = 0;
  virtual std::optional<Refusal> update(const Json& before, const Json& document, std::string_view subresource, bool dry_run) = 0;
  virtual std::optional<Refusal> remove(const Json& document, const Deletion& deletion) = 0;
};

class Collection {
 public:
  explicit Collection(const ResourceInfo& resource) : resource_(&resource) {}
  const ResourceInfo& resource() const { return *resource_; }
  const std::map<std::string, Document, std::less<>>& objects() const { return objects_; }
  const std::deque<DocumentChange>& history() const { return history_; }
  /// A watch can start after this version, not before.
  std::uint64_t oldest() const { return oldest_; }
  /// The objects as they were at a version that is not before oldest(): what happened since is taken back.
  std::map<std::string, Document, std::less<>> snapshot(std::uint64_t version) const;
  void watch(Watcher& watcher) { watchers_.push_back(&watcher); }
  void unwatch(Watcher& watcher);
  std::size_t watcher_count() const { return watchers_.size(); }

 private:
  friend class Store;
  const ResourceInfo* resource_;
  std::map<std::string, Document, std::less<>> objects_;
  std::deque<DocumentChange> history_;
  std::uint64_t oldest_ = 0;
  std::vector<Watcher*> watchers_;
};

class Store {
 public:
  struct Numbers {
    std::function<std::uint64_t()> next_version;
    std::function<std::uint64_t()> version;
    std::function<std::uint64_t()> next_uid;
    std::function<std::int64_t()> now_nanoseconds;  // since 1970, of the simulated clock
  };
  explicit Store(Numbers numbers);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  std::uint64_t version() const { return numbers_.version(); }
  std::int64_t now_nanoseconds() const { return numbers_.now_nanoseconds(); }
  /// "2026-11-22T22:30:00Z"
  std::string timestamp() const;

  /// Several versions of one resource (events of both groups) share a collection.
  Collection& collection(const ResourceInfo& resource);
  Collection* find_collection(std::string_view group, std::string_view plural);
  const std::map<std::string, std::unique_ptr<Collection>, std::less<>>& collections() const { return collections_; }
  Document get(const ResourceInfo& resource, std::string_view ns, std::string_view name);

  void set_backend(const ResourceInfo& resource, Backend& backend);
  bool is_simulated(const ResourceInfo& resource) const;
  /// Called after a document is gone for good.
  void on_removed(std::function<void(const ResourceInfo&, const Json&)> listener) { removed_ = std::move(listener); }

  // Writes of clients. The document is complete but for uid, creationTimestamp, resourceVersion and generation.
  std::optional<Refusal> create(const ResourceInfo& resource, Json document, bool dry_run, Document& result);
  std::optional<Refusal> update(const ResourceInfo& resource, const Document& before, Json document, std::string_view subresource, bool dry_run, Document& result);
  std::optional<Refusal> remove(const ResourceInfo& resource, const Document& document, const Deletion& deletion, bool dry_run, Document& result, bool& gone);

  /// The objects that named this one as an owner, and forgets them.
  std::vector<std::pair<const ResourceInfo*, std::string>> take_dependents(const std::string& owner_uid);

  // Writes of backends.
  void publish(const ResourceInfo& resource, DocumentChange::Type type, Json document, std::uint64_t version);

  /// How many changes each resource remembers.
  void set_history_max(std::size_t changes) { history_max_ = changes; }
  /// Forgets everything that happened so far, as a compaction does.
  void compact();
  std::string uid_text(std::uint64_t serial) const;
  std::optional<std::uint64_t> serial_of(std::string_view uid) const;

 private:
  Numbers numbers_;
  std::map<std::string, std::unique_ptr<Collection>, std::less<>> collections_;
  std::map<std::string, Backend*, std::less<>> backends_;
  std::function<void(const ResourceInfo&, const Json&)> removed_;
  std::unordered_map<std::string, std::vector<std::pair<const ResourceInfo*, std::string>>> dependents_;  // by the owner's uid; look-up only
  std::size_t history_max_ = 10'000;
};

/// "namespace/name", or "/name".
std::string key_of(const Json& document);
/// RFC 3339 in whole seconds, and with microseconds.
std::string rfc3339(std::int64_t unix_nanoseconds);
std::string rfc3339_micro(std::int64_t unix_nanoseconds);
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace sim::loop
