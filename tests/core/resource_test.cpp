#include "sim/core/resource.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "sim/core/random.hpp"

namespace {

using namespace std::chrono_literals;
using sim::Engine;
using sim::Process;
using sim::Server;
using sim::SharedBandwidth;
using sim::SimDuration;
using sim::SimTime;
using sim::TokenBucket;
using sim::Wake;

constexpr SimTime at(SimDuration span) { return SimTime(span); }

// --- Server ----------------------------------------------------------------------------------------------------------

TEST(Server, FirstComeFirstServed) {
  Engine engine;
  Server server(engine, 2);
  std::vector<std::pair<char, SimTime>> done;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    server.serve(name == 'a' ? 5s : 2s, [&done, &engine, name] { done.emplace_back(name, engine.now()); });
  }
  EXPECT_EQ(server.busy(), 2);
  EXPECT_EQ(server.queued(), 2u);
  engine.run_until(at(100s));
  const std::vector<std::pair<char, SimTime>> want = {{'b', at(2s)}, {'c', at(4s)}, {'a', at(5s)}, {'d', at(6s)}};
  EXPECT_EQ(done, want);
  EXPECT_EQ(server.busy(), 0);
  EXPECT_DOUBLE_EQ(server.busy_over_time().integral(at(100s)), 11.0);
}

TEST(Server, CancelInTheQueueAndAfterTheGrant) {
  Engine engine;
  Server server(engine, 1);
  std::string granted;
  const Server::RequestId first = server.request([&] { granted += 'a'; });
  const Server::RequestId second = server.request([&] { granted += 'b'; });
  server.request([&] { granted += 'c'; });
  EXPECT_TRUE(server.cancel(second));
  EXPECT_FALSE(server.cancel(second));
  EXPECT_TRUE(server.cancel(first));  // granted, but not told yet: the next one has it
  engine.run_until(at(1s));
  EXPECT_EQ(granted, "c");
  EXPECT_EQ(server.busy(), 1);
  EXPECT_FALSE(server.cancel(first));
}

Process worker(Engine& engine, Server& server, SimDuration span, std::vector<std::pair<Wake, SimTime>>& done) {
  const Wake wake = co_await server.use(span);
  done.emplace_back(wake, engine.now());
}

TEST(Server, ProcessesThatEndGiveTheServerBackOrLeaveTheQueue) {
  Engine engine;
  Server server(engine, 1);
  std::vector<std::pair<Wake, SimTime>> done;
  Process holds = worker(engine, server, 100s, done);
  Process queued = worker(engine, server, 5s, done);
  Process last = worker(engine, server, 5s, done);
  Process interrupted = worker(engine, server, 5s, done);
  engine.after(10s, [&] { queued.end(); });
  engine.after(15s, [&] { EXPECT_TRUE(interrupted.interrupt()); });
  engine.after(20s, [&] { holds.end(); });
  engine.run_until(at(200s));
  const std::vector<std::pair<Wake, SimTime>> want = {{Wake::kInterrupted, at(15s)}, {Wake::kElapsed, at(25s)}};
  EXPECT_EQ(done, want);
  EXPECT_EQ(server.busy(), 0);
  EXPECT_EQ(server.queued(), 0u);
  EXPECT_FALSE(last.is_running());
}

Process holder(Engine& engine, Server& server, std::string& told, char name) {
  co_await server.acquire();
  told += name;
  co_await sim::Delay(engine, 1s);
  server.release();
}

TEST(Server, AcquireHoldsUntilRelease) {
  Engine engine;
  Server server(engine, 1);
  std::string told;
  std::vector<Process> processes;
  for (const char name : {'a', 'b', 'c'}) processes.push_back(holder(engine, server, told, name));
  processes[1].end();
  engine.run_until(at(500ms));
  EXPECT_EQ(told, "a");
  engine.run_until(at(1500ms));
  EXPECT_EQ(told, "ac");
  engine.run_until(at(10s));
  EXPECT_EQ(server.busy(), 0);
}

