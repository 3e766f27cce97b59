// Watches that begin and end while events are under way: controllers come and go with every change of leader.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {
namespace {

struct Seen : Watcher {
  explicit Seen(ApiServer& to) : api(to) {}
  void on_event(const WatchEvent&) override {
    ++count;
    if (count == leaves_after) api.unwatch(*this);
    if (count == begins_after) api.watch({Kind::kNode}, *other);
  }
  ApiServer& api;
  std::size_t count = 0;
  std::size_t leaves_after = 0;
  std::size_t begins_after = 0;
  Watcher* other = nullptr;
};

class ApiWatch : public testing::Test {
 protected:
  void add_nodes(int count) {
    for (int i = 0; i < count; ++i) {
      Node node;
      node.meta.name = names.intern("n" + std::to_string(next_++));
      api.create(std::move(node));
    }
  }
  Engine engine;
  Interner names;
  EventLog log{engine, names};
  ApiServer api{engine, log, names};

 private:
  int next_ = 0;
};

TEST_F(ApiWatch, WhoLeavesInTheMidstOfABatchHearsNoMore) {
  Seen first(api), second(api), third(api);
  first.leaves_after = 2;
  for (Seen* one : {&first, &second, &third}) api.watch({Kind::kNode}, *one);
  add_nodes(5);
  engine.run_until(SimTime(std::chrono::seconds(1)));
  EXPECT_EQ(first.count, 2u);
  EXPECT_EQ(second.count, 5u);
  EXPECT_EQ(third.count, 5u);
}

TEST_F(ApiWatch, WhoLeavesAndComesBackHearsWhatIsNew) {
  Seen one(api);
  api.watch({Kind::kNode}, one);
  add_nodes(3);
  api.unwatch(one);  // with a batch under way
  api.watch({Kind::kNode}, one);
  add_nodes(2);
  engine.run_until(SimTime(std::chrono::seconds(1)));
  EXPECT_EQ(one.count, 2u);
}

TEST_F(ApiWatch, OneThatBeginsAnotherFromItsHandler) {
  Seen one(api), other(api);
  one.leaves_after = one.begins_after = 1;
  one.other = &other;
  api.watch({Kind::kNode}, one);
  add_nodes(2);
  engine.run_until(SimTime(std::chrono::seconds(1)));
  add_nodes(4);
  engine.run_until(SimTime(std::chrono::seconds(2)));
  EXPECT_EQ(one.count, 1u);
  EXPECT_EQ(other.count, 4u);
}

TEST_F(ApiWatch, ComingAndGoingLeavesNothingBehind) {
  // A million that have gone: were each of them still asked, a thousand writes would take longer than anybody waits for a test.
  Seen one(api);
  for (int i = 0; i < 1'000'000; ++i) {
    api.watch({Kind::kNode}, one);
    api.unwatch(one);
  }
  Seen stays(api);
  api.watch({Kind::kNode}, stays);
  add_nodes(1000);
  engine.run_until(SimTime(std::chrono::seconds(1)));
  EXPECT_EQ(one.count, 0u);
  EXPECT_EQ(stays.count, 1000u);
}

}  // namespace
}  // namespace sim::k8s
