// Source of the expected times: reference kubernetes 1.2 and 11 (back-off release).
#include "sim/models/kubernetes/scheduler/queue.hpp"

#include <gtest/gtest.h>

namespace sim::k8s::scheduling {
namespace {

using namespace std::chrono_literals;

Ref<Pod> ref(std::uint32_t slot) { return Ref<Pod>{slot, 1}; }
SimTime at(SimDuration span) { return SimTime(span); }
std::uint32_t popped(SchedulingQueue& queue, SimTime now) {
  const QueuedPod* pod = queue.pop(now);
  return pod == nullptr ? 0 : pod->ref.slot;
}
const PluginSet kFit = set_of(Plugin::kNodeResourcesFit);
const auto kAlways = [](const QueuedPod&) { return true; };

TEST(SchedulingQueue, PriorityThenAge) {
  SchedulingQueue queue{QueueConfig{}};
  queue.add(ref(1), 0, false, at(3s), {});
  queue.add(ref(2), 0, false, at(2s), {});
  queue.add(ref(3), 10, false, at(9s), {});
  queue.add(ref(4), 0, false, at(2s), {});  // as old as 2, but it came later
  EXPECT_EQ(popped(queue, at(10s)), 3u);
  EXPECT_EQ(popped(queue, at(10s)), 2u);
  EXPECT_EQ(popped(queue, at(10s)), 4u);
  EXPECT_EQ(popped(queue, at(10s)), 1u);
  EXPECT_EQ(popped(queue, at(10s)), 0u);
}

TEST(SchedulingQueue, WhoFailedStandsBehindWhoWaited) {
  SchedulingQueue queue{QueueConfig{}};
  queue.add(ref(1), 0, false, at(1s), {});
  queue.add(ref(2), 0, false, at(2s), {});
  ASSERT_EQ(popped(queue, at(3s)), 1u);
  queue.failed(1, kFit, at(3s), {});
  queue.move(kFit, at(20s), {}, kAlways);  // its back-off is over: straight to the active queue
  EXPECT_EQ(popped(queue, at(20s)), 2u);
  EXPECT_EQ(popped(queue, at(20s)), 1u);
}

// Upstream: TestBackoffQueueOrdering. Those whose back-off ends in one second stand as in the active queue: by priority, then by who waits longer.
TEST(SchedulingQueue, BackoffsThatEndInOneSecondAreOrderedByPriority) {
  const struct {
    std::uint32_t slot;
    std::int32_t priority;
    SimDuration failed_at;
  } pods[] = {{5, 1, 97s}, {3, 1, 98s}, {4, 2, 98s}, {2, 2, 98001ms}, {1, 1, 99s}, {7, 1, 100s}};
  const auto queue_of_all = [&] {
    SchedulingQueue queue{QueueConfig{}};
    for (const auto& pod : pods) {
      queue.add(ref(pod.slot), pod.priority, false, at(pod.failed_at), {});
      EXPECT_EQ(queue.pop(at(pod.failed_at))->ref.slot, pod.slot) << "it alone is active";
      queue.failed(pod.slot, kFit, at(pod.failed_at), {});
      queue.move(kFit, at(pod.failed_at), {}, kAlways);
    }
    return queue;
  };
  SchedulingQueue waiting = queue_of_all();
  for (const std::uint32_t slot : {5u, 4u, 2u, 3u, 1u, 7u}) EXPECT_EQ(popped(waiting, at(100s)), slot) << "from the back-off queue itself";
  SchedulingQueue flushed = queue_of_all();
  flushed.flush(at(100s));
  EXPECT_EQ(flushed.active_count(), 4u) << "1 and 7 wait on";
  for (const std::uint32_t slot : {4u, 2u, 5u, 3u, 1u, 7u}) EXPECT_EQ(popped(flushed, at(100s)), slot);
}

struct ReleaseCase {
  std::string_view name;
  SimDuration failed_at;
  int failures;
  SimDuration released;
};

TEST(SchedulingQueue, BackoffIsReleasedAtTheNextWholeSecondAfterItsEnd) {
  const ReleaseCase cases[] = {
      {"10.0 s, 1 s", 10s, 1, 12s},
      {"10.9 s, 1 s", 10900ms, 1, 12s},
      {"2nd failure: 2 s", 20s, 2, 23s},
      {"10.5 s, 10 s", 10500ms, 5, 21s},
      {"20th failure: still 10 s", 10500ms, 20, 21s},
  };
  for (const ReleaseCase& c : cases) {
    SCOPED_TRACE(c.name);
    SchedulingQueue queue{QueueConfig{}};
    queue.add(ref(1), 0, false, at(0s), {});
    for (int i = 0; i < c.failures; ++i) {
      ASSERT_EQ(popped(queue, at(c.failed_at)), 1u);
      queue.failed(1, kFit, at(c.failed_at), {});
      if (i + 1 < c.failures) queue.activate(1, at(c.failed_at), {});
    }
    queue.add(ref(2), 100, false, at(0s), {});  // keeps the active queue busy
    queue.move(kFit, at(c.failed_at), {}, kAlways);
    ASSERT_EQ(queue.find(1)->place, QueuedPod::Place::kBackoff);
    EXPECT_EQ(queue.next_flush(at(0s), at(c.failed_at)), at(c.released));
    queue.flush(at(c.released - 1s));
    EXPECT_EQ(queue.find(1)->place, QueuedPod::Place::kBackoff);
    queue.flush(at(c.released));
    EXPECT_EQ(queue.find(1)->place, QueuedPod::Place::kActive);
  }
}

TEST(SchedulingQueue, AnIdleSchedulerDoesNotWaitForTheEndOfBackoff) {
  SchedulingQueue queue{QueueConfig{}};
  queue.add(ref(1), 0, false, at(0s), {});
  ASSERT_EQ(popped(queue, at(0s)), 1u);
  queue.failed(1, kFit, at(0s), {});
  EXPECT_FALSE(queue.can_pop()) << "unschedulable until something happens";
  queue.move(kFit, at(10ms), {}, kAlways);
  EXPECT_TRUE(queue.can_pop());
  EXPECT_EQ(popped(queue, at(10ms)), 1u);
}

TEST(SchedulingQueue, AnErrorIsWaitedForToTheEnd) {
  SchedulingQueue queue{QueueConfig{}};
  queue.add(ref(1), 0, false, at(0s), {});
  ASSERT_EQ(popped(queue, at(0s)), 1u);
  queue.failed(1, 0, at(0s), {});
  EXPECT_FALSE(queue.can_pop());
  EXPECT_EQ(queue.next_flush(at(0s), at(0s)), at(2s));
  queue.flush(at(2s));
  EXPECT_EQ(popped(queue, at(2s)), 1u);
}

TEST(SchedulingQueue, MovesOnlyPodsThatAnInterestedPluginRejected) {
  SchedulingQueue queue{QueueConfig{}};
  for (std::uint32_t slot : {1u, 2u, 3u}) queue.add(ref(slot), 0, false, at(0s), {});
  for (std::uint32_t slot : {1u, 2u, 3u}) ASSERT_EQ(popped(queue, at(0s)), slot);
  queue.failed(1, kFit, at(0s), {});
  queue.failed(2, set_of(Plugin::kTaintToleration), at(0s), {});
  queue.failed(3, kFit, at(0s), {});
  EXPECT_TRUE(queue.concerns(kFit));
  queue.move(kFit, at(20s), CauseId{5}, [](const QueuedPod& pod) { return pod.ref.slot == 3; });
  EXPECT_EQ(queue.find(1)->place, QueuedPod::Place::kUnschedulable);
  EXPECT_EQ(queue.find(2)->place, QueuedPod::Place::kUnschedulable);
  EXPECT_EQ(queue.find(3)->place, QueuedPod::Place::kActive);
  EXPECT_EQ(queue.find(3)->cause, CauseId{5});
  EXPECT_FALSE(queue.concerns(set_of(Plugin::kNodePorts)));
}

TEST(SchedulingQueue, UnschedulablePodsAreRetriedAfterFiveMinutesAtATick) {
  SchedulingQueue queue{QueueConfig{}};
  queue.add(ref(1), 0, false, at(0s), {});
  ASSERT_EQ(popped(queue, at(12s)), 1u);
  queue.failed(1, kFit, at(12s), {});
  EXPECT_EQ(queue.next_flush(at(0s), at(12s)), at(330s)) << "12 s + 300 s = 312 s, and ticks come every 30 s";
  queue.flush(at(312s));
  EXPECT_EQ(queue.find(1)->place, QueuedPod::Place::kUnschedulable) << "not before it is over";
  queue.flush(at(330s));
  EXPECT_EQ(queue.find(1)->place, QueuedPod::Place::kActive);
  EXPECT_EQ(queue.next_flush(at(0s), at(330s)), kEndOfTime) << "nothing waits, nothing ticks";
}

TEST(SchedulingQueue, GatedPodsWaitOutside) {
  SchedulingQueue queue{QueueConfig{}};
  queue.add(ref(1), 0, true, at(0s), {});
  EXPECT_FALSE(queue.can_pop());
  queue.move(~PluginSet{0}, at(1s), {}, kAlways);
  queue.flush(at(1000s));
  EXPECT_FALSE(queue.can_pop());
  EXPECT_EQ(queue.next_flush(at(0s), at(0s)), kEndOfTime);
  queue.add(ref(1), 0, false, at(2s), {});
  EXPECT_EQ(popped(queue, at(2s)), 1u);
}

TEST(SchedulingQueue, APreemptorIsNotMovedWhileItsCallsRun) {
  SchedulingQueue queue{QueueConfig{}};
  queue.add(ref(1), 0, false, at(0s), {});
  ASSERT_EQ(popped(queue, at(0s)), 1u);
  queue.failed(1, kFit, at(0s), {});
  queue.set_preempting(1, true);
  queue.move(kFit, at(1s), {}, kAlways);
  EXPECT_FALSE(queue.can_pop());
  queue.set_preempting(1, false);
  queue.move(kFit, at(1s), {}, kAlways);
  EXPECT_TRUE(queue.can_pop());
}

TEST(SchedulingQueue, ASlotMayBeTakenByAnotherPod) {
  SchedulingQueue queue{QueueConfig{}};
  queue.add(Ref<Pod>{1, 1}, 0, false, at(0s), {});
  queue.remove(1);
  EXPECT_FALSE(queue.can_pop());
  queue.add(Ref<Pod>{1, 2}, 0, false, at(0s), {});
  const QueuedPod* pod = queue.pop(at(0s));
  ASSERT_NE(pod, nullptr);
  EXPECT_EQ(pod->ref.generation, 2u);
  EXPECT_EQ(queue.pop(at(0s)), nullptr) << "the entry of the first pod is void";
}

}  // namespace
}  // namespace sim::k8s::scheduling
