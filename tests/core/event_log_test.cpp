#include "sim/core/event_log.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using namespace std::chrono_literals;
using sim::CauseId;
using sim::ScopedCause;

struct EventLogTest : testing::Test {
  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};
};

TEST_F(EventLogTest, ChainLeadsFromTheSymptomToTheFault) {
  const CauseId fault = log.record("NodeCrash", "Node/w1", "power lost");
  CauseId symptom;
  {
    const ScopedCause because(engine, fault);
    engine.after(40s, [&] {
      const CauseId not_ready = log.record("NodeNotReady", "Node/w1", "");
      const ScopedCause deeper(engine, not_ready);
      engine.after(300s, [&] { symptom = log.record("Evicted", "Pod/default/web-0", "taint"); });
    });
  }
  engine.run_until(sim::SimTime(400s));
  ASSERT_TRUE(symptom);
  const std::vector<CauseId> chain = log.chain(symptom);
  ASSERT_EQ(chain.size(), 3u);
  EXPECT_EQ(log.kind(log.at(chain[0])), "Evicted");
  EXPECT_EQ(log.subject(log.at(chain[0])), "Pod/default/web-0");
  EXPECT_EQ(log.message(log.at(chain[0])), "taint");
  EXPECT_EQ(log.at(chain[0]).time, sim::SimTime(340s));
  EXPECT_EQ(log.kind(log.at(chain[1])), "NodeNotReady");
  EXPECT_EQ(chain[2], fault);
}

TEST_F(EventLogTest, ContributingCausesAreKeptOnce) {
  const CauseId a = log.record("MemberGone", "etcd-member/a", "");
  const CauseId b = log.record("MemberGone", "etcd-member/b", "");
  CauseId quorum;
  {
    const ScopedCause because(engine, a);
    quorum = log.record("QuorumLost", "etcd/main", "");
  }
  log.also_caused_by(quorum, b);
  log.also_caused_by(quorum, b);
  log.also_caused_by(quorum, a);
  log.also_caused_by(quorum, quorum);
  EXPECT_EQ(log.contributing(quorum), std::vector<CauseId>{b});
  EXPECT_TRUE(log.contributing(a).empty());
}

TEST_F(EventLogTest, HashCoversEveryField) {
  const auto hash_of = [](std::string_view kind, std::string_view subject, std::string_view message, sim::SimDuration when,
                          std::uint32_t cause) {
    sim::Engine its_engine;
    sim::Interner its_names;
    sim::EventLog its_log(its_engine, its_names);
    its_log.record("Root", "a", "");
    its_engine.run_until(sim::SimTime(when));
    its_log.record(kind, its_names.intern(subject), message, CauseId{cause});
    return its_log.hash();
  };
  const std::uint64_t base = hash_of("K", "s", "m", 1s, 1);
  EXPECT_EQ(base, hash_of("K", "s", "m", 1s, 1));
  EXPECT_NE(base, hash_of("L", "s", "m", 1s, 1));
  EXPECT_NE(base, hash_of("K", "t", "m", 1s, 1));
  EXPECT_NE(base, hash_of("K", "s", "n", 1s, 1));
  EXPECT_NE(base, hash_of("K", "s", "m", 2s, 1));
  EXPECT_NE(base, hash_of("K", "s", "m", 1s, 0));
  EXPECT_NE(hash_of("K", "ab", "c", 1s, 1), hash_of("K", "a", "bc", 1s, 1));
}

TEST_F(EventLogTest, HashDoesNotDependOnWhatWasInternedBefore) {
  sim::Engine other_engine;
  sim::Interner other_names;
  other_names.intern("something that the input parser met first");
  sim::EventLog other(other_engine, other_names);
  log.record("Started", "Pod/a/b", "x");
  other.record("Started", "Pod/a/b", "x");
  EXPECT_EQ(log.hash(), other.hash());
  EXPECT_EQ(sim::event_log_hash(engine, log).size(), 16u);
  EXPECT_EQ(sim::event_log_hash(engine, log), sim::event_log_hash(other_engine, other));
}

TEST_F(EventLogTest, ListenersHearOfEveryRecord) {
  std::vector<std::uint32_t> heard;
  log.on_record([&](CauseId id, const sim::EventLog::Record&) { heard.push_back(id.value); });
  log.record("A", "x", "");
  log.record("B", "x", "");
  EXPECT_EQ(heard, (std::vector<std::uint32_t>{1, 2}));
}

TEST_F(EventLogTest, AListenerMayRecord) {
  int left = 3;
  log.on_record([&](CauseId id, const sim::EventLog::Record& record) {
    EXPECT_EQ(log.kind(record), "Echo");
    if (left-- > 0) log.record("Echo", names.intern("x"), "again", id);
    EXPECT_EQ(log.kind(log.at(id)), "Echo");
  });
  log.record("Echo", "x", "first");
  EXPECT_EQ(log.size(), 4u);
}

TEST(Interner, SymbolsStandForTexts) {
  sim::Interner names;
  EXPECT_EQ(names.intern(""), sim::Symbol{});
  const sim::Symbol web = names.intern("web");
  EXPECT_EQ(names.intern("web"), web);
  EXPECT_EQ(names.find("web"), web);
  EXPECT_EQ(names.find("db"), sim::Symbol{});
  EXPECT_EQ(names.text(web), "web");
  const std::string* address = &names.text(web);
  for (int i = 0; i < 10'000; ++i) names.intern(std::to_string(i));
  EXPECT_EQ(&names.text(web), address);
}

}  // namespace
