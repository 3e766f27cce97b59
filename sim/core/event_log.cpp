#include "sim/core/event_log.hpp"

#include <fmt/core.h>

#include "sim/core/check.hpp"

namespace sim {

namespace {

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 32);
}

std::uint64_t mix_text(std::uint64_t hash, std::string_view text) {
  std::uint64_t word = 0;
  int filled = 0;
  for (const char c : text) {
    word = word << 8 | static_cast<unsigned char>(c);
    if (++filled == 8) {
      hash = mix(hash, word);
      word = 0;
      filled = 0;
    }
  }
  return mix(mix(hash, word), text.size());
}

}  // namespace

CauseId EventLog::record(std::string_view kind, Symbol subject, std::string_view message, CauseId cause) {
  SIM_CHECK(text_.size() + message.size() < UINT32_MAX, "the log's text arena is addressed with 32 bits");
  Record record{engine_.now(), cause, names_.intern(kind), subject, static_cast<std::uint32_t>(text_.size()),
                static_cast<std::uint32_t>(message.size())};
  text_.append(message);
  hash_ = mix(hash_, static_cast<std::uint64_t>(record.time.time_since_epoch().count()));
  hash_ = mix(hash_, cause.value);
  // Texts, not symbols: a symbol depends on what was interned before, which input parsing may change.
  hash_ = mix_text(hash_, kind);
  hash_ = mix_text(hash_, names_.text(subject));
  hash_ = mix_text(hash_, message);
  records_.push_back(record);
  const CauseId id{static_cast<std::uint32_t>(records_.size())};
  // A copy, and by index: a listener may record, or add a listener.
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const auto listener = listeners_[i];
    listener(id, record);
  }
  return id;
}

CauseId EventLog::record(std::string_view kind, Symbol subject, std::string_view message) {
  return record(kind, subject, message, engine_.cause());
}

CauseId EventLog::record(std::string_view kind, std::string_view subject, std::string_view message) {
  return record(kind, names_.intern(subject), message, engine_.cause());
}

void EventLog::also_caused_by(CauseId record, CauseId cause) {
  if (!record || !cause || at(record).cause == cause || record == cause) return;
  std::vector<CauseId>& list = contributing_[record.value];
  for (const CauseId known : list) {
    if (known == cause) return;
  }
  list.push_back(cause);
  hash_ = mix(mix(hash_, record.value), cause.value);
}

std::vector<CauseId> EventLog::contributing(CauseId id) const {
  const auto found = contributing_.find(id.value);
  return found == contributing_.end() ? std::vector<CauseId>{} : found->second;
}

std::vector<CauseId> EventLog::chain(CauseId id) const {
  std::vector<CauseId> chain;
  for (; id; id = at(id).cause) chain.push_back(id);  // a cause is always an earlier record: this ends
  return chain;
}

std::string event_log_hash(const Engine& engine, const EventLog& log) {
  return fmt::format("{:016x}", mix(mix(log.hash(), engine.order_hash()), log.size()));
}

}  // namespace sim
