/// What happened, to whom, when and because of what; with a running hash.
///
/// A record is made for everything that a person could ask about later (a node went down, a pod was evicted, a write
/// was refused), not for every engine event. Each record has one cause (an earlier record) and may name further
/// contributing causes ("quorum lost" has one for each member that is gone).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sim/core/cause.hpp"
#include "sim/core/engine.hpp"
#include "sim/core/symbol.hpp"
#include "sim/core/time.hpp"

namespace sim {

class EventLog {
 public:
  /// One thing that happened. `kind` is CamelCase like a Kubernetes event reason ("NodeNotReady"), `subject` is
  /// "Kind/namespace/name" or "Kind/name" ("Pod/default/web-0", "Node/w1", "etcd-member/cp-1").
  struct Record {
    SimTime time{};
    CauseId cause{};
    Symbol kind{};
    Symbol subject{};
    std::uint32_t message_begin = 0;  // in the text arena: see message()
    std::uint32_t message_size = 0;
  };

  EventLog(Engine& engine, Interner& names) : engine_(engine), names_(names) {}

  /// Adds a record, caused by what is current in the engine unless `cause` says otherwise. Returns its id, to be
  /// made current with ScopedCause while its consequences are set in motion.
  CauseId record(std::string_view kind, Symbol subject, std::string_view message);
  CauseId record(std::string_view kind, std::string_view subject, std::string_view message);
  CauseId record(std::string_view kind, Symbol subject, std::string_view message, CauseId cause);
  /// Names one more reason for an existing record. Ignored when it is the primary cause, or none.
  void also_caused_by(CauseId record, CauseId cause);

  std::size_t size() const { return records_.size(); }
  bool empty() const { return records_.empty(); }
  const Record& at(CauseId id) const { return records_[id.value - 1]; }
  const std::vector<Record>& records() const { return records_; }
  std::string_view message(const Record& record) const {
    return std::string_view(text_).substr(record.message_begin, record.message_size);
  }
  const std::string& kind(const Record& record) const { return names_.text(record.kind); }
  const std::string& subject(const Record& record) const { return names_.text(record.subject); }
  /// Contributing causes beside the primary one, in the order added.
  std::vector<CauseId> contributing(CauseId id) const;

  /// From `id` back to its root, `id` first.
  std::vector<CauseId> chain(CauseId id) const;

  /// Hash over every record so far (time, cause, kind, subject, message).
  std::uint64_t hash() const { return hash_; }
  /// Called for every record from now on (a progress line, a test).
  void on_record(std::function<void(CauseId, const Record&)> listener) { listeners_.push_back(std::move(listener)); }

  Interner& names() { return names_; }
  const Interner& names() const { return names_; }

 private:
  Engine& engine_;
  Interner& names_;
  std::vector<Record> records_;
  std::string text_;
  std::unordered_map<std::uint32_t, std::vector<CauseId>> contributing_;  // look-up only
  std::vector<std::function<void(CauseId, const Record&)>> listeners_;
  std::uint64_t hash_ = 0x13198a2e03707344ull;
};

/// The hash of a whole run, as printed and as `eventLogHash` in summary.json: 16 hex digits over the log and the
/// order of all engine events.
std::string event_log_hash(const Engine& engine, const EventLog& log);

}  // namespace sim
