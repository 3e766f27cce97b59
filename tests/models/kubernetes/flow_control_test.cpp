// API Priority and Fairness by hand. What the real one does with random requests: tests/differential/apf.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sim/models/kubernetes/flow_control/concurrency_allocation.hpp"
#include "sim/models/kubernetes/flow_control/flow_controller.hpp"
#include "sim/models/kubernetes/flow_control/work_estimate.hpp"

namespace {

using namespace std::chrono_literals;
using namespace sim;
using namespace sim::k8s::flow_control;

SimTime at(SimDuration since) { return SimTime{} + since; }

TEST(ShuffleSharding, HashIsThatOfSha256) {
  // By Python's hashlib; the second text is longer than one block.
  EXPECT_EQ(hash_flow("system-nodes", "system:node:n1"), 8967139723188866340u);
  EXPECT_EQ(hash_flow("service-accounts", std::string(100, 'x')), 1625675882864355253u);
  EXPECT_NE(hash_flow("a", "bc"), hash_flow("ab", "c")) << "a zero byte stands between";
}

TEST(ShuffleSharding, HandsAreDistinctQueues) {
  const Dealer dealer(16, 4);
  for (std::uint64_t hash = 0; hash < 5000; ++hash) {
    std::vector<int> hand = dealer.deal(hash * 2654435761u);
    ASSERT_EQ(hand.size(), 4u);
    std::sort(hand.begin(), hand.end());
    ASSERT_TRUE(std::adjacent_find(hand.begin(), hand.end()) == hand.end());
    ASSERT_GE(hand.front(), 0);
    ASSERT_LT(hand.back(), 16);
  }
  // 7 = 7 + 0*8: remainders 7, 0 -> queue 7, then the 0th of those that are left.
  EXPECT_EQ(Dealer(8, 2).deal(7), (std::vector<int>{7, 0}));
  // 63 = 7 + 8*7 -> 7 + 8*(0 + 7*1): the second remainder is 0.
  EXPECT_EQ(Dealer(8, 2).deal(63), (std::vector<int>{7, 0}));
}

TEST(ShuffleSharding, SizesThatTheRealOneRefuses) {
  EXPECT_TRUE(Dealer::is_valid(128, 6));
  EXPECT_TRUE(Dealer::is_valid(1, 1));
  EXPECT_FALSE(Dealer::is_valid(4, 5));
  EXPECT_FALSE(Dealer::is_valid(1024, 7)) << "70 bits of entropy";
  EXPECT_FALSE(Dealer::is_valid(0, 1));
}

TEST(QueueSet, WithoutQueuesTheSeatsDecide) {
  QueueSet set({.queues = 0}, 2, at(0s));
  EXPECT_EQ(set.start(at(1s), {}, 0, 1).outcome, QueueSet::Outcome::kExecuting);
  const QueueSet::Started second = set.start(at(1s), {}, 0, 2);
  EXPECT_EQ(set.start(at(2s), {}, 0, 3).outcome, QueueSet::Outcome::kConcurrencyLimit);
  EXPECT_EQ(set.finish(at(3s), second.id), SimDuration{});
  EXPECT_EQ(set.start(at(3s), {}, 0, 4).outcome, QueueSet::Outcome::kExecuting);
  EXPECT_EQ(set.rejected(), 1u);
}

TEST(QueueSet, TheFlowThatHasHadLessGoesFirst) {
  // Two queues, hand of one: the hash is the queue. One seat.
  QueueSet set({.queues = 2, .queue_length_limit = 10, .hand_size = 1}, 1, at(0s));
  std::vector<std::uint64_t> begun;
  std::vector<QueueSet::RequestId> ids;
  set.on_dispatch = [&](std::uint64_t tag, QueueSet::RequestId id) {
    begun.push_back(tag);
    ids.push_back(id);
  };
  for (std::uint64_t tag = 1; tag <= 4; ++tag) set.start(at(0s), {}, 0, tag);
  set.start(at(1ms), {}, 1, 100);
  // The flood of queue 0 has used a second of its seat when the other comes to its turn.
  SimTime now = at(1s);
  while (begun.size() < 5) {
    set.finish(now, ids[begun.size() - 1]);
    now += 1s;
  }
  EXPECT_EQ(begun, (std::vector<std::uint64_t>{1, 100, 2, 3, 4}));
}

TEST(QueueSet, AFullQueueRefusesOnlyWhileNoSeatIsFree) {
  QueueSet set({.queues = 1, .queue_length_limit = 2, .hand_size = 1}, 1, at(0s));
  const QueueSet::Started first = set.start(at(0s), {}, 0, 0);
  EXPECT_EQ(set.start(at(0s), {}, 0, 1).outcome, QueueSet::Outcome::kQueued);
  const QueueSet::Started waits = set.start(at(0s), {}, 0, 2);
  EXPECT_EQ(set.start(at(0s), {}, 0, 3).outcome, QueueSet::Outcome::kQueueFull);
  set.cancel(at(1s), waits.id);
  EXPECT_EQ(set.start(at(1s), {}, 0, 4).outcome, QueueSet::Outcome::kQueued);
  EXPECT_EQ(set.requests_waiting(), 2);
  EXPECT_EQ(set.cancelled(), 1u);
  set.finish(at(2s), first.id);
  EXPECT_EQ(set.requests_executing(), 1);
}

TEST(QueueSet, AWriteKeepsItsSeatsForTheWatchers) {
  QueueSet set({.queues = 0}, 10, at(0s));
  const WorkEstimate work = estimate_write(200, 0);
  EXPECT_EQ(work, (WorkEstimate{1, 10, 10ms})) << "200 watchers: 20 seats of 5 ms, on 10 seats twice as long";
  const QueueSet::Started started = set.start(at(0s), work, 0, 0);
  EXPECT_EQ(set.seats_in_use(), 10);
  EXPECT_EQ(set.finish(at(4ms), started.id), SimDuration(10ms));
  EXPECT_TRUE(set.is_idle());
  EXPECT_EQ(set.start(at(5ms), {}, 0, 1).outcome, QueueSet::Outcome::kConcurrencyLimit);
  set.release(at(14ms), started.id);
  EXPECT_EQ(set.seats_in_use(), 0);
}

TEST(WorkEstimate, ListsCountByWhatIsLoaded) {
  const auto seats = [](ListRequest list, std::int64_t most = 0) { return estimate_list(list, most).initial_seats; };
  EXPECT_EQ(seats({}), 1) << "a resource of which nothing is known";
  EXPECT_EQ(seats({.objects = 10, .average_bytes = 4000}), 1);
  EXPECT_EQ(seats({.objects = 100, .average_bytes = 4000}), 4);
  EXPECT_EQ(seats({.objects = 10'000, .average_bytes = 4000}), 10) << "the cache streams: at most 1 MB at once";
  EXPECT_EQ(seats({.objects = 1000, .average_bytes = 4000, .from_cache = false}), 40);
  EXPECT_EQ(seats({.objects = 10'000, .average_bytes = 4000, .from_cache = false}), 100);
  EXPECT_EQ(seats({.objects = 10'000, .average_bytes = 4000, .from_cache = false}, 37), 37);
  EXPECT_EQ(seats({.objects = 10'000, .average_bytes = 4000, .limit = 500, .from_cache = false}), 20);
  EXPECT_EQ(seats({.objects = 10'000, .average_bytes = 4000, .from_cache = false, .is_single = true}), 1);
}

struct LevelCase {
  std::string_view name;
  int nominal, min, current;
  std::int64_t request_seats;
};
// Reference 4.9's table; the current seats are those of an idle server, divided by what each does not lend.
const LevelCase kLevelCases[] = {{"catch-all", 13, 13, -1, 0},      {"exempt", 0, 0, 0, 0},           {"global-default", 49, 24, -1, 8}, {"leader-election", 25, 25, -1, 4},
                                 {"node-high", 98, 73, -1, 15},     {"system", 74, 50, -1, 12},       {"workload-high", 98, 49, -1, 15}, {"workload-low", 245, 24, -1, 37}};

TEST(FlowController, DividesTheSeatsOfAServer) {
  const FlowController controller(default_configuration(), 600, at(0s));
  ASSERT_EQ(controller.level_count(), std::size(kLevelCases));
  int sum = 0;
  for (std::size_t i = 0; i < controller.level_count(); ++i) {
    const LevelCase& c = kLevelCases[i];
    SCOPED_TRACE(c.name);
    const FlowController::Level& level = controller.level(i);
    EXPECT_EQ(level.spec.name, c.name);
    EXPECT_EQ(level.nominal_seats, c.nominal);
    EXPECT_EQ(level.min_seats, c.min);
    EXPECT_EQ(level.max_request_seats, c.request_seats);
    sum += level.current_seats;
  }
  EXPECT_NEAR(sum, 602, 4) << "the nominal seats sum to 602";
}

TEST(FlowController, LendsToTheLevelThatNeedsSeats) {
  FlowController controller(default_configuration(), 600, at(0s));
  RequestInfo request{.user = "alice", .groups = {"system:authenticated"}, .verb = "get", .resource = "pods", .ns = "shop"};
  const Flow flow = controller.classify(request);
  EXPECT_EQ(controller.level(flow.level).spec.name, "global-default");
  EXPECT_EQ(flow.distinguisher, "alice");
  const int before = controller.level(flow.level).current_seats;
  for (std::uint64_t i = 0; i < 300; ++i) controller.start(at(1s), flow, {}, i);
  controller.adjust(at(10s));
  EXPECT_GT(controller.level(flow.level).current_seats, 2 * before);
  EXPECT_EQ(controller.level(flow.level).queues.requests_executing(), std::min(300, controller.level(flow.level).current_seats));
}

struct FlowCase {
  std::string_view name;
  RequestInfo request;
  std::string_view schema;
};
const FlowCase kFlowCases[] = {
    {"a kubelet's lease", {.user = "system:node:n1", .groups = {"system:nodes"}, .verb = "update", .api_group = "coordination.k8s.io", .resource = "leases", .ns = "kube-node-lease"},
     "system-node-high"},
    {"a kubelet's pods", {.user = "system:node:n1", .groups = {"system:nodes"}, .verb = "list", .resource = "pods"}, "system-nodes"},
    {"a leader's lease", {.user = "system:kube-scheduler", .groups = {"system:authenticated"}, .verb = "update", .api_group = "coordination.k8s.io", .resource = "leases",
                          .ns = "kube-system"}, "system-leader-election"},
    {"the scheduler's binding", {.user = "system:kube-scheduler", .groups = {"system:authenticated"}, .verb = "create", .resource = "pods", .subresource = "binding", .ns = "shop"},
     "kube-scheduler"},
    {"an operator in kube-system", {.user = service_account_user("kube-system", "dns"), .groups = service_account_groups("kube-system"), .verb = "list", .resource = "pods"},
     "kube-system-service-accounts"},
    {"an operator elsewhere", {.user = service_account_user("shop", "agent"), .groups = service_account_groups("shop"), .verb = "list", .resource = "pods"}, "service-accounts"},
    {"a break-glass certificate", {.user = "root", .groups = {"system:masters"}, .verb = "list", .resource = "pods"}, "exempt"},
    {"a probe", {.user = "system:anonymous", .groups = {"system:unauthenticated"}, .verb = "get", .is_resource = false, .path = "/readyz"}, "probes"},
    {"a probe of one check", {.user = "system:anonymous", .groups = {"system:unauthenticated"}, .verb = "get", .is_resource = false, .path = "/readyz/etcd"}, "probes"},
    {"somebody in no group at all", {.user = "x", .verb = "get", .resource = "pods"}, "catch-all"},
};

TEST(FlowController, WhoseRequestIsIt) {
  const FlowController controller(default_configuration(), 600, at(0s));
  for (const FlowCase& c : kFlowCases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(controller.schemas()[controller.classify(c.request).schema].name, c.schema);
  }
}

TEST(ConcurrencyAllocation, BoundsHold) {
  const auto allocation = allocate_concurrency(100, {{10, 200, 10}, {0, 20, 100}, {50, 60, 50}});
  ASSERT_TRUE(allocation);
  EXPECT_DOUBLE_EQ(allocation->seats[0], 20);
  EXPECT_DOUBLE_EQ(allocation->seats[1], 20) << "its upper bound";
  EXPECT_DOUBLE_EQ(allocation->seats[2], 60) << "its upper bound";
  EXPECT_FALSE(allocate_concurrency(10, {{20, 30, 20}})) << "less than the lower bounds";
}

TEST(RetryAfter, DoublesWhileManyAreRefused) {
  RetryAfter retry;
  std::int64_t second = 1000;
  std::vector<std::int64_t> answers;
  for (; second < 1100; ++second) {
    for (int i = 0; i < 100; ++i) retry.refuse(second);
    answers.push_back(retry.seconds());
  }
  EXPECT_EQ(answers.front(), 1);
  EXPECT_EQ(answers.back(), 32);
  EXPECT_TRUE(std::is_sorted(answers.begin(), answers.end()));
  for (; second < 1300; second += 4) retry.refuse(second);
  EXPECT_LT(retry.seconds(), 8) << "a refusal now and then";
}

}  // namespace