TEST(Server, FewerServersThanBusy) {
  Engine engine;
  Server server(engine, 3);
  int done = 0;
  for (int i = 0; i < 6; ++i) server.serve(1s, [&] { ++done; });
  engine.run_until(at(500ms));
  server.set_capacity(1);
  EXPECT_EQ(server.busy(), 3);
  engine.run_until(at(1500ms));
  EXPECT_EQ(server.busy(), 1);
  EXPECT_EQ(done, 3);
  engine.run_until(at(10s));
  EXPECT_EQ(done, 6);
  EXPECT_EQ(server.busy_over_time().max(), 3);
}

TEST(Server, WaitsAgreeWithErlangC) {
  // M/M/3 with load 0.8: probability of waiting and mean queue length from Erlang's C formula.
  constexpr int kServers = 3;
  constexpr double kOffered = 2.4;
  double sum = 0;
  double term = 1;
  for (int i = 0; i < kServers; ++i) {
    sum += term;
    term *= kOffered / (i + 1);
  }
  const double last = term / (1 - kOffered / kServers);
  const double queue_mean = last / (sum + last) * kOffered / kServers / (1 - kOffered / kServers);
  struct Arrivals {
    Engine& engine;
    Server& server;
    sim::RandomStream gaps{1, "test/arrivals", "gaps"};
    sim::RandomStream services{1, "test/arrivals", "services"};
    void next() {
      server.serve(services.exponential(SimDuration(1s)), [] {});
      engine.after(gaps.exponential(SimDuration(1s)) * 10 / 24, [this] { next(); });
    }
  };
  Engine engine;
  Server server(engine, kServers);
  Arrivals arrivals{engine, server};
  arrivals.next();
  engine.run_until(at(100'000s));
  EXPECT_NEAR(server.queue_over_time().average(engine.now()), queue_mean, 0.05 * queue_mean);
  EXPECT_NEAR(server.busy_over_time().average(engine.now()), kOffered, 0.02 * kOffered);
}

TEST(Server, AServiceIsCausedByWhoAskedForIt) {
  Engine engine;
  Server server(engine, 1);
  std::vector<std::uint32_t> causes;
  for (std::uint32_t cause = 1; cause <= 2; ++cause) {
    const sim::ScopedCause because(engine, sim::CauseId{cause});
    server.serve(1s, [&] { causes.push_back(engine.cause().value); });
  }
  engine.run_until(at(10s));
  EXPECT_EQ(causes, (std::vector<std::uint32_t>{1, 2}));
}

// --- SharedBandwidth -------------------------------------------------------------------------------------------------

TEST(SharedBandwidth, TwoFlowsShareALinkAndTheRestSpeedsUp) {
  Engine engine;
  SharedBandwidth network(engine);
  const SharedBandwidth::LinkId link = network.add_link(100);
  std::vector<std::pair<char, SimTime>> done;
  const SharedBandwidth::LinkId over[] = {link};
  network.start(over, 100, [&] { done.emplace_back('a', engine.now()); });
  const SharedBandwidth::FlowId b = network.start(over, 300, [&] { done.emplace_back('b', engine.now()); });
  EXPECT_EQ(network.rate(b), 50);
  engine.run_until(at(1s));
  EXPECT_DOUBLE_EQ(network.remaining(b), 250);
  engine.run_until(at(100s));
  // a: 100 bytes at 50/s = 2 s; b: 100 bytes by then, the other 200 at 100/s.
  const std::vector<std::pair<char, SimTime>> want = {{'a', at(2s)}, {'b', at(4s)}};
  EXPECT_EQ(done, want);
  EXPECT_EQ(network.flows(), 0u);
  EXPECT_EQ(network.rate(b), 0);
  EXPECT_FALSE(network.cancel(b));
}

TEST(SharedBandwidth, MaxMinOverSeveralLinks) {
  // The textbook case: link 1 (10) carries A, B; link 2 (20) carries B, C; link 3 (4) carries C alone with D.
  Engine engine;
  SharedBandwidth network(engine);
  const SharedBandwidth::LinkId l1 = network.add_link(10);
  const SharedBandwidth::LinkId l2 = network.add_link(20);
  const SharedBandwidth::LinkId l3 = network.add_link(4);
  const SharedBandwidth::LinkId on_a[] = {l1};
  const SharedBandwidth::LinkId on_b[] = {l1, l2};
  const SharedBandwidth::LinkId on_c[] = {l2, l3};
  const SharedBandwidth::LinkId on_d[] = {l3};
  const auto a = network.start(on_a, 1e6, nullptr);
  const auto b = network.start(on_b, 1e6, nullptr);
  const auto c = network.start(on_c, 1e6, nullptr);
  const auto d = network.start(on_d, 1e6, nullptr, 1.0);
  EXPECT_DOUBLE_EQ(network.rate(d), 1);  // its own limit
  EXPECT_DOUBLE_EQ(network.rate(c), 3);
  EXPECT_DOUBLE_EQ(network.rate(a), 5);
  EXPECT_DOUBLE_EQ(network.rate(b), 5);
  EXPECT_DOUBLE_EQ(network.used(l2), 8);
  network.cancel(a);
  EXPECT_DOUBLE_EQ(network.rate(b), 10);
  EXPECT_DOUBLE_EQ(network.rate(c), 3);
}

TEST(SharedBandwidth, ALinkWithoutCapacityStallsItsFlows) {
  Engine engine;
  SharedBandwidth network(engine);
  const SharedBandwidth::LinkId link = network.add_link(100);
  const SharedBandwidth::LinkId over[] = {link};
  SimTime done{};
  network.start(over, 1000, [&] { done = engine.now(); });
  engine.after(4s, [&] { network.set_capacity(link, 0); });
  engine.after(100s, [&] { network.set_capacity(link, 200); });
  engine.run_until(at(50s));
  EXPECT_EQ(engine.next_event_time(), at(100s));  // nothing ticks while it stalls
  engine.run_until(at(1000s));
  EXPECT_EQ(done, at(103s));
}

TEST(SharedBandwidth, AnEndIsCausedByTheStart) {
  Engine engine;
  SharedBandwidth network(engine);
  const SharedBandwidth::LinkId over[] = {network.add_link(100)};
  std::vector<std::uint32_t> causes;
  for (std::uint32_t cause = 1; cause <= 2; ++cause) {
    const sim::ScopedCause because(engine, sim::CauseId{cause});
    network.start(over, 100.0 * cause, [&] { causes.push_back(engine.cause().value); });
  }
  engine.run_until(at(10s));
  EXPECT_EQ(causes, (std::vector<std::uint32_t>{1, 2}));
}

TEST(SharedBandwidth, NoBytesAndNoLinks) {
  Engine engine;
  SharedBandwidth network(engine);
  const SharedBandwidth::LinkId link = network.add_link(0);
  const SharedBandwidth::LinkId over[] = {link, link};
  std::string told;
  network.start(over, 0, [&] { told += 'a'; });
  network.start({}, 500, [&] { told += 'b'; }, 100);
  EXPECT_EQ(told, "");
  engine.run_until(at(4s));
  EXPECT_EQ(told, "a");
  engine.run_until(at(5s));
  EXPECT_EQ(told, "ab");
}

TEST(SharedBandwidth, FlowsThatStartTogetherCostOneComputation) {
  Engine engine;
  SharedBandwidth network(engine);
  const SharedBandwidth::LinkId link = network.add_link(1000);
  const SharedBandwidth::LinkId over[] = {link};
  int done = 0;
  for (int i = 0; i < 1000; ++i) network.start(over, 1000, [&] { ++done; });
  engine.run_until(at(999s));
  EXPECT_LT(engine.stats().scheduled, 1010u);
  engine.run_until(at(1000s));
  EXPECT_EQ(done, 1000);
}

TEST(SharedBandwidth, SharesAreMaxMinFairOnRandomNetworks) {
  sim::RandomStream random(1, "test", "network");
  for (int round = 0; round < 200; ++round) {
    Engine engine;
    SharedBandwidth network(engine);
    const auto links = static_cast<std::uint32_t>(random.uniform_int(1, 8));
    for (std::uint32_t i = 0; i < links; ++i) network.add_link(static_cast<double>(random.uniform_int(1, 100)));
    struct Known {
      SharedBandwidth::FlowId id;
      std::vector<SharedBandwidth::LinkId> over;
      double limit;
    };
    std::vector<Known> flows;
    for (std::int64_t left = random.uniform_int(1, 20); left > 0; --left) {
      Known flow;
      for (std::uint32_t i = 0; i < links; ++i) {
        if (random.chance(0.4)) flow.over.push_back(SharedBandwidth::LinkId{i});
      }
      if (flow.over.empty()) flow.over.push_back(SharedBandwidth::LinkId{0});
      flow.limit = random.chance(0.3) ? static_cast<double>(random.uniform_int(1, 20)) : SharedBandwidth::kNoLimit;
      flow.id = network.start(flow.over, 1e9, nullptr, flow.limit);
      flows.push_back(flow);
      if (random.chance(0.2)) {  // changes on the way must leave the same shares as a computation from nothing
        network.rate(flow.id);
        network.cancel(flows.front().id);
        flows.erase(flows.begin());
      }
    }
    // The definition: every flow has its limit, or crosses a full link on which nobody has more than it.
    for (const Known& flow : flows) {
      const double rate = network.rate(flow.id);
      bool bound = rate >= flow.limit * (1 - 1e-9);
      for (const SharedBandwidth::LinkId link : flow.over) {
        EXPECT_LE(network.used(link), network.capacity(link) * (1 + 1e-9));
        if (network.used(link) < network.capacity(link) * (1 - 1e-9)) continue;
        bool greatest = true;
        for (const Known& other : flows) {
          const bool shares = std::find(other.over.begin(), other.over.end(), link) != other.over.end();
          if (shares && network.rate(other.id) > rate * (1 + 1e-9)) greatest = false;
        }
        bound = bound || greatest;
      }
      EXPECT_TRUE(bound) << "round " << round;
    }
  }
}

TEST(SharedBandwidth, BytesInAreBytesOut) {
  // Whatever comes and goes, the last of a busy period is there when all bytes went over the link at its full rate.
  sim::RandomStream random(2, "test", "work");
  Engine engine;
  SharedBandwidth network(engine);
  const SharedBandwidth::LinkId link = network.add_link(1e6);
  const SharedBandwidth::LinkId over[] = {link};
  double bytes = 0;
  SimTime last{};
  for (int i = 0; i < 300; ++i) {
    const double size = random.exponential(1e6);
    bytes += size;
    engine.at(at(SimDuration(random.uniform_int(0, 1'000'000'000))), [&, size] { network.start(over, size, [&] { last = engine.now(); }); });
  }
  engine.at(at(0s), [&] { network.start(over, 2e6, [&] { last = engine.now(); }); });
  bytes += 2e6;
  engine.run_until(sim::kEndOfTime);
  EXPECT_NEAR(sim::seconds(last), bytes / 1e6, 1e-6);
}

// --- TokenBucket -----------------------------------------------------------------------------------------------------

TEST(TokenBucket, BurstThenRate) {
  TokenBucket bucket(5, 10);  // client-go's default: 5 a second, 10 at once
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(bucket.try_take(at(0s)));
  EXPECT_FALSE(bucket.try_take(at(0s)));
  EXPECT_FALSE(bucket.try_take(at(199ms)));
  EXPECT_TRUE(bucket.try_take(at(200ms)));
  EXPECT_NEAR(bucket.available(at(100s)), 10, 1e-9);
}

TEST(TokenBucket, ReservationsWaitBehindEachOther) {
  TokenBucket bucket(5, 10);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bucket.reserve(at(0s)), 0s);
  EXPECT_EQ(bucket.reserve(at(0s)), 200ms);
  EXPECT_EQ(bucket.reserve(at(0s)), 400ms);
  EXPECT_EQ(bucket.reserve(at(1s)), 0s);
  bucket.give_back(at(1s), 100);
  EXPECT_NEAR(bucket.available(at(1s)), 10, 1e-9);
}

TEST(TokenBucket, WithoutARateNothingComes) {
  TokenBucket bucket(0, 1);
  EXPECT_TRUE(bucket.try_take(at(0s)));
  EXPECT_FALSE(bucket.try_take(at(100h)));
  EXPECT_EQ(bucket.reserve(at(100h)), SimDuration::max());
  bucket.set_rate(at(100h), 0.1);
  EXPECT_EQ(bucket.reserve(at(100h)), 10s);
  EXPECT_TRUE(TokenBucket(0.1, 1).try_take(at(0s)));
}

}  // namespace
